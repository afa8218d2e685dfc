"""Where text goes: a terminal, a pipe, a file; and what each of them can take."""

import errno
import io
import os
import select
from typing import TextIO

_SIGNS = {
    "→": "->", "←": "<-", "…": "...", "─": "-", "·": "-", "●": "*", "○": "o", "✓": "+", "✗": "x",
    "↻": "~", "│": "|",
}  # fmt: skip
_ASCII = str.maketrans(_SIGNS)
_CLOSED = {errno.EPIPE, errno.EIO, errno.EBADF, errno.ECONNRESET, errno.ENXIO}


class Closed(Exception):
    """The reader has left: the pipe's other end or the terminal is gone."""


class Sink:
    """One output, written whole and unbuffered.

    Args:
        stream: A text stream, or the number of a file descriptor that stays the caller's.
    """

    def __init__(self, stream: TextIO | int) -> None:
        self._stream: TextIO | None = None
        self._fd: int | None
        self.encoding = "utf-8"
        if isinstance(stream, int):
            self._fd = stream
        else:
            self._stream = stream
            self.encoding = stream.encoding or "utf-8"
            try:
                self._fd = stream.fileno()
            except (OSError, AttributeError, io.UnsupportedOperation):
                self._fd = None
        self.is_terminal = self._fd is not None and os.isatty(self._fd)
        self._plain = not _takes(self.encoding, "".join(_SIGNS))
        if self.is_terminal and os.name == "nt":
            os.system("")  # noqa: S605, S607 - turns on escape codes in old Windows consoles

    @property
    def device(self) -> int | None:
        """Number of the terminal, which two sinks on the same one share; None if there is none."""
        if self._fd is None or not self.is_terminal:
            return None
        try:
            return os.fstat(self._fd).st_rdev
        except OSError:
            return None

    @property
    def width(self) -> int | None:
        """Columns of the terminal at this moment; None if it is not a terminal or unknown."""
        if self._fd is None or not self.is_terminal:
            return None
        try:
            return os.get_terminal_size(self._fd).columns or None
        except OSError:
            return None

    @property
    def height(self) -> int | None:
        """Rows of the terminal at this moment; None if it is not a terminal or unknown."""
        if self._fd is None or not self.is_terminal:
            return None
        try:
            return os.get_terminal_size(self._fd).lines or None
        except OSError:
            return None

    def write(self, text: str) -> None:
        """Write all of it, waiting as long as the reader wants.

        Raises:
            Closed: The reader has left.
            OSError: The disk is full, and the like.
        """
        if self._plain:
            text = text.translate(_ASCII)
        try:
            if self._fd is None or os.name == "nt":
                self._write_stream(text)
            else:
                self._write_fd(self._fd, text.encode(self.encoding, "backslashreplace"))
        except ValueError as error:  # the stream was closed under us
            raise Closed from error
        except OSError as error:
            if error.errno in _CLOSED:
                raise Closed from error
            raise

    def _write_stream(self, text: str) -> None:
        if self._stream is None:
            os.write(self._fd or 1, text.encode(self.encoding, "backslashreplace"))
            return
        safe = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        self._stream.write(safe)
        self._stream.flush()

    @staticmethod
    def _write_fd(fd: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(fd, rest) :]
            except BlockingIOError:  # another process that shares it made it non-blocking
                select.select([], [fd], [], 1.0)


def _takes(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True
