"""A shared history on PostgreSQL against one in a file: receiving and storing."""

import statistics
import time
from contextlib import ExitStack
from functools import partial

from tests.bench import product
from tests.bench.database import Place, running_server
from tests.bench.programs import NotMeasuredError, Worker, free_port, on_every_core
from tests.bench.rows.receive import rate
from tests.bench.table import Bench, Measurement, Row
from tests.store.postgres.proxy import Proxy

AWAY_SECONDS = 0.01
"""How long a byte takes each way in the row of the server that is far away."""

RECEIVE = Row("postgres-receive", "receiving, PostgreSQL against SQLite", 0.8, 1)
MEMORY = Row(
    "postgres-memory",
    "memory under that load, PostgreSQL against SQLite",
    1.2,
    None,
    at_most=True,
)
STORE = Row("postgres-store", "storing, 32 senders, PostgreSQL against SQLite", 0.85, 1)
LONE = Row(
    "postgres-lone",
    "storing a lone delivery, median, PostgreSQL minus SQLite",
    0.5,
    0.15,
    unit="ms",
    at_most=True,
)
COPY = Row("postgres-copy", "storing, against a bare `COPY` of the same rows in binary", 0.15, 0.25)
FAR = Row(
    "postgres-far",
    "4 listeners against 1, a server 20 ms away, p99 of storing",
    1.5,
    1.0,
    at_most=True,
)
STALLED = Row(
    "postgres-stalled",
    "a listener's network freezes within a batch: longest wait of another",
    100,
    None,
    unit="ms",
    at_most=True,
)

_BATCH_PART = 5_000
"""How many bytes of batches still arrive before the network freezes: a part of one."""


def measure(bench: Bench) -> None:
    """One server for all rows; each has its own databases and files."""
    with running_server(bench) as place:
        for rows, part in (
            ((RECEIVE, MEMORY), _receive),
            ((STORE, COPY), _store),
            ((LONE,), _lone),
            ((FAR,), _far),
            ((STALLED,), _stall),
        ):
            if bench.wants(*rows):
                with bench.without(*rows):
                    part(bench, place)


def _receive(bench: Bench, place: Place) -> None:
    with ExitStack() as stack:
        programs = {
            name: stack.enter_context(
                product.running_product(
                    product.listen("--db", location), place.folder, core=bench.cores.server
                )
            )
            for name, location in (
                ("PostgreSQL", place.new_history()),
                ("SQLite", str(place.new_file())),
            )
        }
        measures = {name: partial(rate, bench, each, name) for name, each in programs.items()}
        for number in range(bench.repetitions):
            seen = bench.in_turn(number, measures)
            held = {name: each.resident_bytes() for name, each in programs.items()}
            bench.add(RECEIVE, seen["PostgreSQL"] / seen["SQLite"])
            bench.add(MEMORY, held["PostgreSQL"] / held["SQLite"])
            bench.log(
                f"receiving with PostgreSQL {number + 1}: "
                + ", ".join(
                    f"{name} {seen[name]:.0f} a second, {held[name] >> 20} MiB" for name in seen
                )
            )


def _store(bench: Bench, place: Place) -> None:
    for number in range(bench.repetitions):
        address = place.new_history()
        seen = bench.in_turn(
            number,
            {
                "PostgreSQL": partial(_rate_of, bench, address),
                "SQLite": partial(_rate_of, bench, str(place.new_file())),
            },
        )
        bench.add(STORE, seen["PostgreSQL"] / seen["SQLite"])
        output = ", ".join(f"{name} {each:.0f}" for name, each in seen.items())
        if bench.wants(COPY):
            words = [address, "--seconds", bench.seconds / 4]
            with Worker("copying", *words, core=bench.cores.server) as worker:
                worker.wait_until_ready()
                worker.start()
                copied = worker.result(60)
            bench.add(COPY, seen["PostgreSQL"] / copied)
            output += f", COPY {copied:.0f}"
        bench.log(f"storing {number + 1}: {output} a second")


def _rate_of(bench: Bench, location: str) -> float:
    return float(_stored(bench, location, senders=32)["rate"])


def _stored(bench: Bench, location: str, *, senders: int) -> dict[str, float]:
    words = [location, "--senders", senders, "--seconds", bench.seconds / 2]
    with Worker("storing", *words, core=bench.cores.server) as worker:
        worker.wait_until_ready()
        worker.start()
        found: dict[str, float] = worker.result(60 + bench.seconds)
    return found


def _lone(bench: Bench, place: Place) -> None:
    locations = {"PostgreSQL": place.new_history(), "SQLite": str(place.new_file())}
    for number in range(bench.repetitions):
        seen = bench.in_turn(
            number, {name: partial(_median_ms, bench, each) for name, each in locations.items()}
        )
        bench.add(LONE, seen["PostgreSQL"] - seen["SQLite"])
        bench.log(
            f"storing one by one {number + 1}: "
            + ", ".join(f"{name} {each:.2f} ms" for name, each in seen.items())
        )


def _median_ms(bench: Bench, location: str) -> float:
    return _stored(bench, location, senders=1)["median_ms"]


def _far(bench: Bench, place: Place) -> None:
    port = free_port()
    words = [port, place.server.port, AWAY_SECONDS]
    with Worker("distance", *words, core=bench.cores.load) as proxy:
        proxy.wait_until_ready()
        for number in range(bench.repetitions):
            address = place.new_history(port=port)
            seen = bench.in_turn(
                number,
                {
                    "one": partial(_p99_ms, bench, address, listeners=1, senders=32),
                    "four": partial(_p99_ms, bench, address, listeners=4, senders=8),
                },
            )
            bench.add(FAR, seen["four"] / seen["one"])
            bench.log(
                f"20 ms away {number + 1}: 4 listeners {seen['four']:.1f} ms, "
                f"1 listener {seen['one']:.1f} ms"
            )


def _p99_ms(bench: Bench, location: str, *, listeners: int, senders: int) -> float:
    words = [location, "--senders", senders, "--seconds", bench.seconds / 2, "--each"]
    with ExitStack() as stack, on_every_core(bench.cores):
        workers = [stack.enter_context(Worker("storing", *words)) for _ in range(listeners)]
        for each in workers:
            each.wait_until_ready()
        for each in workers:
            each.start()
        taken: list[float] = []
        for each in workers:
            taken += each.result(60 + bench.seconds)["each_ms"]
    return statistics.quantiles(taken, n=100)[98]


def _stall(bench: Bench, place: Place) -> None:
    """Another listener stores all the time while the first one's connection goes silent."""
    for number in range(bench.repetitions):
        database = place.server.new_database()
        with (
            Proxy(place.server.port) as proxy,
            Worker(
                "storing", place.server.url(database, port=proxy.port), "--seconds", 60
            ) as first,
            Worker(
                "storing",
                place.server.url(database, port=place.server.port),
                *("--senders", 1, "--seconds", bench.seconds / 2),
            ) as other,
        ):
            first.wait_until_ready()
            other.wait_until_ready()
            first.start()
            other.start()
            time.sleep(bench.seconds / 8)  # the network freezes while both store
            proxy.freeze(after=_BATCH_PART)
            longest = other.result(60 + bench.seconds)["longest_ms"]
            if not proxy.dropped:
                raise NotMeasuredError("nothing was on its way when the network froze")
        bench.add(STALLED, longest)
        bench.log(f"a frozen listener {number + 1}: the other one waited {longest:.1f} ms at most")


SHARED_STORING = Measurement((RECEIVE, MEMORY, STORE, LONE, COPY, FAR, STALLED), measure)
