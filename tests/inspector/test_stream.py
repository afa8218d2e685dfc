"""The live stream: what it sends, that it can be resumed, and that it misses nothing."""

import asyncio
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tests import postgres
from tests.deadline import DEADLINE
from tests.inspector.conftest import TOKEN, URL, Served, running
from tests.listener import BODY
from tiktok_hook.delivery import (
    AppChanged,
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Delivery,
    DeliveryAnswered,
    DeliveryStored,
    QueueChanged,
    Source,
    TunnelChanged,
)
from tiktok_hook.inspector import stream
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store import QueueEntry, open_store


@dataclass
class Listening:
    """A client of the stream, speaking HTTP/1.0 so that nothing is chunked."""

    reader: asyncio.StreamReader
    last_id: str = ""

    async def next(self, wanted: str, *, seconds: float = 10.0) -> dict[str, Any]:
        """The data of the next event of one name; others are passed over."""
        async with asyncio.timeout(seconds):
            while True:
                name, data = await self.block()
                if name == wanted:
                    value: dict[str, Any] = json.loads(data)
                    return value

    async def block(self) -> tuple[str, str]:
        """One block, up to its empty line."""
        name = data = ""
        while line := (await self.reader.readline()).decode().rstrip("\n"):
            field, _, value = line.partition(": ")
            if field == "id":
                self.last_id = value
            elif field == "event":
                name = value
            elif field == "data":
                data = value
        return name, data

    async def wait_for_id(self, wanted: int) -> None:
        """Wait until everything up to this delivery has been sent."""
        async with asyncio.timeout(DEADLINE):
            while self.last_id != str(wanted):
                await self.block()


@asynccontextmanager
async def listening(served: Served, last_id: int | None = None) -> AsyncIterator[Listening]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1 << 24)
    resumed = f"Last-Event-ID: {last_id}\r\n" if last_id is not None else ""
    writer.write(
        f"GET /api/v1/stream HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"{resumed}\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head
    assert b"text/event-stream" in head
    assert b"retry: " in await reader.readline()
    assert await reader.readline() == b"\n"
    try:
        yield Listening(reader)
    finally:
        writer.close()
        await writer.wait_closed()


async def attempt(served: Served, delivery: Delivery, **outcome: Any) -> Attempt:
    """Record an attempt; ended when it has an outcome."""
    begun = await served.store.begin_attempt(
        Attempt(delivery_id=delivery.id, started_at=1.0, target="http://127.0.0.1:9/")
    )
    if outcome:
        begun = replace(begun, **outcome)
        await served.store.end_attempt(begun)
    return begun


async def test_a_delivery_is_sent_as_a_row_of_the_list(served: Served) -> None:
    async with listening(served) as events:
        stored = await served.receive()
        row = await events.next("delivery")
        assert row["delivery"]["id"] == stored.id
        assert row["delivery"]["event"]["event"] == "post.publish.complete"
        assert row["product"] == "Content Posting"
        await events.wait_for_id(stored.id)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"received_at": 1.123456789},
        {"status": None},
        {
            "body": b"\xff\x00 no event",
            "path": "/\u2028%00",
            "query": "a=%E4",
            "source": Source.TRIGGER,
        },
        {"verdict": Verdict(State.INVALID, "wrong"), "status": 403, "path": "/" + "a" * 5000},
    ],
    ids=["valid", "fine clock", "unanswered", "odd", "rejected"],
)
async def test_a_new_delivery_is_sent_as_the_list_has_it(
    served: Served, changes: dict[str, Any]
) -> None:
    async with listening(served) as events:
        for _ in range(2):  # the second is a redelivery
            await served.receive(**changes)
            row = await events.next("delivery")
            assert row == (await served.get("/api/v1/deliveries?limit=1"))["deliveries"][0]


async def test_a_new_delivery_is_sent_with_whether_it_is_queued(served: Served) -> None:
    entry = QueueEntry("first", "http://127.0.0.1:9", deadline=1e10)
    async with listening(served) as events:
        stored = await served.store.add(Delivery(received_at=1.0, body=BODY), queues=[entry])
        served.feed.publish(DeliveryStored(stored, queued=True))
        served.feed.publish(DeliveryAnswered(stored.replace(status=200)))
        row = await events.next("delivery")
        assert row["queued"]
        while row["delivery"]["status"] is None:  # the history was read before it was published
            row = await events.next("delivery")
        assert (row["queued"], row["delivery"]["status"]) == (True, 200)


