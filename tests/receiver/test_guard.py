"""Connections: HTTP/1.1 as clients speak it, well and badly, deadlines, limits, eviction."""

import asyncio
import contextlib
import gc
import logging
import socket
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import uvloop

from tests.deadline import DEADLINE
from tests.receiver.listening import BODY, HOST, Client, Listening, get, listening, post, until
from tiktok_hook.delivery import Delivery
from tiktok_hook.receiver import IncomingRequest, Limits, ReceiverReports, ReceiverResponse
from tiktok_hook.receiver.exchange import HttpExchange
from tiktok_hook.receiver.guard import ConnectionGuard
from tiktok_hook.receiver.input_queue import InputQueue
from tiktok_hook.receiver.limits import Capacity
from tiktok_hook.signature import State

LINES = f"POST /hook HTTP/1.1\r\n{HOST}\r\n".encode()
QUICK = Limits(request_seconds=0.4, unused_seconds=0.4, idle_seconds=0.4, drain_seconds=0.2)


class Gate:
    """A handle that holds every delivery until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.held = 0

    async def __call__(self, _: Delivery) -> ReceiverResponse:
        self.held += 1
        await self.open.wait()
        return ReceiverResponse()


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


async def test_an_ordinary_client_is_served_on_one_connection() -> None:
    async with listening(secrets=[]) as seen, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{seen.port}/hook"
        for number in range(3):
            async with session.post(url, data=b"%d" % number) as reply:
                assert (reply.status, await reply.json()) == (200, {"ok": True})
                assert "Connection" not in reply.headers
    assert [delivery.body for delivery in seen.deliveries] == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    "parts",
    [
        [bytes([byte]) for byte in post()],
        [post()[:40], post()[40:]],
        [post()[: -len(BODY)], BODY[:5], BODY[5:]],
    ],
    ids=["byte-by-byte", "in-the-head", "in-the-body"],
)
async def test_a_request_may_come_in_parts(parts: list[bytes]) -> None:
    async with listening() as seen:
        assert (await seen.ask(*parts)).status == 200
    assert [delivery.body for delivery in seen.deliveries] == [BODY]


CHUNKED = LINES + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n"


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_a_chunked_body_is_put_together_and_keeps_its_connection(size: int) -> None:
    data = CHUNKED + b"\r\n"
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    async with listening(secrets=[]) as seen, seen.connect() as client:
        for _ in range(3):
            await client.send(*parts)
            reply = await client.answer()
            assert reply.status == 200
            assert "connection" not in reply.headers
    assert [delivery.body for delivery in seen.deliveries] == [b"abcde"] * 3


@pytest.mark.parametrize(
    "bad",
    [b"xyz\r\n", b"3\r\nabcd\r\n", b"-3\r\nabc\r\n", b"\r\n", b"3\nabc", b"0\r\nno colon\r\n\r\n"],
)
@pytest.mark.parametrize("first", [b"", b"3\r\nabc\r\n"], ids=["first-chunk", "second-chunk"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at-once", "byte-by-byte"])
async def test_a_malformed_chunk_is_rejected_at_once_however_it_arrives(
    bad: bytes,
    first: bytes,
    at_once: bool,  # noqa: FBT001 - a table
) -> None:
    async with listening(secrets=[]) as seen, seen.connect() as client:
        await client.send(LINES + b"Transfer-Encoding: chunked\r\n\r\n" + first)
        await asyncio.sleep(0.01)
        with contextlib.suppress(ConnectionError):
            await client.send(*([bad] if at_once else [bytes([byte]) for byte in bad]))
        reply = await client.answer()
        assert (reply.status, reply.headers["connection"]) == (400, "close")
        assert await client.rest() == b""
    assert not seen.deliveries
    assert [request.status for request in seen.non_webhook_requests] == [400]
    assert not seen.bugs


async def test_requests_sent_at_once_are_answered_in_order() -> None:
    async def echo(delivery: Delivery) -> ReceiverResponse:
        await asyncio.sleep(0)
        return ReceiverResponse(200, delivery.body, "text/plain")

    async with listening(echo, secrets=[]) as seen, seen.connect() as client:
        bodies = [b"%d" % number for number in range(30)]
        await client.send(b"".join(post(body=body, signed=False) for body in bodies) + get())
        assert [(await client.answer()).body for _ in bodies] == bodies
        assert b"is listening" in (await client.answer()).body


async def test_what_follows_a_request_that_is_handled_waits() -> None:
    gate = Gate()
    async with listening(gate) as seen, seen.connect() as client:
        await client.send(post("/1"))
        await until(lambda: gate.held == 1)
        await client.send(post("/2")[:-10])
        gate.open.set()
        assert (await client.answer()).status == 200
        await client.send(post("/2")[-10:])
        assert (await client.answer()).status == 200
    assert [delivery.path for delivery in seen.deliveries] == ["/1", "/2"]


async def test_too_many_requests_at_once_are_cut_off() -> None:
    async with listening(secrets=[]) as seen, seen.connect() as client:
        await client.send(get() * 5000)
        answers = (await client.rest()).count(b"HTTP/1.1 200")
    assert 1 <= answers <= 33
    assert sum(request.count for request in seen.non_webhook_requests) == answers


async def test_a_client_that_never_reads_is_not_read_from() -> None:
    async def large(_: Delivery) -> ReceiverResponse:
        return ReceiverResponse(200, b"x" * (1 << 20), "text/plain")

    async with listening(large, secrets=[], limits=QUICK) as seen, seen.connect() as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # asyncio's has it
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(DEADLINE):
                while True:
                    await client.send(post(signed=False) * 4)
    assert len(seen.deliveries) < 60


@pytest.mark.parametrize(
    ("request_bytes", "stays"),
    [
        (get(), True),
        (get("/", "Connection: close"), False),
        (get(version="1.0"), False),
        (get("/", "Connection: keep-alive", version="1.0"), True),
    ],
    ids=["1.1", "1.1-close", "1.0", "1.0-keep-alive"],
)
async def test_a_connection_stays_as_http_has_it(request_bytes: bytes, stays: bool) -> None:  # noqa: FBT001 - a table
    async with listening() as seen, seen.connect() as client:
        await client.send(request_bytes)
        reply = await client.answer()
        if stays:
            await client.send(get())
            assert (await client.answer()).status == 200
        else:
            assert reply.headers["connection"] == "close"
            assert await client.rest() == b""


async def test_the_http_version_is_kept() -> None:
    async with listening() as seen:
        await seen.ask(post(version="1.0"))
        await seen.ask(post())
    assert [delivery.http_version for delivery in seen.deliveries] == ["1.0", "1.1"]


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://hooks.example/hook?x=1", "/hook"),
        ("https://hooks.example?x=1", "/"),
        ("http://hooks.example", "/"),
        ("/http://a/b?x=1", "/http://a/b"),
    ],
)
async def test_an_absolute_target_is_reduced_to_its_path(target: str, path: str) -> None:
    async with listening() as seen:
        assert (await seen.ask(post(target))).status == 200
    assert seen.deliveries[0].path == path


async def test_an_asterisk_is_not_a_delivery() -> None:
    async with listening() as seen:
        assert (await seen.ask(get("*", method="OPTIONS"))).status == 405
        assert (await seen.ask(post("*"))).status == 400
        assert (await seen.ask(get("hooks.example:443", method="CONNECT"))).status == 405
    assert not seen.deliveries


async def test_an_upgrade_is_not_taken_up() -> None:
    headers = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x")
    async with listening() as seen:
        assert (await seen.ask(post("/", *headers))).status == 200
    assert [delivery.body for delivery in seen.deliveries] == [BODY]


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "tcp", "nonsense"])
async def test_what_follows_an_upgrade_ends_with_its_response(upgrade: str) -> None:
    request = post("/", "Connection: Upgrade", f"Upgrade: {upgrade}")
    async with listening() as seen, seen.connect() as client:
        await client.send(request + post())
        reply = await client.answer()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert await client.rest() == b""
    assert [delivery.body for delivery in seen.deliveries] == [BODY]


@pytest.mark.parametrize(
    "sent", [b"POST / HTTP/1.1\r\nHost: x\r\n", LINES + b"Content-Length: 9\r\n\r\n"]
)
async def test_half_open_requests_keep_no_real_delivery_out(sent: bytes) -> None:
    limits = Limits(connections=8)
    async with listening(limits=limits) as seen, contextlib.AsyncExitStack() as stack:
        for _ in range(24):
            client = await stack.enter_async_context(seen.connect())
            with contextlib.suppress(ConnectionError):
                await client.send(sent)
            await asyncio.sleep(0.01)
        began = time.monotonic()
        assert (await seen.ask(post())).status == 200
        assert time.monotonic() - began < 1
    assert len(seen.deliveries) == 1
    assert any("evicted" in request.reason for request in seen.non_webhook_requests)


async def test_the_oldest_incomplete_request_is_evicted_first() -> None:
    limits = Limits(connections=2, evict_after_seconds=0)
    async with listening(limits=limits) as seen, seen.connect() as older, seen.connect() as younger:
        await older.send(post()[:-1])
        await asyncio.sleep(0.02)
        await younger.send(post()[:-1])
        await asyncio.sleep(0.02)
        assert (await seen.ask(post())).status == 200
        assert (await older.answer()).status == 503
        await younger.send(post()[-1:])
        assert (await younger.answer()).status == 200


async def test_a_request_that_is_handled_is_not_evicted() -> None:
    gate = Gate()
    limits = Limits(connections=2, evict_after_seconds=0)
    async with listening(gate, limits=limits) as seen, contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(seen.connect()) for _ in range(2)]
        for client in clients:
            await client.send(post())
        await until(lambda: gate.held == 2)
        assert (await seen.ask(post())).status == 503
        gate.open.set()
        assert [(await client.answer()).status for client in clients] == [200, 200]


@pytest.mark.parametrize("size", [1, 1400, 1 << 20], ids=["byte-by-byte", "packets", "whole"])
async def test_a_head_beyond_the_limit_that_arrives_at_once_is_rejected(size: int) -> None:
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 100) for number in range(20))
    limits = Limits(head_bytes=1024)
    data = LINES + fields + b"Content-Length: 0\r\n\r\n"
    async with listening(limits=limits, secrets=[]) as seen, seen.connect() as client:
        with contextlib.suppress(ConnectionError):
            await client.send(*[data[at : at + size] for at in range(0, len(data), size)])
        assert (await client.answer()).status == 431
        assert (await seen.ask(LINES + b"Content-Length: 2000\r\n\r\n" + b"x" * 2000)).status == 200
    assert len(seen.deliveries) == 1


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /leak-me HTTP/1.1\r\nHost: x\r\nleak-me\r\n\r\n",
        b"leak-me / HTTP/1.1\r\n\r\n",
        b"POST leak-me HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nX: leak-me\x00\r\n\r\n",
        b"PUT /leak-me HTTP/1.1\r\nHost: leak-me\r\nContent-Length: 0\r\n\r\n",
        b"GET /leak-me?leak-me HTTP/1.1\r\nHost: leak-me\r\nCookie: leak-me\r\n\r\n",
        b"TRACE /leak-me HTTP/1.1\r\nHost: x\r\nX: leak-me\r\n\r\n",
    ],
)
async def test_an_error_echoes_nothing(request_bytes: bytes) -> None:
    async with listening(limits=QUICK) as seen, seen.connect() as client:
        await client.send(request_bytes)
        client.writer.write_eof()
        response = await client.rest()
    assert response.startswith(b"HTTP/1.1 ")
    assert b"leak-me" not in response
    assert b"Server: tiktok-hook\r\n" in response
    assert not any("leak-me" in request.reason for request in seen.non_webhook_requests)


@pytest.mark.parametrize("expected", ["100-continue", "100-Continue", "else"])
async def test_an_expectation_of_http_1_0_is_ignored(expected: str) -> None:
    async with listening() as seen, seen.connect() as client:
        await client.send(post("/", f"Expect: {expected}", version="1.0")[: -len(BODY)])
        await asyncio.sleep(0.02)
        await client.send(BODY)
        assert (await client.answer()).status == 200


async def test_an_expectation_is_answered_100() -> None:
    head, body = post("/", "Expect: 100-continue")[: -len(BODY)], BODY
    async with listening() as seen, seen.connect() as client:
        await client.send(head)
        async with asyncio.timeout(DEADLINE):
            assert await client.reader.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert await client.reader.readline() == b"\r\n"
        await client.send(body)
        assert (await client.answer()).status == 200
    assert seen.deliveries[0].verdict.state is State.VALID


async def test_an_expectation_of_too_much_is_answered_413() -> None:
    head = LINES + b"Content-Length: 2000000\r\nExpect: 100-continue\r\n\r\n"
    async with listening() as seen:
        assert (await seen.ask(head)).status == 413


@pytest.mark.parametrize(
    ("request_bytes", "status", "reason"),
    [
        (b"nonsense\r\n\r\n", 400, ""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "TLS"),
        (b"\x00" * 100, 400, ""),
        (b"CONNECT \r\nHost: x\r\n\r\n", 405, "proxy"),
        (b"GET /\r\n\r\n", 505, ""),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400, ""),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, ""),
        (b"POST / HTTP/2.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 505, ""),
        (b"POST / HTTP/1.9\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 400, ""),
        (b"POST /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400, ""),
        (LINES + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n", 400, ""),
        (LINES + b"X: a\rb\r\nContent-Length: 0\r\n\r\n", 400, ""),
        (LINES + b"X\x00: a\r\nContent-Length: 0\r\n\r\n", 400, ""),
        (LINES + b"X : a\r\nContent-Length: 0\r\n\r\n", 400, ""),
        (LINES + b"X: a\r\n folded\r\nContent-Length: 0\r\n\r\n", 400, ""),
        (LINES + b"no colon\r\n\r\n", 400, ""),
        (LINES + b"Content-Length: -1\r\n\r\n", 400, ""),
        (LINES + b"Content-Length: +1\r\n\r\na", 400, ""),
        (LINES + b"Content-Length: 1, 1\r\n\r\na", 400, ""),
        (LINES + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, ""),
        (LINES + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400, ""),
        (LINES + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""),
        (LINES + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 400, ""),
        (LINES + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400, ""),
        (LINES + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, ""),
        (LINES + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400, ""),
        (LINES + b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n", 400, ""),
        (LINES + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431, "headers"),
        (b"POST /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 431, "headers"),
        (LINES + b"X: a\r\n" * 200 + b"\r\n", 400, ""),
        (LINES + b"Content-Length: 1048577\r\n\r\n", 413, "1048577"),
        (LINES + b"Transfer-Encoding: chunked\r\n\r\n100001\r\n" + b"a" * 1048577, 413, "body"),
    ],
    ids=[
        "nonsense",
        "tls",
        "zeros",
        "connect-to-nowhere",
        "http-0.9",
        "no-host",
        "http2-preface",
        "http-2.0",
        "http-1.9",
        "blank-in-target",
        "nul-in-value",
        "cr-in-value",
        "nul-in-name",
        "blank-before-colon",
        "folded",
        "no-colon",
        "negative-length",
        "plus-length",
        "listed-length",
        "two-lengths",
        "huge-length",
        "length-and-chunked",
        "chunked-and-length",
        "chunked-not-last",
        "bad-chunk-size",
        "chunk-too-long",
        "negative-chunk",
        "long-header",
        "long-target",
        "many-headers",
        "too-large-said",
        "too-large-chunked",
    ],
)
async def test_a_malformed_request_is_answered_reported_and_its_connection_closed(
    request_bytes: bytes, status: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(secrets=[]) as seen, seen.connect() as client:
        await client.send(request_bytes)
        reply = await client.answer()
        assert (reply.status, reply.headers["connection"]) == (status, "close")
        assert await client.rest() == b""
        assert (await seen.ask(post(signed=False))).status == 200
    (request,) = seen.non_webhook_requests
    assert request.status == status
    assert reason in request.reason
    assert len(seen.deliveries) == 1
    assert not caplog.records


async def test_headers_without_an_end_are_rejected() -> None:
    limits = Limits(head_bytes=4096)
    async with listening(limits=limits) as seen, seen.connect() as client:
        await client.send(LINES)
        for number in range(10):
            await client.send(b"X-%d: %s\r\n" % (number, b"a" * 500))
        assert (await client.answer()).status == 431


async def test_a_body_in_too_small_chunks_is_rejected() -> None:
    async with (
        listening(secrets=[], limits=Limits(body_bytes=60_000)) as seen,
        seen.connect() as client,
    ):
        await client.send(LINES + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 59_000)
        assert (await client.answer()).status == 400
    assert [request.reason for request in seen.non_webhook_requests] == ["chunks too small"]


async def test_garbage_behind_a_request_being_handled_ends_the_connection_after_it() -> None:
    gate = Gate()
    async with listening(gate) as seen, seen.connect() as client:
        await client.send(post())
        await until(lambda: gate.held)
        await client.send(b"\x00garbage\r\n\r\n")
        gate.open.set()
        assert (await client.answer()).status == 200
        reply = await client.answer()
        assert (reply.status, reply.headers["connection"]) == (400, "close")
        assert await client.rest() == b""
    assert len(seen.deliveries) == 1
    assert [request.status for request in seen.non_webhook_requests] == [400]


async def test_a_body_shorter_than_its_length_is_not_a_delivery() -> None:
    async with listening() as seen:
        async with seen.connect() as client:
            await client.send(post()[:-1])
        await until(lambda: seen.non_webhook_requests)
    (request,) = seen.non_webhook_requests
    assert (request.method, request.path) == ("POST", "/hook")
    assert "ended before" in request.reason
    assert not seen.deliveries


async def test_a_body_longer_than_its_length_is_cut_and_its_rest_is_not_a_request() -> None:
    async with listening() as seen, seen.connect() as client:
        await client.send(post())
        assert (await client.answer()).status == 200
        await client.send(b'{"more":1}\r\n\r\n')
        assert (await client.answer()).status == 400
    assert [delivery.body for delivery in seen.deliveries] == [BODY]


async def test_a_client_that_ends_its_side_still_gets_its_answer() -> None:
    gate = Gate()
    async with listening(gate) as seen, seen.connect() as client:
        await client.send(post())
        client.writer.write_eof()
        await until(lambda: gate.held)
        gate.open.set()
        assert (await client.answer()).status == 200
        assert await client.rest() == b""


async def test_a_client_that_leaves_does_not_stop_its_delivery() -> None:
    gate = Gate()
    finished: list[Delivery] = []

    async def handle(delivery: Delivery) -> ReceiverResponse:
        answer = await gate(delivery)
        finished.append(delivery)
        return answer

    async with listening(handle) as seen:
        async with seen.connect() as client:
            await client.send(post())
            await until(lambda: gate.held)
        gate.open.set()
        await until(lambda: finished)
    assert not seen.non_webhook_requests


async def test_a_client_that_vanishes_behind_its_garbage_does_no_harm() -> None:
    """Its kernel resets the connection on our answer, so that our side cannot be ended properly."""
    gate = Gate()
    async with listening(gate) as seen:
        async with seen.connect() as client:
            await client.send(post())
            await until(lambda: gate.held)
            await client.send(b"\x00garbage\r\n\r\n")
        await asyncio.sleep(0.05)
        gate.open.set()
        await until(lambda: seen.answered)
        assert (await seen.ask(post())).status == 200
    assert not seen.bugs


async def dribble(client: Client, data: bytes) -> None:
    """Send a byte now and then until the receiver has had enough."""
    with contextlib.suppress(ConnectionError):
        for byte in data:
            await client.send(bytes([byte]))
            await asyncio.sleep(0.05)


@pytest.mark.realtime
@pytest.mark.parametrize("at_once", [0, len(post()) - 60], ids=["head", "body"])
async def test_a_slow_loris_is_ended_at_the_deadline(at_once: int) -> None:
    async with listening(limits=QUICK) as seen, seen.connect() as client:
        began = time.monotonic()
        await client.send(post()[:at_once])
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(dribble(client, post()[at_once:]))
            assert (await client.answer()).status == 408
            slow.cancel()
        assert 0.35 < time.monotonic() - began < 2
    assert not seen.deliveries
    assert [request.status for request in seen.non_webhook_requests] == [408]


@pytest.mark.parametrize("first", [b"", get()], ids=["unused", "used"])
async def test_an_idle_connection_is_closed(first: bytes) -> None:
    async with listening(limits=QUICK) as seen, seen.connect() as client:
        if first:
            await client.send(first)
            await client.answer()
        assert await client.rest() == b""
    assert len(seen.non_webhook_requests) == bool(first)


async def test_handling_may_take_longer_than_sending() -> None:
    gate = Gate()
    async with listening(gate, limits=QUICK) as seen, seen.connect() as client:
        await client.send(post())
        await asyncio.sleep(QUICK.request_seconds * 2)
        gate.open.set()
        assert (await client.answer()).status == 200


async def test_connections_beyond_the_limit_are_answered_503() -> None:
    limits = Limits(connections=2, drain_seconds=0.2)
    async with listening(limits=limits) as seen, contextlib.AsyncExitStack() as stack:
        first, _ = [await stack.enter_async_context(seen.connect()) for _ in range(2)]
        await first.send(get())
        await first.answer()
        reply = await seen.ask(post())
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")
        async with seen.connect() as silent:
            assert (await silent.answer()).status == 503
        await first.send(post())
        assert (await first.answer()).status == 200
    assert len(seen.deliveries) == 1


async def test_connections_far_beyond_the_limit_are_cut_off_at_once() -> None:
    limits = Limits(connections=1, drain_seconds=2 * DEADLINE)
    async with (
        listening(limits=limits) as seen,
        seen.connect() as served,
        seen.connect() as turned_away,
    ):
        await served.send(get())
        assert (await served.answer()).status == 200
        async with seen.connect() as cut_off, asyncio.timeout(DEADLINE):
            with contextlib.suppress(ConnectionError):
                assert await cut_off.rest() == b""
        await turned_away.send(get())
        assert (await turned_away.answer()).status == 503


@pytest.mark.realtime
async def test_a_connection_long_idle_makes_room_for_a_new_one() -> None:
    async with listening(limits=Limits(connections=2)) as seen, seen.connect() as older:
        await older.send(get())
        await older.answer()
        async with seen.connect() as younger:
            await younger.send(get())
            await younger.answer()
            assert (await seen.ask(post())).status == 503
            await asyncio.sleep(1.1)
            assert (await seen.ask(post())).status == 200
            assert await older.rest() == b""


async def test_requests_beyond_the_limit_are_answered_503() -> None:
    gate = Gate()
    async with listening(gate, limits=Limits(in_flight=2)) as seen:
        for _ in range(2):  # their clients leave, they go on
            async with seen.connect() as client:
                await client.send(post())
            await until(lambda: gate.held == len(seen.deliveries) > 0)
        await until(lambda: gate.held == 2)
        assert (await seen.ask(post())).status == 503
        gate.open.set()
        await until(lambda: len(seen.answered) == 2)
        assert (await seen.ask(post())).status == 200


async def test_bytes_beyond_the_limit_are_answered_503() -> None:
    limits = Limits(held_bytes=1_000_000)
    part = b"x" * 400_000
    head = LINES + b"Content-Length: 800000\r\n\r\n"
    async with listening(secrets=[], limits=limits) as seen, seen.connect() as first:
        await first.send(head + part)
        await asyncio.sleep(0.05)
        assert (await seen.ask(head + part + part)).status == 503
        await first.send(part)
        assert (await first.answer()).status == 200
        assert (await seen.ask(head + part + part)).status == 200


async def flood_idle(seen: Listening) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(600):
            with contextlib.suppress(OSError):
                await stack.enter_async_context(seen.connect())


async def flood_halves(seen: Listening) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(200):
            client = await stack.enter_async_context(seen.connect())
            with contextlib.suppress(ConnectionError):
                await client.send(
                    LINES + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 999
                )


async def flood_pipelined(seen: Listening) -> None:
    for _ in range(20):
        async with seen.connect() as client:
            with contextlib.suppress(ConnectionError):
                await client.send(get() * 4000)
                await client.rest()


def held() -> int:
    """Bytes in use; asyncio's own transports are cycles, so what is garbage goes first."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize("flood", [flood_idle, flood_halves, flood_pipelined])
