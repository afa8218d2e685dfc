"""A terminal small enough to read: what a person sees of what was written to it."""

import os
import pty
import re
import select
import struct
import threading
import time
from types import TracebackType
from typing import Self

from tests.deadline import DEADLINE

_MODE = re.compile(r"\x1b\[\?[0-9]+[hl]")
_PIECE = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|\x1b\]([^\x07]*)\x07|\r|\n|[^\x1b\r\n]+")


class Emulated:
    """Rows of text and a cursor; knows CR, LF, erasing downwards, and leaves colours out."""

    def __init__(self) -> None:
        self.rows = [""]
        self.row = 0
        self.column = 0
        self.widest = 0
        self.commands: list[str] = []

    def feed(self, text: str) -> None:
        for found in _PIECE.finditer(_MODE.sub("", text)):
            piece = found[0]
            if piece == "\r":
                self.column = 0
            elif piece == "\n":
                self.row += 1
                if self.row == len(self.rows):
                    self.rows.append("")
            elif found[3] is not None:
                self.commands.append(found[3])
            elif found[2] == "J":
                self.rows[self.row] = self.rows[self.row][: self.column]
                del self.rows[self.row + 1 :]
            elif found[2] is None:
                self._write(piece)

    def _write(self, text: str) -> None:
        row = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = row[: self.column] + text + row[self.column + len(text) :]
        self.column += len(text)
        self.widest = max(self.widest, self.column)

    @property
    def bottom(self) -> str:
        return self.rows[-1]


class Terminal:
    """A pseudo-terminal whose screen is read all the time, unless it is held."""

    def __init__(self, *, columns: int = 80) -> None:
        self.master, self.slave = pty.openpty()
        self.raw = ""
        self._lock = threading.Condition()
        self._reading = threading.Event()
        self._reading.set()
        self._ended = False
        self._marks = 0
        self.resize(columns)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended = True
        self._reading.set()
        self._thread.join(DEADLINE)
        os.close(self.slave)
        os.close(self.master)

    def resize(self, columns: int) -> None:
        import fcntl
        import termios

        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))

    def hold(self) -> None:
        """Stop reading, as with Ctrl-S."""
        self._reading.clear()

    def go_on(self) -> None:
        self._reading.set()

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> str:
        """Everything written so far, once it contains the text."""
        with self._lock:
            assert self._lock.wait_for(lambda: text in self.raw, DEADLINE), self.raw
            return self.raw

    @property
    def screen(self) -> Emulated:
        emulated = Emulated()
        emulated.feed(self.raw)
        return emulated

    def pause(self) -> None:
        """Wait until something is written, a twentieth of a second at most."""
        with self._lock:
            self._lock.wait(0.05)

    def settled(self) -> Emulated:
        """The screen after everything that was written to the terminal before this call."""
        self._marks += 1
        mark = f"\x1b]mark {self._marks}\x07"
        os.write(self.slave, mark.encode())
        self.wait_for(mark)
        return self.screen

    def wait_for_bottom(self, text: str) -> Emulated:
        """The screen, once its last row contains the text."""
        until = time.monotonic() + DEADLINE
        with self._lock:
            while text not in self.screen.bottom:
                assert self._lock.wait(until - time.monotonic()), self.screen.rows
            return self.screen

    def _read(self) -> None:
        pending = b""
        while not self._ended:
            self._reading.wait()
            if not select.select([self.master], [], [], 0.02)[0]:
                continue
            try:
                pending += os.read(self.master, 65536)
            except OSError:
                return
            text = pending.decode(errors="ignore")
            if text.encode() == pending:
                with self._lock:
                    self.raw += text
                    self._lock.notify_all()
                pending = b""
