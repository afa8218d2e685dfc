"""Looking back at a million deliveries on PostgreSQL, against the same ones in a file."""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import million, product
from tests.bench.database import Place, running_server
from tests.bench.programs import NotMeasuredError, Words, on_core, on_every_core, seconds_of
from tests.bench.rows.history import COUNT, QUICK_COUNT
from tests.bench.table import Bench, Measurement, Row

QUICK_SHARE = 4
"""In a quick run the histories have a quarter of what those of the other rows have."""

NEWEST = Row(
    "postgres-newest", "newest page of a million, PostgreSQL against SQLite", 2, 1.1, at_most=True
)
DEEP = Row("postgres-deep", "a page deep in, PostgreSQL against SQLite", 2, 1.1, at_most=True)
FILTER = Row(
    "postgres-filter",
    "a page of the slowest filter, PostgreSQL against SQLite",
    2,
    1.1,
    at_most=True,
)
TEXT = Row(
    "postgres-text",
    "a text in a window of 50,000 ids, PostgreSQL against SQLite",
    3,
    1.5,
    at_most=True,
)
SIZE = Row("postgres-size", "size of a million, PostgreSQL against SQLite", 1.4, None, at_most=True)
EVENTS = Row(
    "postgres-events",
    "`events`, 20 of a million, PostgreSQL against SQLite",
    2.5,
    1.8,
    at_most=True,
)

PAGES = (NEWEST, DEEP, FILTER, TEXT)

_SIZE = """
    SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
    WHERE relnamespace = 'tiktok_hook'::regnamespace AND relkind = 'r'
"""


def measure(bench: Bench) -> None:
    """Make both histories, then read from them in turn."""
    count = QUICK_COUNT // QUICK_SHARE if bench.quick else COUNT
    path = million.file_for(bench.peers.folder, count)
    with running_server(bench) as place:
        location = place.new_history()
        bench.log(f"history on PostgreSQL: {count} deliveries")
        with on_every_core(bench.cores):
            asyncio.run(million.make(location, count))
            ((size,),) = place.server.execute(_SIZE, location.rpartition("/")[2])
            # As after a while: autovacuum does the same.
            place.server.execute("VACUUM ANALYZE", location.rpartition("/")[2])
        if count < COUNT:
            bench.note(f"The histories on PostgreSQL and SQLite had {count} deliveries only.")
        bench.add(SIZE, size / path.stat().st_size)
        bench.log(f"size: PostgreSQL {size >> 20} MiB, SQLite {path.stat().st_size >> 20} MiB")
        if bench.wants(*PAGES):
            with bench.without(*PAGES):
                _pages(bench, location, path)
        if bench.wants(EVENTS):
            with bench.without(EVENTS):
                _events(bench, place, location, path)


def _pages(bench: Bench, location: str, path: Path) -> None:
    locations = {"PostgreSQL": location, "SQLite": str(path)}
    for number in range(bench.repetitions):
        names = list(locations)[:: -1 if number % 2 else 1]
        seen = {name: _read(bench, locations[name]) for name in names}
        ours, theirs = seen["PostgreSQL"], seen["SQLite"]
        ratios = {name: ours[name] / theirs[name] for name in ours}
        filters = [name for name in ratios if name.startswith("filter")]
        slowest = max(filters, key=ratios.__getitem__)
        for row, name in ((NEWEST, "newest"), (DEEP, "deep"), (FILTER, slowest), (TEXT, "text")):
            bench.add(row, ratios[name])
        parts = (f"{name} {ours[name]:.2f}/{theirs[name]:.2f}" for name in ours)
        bench.log(f"pages {number + 1}, ms on PostgreSQL/SQLite: {', '.join(parts)}")


def _read(bench: Bench, location: str) -> dict[str, float]:
    with on_core(bench.cores.server):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.pages", location, "--warm"],
            capture_output=True,
            check=False,
        )
    if done.returncode:
        last = done.stderr.decode().strip().splitlines()[-1:]
        raise NotMeasuredError(f"reading failed: {''.join(last)}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _events(bench: Bench, place: Place, location: str, path: Path) -> None:
    times = 5 if bench.quick else 8
    with tempfile.TemporaryDirectory(dir=place.folder, prefix="home-") as home:
        homes = product.environment(Path(home))
        for number in range(bench.repetitions):
            taken: dict[str, list[float]] = {location: [], str(path): []}
            for _ in range(times):
                for each, seconds in taken.items():
                    words: Words = [product.script(), "events", "--db", each]
                    seconds.append(seconds_of(words, core=bench.cores.server, environment=homes))
            ours, theirs = map(statistics.median, taken.values())
            bench.add(EVENTS, ours / theirs)
            bench.log(
                f"events {number + 1}: PostgreSQL {ours * 1000:.0f} ms, "
                f"SQLite {theirs * 1000:.0f} ms"
            )


SHARED_HISTORY = Measurement((*PAGES, SIZE, EVENTS), measure)
