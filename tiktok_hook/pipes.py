"""Reads pipes without waiting for ever: for a program that neither writes nor ends."""

import errno
import functools
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

IDLE_SECONDS = 30.0
"""How long data, or the end, may take: a password manager in a pipe needs some of it."""


class Pipe(io.RawIOBase):
    """A pipe, socket or other file whose data, or whose end, has to come in time.

    Args:
        descriptor: The caller closes it.
        seconds: How long each read waits at most.
    """

    def __init__(self, descriptor: int, *, seconds: float = IDLE_SECONDS) -> None:
        self._descriptor = descriptor
        self.seconds = seconds

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return stat.S_ISREG(os.fstat(self._descriptor).st_mode)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return os.lseek(self._descriptor, offset, whence)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read what is there.

        Raises:
            TimeoutError: Neither data nor the end came in time.
        """
        if not has_input(self._descriptor, self.seconds):
            text = f"neither data nor its end arrived within {self.seconds:g} s"
            raise TimeoutError(errno.ETIMEDOUT, text)
        return os.readv(self._descriptor, [buffer])


def has_input(descriptor: int, seconds: float) -> bool:
    """Whether data or the end can be read within this time."""
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def is_interactive() -> bool:
    """Whether a person can answer or press Ctrl-C: a standard stream is a terminal."""
    return any(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def standard_input(seconds: float = IDLE_SECONDS) -> BinaryIO:
    """Standard input; without a terminal each read waits for a limited time.

    All parts of the program have to read it from here, since data may be in a buffer.

    Args:
        seconds: How long a read waits at most, from now on.
    """
    if sys.platform == "win32" or is_interactive():  # pipes cannot be waited for on Windows
        return sys.stdin.buffer
    pipe = _pipe_of(sys.stdin)
    if pipe is None:
        return sys.stdin.buffer
    assert isinstance(pipe.raw, Pipe)
    pipe.raw.seconds = seconds
    return pipe


@functools.lru_cache(maxsize=1)
def _pipe_of(stream: TextIO) -> io.BufferedReader | None:
    try:
        return io.BufferedReader(Pipe(stream.fileno()))
    except (OSError, ValueError):  # a stream without a descriptor
        return None


@contextmanager
def opened(file: Path, *, seconds: float = IDLE_SECONDS) -> Iterator[BinaryIO]:
    """Open a file for reading; each read waits for a limited time, unless a person types at it.

    A named pipe is opened whether or not a program has it open for writing. Files of the kernel
    that wait for news, such as /proc/kmsg, are regular ones of size 0.

    Args:
        file: Its path.
        seconds: How long a read waits at most.

    Raises:
        OSError: It cannot be opened.
    """
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        is_on_disk = stat.S_ISREG(found.st_mode) and found.st_size > 0
        if sys.platform != "win32" and not is_on_disk and not os.isatty(descriptor):
            yield io.BufferedReader(Pipe(descriptor, seconds=seconds))
        else:
            if hasattr(os, "set_blocking"):
                os.set_blocking(descriptor, True)
            yield stream
