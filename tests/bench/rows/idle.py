"""What an idle listener uses, with its tunnel, its inspector and an open page."""

import time

from tests.bench.browser import open_page
from tests.bench.programs import NotMeasuredError
from tests.bench.rows.tunnel import running_tunnel
from tests.bench.screen import PAGE_ADDRESS, Screen
from tests.bench.table import Bench, Measurement, Row
from tests.bench.usage import Usage, memory_bytes, processes_of

SECONDS = 30.0
QUICK_SECONDS = 5.0

PROCESSOR = Row(
    "idle-processor",
    "idle with tunnel, inspector and an open page: processor time a minute",
    0.1,
    0.03,
    unit="s",
    at_most=True,
)
SWITCHES = Row("idle-switches", "the same: context switches", 10, 4, unit="a second", at_most=True)
MEMORY = Row(
    "idle-memory", "the same: memory of all its processes", 70, 50, unit="MiB", at_most=True
)

ROWS = (PROCESSOR, SWITCHES, MEMORY)


def measure(bench: Bench) -> None:
    """Leave it alone for a while, and count what its processes use meanwhile."""
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    screen = Screen()
    with bench.without(*ROWS), running_tunnel(bench, screen.add) as (listener, _):
        address = screen.wait_for(PAGE_ADDRESS).decode()
        with open_page(bench, address):
            for number in range(bench.repetitions):
                ours = processes_of(listener.process.pid)
                before, begun = Usage.read(ours), time.perf_counter()
                time.sleep(seconds)
                after, passed = Usage.read(ours), time.perf_counter() - begun
                if processes_of(listener.process.pid) != ours:
                    raise NotMeasuredError("the idle listener started or ended a process")
                used = (after.processor_seconds - before.processor_seconds) / passed * 60
                switches = after.switches_since(before) / passed
                memory = memory_bytes(ours) / (1 << 20)
                bench.add(PROCESSOR, used)
                bench.add(SWITCHES, switches)
                bench.add(MEMORY, memory)
                bench.log(
                    f"idle {number + 1}: {used:.3f} s of processor time a minute, {switches:.1f} "
                    f"context switches a second, {memory:.0f} MiB in {len(ours)} processes"
                )


IDLE = Measurement(ROWS, measure)
