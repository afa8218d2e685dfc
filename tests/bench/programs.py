"""Programs that a measurement runs: each on its core, its output taken, ended with the block."""

import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

from tests.bench.machine import Cores

HERE = Path(__file__).parent
Words = list[str | Path]
"""A command line."""

START_SECONDS = 20.0
END_SECONDS = 10.0


class NotMeasuredError(Exception):
    """A row that cannot be measured here; the message is the reason."""


@dataclass(frozen=True)
class Program:
    """A running program.

    Attributes:
        process: Its process.
        port: Where it takes connections; 0 when it does not.
        start_seconds: From its start to the first byte of its first answer.
    """

    process: subprocess.Popen[bytes]
    port: int
    start_seconds: float

    def resident_bytes(self) -> int:
        """Memory that it holds now."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    """A port without a listener."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@contextmanager
def running(
    words: Words,
    *,
    core: int | None,
    port: int = 0,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seen: Callable[[bytes], None] | None = None,
) -> Iterator[Program]:
    """Run a program on a pseudo-terminal until the block ends, once it answers.

    Args:
        words: Its command line.
        core: Where it runs; None for anywhere.
        port: Where it will listen; 0 to wait for nothing.
        environment: Variables in addition to ours, or instead of them.
        folder: Where it starts.
        seen: Called with all that it prints, by the thread that reads the terminal.

    Raises:
        NotMeasuredError: It ended, or did not listen in time.
    """
    begun = time.perf_counter()
    with _terminal(seen) as (terminal, tail):
        with on_core(core):
            process = subprocess.Popen(
                words,
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                start_new_session=True,
            )
        try:
            if port:
                _wait_for(process, port, tail)
            yield Program(process, port, time.perf_counter() - begun)
        finally:
            end(process)


def seconds_of(
    words: Words, *, core: int | None, environment: Mapping[str, str] | None = None
) -> float:
    """How long a program takes from its start to its end, on a pseudo-terminal.

    Raises:
        NotMeasuredError: It failed.
    """
    with _terminal() as (terminal, tail), on_core(core):
        begun = time.perf_counter()
        process = subprocess.Popen(
            words,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        # Waiting with a timeout looks only now and then, up to 50 ms apart.
        deadline = threading.Timer(START_SECONDS, process.kill)
        deadline.start()
        try:
            process.wait()
            taken = time.perf_counter() - begun
        finally:
            deadline.cancel()
            end(process)
    if process.returncode:
        output = b"".join(tail).decode(errors="replace").strip()[-200:]
        raise NotMeasuredError(f"{words[0]} ended with {process.returncode}: {output}")
    return taken


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program and whatever it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Keep this thread on one core, and with it all that it starts; None lets them roam."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def on_every_core(cores: Cores) -> Iterator[None]:
    """Let this thread, and all that it starts, use every core again."""
    if not cores.every:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores.every)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Worker:
    """A part of a measurement in a process of its own, which prints JSON at its end.

    It prints a line when it is ready, and starts to work when it gets one.

    Args:
        module: In ``tests.bench.workers``.
        arguments: Its command line.
        core: Where it runs; None for where this thread may.
    """

    def __init__(self, module: str, *arguments: object, core: int | None = None) -> None:
        words = [sys.executable, "-m", f"tests.bench.workers.{module}", *map(str, arguments)]
        self._words = words
        with on_core(core):
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_until_ready(self) -> None:
        """Return when it may be started.

        Raises:
            NotMeasuredError: It ended before that.
        """
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            self._fail()

    def start(self, line: str = "") -> None:
        """Let it start, or end when it is one that works until it is asked to end."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail()

    def result(self, seconds: float) -> Any:
        """What it prints at its end.

        Raises:
            NotMeasuredError: It failed, or took longer.
        """
        try:
            output, errors = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise NotMeasuredError(f"{self._words[2]} took longer than {seconds:.0f} s") from error
        if self._process.returncode:
            raise NotMeasuredError(_failure(self._words, errors))
        return json.loads(output)

    def _fail(self) -> NoReturn:
        _, errors = self._process.communicate()
        raise NotMeasuredError(_failure(self._words, errors))


def _failure(words: list[str], errors: bytes) -> str:
    last = errors.decode(errors="replace").strip().splitlines()[-1:]
    return f"{words[2]} failed: {''.join(last)[:200]}"


@contextmanager
def _terminal(
    seen: Callable[[bytes], None] | None = None,
) -> Iterator[tuple[int, list[bytes]]]:
    """A pseudo-terminal that is read all the time, and the last that was written to it."""
    tail: list[bytes] = []
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    drain = threading.Thread(target=_drain, args=(ours, tail, seen), daemon=True)
    drain.start()
    try:
        yield theirs, tail
    finally:
        os.close(theirs)
        drain.join(END_SECONDS)
        os.close(ours)


def _drain(file: int, tail: list[bytes], seen: Callable[[bytes], None] | None) -> None:
    with suppress(OSError):  # the other side is gone
        while data := os.read(file, 1 << 16):
            tail[:] = [*tail[-3:], data]
            if seen is not None:
                seen(data)


def _wait_for(process: subprocess.Popen[bytes], port: int, tail: list[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            output = b"".join(tail).decode(errors="replace")[-300:]
            raise NotMeasuredError(f"{process.args!r} ended with {process.returncode}: {output}")
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS) as asking,
        ):
            asking.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            if asking.recv(1):
                return
        time.sleep(0.001)
    raise NotMeasuredError(f"{process.args!r} did not answer within {START_SECONDS:.0f} s")


@dataclass(frozen=True)
class Answered:
    """What a load saw.

    Attributes:
        rate: Answers with 200 per second.
        median_ms: From a request to its answer.
        busy: How much of the time the load's core was busy, with the load and with whatever else
            is there; near 1 that was the bottleneck.
        count: How many were answered.
    """

    rate: float
    median_ms: float
    busy: float
    count: int


def load(
    cores: Cores,
    port: int,
    *,
    host: str = "127.0.0.1",
    connections: int,
    seconds: float,
    count: int | None = None,
    warm_up: float = 0.3,
) -> Answered:
    """Send signed deliveries from the load's core.

    Args:
        cores: Where the load may run.
        port: Where to send to.
        host: The address there.
        connections: How many send at the same time.
        seconds: For how long.
        count: How many to send at most; None for as many as there is time for.
        warm_up: Seconds of load before that which do not count.

    Raises:
        NotMeasuredError: Something else than 200 was answered, or the server hung up.
    """
    words: Words = [sys.executable, HERE / "load.py", str(port), "--host", host]
    words += ["--connections", str(connections), "--seconds", str(seconds)]
    words += ["--warm-up", str(warm_up)]
    words += [] if count is None else ["--count", str(count)]
    with on_core(cores.load):
        try:
            done = subprocess.run(words, capture_output=True, timeout=seconds + 60, check=False)
        except subprocess.TimeoutExpired as error:
            raise NotMeasuredError("the load was not answered any more") from error
    if done.returncode:
        last = done.stderr.decode().strip().splitlines()[-1:]
        raise NotMeasuredError(f"the load ended early: {''.join(last)}")
    seen = json.loads(done.stdout)
    if set(seen["statuses"]) != {"200"}:
        raise NotMeasuredError(f"answers were {seen['statuses']}")
    return Answered(
        rate=seen["answered"] / seen["seconds"],
        median_ms=seen["median_ms"],
        busy=seen["busy"],
        count=seen["answered"],
    )
