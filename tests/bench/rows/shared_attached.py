"""Attached apps: what each gets and how soon, how many a second, and after being killed."""

import asyncio
import http.client
import json
import os
import signal
import sys
import time
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from typing import Any

from tests.bench import product
from tests.bench.database import Place, running_server
from tests.bench.programs import (
    NotMeasuredError,
    Program,
    Words,
    Worker,
    free_port,
    on_every_core,
    running,
)
from tests.bench.table import Bench, Measurement, Row
from tests.bench.workers.storing import delivery
from tests.bench.workers.traffic import users
from tiktok_hook.relay.options import RelayOptions
from tiktok_hook.store import QueueEntry, open_store

APPS = 10
RATE = 1_000
SECONDS = 20.0
QUICK_SECONDS = 4.0
BACKLOG = 2_000
QUICK_BACKLOG = 500
KILLED_APPS = 4
KILLS = 3
QUICK_KILLS = 1
KILL_RATE = 50
DRAIN_SECONDS = 180
"""How long apps may be behind at the end: on 2 cores a minute. What is late is not missing."""

_WHO = "10 attached apps with their own filters, 1,000 deliveries a second: "

WRONG = Row(
    "attached-own",
    f"{_WHO}missing, foreign, twice or out of order",
    0,
    None,
    unit="deliveries",
    at_most=True,
)
MEDIAN = Row(
    "attached-answer",
    "the same, from receipt to the app's answer, median",
    50,
    10,
    unit="ms",
    at_most=True,
)
P99 = Row(
    "attached-answer-p99",
    "the same, from receipt to the app's answer, p99",
    200,
    40,
    unit="ms",
    at_most=True,
)
PACE = Row("attached-pace", "one attached app, a second, against `--ack first` on SQLite", 0.7, 1)
LOST = Row(
    "attached-killed",
    "12 times kill -9 of an attached app under load: missing",
    0,
    None,
    unit="deliveries",
    at_most=True,
)
TWICE = Row("attached-killed-twice", "the same: sent twice", 12, 1, unit="deliveries", at_most=True)


def measure(bench: Bench) -> None:
    """One server for all rows, a database for each."""
    with running_server(bench) as place:
        for rows, part in (((WRONG, MEDIAN, P99), _own), ((PACE,), _pace), ((LOST, TWICE), _kill)):
            if bench.wants(*rows):
                with bench.without(*rows), on_every_core(bench.cores):
                    part(bench, place)


