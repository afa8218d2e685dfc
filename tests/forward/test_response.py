"""Responses in all their forms, and what is not HTTP."""

import asyncio
import resource
from collections.abc import AsyncIterator

import pytest

from tests.apps import Answer, http, running_app
from tests.deadline import DEADLINE
from tiktok_hook.forward import (
    KEPT_BYTES,
    Forwarder,
    ForwardRequest,
)
from tiktok_hook.forward.connection import AppConnection
from tiktok_hook.forward.response import read_response


@pytest.fixture
async def forwarder() -> AsyncIterator[Forwarder]:
    async with Forwarder() as made:
        yield made


@pytest.mark.parametrize("status", [200, 201, 204, 301, 304, 403, 404, 500, 503])
async def test_any_status_comes_back_as_it_is(forwarder: Forwarder, status: int) -> None:
    body = b"" if status in {204, 304} else b"said"
    async with running_app(http(status, body, "Location: /elsewhere", "X-A: 1", "x-a: 2")) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url))
    assert (reply.status, reply.body, reply.error) == (status, body, None)
    assert reply.headers[-2:] == (("X-A", "1"), ("x-a", "2"))
    assert reply.header("location") == "/elsewhere"
    assert len(app.requests) == 1  # redirects are not followed
    assert reply.duration_ms > 0


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n",
            b"abcde",
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + http(200, b"a"),
            b"a",
        ),
        (b"HTTP/1.1 200\nContent-Length: 1\n\na", b"a"),
        (http(200, b"\x1f\x8b\x08zip", "Content-Encoding: gzip"), b"\x1f\x8b\x08zip"),
        (b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n", b""),
        (b"\r\nHTTP/1.1 200 OK\r\nX: \xe9\x01\r\nContent-Length: 1 \r\n\r\na", b"a"),
    ],
    ids=["chunked", "interim", "bare-lf", "gzip-untouched", "folded", "empty-header", "odd-bytes"],
)
async def test_answers_in_all_their_forms_are_read(
    forwarder: Forwarder, answer: bytes, body: bytes
) -> None:
    async with running_app(answer) as app:
        for _ in range(2):
            reply = await forwarder.send(ForwardRequest("POST", app.url))
            assert (reply.status, reply.body, reply.error) == (200, body, None)
    assert app.connections == 1


@pytest.mark.parametrize(
    ("head", "headers"),
    [
        (b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 1\r\n\r\n", ("A", "Content-Length")),
        (b"HTTP/1.1 200\nContent-Length: 1\n\n", ("Content-Length",)),
        (b"HTTP/1.1 100\r\n\r\nHTTP/1.1 200\r\nContent-Length: 1\r\n\r\n", ("Content-Length",)),
        (b"HTTP/1.1 204\r\n\r\n", ()),
    ],
    ids=["usual", "bare-lf", "interim", "no-headers"],
)
async def test_a_head_may_come_in_two_pieces_cut_anywhere(
    head: bytes, headers: tuple[str, ...]
) -> None:
    for cut in range(1, len(head)):
        connection = AppConnection()
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
            reading = group.create_task(read_response(connection, "POST", 10))
            connection.data_received(head[:cut])
            await asyncio.sleep(0)  # until it waits for more
            connection.data_received(head[cut:] + b"x")
        answer = reading.result()
        assert answer.body == (b"x" if headers else b"")
        assert tuple(name for name, _ in answer.headers) == headers


async def test_an_answer_may_end_with_its_connection(forwarder: Forwarder) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    async with running_app(answer) as app:
        for _ in range(2):
            reply = await forwarder.send(ForwardRequest("POST", app.url))
            assert (reply.status, reply.body, reply.truncated) == (200, b"all of it", False)
    assert app.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"hello",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 99,
    ],
    ids=[
        "ssh",
        "http2",
        "status",
        "colon",
        "negative",
        "two-lengths",
        "chunk",
        "long-chunk",
        "http-2.0",
        "rtsp",
        "tls-alert",
        "http-0.9",
        "101",
        "endless-interim",
    ],
)
async def test_a_response_that_is_not_http_is_reported_as_such(
    forwarder: Forwarder, answer: bytes
) -> None:
    async with running_app(answer) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url))
    assert (reply.status, reply.error) == (None, "protocol")
    assert reply.detail


