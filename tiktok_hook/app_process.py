"""Runs the developer's app as a child process: `tiktok-hook listen -f 3000 -- npm start`."""

import asyncio
import codecs
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal, cast

from tiktok_hook.errors import UsageError
from tiktok_hook.sanitize import visible

STOP_SECONDS = 5.0
"""How long the app may take to end when it is asked to, before it is killed."""

_INTERRUPT_SECONDS = 2.0
"""How long a Ctrl-C may take to work before the app is asked once more, with SIGTERM."""

_WITHHELD = re.compile(
    r"NGROK_.*(?:TOKEN|KEY|SECRET).*|TIKTOK_HOOK_(?:.*(?:TOKEN|SECRET|HEADER).*|DB)", re.IGNORECASE
)
"""Variables that the app does not inherit: ngrok's credentials, and our own settings that may
contain a secret, a header's value or a database password. ``TIKTOK_CLIENT_SECRET`` stays, since the
app verifies with it."""

if sys.platform == "win32":
    _CREATION_FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP
    _INTERRUPT = signal.CTRL_BREAK_EVENT
else:
    _CREATION_FLAGS = 0
    _INTERRUPT = signal.SIGINT

_OUTPUT_SECONDS = 0.5
_LINE_CHARACTERS = 16 * 1024
_ESCAPE_CHARACTERS = 256
_POLL_SECONDS = 0.05
_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
_RESET = "\x1b[0m"
_ESCAPE = re.compile(
    r"\x1b(?:"
    r"\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements, erasing
    r"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC and its like: titles, links, clipboard
    r"|[ -/]+[0-~]"  # character sets
    r"|[0-Z\\`-~]"  # two characters
    r")"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?$")


class Lines:
    """Cuts an app's output into lines that cannot upset the terminal they are shown in.

    Colours stay and are ended with the line; cursor movements, titles and other controls go. A
    line longer than 16 KiB comes in pieces, never cut inside a character or an escape sequence.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        result = [piece for line in lines for piece in _pieces(line)]
        while len(self._rest) > _LINE_CHARACTERS:
            piece, self._rest = _cut(self._rest)
            result.append(piece)
        return [_harmless(line) for line in result]

    def flush(self) -> list[str]:
        """The last line, when it had no end."""
        rest, self._rest = self._rest + self._decoder.decode(b"", final=True), ""
        return [_harmless(line) for line in _pieces(rest)] if rest else []


def _pieces(line: str) -> list[str]:
    pieces = []
    while len(line) > _LINE_CHARACTERS:
        piece, line = _cut(line)
        pieces.append(piece)
    return [*pieces, line]


def _cut(line: str) -> tuple[str, str]:
    at = _LINE_CHARACTERS
    start = line.rfind("\x1b", at - _ESCAPE_CHARACTERS, at)
    if start > 0 and _UNFINISHED.search(line[start:at]):
        at = start
    return line[:at], line[at:]


def _harmless(line: str) -> str:
    line = line.rstrip("\r").rpartition("\r")[2]  # a progress bar: its last state
    line = _ESCAPE.sub(lambda found: found[0] if _COLOUR.fullmatch(found[0]) else "", line)
    parts = _COLOUR.split(_UNFINISHED.sub("", line))
    parts[::2] = [visible(part, keep_newlines=True) for part in parts[::2]]
    text = "".join(parts)
    return text + _RESET if len(parts) > 1 and not text.endswith(_RESET) else text


class _Output(asyncio.SubprocessProtocol):
    """Receives what asyncio reports about the process, on the event loop.

    Invariants: `exited` is set once the command has been reaped, `silent` once its output is
    closed. Neither implies the other: a grandchild may hold the output open, and a command may
    close its output and run on. A task that is cancelled while it waits for one of them must not
    cancel it: `wait` shields it, and `asyncio.wait` leaves it alone. At most `_LINE_CHARACTERS` of
    a line without an end are buffered.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        self._on_line = on_line
        self._lines = Lines()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.silent: asyncio.Future[None] = loop.create_future()

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:  # noqa: ARG002 - asyncio's signature
        for line in self._lines.feed(cast("bytes", data)):
            self._on_line(line)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.flush()
        if not self.silent.done():
            self.silent.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)

    def flush(self) -> None:
        for line in self._lines.flush():
            self._on_line(line)


