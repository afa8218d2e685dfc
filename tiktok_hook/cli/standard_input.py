"""Standard input without a terminal: it is waited for, but not for ever."""

import functools
import sys

from tiktok_hook.errors import UsageError

WAIT_SECONDS = 30.0
"""How long the first byte may take: a password manager in a pipe needs some of it."""


def require_input(what: str, *, seconds: float = WAIT_SECONDS) -> None:
    """Wait until standard input has data or has ended.

    With a terminal on any standard stream it returns at once: a person can answer, or press
    Ctrl-C. Without one, an open pipe into which no program writes would block for ever.

    Args:
        what: What is read, for the message.
        seconds: How long the first byte may take.

    Raises:
        UsageError: Nothing came within that time.
    """
    if not _has_input(seconds):
        raise UsageError(
            f"No {what} came on standard input within {seconds:g} s.",
            hint="Pipe it in, or redirect standard input from a file.",
        )


@functools.cache  # the first byte is waited for once; after that the rest may be in a buffer
def _has_input(seconds: float) -> bool:
    # Pipes cannot be waited for on Windows.
    if sys.platform == "win32" or any(
        stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)
    ):
        return True
    import select

    try:
        poll = select.poll()
        poll.register(sys.stdin.fileno(), select.POLLIN)  # the end of the input counts, too
        return bool(poll.poll(seconds * 1000))
    except (OSError, ValueError):  # a stream without a descriptor
        return True
