"""An unsigned flood against `listen`, with real deliveries in between: ``make flood``.

FLOOD_SECONDS (600) is the duration, FLOOD_FORMAT (json; or compact, normal, full) in which format
the command prints. For json it prints into a file, otherwise to a pseudo-terminal. Ends with 1 when
a bound is exceeded.
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.deadline import DEADLINE
from tests.listener import BODY, SECRET, command, signed
from tests.pty_terminal import Terminal

REAL_EVERY_SECONDS = 3.0
LIMIT_SECONDS = 1.0
"""In which a real delivery has to be answered 200."""

LIMIT_HISTORY_BYTES = 128 << 20
"""The rejected deliveries (16 MiB) with their indexes, and a log of at most 64 MiB."""

LIMIT_MEMORY_BYTES = 384 << 20
"""64 MiB of requests being received, their copies while they are parsed and stored, 64 MiB for a
log, the interpreter, and what the allocator does not give back."""

JSON_LINE_BYTES = 128_000
SCREEN_LINE_BYTES = 4_000


@dataclass
class Flood:
    """The outcome.

    Attributes:
        seconds: How long it took.
        answers: Responses to the flood by their status.
        history_bytes: The most that the database and its log took on the disk.
        memory_bytes: The most resident memory, of the command and what it started.
        memory_series: The same over time, five times a second.
        output_bytes: All that the command printed.
        real_seconds: Until each real delivery was answered 200; infinite for another answer.
        code: Exit code of the command.
        errors: Last of what it printed.
    """

    seconds: float = 0.0
    answers: dict[str, int] = field(default_factory=dict)
    history_bytes: int = 0
    memory_bytes: int = 0
    memory_series: list[int] = field(default_factory=list)
    output_bytes: int = 0
    real_seconds: list[float] = field(default_factory=list)
    code: int = 0
    errors: str = ""

    def __str__(self) -> str:
        mib = 1 << 20
        real = sorted(self.real_seconds)
        return (
            f"{self.seconds:.0f} s, responses to the flood: {self.answers}\n"
            f"history at most {self.history_bytes / mib:.1f} MiB, memory at most "
            f"{self.memory_bytes / mib:.0f} MiB, output {self.output_bytes / 1000:.0f} kB\n"
            f"memory by quarters, median: {self.memory_by_quarter()} MiB\n"
            f"{len(real)} real deliveries: median {real[len(real) // 2] * 1000:.0f} ms, p95 "
            f"{real[len(real) * 95 // 100] * 1000:.0f} ms, slowest {real[-1] * 1000:.0f} ms"
        )

    def memory_by_quarter(self) -> list[int]:
        """The median of each quarter of the time in MiB, which shows whether it grows."""
        size = max(1, len(self.memory_series) // 4)
        parts = [self.memory_series[at * size : (at + 1) * size] for at in range(4)]
        return [round(statistics.median(part) / (1 << 20)) for part in parts if part]

    def exceeded(self, form: str) -> list[str]:
        """The bounds that were not kept."""
        lines = 100 + self.seconds if form == "json" else 10 + self.seconds / 30
        line = JSON_LINE_BYTES if form == "json" else SCREEN_LINE_BYTES
        # Rejected deliveries and other requests have an allowance each; what is counted takes a
        # line now and then, and so does each real delivery.
        output = int(2 * lines * line) + (len(self.real_seconds) + 50) * SCREEN_LINE_BYTES
        held = {
            f"history within {LIMIT_HISTORY_BYTES}": self.history_bytes <= LIMIT_HISTORY_BYTES,
            f"memory within {LIMIT_MEMORY_BYTES}": self.memory_bytes <= LIMIT_MEMORY_BYTES,
            f"output within {output}": self.output_bytes <= output,
            f"200 within {LIMIT_SECONDS} s": max(self.real_seconds) <= LIMIT_SECONDS,
            "exit code 0": self.code == 0,
            "no traceback": "Traceback" not in self.errors,
        }
        return [words for words, so in held.items() if not so]


def flood(seconds: float, form: str, folder: Path) -> Flood:
    """Flood a listener of its own for so long, and measure."""
    result = Flood()
    with running(form, folder, result) as (process, port):
        attack = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.attack", str(port), str(seconds)],
            stdout=subprocess.PIPE,
        )
        try:
            began = time.monotonic()
            threads = [
                threading.Thread(target=watch, args=(process, folder, attack, result)),
                threading.Thread(target=deliver, args=(port, attack, result)),
            ]
            for thread in threads:
                thread.start()
            out, _ = attack.communicate(timeout=seconds + 60)
            for thread in threads:
                thread.join()
            result.seconds = time.monotonic() - began
            result.answers = dict(sorted(json.loads(out).items()))
        finally:
            attack.kill()
            attack.wait()
    return result


@contextmanager
def running(form: str, folder: Path, result: Flood) -> Iterator[tuple[psutil.Process, int]]:
    """Run the command on a terminal or into a file, and note its exit code and its output."""
    words = command("--no-tunnel", "--db", str(folder / "history.db"), form=form)
    environment = {**os.environ, "TIKTOK_CLIENT_SECRET": SECRET, "XDG_STATE_HOME": str(folder)}
    if form == "json":
        output = folder / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment
            )
        try:
            yield psutil.Process(process.pid), listening_port(process.pid, folder)
        finally:
            process.send_signal(signal.SIGINT)
            result.code = process.wait(DEADLINE)
        text = output.read_bytes()
        result.output_bytes = len(text)
        result.errors = text[-4000:].decode()
        return
    terminal = Terminal(words, columns=120, environment=environment)
    reading = threading.Thread(target=terminal.end, kwargs={"seconds": 3600})
    reading.start()
    try:
        yield psutil.Process(terminal.process.pid), listening_port(terminal.process.pid, folder)
    finally:
        terminal.process.send_signal(signal.SIGINT)
        reading.join(120)
        result.code = terminal.process.wait(DEADLINE)
    result.output_bytes = len(terminal.text.encode())
    result.errors = terminal.text[-4000:]


def listening_port(pid: int, folder: Path) -> int:
    """The port of the command's receiver, once it is ready."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in folder.rglob(f"listeners/{pid}.json"):
            with suppress(ValueError):  # it is being written
                url: str = json.loads(path.read_text("utf-8"))["local_url"]
                return int(urlsplit(url).port or 0)
        time.sleep(0.05)
    raise AssertionError("the command was not ready in 60 s")


