"""A team on one history for an hour: ``make soak-postgres``.

Listeners receive at a steady rate into one history on PostgreSQL with ``--keep 100000``, and an
attached app for each test user gets what is for it. The server is restarted now and then, every
other time as after a crash, and one attached app after the other is killed and started again. At
the end every app has to have had each of its deliveries that was answered 200, in the order of
their ids, and not more of them twice than were under way when something was killed. Memory of each
process and sizes of tables are printed on the way; memory that grows is a failure.

SOAK_SECONDS (3600) is how long it takes, SOAK_LISTENERS (3), SOAK_APPS (6) and SOAK_RATE (150
deliveries a second in all) how much there is of what; SOAK_KEEP (100000) is the bound.
"""

import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests import postgres
from tests.bench import product
from tests.bench.database import DISK, OPTIONS
from tests.bench.programs import NotMeasuredError, Program, Worker
from tests.bench.rows.shared_attached import Apps, start_apps
from tests.bench.workers.traffic import users
from tests.postgres import PostgresServer

SAMPLES = 60
GROWN_MEMORY_BYTES = 16 << 20
"""More than this from the second quarter to the last is growth."""

TABLES = ("deliveries", "marks", "app_marks", "attempts", "queue", "attachments", "processes")
DRAIN_SECONDS = 120
"""How long the apps may take for the rest; a lease of 15 s may have to end first."""


@dataclass
class Team:
    """Listeners and attached apps on one history."""

    location: str
    folder: Path
    apps: Apps
    names: list[str]
    keep: int
    listeners: list[Program] = field(default_factory=list)
    attached: dict[str, Program] = field(default_factory=dict)
    killed: int = 0
    restarted: int = 0
    memory: dict[str, list[int]] = field(default_factory=dict)

    def start(self, stack: ExitStack, listeners: int) -> None:
        """Start everything; it ends with the stack."""
        for _ in range(listeners):
            options = ["--db", self.location, "--keep", str(self.keep), "--format", "compact"]
            self.listeners.append(self._run(stack, product.listen(*options)))
        for name in self.names:
            self.attached[name] = self._attach(stack, name)

    def _attach(self, stack: ExitStack, name: str) -> Program:
        options = ["--db", self.location, "--as", name, "--forward-to", self.apps.target(name)]
        command = product.attach(f"user:{name}", "--format", "compact", *options)
        return self._run(stack, command)

    def _run(self, stack: ExitStack, command: product.Command) -> Program:
        return stack.enter_context(product.running_product(command, self.folder, core=None))

    def kill_one(self, stack: ExitStack) -> None:
        """Kill an attached app, and start it again; it waits for the end of its lease."""
        name = self.names[self.killed % len(self.names)]
        self.killed += 1
        program = self.attached[name]
        os.kill(program.process.pid, signal.SIGKILL)
        program.process.wait()
        self.memory.pop(f"attach {name}", None)  # a new process begins small
        self.attached[name] = self._attach(stack, name)

    def restart(self, server: PostgresServer) -> None:
        """Restart the server."""
        self.restarted += 1
        server.stop("immediate" if self.restarted % 2 else "fast")
        server.start()

    def look(self, server: PostgresServer) -> str:
        """What each process holds, and the tables, as one line."""
        programs = {f"listen {number}": each for number, each in enumerate(self.listeners)}
        programs |= {f"attach {name}": each for name, each in self.attached.items()}
        for name, each in programs.items():
            self.memory.setdefault(name, []).append(each.resident_bytes())
        held = {name: self.memory[name][-1] >> 20 for name in programs}
        listening = "/".join(str(held[name]) for name in held if name.startswith("listen"))
        attached = "/".join(str(held[name]) for name in held if name.startswith("attach"))
        sizes = "restarting"
        with suppress(Exception):  # it may not be up at this moment
            sizes = ", ".join(
                f"{name} {size >> 20}" for name, size in _sizes(server, self.location)
            )
        return f"listeners {listening} MiB, attached {attached} MiB; tables in MiB: {sizes}"

    def grown(self) -> Iterator[str]:
        """Processes that hold more in the last quarter than they did in the second."""
        for name, samples in self.memory.items():
            quarter = len(samples) // 4
            if quarter < 2:
                continue  # started too late
            before = statistics.median(samples[quarter : 2 * quarter])
            after = statistics.median(samples[-quarter:])
            if after - before > GROWN_MEMORY_BYTES:
                yield f"{name} grew from {before / 2**20:.0f} to {after / 2**20:.0f} MiB"


def _sizes(server: PostgresServer, location: str) -> list[tuple[str, int]]:
    rows = server.execute(
        "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
        "WHERE relnamespace = 'tiktok_hook'::regnamespace AND relkind = 'r'",
        location.rpartition("/")[2],
    )
    sizes = dict(rows)
    return [(name, sizes[name]) for name in TABLES]


