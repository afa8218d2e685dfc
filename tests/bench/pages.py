"""Reads pages of a history and prints how long each took, warm and cold, in milliseconds, as JSON.

``python -m tests.bench.pages LOCATION``: a program of its own, so that it can have a core of its
own. Cold means that the file's pages were dropped from the system's cache and that the history was
opened again; only the database is cold, the program is not. A history on PostgreSQL is only read
warm: what its server keeps in memory is not ours to drop.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tiktok_hook.delivery import Delivery
from tiktok_hook.signature import State
from tiktok_hook.store import Filter, HistoryReader, open_history

Reading = Callable[[HistoryReader], list[Delivery]]

PAGE = 50
WARM_TIMES = 15
COLD_TIMES = 5
HOUR = 3600.0


def readings(location: Path | str) -> dict[str, Reading]:
    """What is read: newest page, one deep in, one for each of some filters and spans of time."""
    with open_history(location) as history:
        newest = history.newest_id()
        some = [each.event for each in history.page(before=newest // 2, limit=50) if each.event]
        [middle] = history.page(before=newest // 2, limit=1)
        [last] = history.page(limit=1)
    published = next(event for event in some if event.publish_id)
    filters = {
        "event": Filter(events=("authorization.removed",)),
        "verdict": Filter(verdicts=(State.STALE,)),
        "both": Filter(events=("authorization.removed",), verdicts=(State.STALE,)),
        "status": Filter(statuses=(500,)),
        "user": Filter(user=published.user_openid),
        "publish id": Filter(publish_id=published.publish_id),
        "redelivery": Filter(redeliveries=True),
        "glob": Filter(events=("authorization.*",)),
    }
    # In the seeded history an hour has about 120 deliveries.
    times = {
        "within an hour": Filter(since=middle.received_at - HOUR, until=middle.received_at),
        "before the middle": Filter(until=middle.received_at),
        "after the middle": Filter(since=middle.received_at),
        "before the last hour": Filter(until=last.received_at - HOUR),
        "before the last hour, by event": Filter(
            events=("authorization.removed",), until=last.received_at - HOUR
        ),
    }
    return {
        "newest": lambda history: history.page(),
        "deep": lambda history: history.page(before=newest // 3),
        **{
            f"filter by {name}": lambda history, where=where: history.page(where)  # type: ignore[misc] # its default is no part of a Reading
            for name, where in filters.items()
        },
        **{
            f"received {name}": lambda history, where=where: history.page(where)  # type: ignore[misc] # as above
            for name, where in times.items()
        },
    }


def warm_ms(location: Path | str, reading: Reading) -> float:
    """One reading on an open connection, when all has been read before."""
    taken = []
    with open_history(location) as history:
        for _ in range(WARM_TIMES):
            begun = time.perf_counter()
            assert reading(history)
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken[1:]) * 1000


def cold_ms(path: Path, reading: Reading) -> float:
    """Open the history and read, with nothing of it in the system's cache."""
    taken = []
    for _ in range(COLD_TIMES):
        forget(path)
        begun = time.perf_counter()
        with open_history(path) as history:
            assert reading(history)
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


def forget(path: Path) -> None:
    """Have the system drop a file from its cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def text_ms(location: Path | str) -> float:
    """A search for a text that is nowhere, in one window of ids."""
    taken = []
    with open_history(location) as history:
        for _ in range(WARM_TIMES):
            begun = time.perf_counter()
            found, _ = history.search(Filter(text="a text that is nowhere"))
            taken.append(time.perf_counter() - begun)
            assert not found
    return statistics.median(taken[1:]) * 1000


def main(path: Path) -> None:
    seen = {
        name: {"warm": warm_ms(path, reading), "cold": cold_ms(path, reading)}
        for name, reading in readings(path).items()
    }
    print(json.dumps(seen))


def main_warm(location: str) -> None:
    with open_history(location) as history:
        # One that gives a few rows is as slow as the way to the server and back.
        full = {
            name: reading
            for name, reading in readings(location).items()
            if len(reading(history)) == PAGE
        }
    seen = {name: warm_ms(location, reading) for name, reading in full.items()}
    print(json.dumps({**seen, "text": text_ms(location)}))


if __name__ == "__main__":
    if sys.argv[2:] == ["--warm"]:
        main_warm(sys.argv[1])
    else:
        main(Path(sys.argv[1]))
