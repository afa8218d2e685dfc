"""Standard input without a terminal: it is waited for, but not for ever."""

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from tiktok_hook import pipes
from tiktok_hook.errors import UsageError

ANSWER_SECONDS = 2.0
"""How long an answer may take without a terminal; `yes | tiktok-hook clear` has it at once."""

_HINT = "Pipe it in, or redirect standard input from a file."


def require_input(what: str, *, seconds: float = pipes.IDLE_SECONDS) -> None:
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
        raise UsageError(f"No {what} arrived on standard input within {seconds:g} s.", hint=_HINT)


MAX_BYTES = 64 << 20
"""Of a request body. A listener takes 1 MiB, unless ``--max-body`` allows more."""


def read(what: str, *, line_bytes: int | None = None) -> bytes:
    """Read standard input to its end, or one line of it.

    Args:
        what: What is read, for the message.
        line_bytes: Read one line of at most this many bytes; None reads all.

    Raises:
        UsageError: Nothing came, neither more nor the end, or more than `MAX_BYTES`.
    """
    require_input(what)
    stream = pipes.standard_input()
    try:
        if line_bytes is not None:
            return stream.readline(line_bytes)
        data = stream.read(MAX_BYTES + 1)
    except TimeoutError as error:
        raise UsageError(
            f"The {what} on standard input was not complete: {error.strerror}.", hint=_HINT
        ) from error
    except OSError as error:
        raise UsageError(
            f"The {what} on standard input cannot be read: {error.strerror}.", hint=_HINT
        ) from error
    if len(data) > MAX_BYTES:
        raise UsageError(
            f"The {what} on standard input is larger than {MAX_BYTES} bytes.",
            hint="Give a smaller one.",
        )
    return data


def confirmed(question: str) -> bool | None:
    """Whether the user answered yes; None without an answer.

    Without a terminal, the answer is a line on standard input that is there at once.
    """
    try:
        require_input("answer", seconds=ANSWER_SECONDS)
        if pipes.is_interactive():
            return click.confirm(question, err=True)
        click.echo(f"{question} [y/N]: ", nl=False, err=True)
        answer = pipes.standard_input(ANSWER_SECONDS).readline(100)
    except (click.Abort, UsageError, TimeoutError):
        answer = b""
    click.echo(err=True)
    known = {b"y": True, b"yes": True, b"n": False, b"no": False}
    return known.get(answer.strip().lower(), False if answer else None)


@contextmanager
def withheld_without_a_terminal() -> Iterator[None]:
    """Without a terminal, give child processes the null device as their standard input.

    An editor such as vi would wait for keys that no one can type.
    """
    if pipes.is_interactive():
        yield
        return
    before = os.dup(0)
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


@functools.cache  # the first byte is waited for once; after that the rest may be in a buffer
def _has_input(seconds: float) -> bool:
    if sys.platform == "win32" or pipes.is_interactive():  # Windows cannot wait for a pipe
        return True
    try:
        return pipes.has_input(sys.stdin.fileno(), seconds)
    except (OSError, ValueError):  # a stream without a descriptor
        return True
