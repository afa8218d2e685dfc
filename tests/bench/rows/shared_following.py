"""Ten listeners and ten followers of one history: what is missed, and how late the others are."""

import statistics
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

from tests.bench import product
from tests.bench.database import Place, running_server
from tests.bench.programs import NotMeasuredError, Worker, on_every_core
from tests.bench.table import Bench, Measurement, Row
from tiktok_hook.store import open_history

LISTENERS = 10
FOLLOWERS = 10
RATE = 1_000
SECONDS = 20.0
QUICK_SECONDS = 4.0

_WHO = "10 listeners, 10 followers, 1,000 deliveries a second: "

WRONG = Row(
    "postgres-follow",
    f"{_WHO}missed, twice or out of order",
    0,
    None,
    unit="deliveries",
    at_most=True,
)
MEDIAN = Row(
    "postgres-behind",
    "the same, from receipt to a follower, median",
    10,
    2,
    unit="ms",
    at_most=True,
)
P99 = Row(
    "postgres-behind-p99",
    "the same, from receipt to a follower, p99",
    50,
    10,
    unit="ms",
    at_most=True,
)
SQLITE = Row(
    "postgres-behind-sqlite", "the same median, PostgreSQL against SQLite", 0.3, 0.1, at_most=True
)


def measure(bench: Bench) -> None:
    """Both histories once; a second run would show no more about what is missed."""
    with running_server(bench) as place, on_every_core(bench.cores):
        wrong, behind = _followed(bench, place, place.new_history(), LISTENERS)
        median, p99 = statistics.median(behind), statistics.quantiles(behind, n=100)[98]
        bench.add(WRONG, wrong)
        bench.add(MEDIAN, median)
        bench.add(P99, p99)
        bench.log(
            f"following: {len(behind)} seen, {wrong} missed, twice or out of order; "
            f"{median:.1f} ms behind, p99 {p99:.1f} ms"
        )
        if bench.wants(SQLITE):
            # One listener: a file belongs to one machine.
            wrong, others = _followed(bench, place, str(place.new_file()), 1)
            bench.add(SQLITE, median / statistics.median(others))
            bench.log(f"following SQLite: {wrong} wrong, {statistics.median(others):.1f} ms behind")


def _followed(bench: Bench, place: Place, location: str, listeners: int) -> tuple[int, list[float]]:
    """How many each follower missed or got twice or too late, and the milliseconds of all."""
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    with ExitStack() as stack:
        ports = [
            stack.enter_context(
                product.running_product(product.listen("--db", location), place.folder, core=None)
            ).port
            for _ in range(listeners)
        ]
        followers = [stack.enter_context(Worker("following", location)) for _ in range(FOLLOWERS)]
        words = [*ports, "--rate", RATE, "--seconds", seconds]
        words += ["--connections", 4 * LISTENERS // listeners]
        traffic = stack.enter_context(Worker("traffic", *words))
        for each in (*followers, traffic):
            each.wait_until_ready()
        with open_history(location) as history:
            before = history.newest_id()
        traffic.start()
        sent = traffic.result(seconds + 60)
        if set(sent["statuses"]) != {"200"}:
            raise NotMeasuredError(f"answers were {sent['statuses']}")
        with open_history(location) as history:
            stored = [each.id for each in history.walk() if each.id > before]
        for each in followers:
            each.start(str(stored[-1]))
        seen = [each.result(60) for each in followers]
    rate = len(stored) / seconds
    if rate < 0.9 * RATE:
        bench.note(f"Only {rate:.0f} deliveries a second could be sent to {listeners} listeners.")
    return sum(_wrong(stored, each) for each in seen), [
        ms for each in seen for ms in each["behind_ms"]
    ]


def _wrong(stored: list[int], seen: dict[str, Any]) -> int:
    ids: list[int] = seen["ids"]
    missed = len(set(stored) - set(ids))
    twice = len(ids) - len(set(ids))
    swapped = sum(later < earlier for earlier, later in pairwise(ids))
    return missed + twice + swapped


SHARED_FOLLOWING = Measurement((WRONG, MEDIAN, P99, SQLITE), measure)
