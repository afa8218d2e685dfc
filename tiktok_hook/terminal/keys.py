"""Single keys while a session runs, and the terminal put back whatever happens.

Reading a key at a time means changing the terminal's mode, so Ctrl-Z, `fg`, a crash and the end all
have to undo it.
"""

import asyncio
import atexit
import codecs
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Protocol, TextIO

_POLL_SECONDS = 0.05
_SEQUENCE = re.compile("\x1b(\\[[0-?]*[ -/]*[@-~]|O.|[^\x1b\\[O])", re.DOTALL)
_UNFINISHED = re.compile("\x1b(\\[[0-?]*[ -/]*|O)$")
_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"
_BRACKETED_PASTE = {True: b"\x1b[?2004h", False: b"\x1b[?2004l"}

MOST_KEYS_AT_ONCE = 3
"""More characters than this that come together were not typed: they are ignored, too."""

_saved: dict[int, Any] = {}


class KeyParser:
    """Finds the keys in what a terminal sends: no escape sequences, nothing that was pasted.

    Terminals mark what is pasted (bracketed paste). Where they do not, text is taken for pasted
    when many characters come at once.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._rest = ""
        self._pasting = False

    def feed(self, data: bytes) -> str:
        """Return the keys that are complete with these bytes."""
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        typed = ""
        while text:
            before, mark, after = text.partition(_PASTE_ENDS if self._pasting else _PASTE_BEGINS)
            if not self._pasting:
                typed += before
            elif not mark:
                self._rest = before[-len(_PASTE_ENDS) :]  # may hold the beginning of the mark
            if mark:
                self._pasting = not self._pasting
            text = after
        if unfinished := _UNFINISHED.search(typed):
            self._rest = unfinished[0]
            typed = typed[: unfinished.start()]
        keys = _SEQUENCE.sub("", typed).replace("\x1b", "")
        return keys if len(keys) <= MOST_KEYS_AT_ONCE else ""


class Suspendable(Protocol):
    """What has to step aside while the session is stopped; `Console` is one."""

    def suspend(self) -> None:
        """Take the status line away."""

    def resume(self) -> None:
        """Put it back."""

    def resized(self) -> None:
        """The terminal has another width."""


@asynccontextmanager
async def read(
    on_key: Callable[[str], None],
    screen: Suspendable,
    *,
    stdin: TextIO | int | None = None,
) -> AsyncIterator[bool]:
    """Call `on_key` on the event loop with each key pressed; yields whether keys can be read.

    Also sees to Ctrl-Z, `fg` and a terminal that changes its size. Call it on the main thread, and
    only when the screen is a terminal, too.

    Args:
        on_key: Gets one character; arrow keys and the like, and what is pasted, are left out.
        screen: Notified when the session is stopped or continued, or its width has changed.
        stdin: A text stream or a descriptor; None is stdin. Without a terminal nothing happens.
    """
    fd = _descriptor(sys.stdin if stdin is None else stdin)
    if fd is None or not os.isatty(fd):
        yield False
    elif os.name == "nt":
        async with _polled(on_key):
            yield True
    else:
        with _Posix(fd, on_key, screen).reading():
            yield True


def restore() -> None:
    """Give every terminal its old mode back; for ways out that skip the rest."""
    if not _saved:
        return
    import termios

    for fd, mode in list(_saved.items()):
        _mark_pasted(fd, wanted=False)
        # A terminal that is gone needs no mode.
        with suppress(termios.error, OSError):
            termios.tcsetattr(fd, termios.TCSANOW, mode)
    _saved.clear()


def _descriptor(stream: TextIO | int | None) -> int | None:
    if stream is None or isinstance(stream, int):
        return stream
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _mark_pasted(fd: int, *, wanted: bool) -> None:
    """Have the terminal mark what is pasted, or no longer."""
    # Not through stdin, which may be open for reading only.
    with suppress(OSError):
        terminal = os.open(os.ttyname(fd), os.O_WRONLY | os.O_NOCTTY)
        try:
            os.write(terminal, _BRACKETED_PASTE[wanted])
        finally:
            os.close(terminal)


def _reopened(fd: int) -> int:
    """A descriptor of our own for the terminal.

    uvloop makes what it watches non-blocking. Stdin shares that mode with stdout, the shell and
    every other program on the terminal, and they would all fail in odd ways.
    """
    try:
        return os.open(os.ttyname(fd), os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:  # the device is out of sight, as in some containers
        return os.dup(fd)


class _Posix:
    """Keys of one terminal, by termios and the event loop."""

    def __init__(self, fd: int, on_key: Callable[[str], None], screen: Suspendable) -> None:
        self._fd = fd
        self._input = _reopened(fd)
        self._on_key = on_key
        self._screen = screen
        self._loop = asyncio.get_running_loop()
        self._parser = KeyParser()

    @contextmanager
    def reading(self) -> Iterator[None]:
        handlers = (
            (signal.SIGTSTP, self._stop),
            (signal.SIGCONT, self._go_on),
            (signal.SIGWINCH, self._screen.resized),
        )
        try:
            self._start()
            for number, handler in handlers:
                self._loop.add_signal_handler(number, handler)
            yield
        finally:
            for number, _ in handlers:
                self._loop.remove_signal_handler(number)
            self._loop.remove_reader(self._input)
            self._restore()
            os.close(self._input)

    def _start(self) -> None:
        """Switch to single keys; not from the background, where the shell would stop us for it."""
        if self._in_background():
            return
        import termios

        with suppress(termios.error, OSError):
            mode = termios.tcgetattr(self._fd)
            if self._fd not in _saved:
                _saved[self._fd] = [*mode[:6], list(mode[6])]
                atexit.register(restore)
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self._fd, termios.TCSANOW, mode)
            _mark_pasted(self._fd, wanted=True)
            self._loop.add_reader(self._input, self._readable)
            os.set_blocking(self._fd, True)  # in case the loop's change reached it

    def _restore(self) -> None:
        if not self._in_background():
            restore()
        atexit.unregister(restore)

    def _in_background(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) != os.getpgrp()
        except OSError:
            return False  # not our controlling terminal, so using it does not stop us

    def _readable(self) -> None:
        try:
            data = os.read(self._input, 256)
        except BlockingIOError:  # another reader was faster
            return
        except OSError:
            data = b""
        if not data:  # hung up
            self._loop.remove_reader(self._input)
            return
        for key in self._parser.feed(data):
            self._on_key(key)

    def _stop(self) -> None:
        """Ctrl-Z: leave the terminal as it was, then stop as everybody does."""
        self._screen.suspend()
        self._loop.remove_reader(self._input)
        restore()
        self._loop.remove_signal_handler(signal.SIGTSTP)  # gives it its default back
        try:
            signal.raise_signal(signal.SIGTSTP)  # to this thread, so that it stops right here
        finally:
            self._loop.add_signal_handler(signal.SIGTSTP, self._stop)
            # Without job control nothing stops us and no SIGCONT will come.
            self._go_on()

    def _go_on(self) -> None:
        """After `fg`, or after `bg`, when the terminal belongs to another job."""
        self._start()
        self._screen.resume()


@asynccontextmanager
async def _polled(on_key: Callable[[str], None]) -> AsyncIterator[None]:
    """Windows: its consoles cannot be waited for by the event loop."""
    import msvcrt

    console: Any = msvcrt
    loop = asyncio.get_running_loop()
    handle: asyncio.TimerHandle | None = None

    def look() -> None:
        nonlocal handle
        while console.kbhit():
            key = console.getwch()
            if key in {"\x00", "\xe0"}:  # an arrow or function key: its code follows
                console.getwch()
            elif key == "\x03":  # Ctrl-C, which comes as a key while one is being read
                signal.raise_signal(signal.SIGINT)
            else:
                on_key(key)
        handle = loop.call_later(_POLL_SECONDS, look)

    look()
    try:
        yield
    finally:
        if handle is not None:
            handle.cancel()
