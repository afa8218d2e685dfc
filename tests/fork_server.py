"""Starts the command in processes of their own, forked from one that has imported it already.

Importing the package takes ten times as long as most commands run, and the tests run the command
hundreds of times. A forked process has its own arguments, environment, working directory, standard
streams and exit code, gets signals and can be killed, as one that was started in the usual way.

The server has one thread, since no other one survives a fork; it imports modules, then waits. It
ends when the test process closes its end of the control socket, also by dying.
"""

import asyncio
import atexit
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[1]

NOT_IMPORTED = ("tiktok_hook.__main__", "tiktok_hook.testing", "tiktok_hook.tunnel.child")
"""The command itself, what only users' tests import, and what runs in the tunnel's own process."""

AT_START = ("PYTHON", "LC_", "LANG", "LD_", "FAKETIME")
"""Variables that are read when Python starts. Under other values a fork would not be the same."""

REQUEST_BYTES = 1 << 20


class CannotFork(Exception):
    """The process has to be started in the usual way."""


@dataclass(frozen=True)
class Forked:
    """A process that was forked by the server.

    Attributes:
        pid: Its number.
        status: A pipe from which its exit code can be read when it has ended.
    """

    pid: int
    status: int


def fork(
    arguments: list[str], environment: dict[str, str], streams: tuple[int, int, int]
) -> Forked:
    """Run ``tiktok-hook`` with these arguments and descriptors of standard streams.

    Raises:
        CannotFork: The environment changes how Python starts, or the system cannot fork.
    """
    # What moves the clock inside this process notices a process that starts by this event.
    sys.audit("subprocess.Popen", sys.executable, arguments, None, environment)
    if not hasattr(os, "fork") or _at_start(environment) != _at_start(_server().environment):
        raise CannotFork
    return _server().fork(arguments, environment, streams)


def _at_start(environment: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(AT_START) and name != "PYTHONPATH"
    }


class _Server:
    """The test process's end of the control socket."""

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        atexit.register(self._control.close)
        with theirs:
            subprocess.run(
                [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=PROJECT,
                check=True,
            )

    def fork(
        self, arguments: list[str], environment: dict[str, str], streams: tuple[int, int, int]
    ) -> Forked:
        request = json.dumps([arguments, environment, str(Path.cwd())]).encode(
            "utf-8", "surrogatepass"
        )
        ours, theirs = os.pipe()
        try:
            with self._lock:
                socket.send_fds(self._control, [request], [*streams, theirs])
                return Forked(int(self._control.recv(64)), ours)
        finally:
            os.close(theirs)


@cache
def _server() -> _Server:
    return _Server()


def run(arguments: list[str], stdin: bytes, seconds: float) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end, with this process's environment.

    Raises:
        subprocess.TimeoutExpired: It took longer; it was killed.
        CannotFork: See `fork`.
    """
    (read_in, write_in), (read_out, write_out), (read_err, write_err) = (os.pipe() for _ in "123")
    theirs = (read_in, write_out, write_err)
    try:
        process = fork(arguments, dict(os.environ), theirs)
    except BaseException:
        for number in (write_in, read_out, read_err):
            os.close(number)
        raise
    finally:
        for number in theirs:
            os.close(number)
    with ThreadPoolExecutor(4) as pool:
        pool.submit(_write, write_in, stdin)
        ends = [pool.submit(_read, number) for number in (read_out, read_err, process.status)]
        if wait(ends, timeout=seconds).not_done:
            os.kill(process.pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(arguments, seconds)
    output, errors, code = (end.result() for end in ends)
    return subprocess.CompletedProcess(arguments, int(code), output, errors)


def _read(number: int) -> bytes:
    with os.fdopen(number, "rb") as pipe:
        return pipe.read()


def _write(number: int, data: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(number, "wb") as pipe:
        pipe.write(data)


class Process:
    """A forked process in asyncio's way, with the attributes of `asyncio.subprocess.Process`.

    Attributes:
        pid: Its number.
        returncode: As of `subprocess`: negative for a signal, None while it runs.
        stdout: What it prints.
        stderr: What it prints there.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._ended = asyncio.Event()
        self._transports: list[asyncio.ReadTransport] = []

    @classmethod
    async def start(
        cls, arguments: list[str], environment: dict[str, str], *, limit: int
    ) -> "Process":
        """Run the command; `limit` is the length of the longest line.

        Raises:
            CannotFork: See `fork`.
        """
        (read_out, write_out), (read_err, write_err) = os.pipe(), os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            forked = fork(arguments, environment, (nothing, write_out, write_err))
        except BaseException:
            os.close(read_out)
            os.close(read_err)
            raise
        finally:
            for number in (nothing, write_out, write_err):
                os.close(number)
        process = cls(forked.pid)
        process.stdout = await process._stream(read_out, limit)
        process.stderr = await process._stream(read_err, limit)
        await process._connect(lambda: _Status(process), forked.status)
        return process

    async def _stream(self, number: int, limit: int) -> asyncio.StreamReader:
        reader = asyncio.StreamReader(limit)
        await self._connect(lambda: asyncio.StreamReaderProtocol(reader), number)
        return reader

    async def _connect(self, factory: Callable[[], asyncio.Protocol], number: int) -> None:
        pipe = os.fdopen(number, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(factory, pipe)
        self._transports.append(transport)

    def ended(self, returncode: int) -> None:
        self.returncode = returncode
        self._ended.set()

    async def wait(self) -> int:
        """Wait for its end; its exit code."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal.

        Raises:
            ProcessLookupError: It has ended.
        """
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Close the pipes, which a process that it left behind may hold open."""
        for transport in self._transports:
            transport.close()


class _Status(asyncio.Protocol):
    def __init__(self, process: Process) -> None:
        self._process = process

    def data_received(self, data: bytes) -> None:
        self._process.ended(int(data))


def _import_package() -> None:
    package = importlib.import_module("tiktok_hook")
    for module in pkgutil.walk_packages(package.__path__, "tiktok_hook."):
        if not module.name.startswith(NOT_IMPORTED):
            importlib.import_module(module.name)


def _serve(control: socket.socket) -> list[str]:
    """Fork for each request; returns in the forked process, with its arguments."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write)
    statuses: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(read, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == read:
                    os.read(read, 1 << 12)
                    _report_ended(statuses)
                    continue
                request, descriptors, _, _ = socket.recv_fds(control, REQUEST_BYTES, 4)
                if not request:
                    sys.exit(0)
                *streams, status = descriptors
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    return _become(json.loads(request), streams)
                statuses[pid] = status
                for number in streams:
                    os.close(number)
                control.send(str(pid).encode())


def _report_ended(statuses: dict[int, int]) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            pipe = statuses.pop(pid)
            with suppress(BrokenPipeError):
                os.write(pipe, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(pipe)


def _become(request: tuple[list[str], dict[str, str], str], streams: list[int]) -> list[str]:
    """Give this forked process what was asked for, and nothing of the server's."""
    arguments, environment, folder = request
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1 << 12)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    return arguments


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    # Reparented to init: the tests count the children of their own process.
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _import_package()
    assert threading.active_count() == 1, "threads do not survive a fork"
    gc.collect()
    gc.freeze()
    arguments = _serve(control)
    control.detach()
    gc.unfreeze()
    command = importlib.import_module("tiktok_hook.cli")
    sys.argv[1:] = arguments
    command.main(arguments)


if __name__ == "__main__":
    main()