async def test_memory_stays_flat_under_a_flood(
    flood: Callable[[Listening], Awaitable[None]],
) -> None:
    async with listening(secrets=[]) as seen:
        await flood(seen)
        seen.non_webhook_requests.clear()
        tracemalloc.start()
        try:
            before = held()
            await flood(seen)
            seen.non_webhook_requests.clear()
            await until(lambda: held() - before < 1 << 20)
        finally:
            tracemalloc.stop()
        assert (await seen.ask(post(signed=False))).status == 200


@pytest.mark.realtime
@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="Linux only")
def test_a_sender_with_nagles_algorithm_is_not_kept_waiting() -> None:
    """Each part of a request leaves the sender only once the part before it is acknowledged."""

    def send(port: int) -> float:
        with socket.create_connection(("127.0.0.1", port)) as sender:
            for _ in range(10):  # so that both ends take it for a conversation
                sender.sendall(post())
                sender.recv(4096)
            began = time.monotonic()
            for _ in range(10):
                sender.sendall(post()[:-20])
                sender.sendall(post()[-20:-10])
                sender.sendall(post()[-10:])
                sender.recv(4096)
            return (time.monotonic() - began) / 10

    async def run() -> float:
        async with listening() as seen:
            return await asyncio.to_thread(send, seen.port)

    assert uvloop.run(run()) < 0.02


