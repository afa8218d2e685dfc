"""The machine that is measured on."""

import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cores:
    """Which core serves and which one loads; None where nothing can be pinned.

    Attributes:
        server: For what is measured.
        load: For what measures it, and for apps behind it.
        note: Why nothing is pinned; empty when it is.
    """

    server: int | None
    load: int | None
    note: str = ""

    @classmethod
    def choose(cls) -> "Cores":
        """The first two that this process may use."""
        if not hasattr(os, "sched_setaffinity"):
            return cls(None, None, "this system cannot pin a process to a core")
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            return cls(None, None, "only one core: server and load share it")
        return cls(allowed[0], allowed[1])


def fsync_ms(folder: Path, times: int = 50) -> float:
    """Median milliseconds of one fsync after a small write there."""
    probe = folder / "fsync.probe"
    taken = []
    with probe.open("wb") as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1000)
    probe.unlink()
    return statistics.median(taken)


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def describe(folder: Path, cores: Cores) -> str:
    """One line: processor, cores, system, Python, disk."""
    pinned = cores.note or "server and load on a core each"
    version = platform.python_version()
    return (
        f"{processor()}, {os.cpu_count()} cores ({pinned}), {platform.system()} "
        f"{platform.machine()}, {sys.implementation.name} {version}, "
        f"one fsync {fsync_ms(folder):.2f} ms"
    )
