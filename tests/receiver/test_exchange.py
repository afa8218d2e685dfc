"""What aiohttp's side of a connection sends and keeps, over real sockets."""

import asyncio
import gc
import re
from collections.abc import Iterator

import pytest

from tests.deadline import DEADLINE
from tests.receiver.listening import listening, post
from tiktok_hook.receiver.guard import ConnectionGuard

HOOK = b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def guards_left() -> int:
    """How many guards exist once those of closed connections had time to go."""
    for _ in range(200):
        await asyncio.sleep(0.01)
        left = sum(isinstance(each, ConnectionGuard) for each in gc.get_objects())
        if left <= 1:  # the loop variable of the sweep may name one
            break
    return left


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(post("/"), id="whole"),
        pytest.param(b"POST / HT", id="part of a head"),
        pytest.param(HOOK + b"Content-Length: 9\r\n\r\n{}", id="part of a body"),
        pytest.param(HOOK + b"Content-Length: 9000000\r\n\r\n{}", id="too large"),
        pytest.param(
            HOOK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 500,
            id="chunks without end",
        ),
        pytest.param(HOOK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="malformed chunks"),
        pytest.param(b"nonsense\r\n\r\n", id="not HTTP"),
        pytest.param(b"CONNECT x HTTP/1.1\r\n\r\n", id="CONNECT"),
    ],
)
async def test_what_a_closed_connection_held_is_freed_without_the_garbage_collector(
    sent: bytes,
) -> None:
    async with listening() as seen:
        for _ in range(10):
            async with seen.connect() as client:
                await client.send(sent)
                client.writer.write_eof()
                await client.rest()
        assert await guards_left() <= 1


async def test_the_usual_response_has_these_headers_and_keeps_the_connection() -> None:
    async with listening() as seen, seen.connect() as client:
        dates: set[str] = set()
        async with asyncio.timeout(DEADLINE):
            while len(dates) < 2:  # so the next second has another date
                await client.send(post("/"))
                reply = await client.answer()
                assert (reply.status, reply.body) == (200, b'{"ok":true}')
                dates.add(reply.headers.pop("date"))
                assert reply.headers == {
                    "content-type": "application/json",
                    "content-length": "11",
                    "server": "tiktok-hook",
                }
    assert all(re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", each) for each in dates)


async def test_the_usual_response_to_an_old_or_last_request_has_a_connection_header() -> None:
    async with listening() as seen:
        old = await seen.ask(post("/", version="1.0"))
        kept = await seen.ask(post("/", "Connection: keep-alive", version="1.0"))
        last = await seen.ask(post("/", "Connection: close"))
    assert old.headers["connection"] == "close"
    assert kept.headers["connection"] == "keep-alive"
    assert last.headers["connection"] == "close"