async def test_stopping_accepts_nothing_new_and_finishes_what_is_handled() -> None:
    gate = Gate()
    opened = asyncio.Event()

    async def client_of(seen: Listening) -> int:
        async with seen.connect() as busy, seen.connect() as idle:
            await idle.send(get())
            await idle.answer()
            await busy.send(post())
            await until(lambda: gate.held)
            opened.set()
            assert await idle.rest() == b""
            with pytest.raises(OSError):  # noqa: PT011 - refused or reset
                await seen.ask(post())
            gate.open.set()
            reply = await busy.answer()
            assert reply.headers["connection"] == "close"
            return reply.status

    async with asyncio.TaskGroup() as group, listening(gate) as seen:
        client = group.create_task(client_of(seen))
        await opened.wait()
    assert client.result() == 200
    assert len(seen.answered) == 1


@pytest.mark.realtime
async def test_stopping_waits_for_the_drain_seconds_at_most() -> None:
    gate = Gate()
    async with contextlib.AsyncExitStack() as stack:
        async with listening(gate, drain_seconds=0.3) as seen:
            client = await stack.enter_async_context(seen.connect())
            await client.send(post())
            await until(lambda: gate.held)
            began = time.monotonic()
        assert 0.25 < time.monotonic() - began < 2
        with contextlib.suppress(ConnectionError):
            assert await client.rest() == b""


