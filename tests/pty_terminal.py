"""A command on a pseudo-terminal, as a user at a real one sees it."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from tests.deadline import DEADLINE

_COLOUR = re.compile("\x1b\\[[0-9;]*m|\x1b\\[\\?[0-9]+[hl]")


class Terminal:
    """A command on a pseudo-terminal of its own, and everything it wrote."""

    def __init__(self, words: list[str], *, columns: int, environment: dict[str, str]) -> None:
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.process = subprocess.Popen(
            words,
            stdin=other,
            stdout=other,
            stderr=other,
            env=environment,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - one system call, and no other way
        )
        os.close(other)

    def read_until(self, words: str, *, seconds: float = DEADLINE) -> None:
        """Take what it writes until some words have come."""
        deadline = time.monotonic() + seconds
        while words not in self.plain:
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"{words!r} never came: {self.text[-2000:]}")

    @property
    def plain(self) -> str:
        """Everything so far without colours."""
        return _COLOUR.sub("", self.text)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._main, keys.encode())

    def end(self, *, seconds: float = DEADLINE) -> int:
        """Take the rest, and the exit code."""
        while self._read(seconds):
            pass
        os.close(self._main)
        return self.process.wait(seconds)

    def close(self) -> None:
        """Close the window with the command in it."""
        os.close(self._main)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._main], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._main, 65536)
        except OSError:  # the other side is gone
            return False
        self.text += self._decoder.decode(data)
        return bool(data)


def _take_terminal() -> None:
    """Make it the terminal that Ctrl-C and Ctrl-Z come from."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
