"""Looking back at a million deliveries."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import million, product
from tests.bench.programs import NotMeasuredError, Words, on_core, seconds_of
from tests.bench.table import Bench, Measurement, Row

COUNT = 1_000_000
QUICK_COUNT = 100_000

EVENTS = Row(
    "events", "`events`, 20 of a million, against `http --version`", 0.7, 0.5, at_most=True
)
NEWEST = Row("newest", "newest page of a million, cold", 5, None, unit="ms", at_most=True)
NEWEST_WARM = Row("newest-warm", "the newest page, warm", 5, None, unit="ms", at_most=True)
DEEP = Row("deep", "a page deep in, against the newest, cold", 2, None, at_most=True)
DEEP_WARM = Row("deep-warm", "a page deep in, against the newest, warm", 2, None, at_most=True)
FILTER = Row(
    "filter", "a page of the slowest indexed filter, warm", 5, None, unit="ms", at_most=True
)
FILTER_COLD = Row(
    "filter-cold", "a page of the slowest indexed filter, cold", 150, 50, unit="ms", at_most=True
)
TIME = Row(
    "filter-time", "a page of the slowest filter by time, warm", 50, 10, unit="ms", at_most=True
)

PAGES = (NEWEST, NEWEST_WARM, DEEP, DEEP_WARM, FILTER, FILTER_COLD, TIME)


def measure(bench: Bench) -> None:
    """Make the history once, then read from it."""
    path = _history(bench)
    if bench.wants(*PAGES):
        with bench.without(*PAGES):
            _pages(bench, path)
    if bench.wants(EVENTS):
        with bench.without(EVENTS):
            _events(bench, path)


def _history(bench: Bench) -> Path:
    folder = bench.peers.folder
    if not bench.quick or million.path_for(folder, COUNT).exists():
        bench.log(f"history: {COUNT} deliveries, made once")
        return million.file_for(folder, COUNT)
    bench.note(f"The history had {QUICK_COUNT} deliveries only.")
    return million.file_for(folder, QUICK_COUNT)


def _pages(bench: Bench, path: Path) -> None:
    for number in range(bench.repetitions):
        with on_core(bench.cores.server):
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.pages", path], capture_output=True, check=False
            )
        if done.returncode:
            last = done.stderr.decode().strip().splitlines()[-1:]
            raise NotMeasuredError(f"reading failed: {''.join(last)}")
        seen = json.loads(done.stdout)
        for warmth, newest, deep, slowest in (
            ("cold", NEWEST, DEEP, {"filter by": FILTER_COLD}),
            ("warm", NEWEST_WARM, DEEP_WARM, {"filter by": FILTER, "received": TIME}),
        ):
            taken = {name: float(each[warmth]) for name, each in seen.items()}
            bench.add(newest, taken["newest"])
            bench.add(deep, taken["deep"] / taken["newest"])
            output = [f"newest {taken['newest']:.2f} ms", f"deep {taken['deep']:.2f} ms"]
            for prefix, row in slowest.items():
                some = [name for name in taken if name.startswith(prefix)]
                name = max(some, key=taken.__getitem__)
                bench.add(row, taken[name])
                output.append(f"{name} {taken[name]:.2f} ms")
            bench.log(f"history {number + 1}, {warmth}: {', '.join(output)}")


def _events(bench: Bench, path: Path) -> None:
    listing: Words = [product.script(), "events", "--db", path]
    other: Words = [bench.peers.python_program("http"), "--version"]
    times = 5 if bench.quick else 15
    with tempfile.TemporaryDirectory(dir=bench.peers.folder, prefix="home-") as home:
        homes = product.environment(Path(home))
        for number in range(bench.repetitions):
            taken: dict[str, list[float]] = {"ours": [], "theirs": []}
            for _ in range(times):
                for words, seconds in ((listing, taken["ours"]), (other, taken["theirs"])):
                    seconds.append(seconds_of(words, core=bench.cores.server, environment=homes))
            ours, theirs = map(statistics.median, taken.values())
            bench.add(EVENTS, ours / theirs)
            bench.log(
                f"events {number + 1}: {ours * 1000:.0f} ms, "
                f"`http --version` {theirs * 1000:.0f} ms"
            )


HISTORY = Measurement((EVENTS, *PAGES), measure)