class AppProcess:
    """The app while it runs, with everything it started itself.

    One event loop touches it, so there are no locks. Invariants: a signal is sent only right after
    `_alive`, so that it does not reach a process group that has got the number since; every wait
    of `stop` has a deadline, at most `_INTERRUPT_SECONDS`, `STOP_SECONDS` and twice
    `_OUTPUT_SECONDS` together; `abandon` does not wait for the event loop, so it also works after
    a second Ctrl-C.

    Attributes:
        pid: Of the command; its process group has the same number on POSIX systems.
    """

    def __init__(self, transport: asyncio.SubprocessTransport, output: _Output) -> None:
        self._transport = transport
        self._output = output
        self._interrupted = False
        self.pid = transport.get_pid()

    @property
    def exit_code(self) -> int | None:
        """The exit code as a shell reports it: 128 + n for a signal; None while it runs."""
        code = self._transport.get_returncode()
        return code if code is None or code >= 0 else 128 - code

    async def wait(self) -> int:
        """Wait for the command's end; its exit code, 128 + n for a signal."""
        await asyncio.shield(self._output.exited)
        code = self.exit_code
        assert code is not None
        return code

    async def wait_for_port(
        self, port: int, *, seconds: float = 60.0
    ) -> Literal["up", "ended", "late"]:
        """Wait until something on this machine accepts connections at `port`.

        Returns:
            ``up``; ``ended`` when the command ended first; ``late`` after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not self._output.exited.done():
            if await _accepts(port):
                return "up"
            if time.monotonic() >= deadline:
                return "late"
            await asyncio.wait([self._output.exited], timeout=_POLL_SECONDS)
        return "ended"

    def interrupt(self) -> None:
        """Have `stop` begin with a Ctrl-C: the terminal's own reaches only its process group.

        Not at once, since the app still has to answer what is under way.
        """
        self._interrupted = True

    async def stop(self) -> None:
        """End the app and all it started: SIGTERM, and SIGKILL for what is left after 5 s."""
        if self._interrupted and self._alive():
            self._signal(_INTERRUPT)
            await self._gone(_INTERRUPT_SECONDS)
        if self._alive():
            self._signal(signal.SIGTERM)
            await self._gone(STOP_SECONDS)
        if self._alive():
            self._kill()
            await self._gone(_OUTPUT_SECONDS)
        # What left the group on purpose may hold the output open for ever.
        await asyncio.wait([self._output.exited, self._output.silent], timeout=_OUTPUT_SECONDS)

    def abandon(self) -> None:
        """Kill what still runs and release it, without waiting; safe to call twice."""
        if self._alive():
            self._kill()
        self._transport.close()
        self._output.flush()

    async def _gone(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._alive() and time.monotonic() < deadline:  # noqa: ASYNC110 - a process group's end is not an event
            await asyncio.sleep(_POLL_SECONDS)

    if sys.platform == "win32":

        def _alive(self) -> bool:
            return self._transport.get_returncode() is None

        def _signal(self, number: int) -> None:
            with suppress(ProcessLookupError, PermissionError):
                self._transport.send_signal(number)

        def _kill(self) -> None:
            tree = ["taskkill", "/T", "/F", "/PID", str(self.pid)]
            subprocess.run(tree, capture_output=True, check=False)  # noqa: S603 - all ours

    else:

        def _alive(self) -> bool:
            """Whether the command or anything in its process group runs."""
            if self._transport.get_returncode() is None:
                return True
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                return False
            except PermissionError:  # one of them runs as another user
                return True
            return not _only_dead(self.pid)

        def _signal(self, number: int) -> None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

        def _kill(self) -> None:
            self._signal(signal.SIGKILL)


def _how_to_write(command: Sequence[str], path: str | None) -> str:
    """What to do about a command that was not found; it may have been written for a shell."""
    first = command[0] if command else ""
    words = shlex.split(first) if first.count(" ") and "'" not in first and '"' not in first else []
    if len(words) > 1 and shutil.which(words[0], path=path):
        return f"Write the command without quotes: -- {visible(shlex.join(words))}"
    if re.fullmatch(r"[A-Za-z_]\w*=.*", first):
        return "Set variables with env: -- env NAME=value COMMAND"
    if first in _OF_THE_SHELL:
        return f"{first} is part of the shell: -- sh -c '{first} … && COMMAND'"
    return "Install it, or add its folder to PATH. What a shell must read goes into sh -c '…'."


_OF_THE_SHELL = {".", "cd", "export", "set", "source", "ulimit", "umask"}


@asynccontextmanager
async def running(
    command: Sequence[str],
    *,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None],
) -> AsyncIterator[AppProcess]:
    """Start the app and end it, with everything it started, at the end of the block.

    Args:
        command: Program and arguments; no shell is involved.
        port: Given to it as ``PORT``; None when its target is not on this machine.
        environment: What it inherits; None is our own. Without ngrok's credentials and our
            settings that may contain a secret. ``PYTHONUNBUFFERED`` is set unless it is there, so
            that what a Python app prints is seen at once.
        on_line: Called on the event loop with each line of its output, both streams in the order
            written, without a line end.

    Raises:
        UsageError: There is no such command, or it cannot be run.
    """
    inherited = os.environ if environment is None else environment
    variables = {name: text for name, text in inherited.items() if not _WITHHELD.fullmatch(name)}
    variables.setdefault("PYTHONUNBUFFERED", "1")
    if port is not None:
        variables["PORT"] = str(port)
    program = shutil.which(command[0], path=variables.get("PATH")) if command else None
    if program is None:
        raise UsageError(
            f"The command {command[0]!r} was not found." if command else "The command is empty.",
            hint=_how_to_write(command, variables.get("PATH")),
        )
    # Watchers such as esbuild and Tailwind end when their stdin is closed. The app gets a pipe that
    # stays open and never delivers: keys are ours.
    stdin, held_open = os.pipe()
    try:
        transport, output = await asyncio.get_running_loop().subprocess_exec(
            lambda: _Output(on_line),
            program,
            *command[1:],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables,
            start_new_session=True,  # without meaning on Windows
            creationflags=_CREATION_FLAGS,
        )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The command {command[0]!r} cannot be run: {error}.",
            hint="Try it alone first. A script needs a first line like #!/bin/sh.",
        ) from error
    else:
        app = AppProcess(transport, output)
        try:
            yield app
        finally:
            try:
                await app.stop()
            finally:
                app.abandon()
    finally:
        os.close(stdin)
        os.close(held_open)


def _only_dead(process_group: int) -> bool:
    """Whether all that is left of a group has ended, and only waits for init to notice.

    In a container init may be slow, or missing. Where there is no /proc to look at, the
    group counts as alive.
    """
    found = False
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, group = file.read_bytes().rpartition(b")")[2].split()[:3]
            if int(group) == process_group:
                if state not in {b"Z", b"X"}:
                    return False
                found = True
    return found


async def _accepts(port: int) -> bool:
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection("localhost", port)
    except OSError:  # TimeoutError is one of its kind
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