async def test_a_long_answer_is_cut_and_its_connection_stays(forwarder: Forwarder) -> None:
    async with running_app(http(200, b"x" * (KEPT_BYTES + 1))) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url))
        assert (reply.status, len(reply.body), reply.truncated) == (200, KEPT_BYTES, True)
        app.answer = http(200, b"x" * KEPT_BYTES)
        reply = await forwarder.send(ForwardRequest("POST", app.url))
        assert (len(reply.body), reply.truncated) == (KEPT_BYTES, False)
    assert app.connections == 1


def endless(head: bytes, piece: bytes, total: int = 100 << 20) -> Answer:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for _piece in range(total // len(piece)):
            writer.write(piece)
            await writer.drain()

    return answer


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (endless(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n", b"x" * 65536), 200, None),
        (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), 200, None),
        (
            endless(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"1000\r\n" + b"x" * 4096 + b"\r\n",
            ),
            200,
            None,
        ),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"), None, "too_large"),
        (endless(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 65536), None, "too_large"),
        (
            endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"x" * 65536),
            None,
            "too_large",
        ),
    ],
    ids=[
        "100-megabytes",
        "for-ever",
        "chunks-for-ever",
        "headers-for-ever",
        "long-header",
        "trailer-for-ever",
    ],
)
async def test_endless_answers_end_with_flat_memory(
    forwarder: Forwarder, answer: Answer, status: int | None, error: str | None
) -> None:
    async with running_app(answer) as app:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reply = await forwarder.send(ForwardRequest("POST", app.url), timeout=5)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (reply.status, reply.error) == (status, error)
    assert len(reply.body) == (KEPT_BYTES if status else 0)
    assert reply.truncated == bool(status)
    assert grown_kib < 16 * 1024


async def test_headers_keep_their_order_case_and_bytes(forwarder: Forwarder) -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nb: 1\r\nA:  2 \r\nB: \xe9\xff\r\n"
        b"Folded: x\r\n y\r\nContent-Length: 0\r\n\r\n"
    )
    async with running_app(head) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url))
    assert reply.headers == (
        ("b", "1"),
        ("A", "2"),
        ("B", "\xe9\xff"),
        ("Folded", "x y"),
        ("Content-Length", "0"),
    )


async def test_trailers_are_not_headers(forwarder: Forwarder) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\n\r\n"
    async with running_app(chunked) as app:
        for _ in range(2):
            reply = await forwarder.send(ForwardRequest("POST", app.url))
            assert (reply.body, reply.headers) == (b"a", (("Transfer-Encoding", "chunked"),))
    assert app.connections == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
    ],
    ids=["length", "chunked", "a-body-all-the-same"],
)
async def test_a_response_to_head_has_no_body(forwarder: Forwarder, head: bytes) -> None:
    async with running_app(head) as app:
        for _ in range(2):
            reply = await forwarder.send(ForwardRequest("HEAD", app.url), timeout=5)
            assert (reply.status, reply.body, reply.error) == (200, b"", None)


@pytest.mark.parametrize(
    ("method", "status", "headers", "connections"),
    [
        ("HEAD", 200, b"Content-Length: 5\r\n", 2),
        ("HEAD", 200, b"", 2),
        ("POST", 204, b"Content-Length: 5\r\n", 2),
        ("POST", 204, b"Transfer-Encoding: chunked\r\n", 2),
        ("POST", 304, b"Content-Length: 5\r\n", 2),
        ("POST", 204, b"", 1),
        ("POST", 304, b"", 1),
    ],
)
async def test_a_body_that_comes_late_though_there_can_be_none_is_not_the_next_response(
    forwarder: Forwarder, method: str, status: int, headers: bytes, connections: int
) -> None:
    """waitress and others send what an app returns for HEAD, after the head in a segment of its
    own, so that it can arrive when the connection is idle already."""
    head = b"HTTP/1.1 %d Said so\r\n%b\r\n" % (status, headers)
    async with running_app(head) as app:
        for _ in range(2):
            reply = await forwarder.send(ForwardRequest(method, app.url), timeout=5)
            assert (reply.status, reply.body, reply.error) == (status, b"", None)
    assert app.connections == connections


async def test_a_response_with_length_and_chunks_is_read_and_its_connection_closed(
    forwarder: Forwarder,
) -> None:
    both = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n"
        b"1\r\na\r\n0\r\n\r\n"
    )
    async with running_app(both) as app:
        for _ in range(2):
            assert (await forwarder.send(ForwardRequest("POST", app.url))).body == b"a"
    assert app.connections == 2
