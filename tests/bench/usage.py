"""What the processes of a program use: processor time, context switches, memory. For Linux."""

import ctypes
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil


def processes_of(process_id: int) -> list[int]:
    """The ids of a process and of all that it started."""
    children = psutil.Process(process_id).children(recursive=True)
    return [process_id, *sorted(child.pid for child in children)]


@dataclass(frozen=True)
class Usage:
    """What some processes had used at a moment.

    Attributes:
        processor_seconds: Of all their threads, including those that ended.
        switches: Context switches of each thread that there was, by its id.
    """

    processor_seconds: float
    switches: dict[int, int]

    @classmethod
    def read(cls, process_ids: Sequence[int]) -> Self:
        """What they have used until now."""
        return cls(
            sum(map(_processor_seconds, process_ids)),
            {thread: count for each in process_ids for thread, count in _switches(each)},
        )

    def switches_since(self, before: Self) -> int:
        """Context switches since an earlier moment, without threads that ended since then."""
        return sum(
            count - before.switches.get(thread, 0) for thread, count in self.switches.items()
        )


def memory_bytes(process_ids: Sequence[int]) -> int:
    """The proportional set size (PSS): what several processes share counts once in the sum."""
    return sum(_kilobytes(each) << 10 for each in process_ids)


def _processor_seconds(process_id: int) -> float:
    # The clock of the process counts nanoseconds; utime and stime in /proc count 10 ms each, about
    # as much as an idle listener uses in half a minute.
    clock = ctypes.c_int()
    if error := ctypes.CDLL(None).clock_getcpuclockid(process_id, ctypes.byref(clock)):
        raise OSError(error, f"no clock of process {process_id}")
    return time.clock_gettime(clock.value)


def _switches(process_id: int) -> Iterator[tuple[int, int]]:
    for thread in Path(f"/proc/{process_id}/task").iterdir():
        lines = (thread / "status").read_text("ascii", "replace").splitlines()
        yield (
            int(thread.name),
            sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line),
        )


def _kilobytes(process_id: int) -> int:
    lines = Path(f"/proc/{process_id}/smaps_rollup").read_text("ascii").splitlines()
    [pss] = [line.split()[1] for line in lines if line.startswith("Pss:")]
    return int(pss)