def _processor_share(since: dict[int, float], seconds: float, pids: list[int]) -> float:
    """What processes took of all processors since they were looked at; updates `since`."""
    total = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            used = times.user + times.system
            total += used - since.get(pid, used)
            since[pid] = used
    return total / seconds / (os.cpu_count() or 1)


def soak(
    server: PostgresServer, folder: Path, *, seconds: float, listeners: int, apps: int, rate: float
) -> list[str]:
    """Traffic for so long; what went wrong."""
    location = server.url(server.new_database(), port=server.port)
    with ExitStack() as stack:
        receiving = start_apps(stack, None)
        keep = int(os.environ.get("SOAK_KEEP", "100000"))
        team = Team(location, folder, receiving, users(apps), keep)
        team.start(stack, listeners)
        ports = [each.port for each in team.listeners]
        words = [*ports, "--rate", rate, "--seconds", seconds, "--users", apps]
        traffic = stack.enter_context(Worker("traffic", *words, "--numbers"))
        traffic.wait_until_ready()
        traffic.start()
        _disturb(team, server, stack, seconds)
        sent: dict[str, Any] = traffic.result(seconds + DRAIN_SECONDS)
        wanted: dict[str, set[int]] = {name: set() for name in team.names}
        for number, user in sent["answered"]:
            wanted[user].add(number)
        seen = receiving.wait_for({name: len(each) for name, each in wanted.items()}, DRAIN_SECONDS)
        order = _order(server, location)
    missing = sum(len(wanted[name] - set(seen[name])) for name in team.names)
    twice = sum(len(each) - len(set(each)) for each in seen.values())
    swapped = sum(_swapped(each, order) for each in seen.values())
    print(
        f"{len(sent['answered'])} answered 200 of {sum(sent['statuses'].values())} "
        f"({sent['statuses']}); the longest time without a 200 was {sent['longest_gap']:.1f} s\n"
        f"{team.restarted} restarts of the server, {team.killed} attached apps killed\n"
        f"missed: {missing}, twice: {twice}, out of order: {swapped}",
        flush=True,
    )
    wrong = [*team.grown()]
    if missing:
        wrong.append(f"{missing} were answered 200 and reached no app")
    # Each app has one delivery under way when it or the server is killed.
    if twice > team.killed + team.restarted * apps:
        wrong.append(f"{twice} arrived twice")
    if swapped:
        wrong.append(f"{swapped} arrived after a newer one")
    return wrong


def _disturb(team: Team, server: PostgresServer, stack: ExitStack, seconds: float) -> None:
    """Look at intervals; restart and kill in between, but not at the end."""
    began = time.monotonic()
    pause = seconds / SAMPLES
    used: dict[int, float] = {}
    for number in range(1, SAMPLES + 1):
        time.sleep(max(began + number * pause - time.monotonic(), 0))
        pids = [each.process.pid for each in (*team.listeners, *team.attached.values())]
        share = _processor_share(used, pause, pids)
        line = team.look(server)
        print(
            f"{time.monotonic() - began:5.0f} s: {share:4.0%} of the processors; {line}", flush=True
        )
        if number % 10 == 5 and number < SAMPLES - 4:
            team.restart(server)
        elif number % 10 == 0 and number < SAMPLES - 4:
            team.kill_one(stack)


def _order(server: PostgresServer, location: str) -> dict[int, int]:
    """The number of each delivery that is still there, and its id."""
    rows = server.execute(
        "SELECT publish_id, id FROM tiktok_hook.deliveries", location.rpartition("/")[2]
    )
    return {int(publish_id.rpartition(".")[2]): each for publish_id, each in rows}


def _swapped(seen: list[int], order: dict[int, int]) -> int:
    """How many arrived for the first time after one with a higher id."""
    newest = swapped = 0
    for number in dict.fromkeys(seen):
        delivery_id = order.get(number)
        if delivery_id is None:
            continue  # retention has deleted it
        swapped += delivery_id < newest
        newest = max(newest, delivery_id)
    return swapped


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    programs = postgres.programs()
    if programs is None:
        sys.exit("PostgreSQL is not installed: make system")
    product.forget_settings()
    with tempfile.TemporaryDirectory(dir=DISK, prefix="soak-") as name:
        base = Path(name)
        base.chmod(0o755)
        (base / "server").mkdir()
        server = PostgresServer(base / "server", programs, options=OPTIONS)
        try:
            wrong = soak(
                server,
                base,
                seconds=float(os.environ.get("SOAK_SECONDS", "3600")),
                listeners=int(os.environ.get("SOAK_LISTENERS", "3")),
                apps=int(os.environ.get("SOAK_APPS", "6")),
                rate=float(os.environ.get("SOAK_RATE", "150")),
            )
        except NotMeasuredError as error:
            sys.exit(str(error))
        finally:
            with suppress(AssertionError):
                server.stop("immediate")
    if wrong:
        sys.exit("\n".join(wrong))
    print("nothing was missed, nothing was out of order, and nothing grew but the database")


if __name__ == "__main__":
    main()