async def test_an_attempt_published_before_its_row_is_not_lost(served: Served) -> None:
    async with listening(served) as events:
        stored = await served.store.add(Delivery(received_at=1.0, body=BODY, status=500))
        done = await attempt(served, stored, status=500, duration_ms=3.0)
        served.feed.publish(AttemptEnded(done))
        served.feed.publish(DeliveryAnswered(stored))
        shown: dict[str, Any] | None = None  # as a page would: attempts without a row are nothing
        async with asyncio.timeout(DEADLINE):
            while shown is None or (shown["last_attempt"] or {}).get("status") != 500:
                name, data = await events.block()
                if name == "delivery":
                    shown = json.loads(data)
                elif name == "attempt" and shown is not None:
                    shown["last_attempt"] = json.loads(data)


async def test_a_row_sent_while_the_app_works_is_sent_again_when_it_is_answered(
    served: Served,
) -> None:
    async with listening(served) as events:
        waiting = await served.store.add(Delivery(received_at=1.0, body=BODY))
        row = await events.next("delivery")
        assert row["delivery"]["status"] is None
        served.feed.publish(DeliveryAnswered(waiting.replace(status=200)))
        row = await events.next("delivery")
        assert (row["delivery"]["id"], row["delivery"]["status"]) == (waiting.id, 200)


async def test_nothing_is_sent_twice_without_a_change(served: Served) -> None:
    async with listening(served) as events:
        for number in range(1, 4):
            await served.receive()
            await events.wait_for_id(number)
        fourth = await served.receive()
        assert (await events.next("delivery"))["delivery"]["id"] == fourth.id


async def test_the_stream_resumes_after_the_last_id(served: Served) -> None:
    for _ in range(4):
        await served.receive()
    async with listening(served, 2) as events:
        reported = [(await events.next("delivery"))["delivery"]["id"] for _ in range(2)]
        assert reported == [3, 4]
        await events.wait_for_id(4)


async def test_an_id_never_passes_a_delivery_that_was_not_sent(served: Served) -> None:
    async with listening(served) as events:
        first = await served.store.add(Delivery(received_at=1.0, body=BODY))
        second = await served.store.add(Delivery(received_at=1.0, body=BODY, status=200))
        served.feed.publish(DeliveryAnswered(second))
        sent: set[int] = set()
        while sent < {first.id, second.id}:
            sent.add((await events.next("delivery"))["delivery"]["id"])
            assert set(range(1, int(events.last_id) + 1)) <= sent
        await events.wait_for_id(second.id)


async def test_a_rejected_body_is_sent_cut(served: Served) -> None:
    long = b'{"event":"' + b"a" * (1 << 20) + b'"}'
    forged = Verdict(State.INVALID, "wrong")
    async with listening(served) as events:
        stored = await served.receive(long, verdict=forged, status=403)
        sent = (await events.next("delivery"))["delivery"]
    assert sent["id"] == stored.id
    assert len(sent["body"]) == 16 * 1024
    assert sent["body_bytes"] == len(long)


