"""The long form of the faults: ``make soak``, or ``python -m tests.faults.soak``.

First the command is killed outright under load, over and over: what was answered 200 is there, and
reaches the app that it is queued for. Then it is given far more than its disk can take, for a
minute, and stopped for longer than ngrok waits for a heartbeat. Then one listener lives through
mixed traffic, with its tunnel disturbed in all ways, deliveries replayed and the page loaded again,
while its descriptors, threads, tasks, processes and memory are printed. Ends with 1 when they grow.

SOAK_ROUNDS (100) is how often it is killed, with and without a queue; SOAK_OVERLOAD (60),
SOAK_STOPPED (40) and SOAK_SECONDS (3600) are how many seconds it is pressed and stopped, and how
long the traffic continues.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import astuple, dataclass, fields
from itertools import count, cycle
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests import disk_shim
from tests.apps import OK, App, http, running_app
from tests.faults import queue_kills
from tests.faults.killing import kill_under_load
from tests.faults.overload import overload
from tests.faults.waiting import until
from tests.listener import BODY, SECRET, TOKEN, Listener, listening, post, signed
from tests.ngrok_service import NgrokService
from tiktok_hook.forward import Forwarder, ForwardRequest

SAMPLES = 60
"""How often the usage is taken, evenly over the whole time."""
SENDERS = 4
PAUSE_SECONDS = 0.02
GROWN_MEMORY_BYTES = 24 << 20
"""More than this from the second quarter to the last is growth: SQLite's caches fill up early."""
RECOVERY_SECONDS = 60
ROOT = Path(__file__).parents[2]
INSIDE = Path(__file__).with_name("inside")
KEEP = 5_000
"""The history's bound; reached early, so that the file and the caches stop growing."""


@dataclass(frozen=True)
class Usage:
    """What the command and all processes below it hold."""

    descriptors: int
    threads: int
    tasks: int
    processes: int
    memory_bytes: int

    @classmethod
    def of(cls, process: psutil.Process, tasks: int) -> "Usage":
        total = cls(0, 0, tasks, 0, 0)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # a tunnel's child that was just replaced
                total = cls(
                    total.descriptors + each.num_fds(),
                    total.threads + each.num_threads(),
                    tasks,
                    total.processes + 1,
                    total.memory_bytes + each.memory_info().rss,
                )
        return total


async def kill_rounds(rounds: int, folder: Path) -> None:
    """Kill it under load at a random moment; fail when anything that was answered 200 is lost."""
    db = folder / "killed.db"
    numbers = count()
    answered: set[int] = set()

    words = ("--no-tunnel", "--db", str(db), "--keep", "10000000")
    for done in range(1, rounds + 1):
        await kill_under_load(*words, numbers=numbers, answered=answered, senders=16)
        with closing(sqlite3.connect(db)) as rows:
            bodies = rows.execute("SELECT body FROM deliveries").fetchall()
            intact = rows.execute("PRAGMA quick_check").fetchone() == ("ok",)
        lost = answered - {json.loads(body)["number"] for (body,) in bodies}
        if lost or not intact:
            raise SystemExit(f"killed {done} times: {len(lost)} lost, database intact: {intact}")
    print(f"killed {rounds} times under load: {len(answered)} answered 200, none lost", flush=True)


async def send(listener: Listener, app: App, end: float, answers: Counter[int | None]) -> None:
    """Deliveries of all kinds through the tunnel; the app's answer changes in between."""
    async with Forwarder() as forwarder:
        for number in count():
            if time.monotonic() >= end:
                return
            app.answer = http(500, b"no") if number % 50 == 49 else OK
            body = BODY.replace(b"7545200", b"%07d" % random.randrange(10**7))
            headers = signed(body, secret=random.choices((SECRET, "forged"), (9, 1))[0])
            answers[(await post(listener.url, body, headers, forwarder=forwarder)).status] += 1
            await asyncio.sleep(PAUSE_SECONDS)


async def look(listener: Listener, end: float, replays: Counter[int | None]) -> int:
    """Load the page and its data and replay what is newest, twice a second; how often."""
    address = urlsplit(listener.ready["inspector_url"])
    base = f"http://{address.netloc}"
    token = address.fragment.partition("=")[2]
    headers = (
        ("Host", address.netloc),
        ("Authorization", f"Bearer {token}"),
        ("Content-Type", "application/json"),
    )
    async with Forwarder() as forwarder:
        for done in count():
            if time.monotonic() >= end:
                return done
            for path in ("/", "/static/app.js", "/api/v1/status", "/api/v1/deliveries"):
                reply = await forwarder.send(
                    ForwardRequest("GET", base + path, headers, b""), timeout=10
                )
                assert reply.status == 200, (path, reply)
            # One connection each, left as a page is that is reloaded.
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(
                f"GET /api/v1/stream HTTP/1.1\r\nHost: {address.netloc}\r\n"
                f"Authorization: Bearer {token}\r\n\r\n".encode()
            )
            await reader.readline()
            writer.close()
            shown = listener.of("delivery")[-1:]
            if shown:
                path = f"/api/v1/deliveries/{shown[0]['id']}/replay"
                again = ForwardRequest("POST", base + path, headers, b"{}")
                replays[(await forwarder.send(again, timeout=10)).status] += 1
            del listener.lines[:-1]
            await asyncio.sleep(0.5)
    return 0


