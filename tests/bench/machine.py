"""The machine that is measured on."""

import os
import platform
import resource
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Cores:
    """Which core serves and which one loads; None where nothing can be pinned.

    Attributes:
        server: For what is measured.
        load: For what measures it, and for apps behind it.
        note: Why nothing is pinned; empty when it is.
        every: All that this process may use, for what is too much for one core.
    """

    server: int | None
    load: int | None
    note: str = ""
    every: frozenset[int] = frozenset()

    @classmethod
    def choose(cls) -> "Cores":
        """Two that this process may use, if possible not two halves of one."""
        if not hasattr(os, "sched_setaffinity"):
            return cls(None, None, "this system cannot pin a process to a core")
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            return cls(None, None, "only one core: server and load share it")
        apart = [core for core in allowed[1:] if core not in _halves(allowed[0])]
        return cls(allowed[0], (apart or allowed[1:])[0], every=frozenset(allowed))


def _halves(core: int) -> set[int]:
    """The cores that share their arithmetic with this one, itself included."""
    file = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        spans = [span.partition("-") for span in file.read_text("ascii").strip().split(",")]
        return {n for low, _, high in spans for n in range(int(low), int(high or low) + 1)}
    except (OSError, ValueError):
        return {core}


def fsync_ms(folder: Path, times: int = 50) -> float:
    """Median milliseconds of one fsync after a small write there."""
    trial = folder / "fsync.probe"
    taken = []
    with trial.open("wb") as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1000)
    trial.unlink()
    return statistics.median(taken)


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@dataclass
class Machine:
    """Where a run took place.

    Attributes:
        folder: On the disk that histories lie on.
        cores: Where to run what.
        fsync_ms: What one fsync took, at the beginning and at the end.
        times: Seconds at each of the two, from `_times`.
    """

    folder: Path
    cores: Cores
    fsync_ms: list[float] = field(default_factory=list)
    times: list[tuple[float, float, float]] = field(default_factory=list)

    def look(self) -> None:
        """Time the disk and the cores; done before and after a run, to see who else was there."""
        self.fsync_ms.append(fsync_ms(self.folder))
        self.times.append(_times({self.cores.server, self.cores.load}))

    def others(self) -> float:
        """What other programs took of the two cores' time; 0 where that is unknown."""
        (passed, busy, ours), (passed_then, busy_then, ours_then) = self.times[-1], self.times[0]
        here = max(busy - busy_then - (ours - ours_then), 0.0)
        return here / (2 * (passed - passed_then))

    def __str__(self) -> str:
        pinned = self.cores.note or "server and load on a core each"
        disk = " and ".join(f"{each:.2f}" for each in self.fsync_ms)
        return (
            f"{processor()}, {os.cpu_count()} cores ({pinned}), {platform.system()} "
            f"{platform.machine()}, {platform.python_implementation()} "
            f"{platform.python_version()}, one fsync {disk} ms (before and after)"
        )


def _times(cores: set[int | None]) -> tuple[float, float, float]:
    """Seconds that passed, that these cores were busy, and that we and what we ran took."""
    ended, own = resource.getrusage(resource.RUSAGE_CHILDREN), os.times()
    ours = ended.ru_utime + ended.ru_stime + own.user + own.system
    busy = 0.0
    with suppress(OSError):  # no Linux
        for line in Path("/proc/stat").read_text("ascii").splitlines():
            name, *ticks = line.split()
            if name in {f"cpu{core}" for core in cores}:
                user, nice, system, _idle, _waiting, *interrupts = map(int, ticks[:7])
                busy += (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter(), busy, ours
