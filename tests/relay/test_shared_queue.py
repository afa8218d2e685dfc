"""Several processes with one queue: each delivery reaches the app once, in order."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.apps import OK, App, free_port, hang, running_app
from tests.deadline import DEADLINE
from tests.relay.samples import CRASHING, Published, delivery, eventually
from tiktok_hook.delivery import AttemptEnded, Notice
from tiktok_hook.forward import Forwarder
from tiktok_hook.relay import Relay, open_relay
from tiktok_hook.relay.health_check import HealthCheck
from tiktok_hook.relay.options import AckMode, RelayOptions
from tiktok_hook.relay.queue_runner import QueueRunner
from tiktok_hook.relay.sender import Sender
from tiktok_hook.store import QueueEntry, open_store
from tiktok_hook.store.sqlite.file_lock import queue_lock


@asynccontextmanager
async def relaying(
    path: Path,
    *targets: str,
    ack: AckMode = "first",
    published: Published | None = None,
    keep: int = 100_000,
) -> AsyncIterator[Relay]:
    """What one listener of several does with a history, apart from the others."""
    with open_store(path, keep=keep) as store:
        async with (
            Forwarder() as forwarder,
            open_relay(
                RelayOptions(forward_to=targets, ack=ack),
                store=store,
                forwarder=forwarder,
                publish=(Published() if published is None else published).take,
            ) as relay,
        ):
            yield relay


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.01)
    writer.write(OK)


def numbers(app: App) -> list[int]:
    return [json.loads(body)["create_time"] for body in app.bodies]


async def test_two_listeners_forward_each_delivery_once_and_in_order(path: Path) -> None:
    async with (
        running_app(slow) as app,
        relaying(path, app.url) as one,
        relaying(path, app.url) as other,
    ):
        for number in range(0, 20, 2):
            await asyncio.gather(
                one.handle(delivery(number=number)), other.handle(delivery(number=number + 1))
            )
        await app.wait_for(20)
        await eventually(lambda: one.waiting == other.waiting == 0)
        with open_store(path) as store:
            order = [json.loads(each.body)["create_time"] for each in store.history().walk()]
    assert numbers(app) == order
    assert sorted(order) == list(range(20))


async def test_when_one_listener_is_killed_the_other_continues(path: Path) -> None:
    async with running_app(slow) as app, relaying(path, app.url) as relay:
        process = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-c", CRASHING, str(path), app.url, "60"],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        with process:
            await app.wait_for(5)
            os.kill(process.pid, signal.SIGKILL)
        await eventually(lambda: relay.waiting == 0)
    with open_store(path) as store:
        kept = [json.loads(each.body)["create_time"] for each in store.history().walk()]
    assert set(numbers(app)) == set(kept)
    assert numbers(app) == sorted(numbers(app))
    assert len(app.requests) <= len(kept) + 1


async def test_each_of_two_listeners_may_release_held_deliveries(path: Path) -> None:
    async with (
        running_app(slow) as app,
        relaying(path, app.url, ack="hold") as one,
        relaying(path, app.url, ack="hold") as other,
    ):
        for number in range(20):
            await one.handle(delivery(number=number))
        await asyncio.gather(one.release(), other.release())
        await eventually(lambda: one.waiting == 0)
    assert numbers(app) == list(range(20))


async def test_a_pause_holds_for_both(path: Path) -> None:
    async with (
        running_app() as app,
        relaying(path, app.url) as one,
        relaying(path, app.url) as other,
    ):
        one.pause()
        await eventually(lambda: not free(path, app))
        await one.handle(delivery(number=1))
        await other.handle(delivery(number=2))
        assert one.waiting == 2
        assert app.requests == []
        await one.release()
        await app.wait_for(2)
    assert numbers(app) == [1, 2]


async def test_there_is_one_notice_when_another_listener_holds_the_queue_without_forwarding(
    path: Path,
) -> None:
    """As one that is paused does, or that Ctrl-Z stopped in the middle."""
    published = Published()
    async with running_app() as app, Forwarder() as forwarder, asyncio.timeout(DEADLINE):
        with open_store(path) as store, queue_lock(path, app.url) as elsewhere:
            assert elsewhere.acquire()
            await store.add(delivery(), queues=[QueueEntry("first", app.url)])
            backlog = QueueRunner(
                app.url,
                store=store,
                health=HealthCheck(app.url, published.take),
                sender=Sender(RelayOptions(), store=store, forwarder=forwarder),
                publish=published.take,
                patience=0.05,
            )
            backlog.start_draining("first")
            async with asyncio.TaskGroup() as group:
                running = group.create_task(backlog.run(lambda _mode: None))
                (notice,) = await published.until(Notice)
                assert notice.message.endswith(f"{app.url} and forwards nothing.")
                assert app.requests == []
                elsewhere.release()
                await app.wait_for(1)
                backlog.stop()
                await running
            await backlog.close()
    assert len(published.of(Notice)) == 1


async def test_the_queue_lock_is_free_while_the_app_is_down(path: Path) -> None:
    published = Published()
    async with relaying(
        path, url := f"http://127.0.0.1:{free_port()}", published=published
    ) as relay:
        await relay.handle(delivery())
        await published.until(AttemptEnded)
        with queue_lock(path, url) as lock:
            await eventually(lock.acquire)


async def test_queued_deliveries_are_counted_whichever_process_dequeues_them(path: Path) -> None:
    async with (
        running_app() as app,
        relaying(path, app.url, ack="hold") as one,
        relaying(path, app.url, ack="hold") as other,
    ):
        await one.handle(delivery(number=1))
        await other.handle(delivery(number=2))
        assert one.waiting == other.waiting == 2
        await other.release()
        await app.wait_for(2)
        await eventually(lambda: one.waiting == 0)
    assert (one.waiting, other.waiting) == (0, 0), "also when all is closed"


async def test_each_target_has_its_own_place_in_the_queue(path: Path) -> None:
    published = Published()
    missing = free_port()
    targets = [f"http://127.0.0.1:{missing}"]
    async with running_app() as first:
        async with relaying(path, first.url, *targets, published=published) as relay:
            for number in range(5):
                await relay.handle(delivery(number=number))
            await first.wait_for(5)
            await published.until_app("paused")
            assert relay.target_up
            assert relay.waiting == 5
        assert numbers(first) == [0, 1, 2, 3, 4]
        async with (
            running_app(port=missing) as second,
            relaying(path, first.url, *targets) as relay,
        ):
            await second.wait_for(5)
            await eventually(lambda: relay.waiting == 0)
    assert numbers(second) == [0, 1, 2, 3, 4]
    assert len(first.requests) == 5


async def test_a_secondary_target_that_is_gone_does_not_fill_the_history(path: Path) -> None:
    missing = f"http://127.0.0.1:{free_port()}"
    async with running_app() as app, relaying(path, app.url, missing, keep=5) as relay:
        for number in range(20):
            await relay.handle(delivery(number=number))
        await app.wait_for(20)
        await eventually(lambda: relay.waiting == 5)
    assert numbers(app) == list(range(20))


async def test_the_end_loses_nothing_that_a_slow_target_has_not_had(path: Path) -> None:
    async with running_app() as first, running_app(hang) as second:
        targets = [first.url, second.url]
        async with relaying(path, *targets) as relay:
            for number in range(5):
                await relay.handle(delivery(number=number))
            await first.wait_for(5)
            await second.wait_for(1)
            await relay.close(0.1)
        second.answer = OK
        second.requests.clear()
        async with relaying(path, *targets):
            await second.wait_for(5)
        assert numbers(second) == [0, 1, 2, 3, 4]
        assert len(first.requests) == 5


def free(path: Path, app: App) -> bool:
    with queue_lock(path, app.url) as lock:
        return lock.acquire()