async def rejected(service: NgrokService) -> None:
    """Cut it and accept no agent for a while."""
    await service.refuse_connections()
    service.cut()
    await asyncio.sleep(3)
    await service.accept_again()


async def silent(service: NgrokService) -> None:
    """Send nothing any more, as when a cable was pulled; the missed heartbeat shows it."""
    service.go_silent(forget_after=1)


async def flapping(service: NgrokService) -> None:
    """Cut it as soon as it is back, three times."""
    for _ in range(3):
        service.cut()
        await service.wait_for(lambda: len(service.online) == 1, timeout=RECOVERY_SECONDS)


async def plain(act: Callable[[], object]) -> None:
    act()


async def disturb(service: NgrokService, end: float, pause: float) -> list[float]:
    """Trouble the tunnel at intervals, each time in another way; seconds until it was back."""
    ways: tuple[Callable[[NgrokService], Awaitable[None]], ...] = (
        lambda service: plain(service.cut),
        lambda service: plain(service.go_away),
        lambda service: plain(service.send_garbage),
        rejected,
        flapping,
        silent,
    )
    outages: list[float] = []
    for way in cycle(ways):
        await asyncio.sleep(pause)
        if time.monotonic() >= end - RECOVERY_SECONDS:
            return outages
        before = len(service.binds)
        started = time.monotonic()
        await way(service)
        await service.wait_for(
            lambda: len(service.binds) > before and len(service.online) == 1,  # noqa: B023 - awaited here
            timeout=RECOVERY_SECONDS,
        )
        outages.append(time.monotonic() - started)
    return outages


def count_tasks(process: psutil.Process, reported: Path) -> int:
    """Ask the command how many tasks it has, and wait for its answer."""
    reported.unlink(missing_ok=True)
    process.send_signal(signal.SIGUSR2)
    deadline = time.monotonic() + 10
    while not (reported.exists() and reported.read_text("ascii")):
        assert time.monotonic() < deadline, "it did not report its tasks"
        time.sleep(0.01)
    return int(reported.read_text("ascii"))


async def watch(process: psutil.Process, seconds: float, reported: Path) -> list[Usage]:
    """Print what is held, at intervals."""
    print("seconds  " + "  ".join(field.name for field in fields(Usage)), flush=True)
    usages = []
    started = time.monotonic()
    for number in range(1, SAMPLES + 1):
        await asyncio.sleep(started + number * seconds / SAMPLES - time.monotonic())
        tasks = await asyncio.to_thread(count_tasks, process, reported)
        usages.append(Usage.of(process, tasks))
        words = [f"{time.monotonic() - started:7.0f}"]
        for field, value in zip(fields(Usage), astuple(usages[-1]), strict=True):
            words.append(f"{value:>{len(field.name)}}")
        print("  ".join(words), flush=True)
    return usages


def growth(usages: list[Usage]) -> list[str]:
    """What the last quarter holds more of than the second one did."""
    quarter = len(usages) // 4
    grown = []
    allowed = {"descriptors": 8, "threads": 4, "tasks": 8, "processes": 0}
    allowed["memory_bytes"] = GROWN_MEMORY_BYTES
    for name, most in allowed.items():
        before, after = (
            statistics.median(getattr(usage, name) for usage in part)
            for part in (usages[quarter : 2 * quarter], usages[-quarter:])
        )
        if after - before > most:
            grown.append(f"{name} grew from {before:.0f} to {after:.0f}")
    return grown