class Apps:
    """The apps of `tests.bench.workers.app`, one at each path."""

    def __init__(self, port: int) -> None:
        self._port = port

    def target(self, name: str) -> str:
        """Where to forward to."""
        return f"127.0.0.1:{self._port}/{name}"

    def seen(self) -> dict[str, Any]:
        """What each has got, in its order."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request("GET", "/")
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return found

    def wait_for(self, counts: dict[str, int], seconds: float) -> dict[str, list[int]]:
        """What each has got, once it is as many or when the time is over."""
        until = time.monotonic() + seconds
        while True:
            seen: dict[str, list[int]] = self.seen()["seen"]
            enough = all(len(set(seen.get(name, []))) >= each for name, each in counts.items())
            if enough or time.monotonic() > until:
                return {name: seen.get(name, []) for name in counts}
            time.sleep(0.2)


def start_apps(stack: ExitStack, core: int | None) -> Apps:
    """Run the apps until the stack is closed."""
    port = free_port()
    words: Words = [sys.executable, "-m", "tests.bench.workers.app", str(port)]
    stack.enter_context(running(words, core=core, port=port))
    return Apps(port)


def _started(
    stack: ExitStack, place: Place, command: product.Command, core: int | None = None
) -> Program:
    return stack.enter_context(product.running_product(command, place.folder, core=core))


def _own(bench: Bench, place: Place) -> None:
    """Ten developers with a test user each."""
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    location = place.new_history()
    names = users(APPS)
    with ExitStack() as stack:
        apps = start_apps(stack, None)
        listener = _started(stack, place, product.listen("--db", location))
        for name in names:
            options = ["--db", location, "--as", name, "--forward-to", apps.target(name)]
            _started(stack, place, product.attach(f"user:{name}", *options))
        words = [listener.port, "--rate", RATE, "--seconds", seconds, "--users", APPS]
        traffic = stack.enter_context(Worker("traffic", *words, "--connections", 32))
        traffic.wait_until_ready()
        traffic.start()
        sent = traffic.result(seconds + 60)
        if set(sent["statuses"]) != {"200"}:
            raise NotMeasuredError(f"answers were {sent['statuses']}")
        wanted = _ids_of_users(place, location)
        seen = apps.wait_for({name: len(wanted[name]) for name in names}, DRAIN_SECONDS)
        time.sleep(0.5)  # the last attempts are recorded
        ((median, p99),) = _query(place, location, _ANSWERED)
    wrong = sum(_wrong(wanted[name], seen[name]) for name in names)
    rate = len(sent["answered"]) / seconds
    if rate < 0.9 * RATE:
        bench.note(f"Only {rate:.0f} deliveries a second could be sent for {APPS} attached apps.")
    bench.add(WRONG, wrong)
    bench.add(MEDIAN, median)
    bench.add(P99, p99)
    bench.log(
        f"attached: {len(sent['answered'])} sent, {wrong} missing, foreign, twice or out of order; "
        f"answered after {median:.1f} ms, p99 {p99:.1f} ms"
    )


def _ids_of_users(place: Place, location: str) -> dict[str, dict[int, int]]:
    """For each user the number of each delivery and its id."""
    found: dict[str, dict[int, int]] = {}
    for user, publish_id, delivery_id in _query(place, location, _NUMBERS):
        found.setdefault(user, {})[int(publish_id.rpartition(".")[2])] = delivery_id
    return found


def _wrong(wanted: dict[int, int], seen: list[int]) -> int:
    ids = [wanted.get(number, 0) for number in seen]
    missing, foreign = len(wanted.keys() - set(seen)), ids.count(0)
    twice = len(seen) - len(set(seen))
    swapped = sum(later < earlier for earlier, later in pairwise(ids))
    return missing + foreign + twice + swapped


def _query(place: Place, location: str, sql: str) -> list[tuple[Any, ...]]:
    return place.server.execute(sql, location.rpartition("/")[2])


def _pace(bench: Bench, place: Place) -> None:
    """Each forwards what was stored before it started."""
    with ExitStack() as stack:
        apps = start_apps(stack, bench.cores.load)
        for number in range(bench.repetitions):
            paces = {
                "attached": partial(_attached_pace, bench, place, apps, f"a{number}"),
                "--ack first": partial(_queue_pace, bench, place, apps, f"q{number}"),
            }
            seen = bench.in_turn(number, paces)
            bench.add(PACE, seen["attached"] / seen["--ack first"])
            bench.log(
                f"forwarding {number + 1}: "
                + ", ".join(f"{name} {each:.0f}" for name, each in seen.items())
                + " a second"
            )


def _attached_pace(bench: Bench, place: Place, apps: Apps, name: str) -> float:
    location = place.new_history()
    total = _fill(bench, location, None)
    options = ["--db", location, "--as", name, "--from", "start", "--forward-to", apps.target(name)]
    return _pace_of(bench, place, apps, name, product.attach(*options), total)


def _queue_pace(bench: Bench, place: Place, apps: Apps, name: str) -> float:
    location = str(place.new_file())
    options = RelayOptions(forward_to=(apps.target(name),), ack="first")
    total = _fill(bench, location, QueueEntry("first", options.targets[0]))
    words = ["--db", location, "--ack", "first", "--forward-to", apps.target(name)]
    return _pace_of(bench, place, apps, name, product.listen(*words), total)


def _fill(bench: Bench, location: str, entry: QueueEntry | None) -> int:
    total = QUICK_BACKLOG if bench.quick else BACKLOG

    async def fill() -> None:
        with open_store(location, keep=10 * BACKLOG, keep_bytes=1 << 30) as store:
            start = time.time_ns()
            async with asyncio.TaskGroup() as group:
                for number in range(total):
                    queues = () if entry is None else (entry,)
                    group.create_task(store.add(delivery(start + number), queues=queues))

    asyncio.run(fill())
    return total


def _pace_of(
    bench: Bench, place: Place, apps: Apps, name: str, command: product.Command, total: int
) -> float:
    with ExitStack() as stack:
        _started(stack, place, command, bench.cores.server)
        seen = apps.wait_for({name: total}, DRAIN_SECONDS)
        if len(seen[name]) < total:
            raise NotMeasuredError(f"only {len(seen[f'/{name}'])} of {total} were forwarded")
    times: list[float] = apps.seen()["times"][name]
    return (total - 1) / (times[-1] - times[0])


def _kill(bench: Bench, place: Place) -> None:
    """Several apps at once: a name is free only when the lease of the killed one has ended."""
    kills = QUICK_KILLS if bench.quick else KILLS
    location = place.new_history()
    names = [f"killed{number}" for number in range(KILLED_APPS)]
    with ExitStack() as stack:
        apps = start_apps(stack, None)
        listener = _started(stack, place, product.listen("--db", location))
        commands = {
            name: product.attach(
                *("--db", location, "--as", name, "--forward-to", apps.target(name))
            )
            for name in names
        }
        running_apps = {name: _started(stack, place, each) for name, each in commands.items()}
        # The first start waits for nothing, each other one for the lease: 15 s.
        words = [listener.port, "--rate", KILL_RATE, "--seconds", 3 + 18 * kills]
        traffic = stack.enter_context(Worker("traffic", *words))
        traffic.wait_until_ready()
        traffic.start()
        time.sleep(1)  # the first kill is under load, not before it
        for _ in range(kills):
            for program in running_apps.values():
                os.kill(program.process.pid, signal.SIGKILL)
                program.process.wait()
            running_apps = {name: _started(stack, place, each) for name, each in commands.items()}
        sent = traffic.result(120)["answered"]
        seen = apps.wait_for({name: len(sent) for name in names}, DRAIN_SECONDS)
    missing = sum(len(set(sent) - set(each)) for each in seen.values())
    twice = sum(len(each) - len(set(each)) for each in seen.values())
    bench.add(LOST, missing)
    bench.add(TWICE, twice)
    if kills < KILLS:
        bench.note(f"Attached apps were killed {KILLED_APPS * kills} times only.")
    bench.log(
        f"killed {KILLED_APPS * kills} times while {len(sent)} deliveries came: "
        f"{missing} missing, {twice} sent twice"
    )


_ANSWERED = """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms),
        percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)
    FROM (SELECT 1000 * (a.started_at - d.received_at) + a.duration_ms AS ms
          FROM tiktok_hook.attempts a JOIN tiktok_hook.deliveries d ON d.id = a.delivery_id) AS each
"""
_NUMBERS = "SELECT user_openid, publish_id, id FROM tiktok_hook.deliveries"

SHARED_ATTACHED = Measurement((WRONG, MEDIAN, P99, PACE, LOST, TWICE), measure)