@pytest.mark.realtime
async def test_stopping_does_not_wait_for_half_a_request() -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with listening() as seen:
            client = await stack.enter_async_context(seen.connect())
            await client.send(post()[:-10])
            await asyncio.sleep(0.05)
            began = time.monotonic()
        assert time.monotonic() - began < 3
    assert [request.reason for request in seen.non_webhook_requests] == [
        "ended before it was complete"
    ]


async def test_a_failure_inside_the_block_closes_everything() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with listening() as seen:
            raise LookupError("inside")
    assert isinstance(raised.value.exceptions[0], LookupError)
    with pytest.raises(OSError):  # noqa: PT011 - refused or reset
        await seen.ask(get())


@pytest.mark.parametrize("is_complete", [False, True], ids=["without a request", "with one"])
async def test_a_connection_that_is_lost_at_once_fails_silently(*, is_complete: bool) -> None:
    async def never(_: IncomingRequest) -> ReceiverResponse:
        raise AssertionError

    capacity, reports = Capacity(Limits()), ReceiverReports()
    exchange = HttpExchange(never, capacity, reports)
    guard = ConnectionGuard(exchange.connect, capacity, reports, InputQueue())
    loop = asyncio.get_running_loop()
    failed: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: failed.append(context))
    ours, theirs = socket.socketpair()
    with theirs:
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        guard.connection_made(transport)
        if is_complete:
            await asyncio.sleep(0)
            guard.data_received(post())
        guard.connection_lost(None)
        for _ in range(5):  # turns of the event loop
            await asyncio.sleep(0)
        transport.close()
    gc.collect()  # reports exceptions that no one has retrieved
    assert failed == []
    assert not capacity.places