async def soak(seconds: float, folder: Path) -> list[str]:
    """Mixed traffic for so long; what went wrong."""
    answers: Counter[int | None] = Counter()
    replays: Counter[int | None] = Counter()
    async with NgrokService() as service, running_app() as app:
        words = ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]
        words += ["--db", str(folder / "soak.db"), "--keep", str(KEEP), "--forward-to", app.url]
        reported = folder / "tasks"
        environment = {
            "NGROK_AUTHTOKEN": TOKEN,
            "PYTHONPATH": f"{INSIDE}{os.pathsep}{ROOT}",
            "PYTHONWARNINGS": "default",
            "TASKS_FILE": str(reported),
        }
        async with listening(*words, environment=environment) as listener:
            end = time.monotonic() + seconds
            async with asyncio.TaskGroup() as group:
                for _ in range(SENDERS):
                    group.create_task(send(listener, app, end, answers))
                looks = group.create_task(look(listener, end, replays))
                outages = group.create_task(disturb(service, end, max(5.0, seconds / 120)))
                process = psutil.Process(listener.process.pid)
                watching = group.create_task(watch(process, seconds, reported))
                tidying = group.create_task(forget(app))
                await watching
                tidying.cancel()
            code = await listener.end()
            await until(lambda: not service.online)
    wrong = growth(watching.result())
    if code != 0:
        wrong.append(f"it ended with {code}")
    wrong += [
        f"stderr says {word}: {listener.errors[-2000:]}"
        for word in ("Traceback", "Warning", "never retrieved", "A bug in")
        if word in listener.errors
    ]
    back = outages.result()
    print(f"answers through the tunnel: {dict(answers)}; page loads: {looks.result()}")
    print(f"replays: {dict(replays)}; stderr: {len(listener.errors.splitlines())} lines")
    print(f"outages: {len(back)}; the longest {max(back, default=0):.1f} s")
    print(f"summary: {json.dumps(listener.of('summary'))}", flush=True)
    return wrong


async def press(seconds: float, folder: Path, shim: Path) -> list[str]:
    """Overload for so long; what went wrong."""
    pressed = await overload(folder / "overload.db", shim, seconds)
    print(
        f"overload for {seconds:.0f} s: {dict(pressed.answers)}, {pressed.stored} stored, memory "
        f"{pressed.grown_bytes >> 20} MB above before, over in {pressed.over_seconds:.2f} s",
        flush=True,
    )
    held = {
        "only 200 and 503": set(pressed.answers) == {200, 503},
        "every 200 stored": pressed.stored == pressed.answers[200],
        "memory bounded": pressed.grown_bytes < 64 << 20,
        "normal within 2 s": pressed.over_seconds < 2,
        "ended well": pressed.code == 0 and "Traceback" not in pressed.errors,
    }
    if not held["ended well"]:
        print(f"exit code {pressed.code}, stderr:\n{pressed.errors}", flush=True)
    return [f"overload: not so: {words}" for words, so in held.items() if not so]


async def stand_still(seconds: float) -> list[str]:
    """Stop the command and its child for longer than the service waits; what went wrong."""
    async with NgrokService() as service:
        words = ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]
        async with listening(
            *words, "--ephemeral", environment={"NGROK_AUTHTOKEN": TOKEN}
        ) as listener:
            parent = psutil.Process(listener.process.pid)
            every = (parent, *parent.children(recursive=True))
            try:
                for each in every:
                    each.suspend()
                await asyncio.sleep(seconds)
                forgotten = not service.online
            finally:
                for each in every:
                    each.resume()
            resumed = time.monotonic()
            status = None
            while status != 200 and time.monotonic() - resumed < RECOVERY_SECONDS:
                status = (await post(listener.url)).status
                await asyncio.sleep(0.1)
            back = time.monotonic() - resumed
            online = len(service.online)
            code = await listener.end()
    print(f"stopped for {seconds:.0f} s: answers at the same URL {back:.1f} s later", flush=True)
    held = {
        "the service had forgotten it": forgotten,
        "answered 200 at the same URL": status == 200,
        "one URL online": online == 1,
        "ended well": code == 0 and "Traceback" not in listener.errors,
    }
    return [f"stopped: not so: {words}" for words, so in held.items() if not so]


async def forget(app: App) -> None:
    """Keep this program's own memory out of the picture."""
    while True:
        app.requests.clear()
        await asyncio.sleep(1)


def main() -> None:
    # Ended from outside, it ends what it started too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    seconds = float(os.environ.get("SOAK_SECONDS", "3600"))
    pressed = float(os.environ.get("SOAK_OVERLOAD", "60"))
    stopped = float(os.environ.get("SOAK_STOPPED", "40"))
    rounds = int(os.environ.get("SOAK_ROUNDS", "100"))
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        for variable in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            os.environ[variable] = name
        asyncio.run(kill_rounds(rounds, Path(name)))
        wrong = asyncio.run(queue_kills.kill_rounds(rounds, Path(name)))
        wrong += asyncio.run(press(pressed, Path(name), disk_shim.build(Path(name))))
        if stopped:
            wrong += asyncio.run(stand_still(stopped))
        wrong += asyncio.run(soak(seconds, Path(name)))
    if wrong:
        sys.exit("\n".join(wrong))
    print("nothing grew, and nothing was complained of")


if __name__ == "__main__":
    main()
