"""The queue's retries against real sockets: whatever the app does, nothing is lost."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.apps import OK, App, free_port, hang, http, reset, running_app
from tests.apps import Answer as AppAnswer
from tests.relay.samples import SECRET, Opener, Published, delivery, eventually
from tiktok_hook import signature
from tiktok_hook.delivery import AppChanged, AttemptEnded, Notice
from tiktok_hook.forward import Forwarder
from tiktok_hook.relay import open_relay
from tiktok_hook.relay.options import RelayOptions
from tiktok_hook.relay.retry_policy import Delays
from tiktok_hook.store import HistoryReader, Store, open_store

QUICK = Delays(head=(0.02, 0.04), own_min=0.05, own_max=0.2)


def numbers(app: App) -> list[int]:
    return [json.loads(body)["create_time"] for body in app.bodies]


async def fin(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def rst(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def half(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    await writer.drain()
    reset(writer)


@asynccontextmanager
async def port_forward(port: int, *, rudely: bool) -> AsyncIterator[str]:
    """As Docker's, ssh's and an IDE's: it accepts, then connects, and hangs up without an app."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            reset(writer) if rudely else writer.close()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(pump(reader, back))
            group.create_task(pump(there, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


class TestTheTargetIsDown:
    @pytest.mark.parametrize("rudely", [False, True], ids=["FIN", "RST"])
    async def test_nothing_is_lost_behind_a_port_forward(
        self, relaying: Opener, published: Published, *, rudely: bool
    ) -> None:
        port = free_port()
        async with (
            port_forward(port, rudely=rudely) as target,
            relaying(target, ack="first", delays=QUICK) as relay,
        ):
            for number in range(3):
                assert (await relay.handle(delivery(number=number))).status == 200
            await published.until(AttemptEnded, 2)
            assert relay.waiting == 3
            async with running_app(port=port) as app:
                await eventually(lambda: relay.waiting == 0)
            assert sorted(set(numbers(app))) == [0, 1, 2]
            assert Counter(numbers(app)).most_common(1)[0][1] == 1

    @pytest.mark.parametrize(
        "bad",
        [
            fin,
            rst,
            half,
            http(502, b"Bad Gateway"),
            http(503),
            http(504),
            b"garbage\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        ],
        ids=["FIN", "RST", "cut", "502", "503", "504", "garbage", "bad-length"],
    )
    async def test_the_order_is_kept_until_it_is_up(
        self, relaying: Opener, published: Published, bad: bytes | AppAnswer
    ) -> None:
        async with running_app(bad) as app, relaying(app, ack="first", delays=QUICK) as relay:
            for number in range(5):
                await relay.handle(delivery(number=number))
            await published.until(AttemptEnded, 3)
            assert set(numbers(app)) == {0}, "only the head is tried"
            before = len(app.requests)
            app.answer = OK
            await eventually(lambda: relay.waiting == 0)
            arrived = numbers(app)[before:]
        assert list(dict.fromkeys(arrived)) == [0, 1, 2, 3, 4]

    async def test_no_try_is_counted_while_nothing_listens(
        self, relaying: Opener, published: Published, store: Store
    ) -> None:
        port = free_port()
        target = f"http://127.0.0.1:{port}"
        async with relaying(target, ack="first", delays=QUICK) as relay:
            for number in range(3):
                await relay.handle(delivery(number=number))
            events = await published.until(AttemptEnded, 8)
            assert {each.attempt.delivery_id for each in events} == {1}
            assert all(each.will_retry and each.next_try_at for each in events)
            assert [each.repeated for each in events] == [False] + [True] * (len(events) - 1)
            assert store.history().queues_of(1)[0].tries == 0
            async with running_app(port=port) as app:
                await eventually(lambda: relay.waiting == 0)
            assert numbers(app) == [0, 1, 2]

    @pytest.mark.parametrize(
        ("bad", "symptom"),
        [(fin, "it accepts connections and closes them."), (http(503), "it answers 503.")],
        ids=["FIN", "503"],
    )
    async def test_a_port_that_accepts_without_an_app_is_not_up(
        self, relaying: Opener, published: Published, bad: bytes | AppAnswer, symptom: str
    ) -> None:
        async with running_app(bad) as app, relaying(app, ack="first", delays=QUICK) as relay:
            seen = [relay.target_up]
            await relay.handle(delivery())
            await published.until_app("paused")
            await published.until(AttemptEnded, 4)
            assert [*seen, relay.target_up] == [True, False]
            assert published.of(AppChanged)[-1].detail == symptom
            app.answer = OK
            await published.until_app("paused", "up")

    async def test_with_the_apps_own_answer_it_is_not_up_either(
        self, relaying: Opener, published: Published
    ) -> None:
        async with running_app(fin) as app, relaying(app) as relay:
            assert (await relay.handle(delivery())).status == 502
            seen = [relay.target_up]
            app.answer = OK
            assert (await relay.handle(delivery())).status == 200
            assert [*seen, relay.target_up] == [False, True]
            assert [each.state for each in published.of(AppChanged)] == ["down", "up"]

    async def test_a_delivery_that_crashes_the_app_does_not_hold_up_the_others(
        self, relaying: Opener, store: Store
    ) -> None:
        async def crash_at_one(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if numbers(app)[-1] == 1 and not fixed:
                reset(writer)
            else:
                writer.write(OK)

        fixed = False
        async with (
            running_app(crash_at_one) as app,
            relaying(app, ack="first", delays=QUICK) as relay,
        ):
            for number in range(4):
                await relay.handle(delivery(number=number))
            await eventually(lambda: {0, 2, 3} <= set(numbers(app)) and relay.waiting == 1)
            assert numbers(app)[:6] == [0, 1, 1, 1, 1, 1]
            await eventually(lambda: store.history().queues_of(2)[0].tries >= 2)
            fixed = True
            await eventually(lambda: relay.waiting == 0)


class TestOneDeliveryFails:
    @pytest.mark.parametrize(
        "failure",
        [
            pytest.param(http(500), id="500"),
            pytest.param(http(501), id="501"),
            pytest.param(http(408), id="408"),
            pytest.param(http(425), id="425"),
            pytest.param(http(429), id="429"),
            pytest.param(hang, id="timeout", marks=pytest.mark.realtime),
        ],
    )
    async def test_the_others_are_forwarded_and_it_is_tried_again(
        self, relaying: Opener, published: Published, failure: bytes | AppAnswer
    ) -> None:
        failures = 2
        # Where nothing hangs, a loop that stands still must not look like an app that does.
        forward_timeout = 0.3 if failure is hang else 60.0

        async def fail_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal failures
            if numbers(app)[-1] == 1 and failures:
                failures -= 1
                if isinstance(failure, bytes):
                    writer.write(failure)
                else:
                    await failure(reader, writer)
            else:
                writer.write(OK)

        async with running_app(fail_one) as app:
            async with relaying(
                app, ack="first", delays=QUICK, forward_timeout=forward_timeout
            ) as relay:
                for number in range(5):
                    await relay.handle(delivery(number=number))
                await eventually(lambda: relay.waiting == 0)
            assert Counter(numbers(app)) == {0: 1, 1: 3, 2: 1, 3: 1, 4: 1}
            assert list(dict.fromkeys(numbers(app))) == [0, 1, 2, 3, 4]
        of_it = [each for each in published.of(AttemptEnded) if each.attempt.delivery_id == 2]
        assert [each.will_retry for each in of_it] == [True, True, False]
        assert [each.repeated for each in of_it] == [False, True, False]

    async def test_retry_after_is_honoured(self, relaying: Opener, published: Published) -> None:
        answer = http(429, b"", "Retry-After: 30")
        async with running_app(answer) as app, relaying(app, ack="first", delays=QUICK) as relay:
            await relay.handle(delivery())
            (event,) = await published.until(AttemptEnded)
            assert event.next_try_at is not None
            assert 25 < event.next_try_at - time.time() <= 30

    @pytest.mark.parametrize("status", [301, 400, 401, 404, 422])
    async def test_another_status_ends_it_as_failed(
        self, relaying: Opener, published: Published, store: Store, status: int
    ) -> None:
        async with running_app(http(status)) as app:
            async with relaying(app, ack="first", delays=QUICK) as relay:
                await relay.handle(delivery())
                (event,) = await published.until(AttemptEnded)
                await eventually(lambda: relay.waiting == 0)
            assert not event.will_retry
            assert len(app.requests) == 1
        await store.flush()
        assert store.history().counts().failed == 1

    async def test_at_most_four_are_tried_at_a_time(self, relaying: Opener) -> None:
        active = most = 0
        tries: Counter[int] = Counter()

        async def fail_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal active, most
            number = numbers(app)[-1]
            tries[number] += 1
            if tries[number] == 1:
                writer.write(http(500))
                return
            active += 1
            most = max(most, active)
            await asyncio.sleep(0.1)
            active -= 1
            writer.write(OK)

        async with running_app(fail_once) as app, relaying(app, ack="first", delays=QUICK) as relay:
            for number in range(12):
                await relay.handle(delivery(number=number))
            await eventually(lambda: relay.waiting == 0, seconds=30)
        assert 1 < most <= 4

    async def test_what_was_set_aside_is_due_after_a_restart(
        self, relaying: Opener, store: Store, published: Published
    ) -> None:
        async with running_app(http(500)) as app:
            async with relaying(app, ack="first", delays=QUICK) as relay:
                await relay.handle(delivery())
                await published.until(AttemptEnded)
            await store.flush()
            (entry,) = store.history().queues_of(1)
            assert entry.tries >= 1
            assert entry.next_try_at is not None
            app.answer = OK
            async with relaying(app, ack="first", delays=QUICK) as relay:
                await eventually(lambda: relay.waiting == 0)


class TestTheDeadline:
    @pytest.mark.parametrize("bad", [None, http(500), http(503)], ids=["down", "500", "503"])
    async def test_it_leaves_the_queue_as_failed_with_one_notice(
        self, relaying: Opener, published: Published, store: Store, bad: bytes | None
    ) -> None:
        async with running_app(bad or OK) as app:
            target = f"http://127.0.0.1:{free_port()}" if bad is None else app.url
            async with relaying(target, ack="first", delays=QUICK, retry_for=0.3) as relay:
                for number in range(3):
                    await relay.handle(delivery(number=number))
                await eventually(lambda: relay.waiting == 0)
                (notice,) = await published.until(Notice)
        words = f"3 deliveries were given up: {target} did not accept them within 0.3 s."
        assert notice.message == words
        assert "replay --failed" in notice.hint
        await store.flush()
        assert store.history().counts().failed == 3

    async def test_what_ended_while_the_queue_was_read_is_not_sent_again(
        self, relaying: Opener, published: Published, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A slow disk: what is due is read while a retry is in progress, and arrives after it."""
        slow, arrived, answer = asyncio.Event(), asyncio.Event(), asyncio.Event()
        read = store.read

        async def read_slowly(query: Callable[[HistoryReader], Any]) -> Any:
            found = await read(query)
            if slow.is_set() and isinstance(found, list) and found:
                arrived.set()
                await answer.wait()
            return found

        async def late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            slow.set()
            await arrived.wait()
            writer.write(OK)
            await writer.drain()

        monkeypatch.setattr(store, "read", read_slowly)
        async with running_app(http(500)) as app:
            async with relaying(app, ack="first", delays=QUICK) as relay:
                await relay.handle(delivery())
                await published.until(AttemptEnded)
                app.answer = late
                await published.until(AttemptEnded, 2)
                answer.set()
                await eventually(lambda: relay.waiting == 0)
            assert len(app.requests) == 2

    async def test_what_ended_before_a_slow_commit_is_not_sent_again(
        self, relaying: Opener, published: Published, tmp_path: Path
    ) -> None:
        """Head and retries are read again before the end of a retry is committed."""
        other = sqlite3.connect(tmp_path / "history.db", isolation_level=None)

        async def lock(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            other.execute("BEGIN IMMEDIATE")
            writer.write(OK)
            await writer.drain()

        async with running_app(http(500)) as app:
            async with relaying(app, ack="first", delays=QUICK) as relay:
                await relay.handle(delivery())
                await published.until(AttemptEnded)
                app.answer = lock
                await published.until(AttemptEnded, 2)
                app.answer = OK
                await asyncio.sleep(1.5)  # retries are looked for twice a second
                other.execute("ROLLBACK")
                other.close()
                await relay.handle(delivery(number=1))
                await eventually(lambda: relay.waiting == 0)
            assert numbers(app) == [0, 0, 1]

    async def test_of_very_many_attempts_the_first_and_the_last_ten_are_kept(
        self, relaying: Opener, published: Published, store: Store
    ) -> None:
        quick = Delays(head=(0.001,), own_min=0.001, own_max=0.001)
        target = f"http://127.0.0.1:{free_port()}"
        async with relaying(target, ack="first", delays=quick) as relay:
            await relay.handle(delivery())
            await published.until(AttemptEnded, 35)
        await store.flush()
        kept = [each.number for each in store.history().attempts(1)]
        assert kept[:10] == list(range(1, 11))
        assert kept[10:] == list(range(kept[-1] - 9, kept[-1] + 1))
        assert kept[-1] >= 35


class TestCutShort:
    async def test_with_the_apps_answer_it_counts_as_failed(
        self, relaying: Opener, published: Published, store: Store
    ) -> None:
        async with (
            running_app(hang) as app,
            relaying(app, forward_timeout=60) as relay,
            asyncio.TaskGroup() as group,
        ):
            handling = group.create_task(_quietly(relay.handle(delivery())))
            await app.wait_for(1)
            handling.cancel()
        (event,) = published.of(AttemptEnded)
        assert (event.attempt.error, event.will_retry) == ("cut", False)
        await store.flush()
        assert store.history().counts().failed == 1

    @pytest.mark.parametrize("ack", ["app", "first"])
    async def test_kill_9_is_found_at_the_next_look(self, tmp_path: Path, ack: str) -> None:
        path = tmp_path / "history.db"
        async with running_app(hang) as app:
            process = await asyncio.to_thread(_start, path, app.url, ack)
            try:
                await app.wait_for(1, seconds=30)
            finally:
                os.kill(process.pid, signal.SIGKILL)
                await asyncio.to_thread(process.wait)
            with open_store(path) as store:
                (attempt,) = store.history().attempts(1)
                assert (attempt.error, attempt.ended) == ("cut", True)
                assert store.history().counts().failed == 1
                assert store.history().pending_count() == (1 if ack == "first" else 0)
            left = await asyncio.to_thread(lambda: list(tmp_path.glob("history.db-run-*")))
            assert left == []
            app.answer = OK
            with open_store(path) as store:
                async with (
                    Forwarder() as forwarder,
                    open_relay(
                        RelayOptions(forward_to=app.url, ack="first"),
                        store=store,
                        forwarder=forwarder,
                        publish=lambda _: None,
                    ) as relay,
                ):
                    await eventually(lambda: relay.waiting == 0)
            assert len(app.requests) == (2 if ack == "first" else 1)


def _start(path: Path, target: str, ack: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", KILLED, str(path), target, ack]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2])


KILLED = """
import asyncio, sys
from pathlib import Path
from tests.relay.samples import delivery
from tiktok_hook.forward import Forwarder
from tiktok_hook.relay import open_relay
from tiktok_hook.relay.options import RelayOptions
from tiktok_hook.store import open_store

async def main(path, target, ack):
    with open_store(Path(path)) as store:
        async with Forwarder() as forwarder, open_relay(
            RelayOptions(forward_to=target, ack=ack, forward_timeout=60),
            store=store, forwarder=forwarder, publish=lambda _: None,
        ) as relay:
            await relay.handle(delivery())
            await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_late_deliveries_are_signed_again_and_without_a_secret_there_is_a_notice(
    store: Store, forwarder: Forwarder, published: Published
) -> None:
    async with (
        running_app() as app,
        open_relay(
            RelayOptions(forward_to=app.url, ack="hold"),
            store=store,
            forwarder=forwarder,
            publish=published.take,
        ) as relay,
    ):
        for number in range(2):
            await relay.handle(delivery(number=number, received_at=time.time() - 100))
        await relay.release()
        await published.until(AttemptEnded, 2)
    (notice,) = published.of(Notice)
    assert notice.message.startswith("Delivery 1 is forwarded late with its original signature")
    assert not published.attempts[0].resigned
    sent = dict(published.attempts[0].request_headers)
    assert _age(sent[signature.HEADER], app.bodies[0]) > 60


async def test_hold_tries_again_what_a_release_set_aside(
    relaying: Opener, published: Published
) -> None:
    failures = [http(500), http(500)]

    async def fail_twice(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(failures.pop() if failures else OK)

    async with running_app(fail_twice) as app, relaying(app, ack="hold", delays=QUICK) as relay:
        await relay.handle(delivery(number=0))
        await relay.release()
        await eventually(lambda: relay.waiting == 0)
        await relay.handle(delivery(number=1))
        await published.until(AttemptEnded, 3)
        assert relay.waiting == 1
    assert numbers(app) == [0, 0, 0]


def _age(header: str, body: bytes) -> float:
    verdict = signature.check(header, body, SECRET, now=time.time())
    assert verdict.age_seconds is not None
    return verdict.age_seconds


async def _quietly(work: Awaitable[object]) -> None:
    with suppress(asyncio.CancelledError):
        await work