def watch(
    process: psutil.Process, folder: Path, attack: "subprocess.Popen[bytes]", result: Flood
) -> None:
    """Look five times a second how much is held, until the attack ends."""
    while attack.poll() is None:
        memory = sum(
            each.memory_info().rss for each in (process, *process.children(recursive=True))
        )
        disk = sum(each.stat().st_size for each in folder.glob("history.db*"))
        result.memory_series.append(memory)
        result.memory_bytes = max(result.memory_bytes, memory)
        result.history_bytes = max(result.history_bytes, disk)
        time.sleep(0.2)


def deliver(port: int, attack: "subprocess.Popen[bytes]", result: Flood) -> None:
    """Post a signed delivery every few seconds, each on a new connection, until the attack ends."""
    number = 0
    next_at = time.monotonic() + 1.0
    while attack.poll() is None:
        if time.monotonic() < next_at:
            time.sleep(0.05)
            continue
        number += 1
        next_at += REAL_EVERY_SECONDS
        body = BODY.replace(b"7545200", b"%07d" % number)
        name, value = signed(body)
        began = time.monotonic()
        status = b""
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(
                f"POST /real HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            status = connection.recv(4096).split(b" ", 2)[1]
        taken = time.monotonic() - began
        result.real_seconds.append(taken if status == b"200" else float("inf"))


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    seconds = float(os.environ.get("FLOOD_SECONDS", "600"))
    form = os.environ.get("FLOOD_FORMAT", "json")
    with tempfile.TemporaryDirectory(prefix="flood-") as name:
        for variable in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            os.environ[variable] = name
        result = flood(seconds, form, Path(name))
    print(result)
    if exceeded := result.exceeded(form):
        sys.exit("exceeded: " + "; ".join(exceeded))


if __name__ == "__main__":
    main()