async def is_full(served: Served) -> bool:
    """Whether another stream is rejected, because those that are open are as many as may be."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{served.address}/api/v1/stream"
    async with ClientSession(headers=headers) as client, client.get(url) as response:
        return response.status == 503


async def test_a_client_that_does_not_read_costs_no_memory_and_is_disconnected(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "WRITE_SECONDS", 0.5)
    monkeypatch.setattr(stream, "MAX_STREAMS", 1)
    body = b'{"event":"post.publish.complete","content":"%s %d"}'
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)  # noqa: FBT003 - its signature
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await loop.sock_connect(client, ("127.0.0.1", served.port))
        await loop.sock_sendall(
            client,
            b"GET /api/v1/stream HTTP/1.0\r\nHost: 127.0.0.1\r\n"
            b"Authorization: Bearer %b\r\n\r\n" % TOKEN.encode(),
        )
        async with asyncio.timeout(DEADLINE):
            head = b""
            while b"retry: " not in head:
                head += await loop.sock_recv(client, 4096)
        tracemalloc.start()
        for number in range(150):  # each with bytes of its own
            await served.receive(body % (b"a" * 900_000, number))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        async with asyncio.timeout(DEADLINE):
            while await is_full(served):
                pass
    assert peak < 40 << 20


async def test_a_client_that_missed_too_much_is_asked_to_start_again(served: Served) -> None:
    for _ in range(stream.CATCH_UP + 1):
        await served.receive(b"")
    async with listening(served, 0) as events:
        assert await events.next("reset") == {}
        stored = await served.receive()
        assert (await events.next("delivery"))["delivery"]["id"] == stored.id


async def test_what_another_process_does_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    async with running(path=path) as served, listening(served) as events:
        with open_store(path) as other:
            stored = await other.add(Delivery(received_at=1.0, body=BODY))
            assert (await events.next("delivery"))["delivery"]["status"] is None
            other.set_status(stored.id, 200)
            assert (await events.next("delivery"))["delivery"]["status"] == 200
            begun = await other.begin_attempt(
                Attempt(delivery_id=stored.id, started_at=1.0, target="http://a/", replay=True)
            )
            await other.end_attempt(replace(begun, status=204, duration_ms=1.0))
            while (reported := await events.next("attempt"))["status"] is None:
                pass
            assert (reported["id"], reported["status"], reported["replay"]) == ("1.1", 204, True)


async def test_an_attempt_of_another_process_at_an_older_row_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    async with running(path=path) as served:
        stored = await served.receive()
        async with listening(served) as events:
            with open_store(path) as other:
                begun = await other.begin_attempt(
                    Attempt(delivery_id=stored.id, started_at=1.0, target="http://a/")
                )
                await other.end_attempt(replace(begun, status=500, duration_ms=1.0))
                while (ended := await events.next("attempt"))["status"] is None:
                    pass
                assert (ended["id"], ended["status"]) == ("1.1", 500)


async def test_attempts_the_tunnel_and_the_app_are_sent(served: Served) -> None:
    stored = await served.receive()
    async with listening(served) as events:
        served.feed.publish(
            AttemptEnded(await attempt(served, stored, status=200, duration_ms=1.0))
        )
        assert (await events.next("attempt"))["id"] == "1.1"
        served.feed.publish(TunnelChanged("reconnecting", URL, 1.0, error="lost"))
        assert await events.next("tunnel") == {
            "state": "reconnecting",
            "url": URL,
            "since": "1970-01-01T00:00:01.000000Z",
            "error": "lost",
        }
        served.feed.publish(AppChanged("down", target="http://127.0.0.1:9"))
        assert (await events.next("app"))["state"] == "down"


async def test_a_payload_cannot_break_out_of_its_event(served: Served) -> None:
    async with listening(served) as events:
        await served.receive(b'\n\nevent: reset\ndata: {}\n\n\r\r\xe2\x80\xa8"')
        row = await events.next("delivery")
        assert row["delivery"]["body"].startswith("\n\nevent: reset")


@pytest.mark.parametrize("last", ["x", "-1", "1e3", "9" * 30, "٣"])
async def test_a_last_id_that_is_none_begins_now(served: Served, last: str) -> None:
    await served.receive()
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(
        f"GET /api/v1/stream HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Last-Event-ID: {last}\r\n\r\n".encode()
    )
    await reader.readuntil(b"retry: 1000\n\n")
    stored = await served.receive()
    async with asyncio.timeout(DEADLINE):
        row = await Listening(reader).next("delivery")
    assert row["delivery"]["id"] == stored.id
    writer.close()
    await writer.wait_closed()


async def test_streams_of_pages_that_left_make_room(served: Served) -> None:
    for _ in range(stream.MAX_STREAMS):
        async with listening(served):
            pass
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                async with listening(served) as events:
                    await served.receive()
                    await events.next("delivery")
                    return
            except AssertionError:
                continue  # still full: the look at a closed connection takes a moment


async def test_a_history_that_cannot_be_read_ends_the_stream_without_a_traceback(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(served) as page:
        served.store.history().close()
        async with asyncio.timeout(DEADLINE):
            await page.reader.read()
    assert caplog.records == []


async def test_an_attempt_carries_whether_and_when_it_is_tried_again(served: Served) -> None:
    async with listening(served) as client:
        stored = await served.receive()
        await client.next("delivery")
        ended = await attempt(served, stored, status=503, duration_ms=1.0)
        begun = replace(ended, status=None, duration_ms=None)
        served.feed.publish(AttemptStarted(begun))  # read when its end is stored already
        served.feed.publish(AttemptEnded(ended, will_retry=True, next_try_at=0.0))
        while not (seen := await client.next("attempt"))["will_retry"]:
            pass  # the history, which does not know of it, may be read first
        assert seen["next_try_at"] == "1970-01-01T00:00:00.000000Z"
        served.feed.publish(QueueChanged(paused=True, waiting=2))
        assert await client.next("queue") == {"paused": True, "waiting": 2}


async def test_a_dump_that_is_restored_makes_the_client_load_the_list_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_hook.store.postgres.presence.RENEW_SECONDS", 0.2)
    server = postgres.server()
    url = server.url(server.new_database())
    file = str(tmp_path / "history.dump")
    open_store(url).close()
    await asyncio.to_thread(postgres.dump, url, file)
    async with running(path=url) as served:
        for _ in range(3):
            await served.store.add(Delivery(received_at=1.0, body=BODY, status=200))
        async with listening(served) as client:
            await asyncio.to_thread(postgres.restore, url, file)
            await client.next("reset", seconds=DEADLINE)
            stored = await served.store.add(Delivery(received_at=1.0, body=BODY, status=200))
            assert stored.id == 1  # another one of this id has been sent before
            await client.wait_for_id(1)
