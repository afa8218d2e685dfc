"""Requests that two programs could read differently: one reading, or none."""

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzzing
from tests.apps import App, running_app
from tests.receiver.listening import HOST, Listening, listening
from tests.receiver.smuggling import INNER as BEHIND
from tests.receiver.smuggling import READINGS, cases, single_cases
from tiktok_hook.delivery import Delivery
from tiktok_hook.forward import Forwarder, build, compose
from tiktok_hook.receiver import IncomingRequest, Limits, ReceiverResponse

HEAD = f"POST /outer HTTP/1.1\r\n{HOST}\r\n".encode()
INNER = f"POST /inner HTTP/1.1\r\n{HOST}\r\nContent-Length: 0\r\n\r\n".encode()
CHUNKS = b"0\r\n\r\n"

AMBIGUOUS = {
    "cl-te": b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % (len(CHUNKS + INNER))
    + CHUNKS,
    "te-cl": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNKS,
    "te-te": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + CHUNKS,
    "te-listed": b"Transfer-Encoding: identity, chunked, identity\r\n\r\n" + CHUNKS,
    "te-misspelled": b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
    "te-tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n" + CHUNKS,
    "te-blank-before-colon": b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS,
    "te-folded": b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "te-old-version": b"",
    "folded-header": b"X: a\r\n Content-Length: 5\r\nContent-Length: 0\r\n\r\n",
    "two-lengths": b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "same-length-twice": b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "listed-lengths": b"Content-Length: 0, 5\r\n\r\n",
    "signed-length": b"Content-Length: +0\r\n\r\n",
    "hexadecimal-length": b"Content-Length: 0x5\r\n\r\n",
    "length-with-blank": b"Content-Length: 1 0\r\n\r\n",
    "empty-length": b"Content-Length:\r\n\r\n",
    "length-with-nul": b"Content-Length: 0\x00\r\n\r\n",
    "bare-cr-in-value": b"X: a\rContent-Length: 5\r\nContent-Length: 0\r\n\r\n",
    "bare-cr-ends-head": b"Content-Length: 0\r\r",
    "bare-lf-in-head": b"X: a\nContent-Length: 0\r\n\r\n",
    "bare-lf-ends-head": b"Content-Length: 0\n\n",
    "two-hosts": b"Host: other.example\r\nContent-Length: 0\r\n\r\n",
    "chunk-size-signed": b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
    "chunk-size-0x": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "chunk-size-blank": b"Transfer-Encoding: chunked\r\n\r\n 0\r\n\r\n",
    "chunk-size-overflow": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
    "chunk-bare-lf": b"Transfer-Encoding: chunked\r\n\r\n0\n\n",
    "chunk-bare-cr": b"Transfer-Encoding: chunked\r\n\r\n0\r\r",
    "chunk-extension-lf": b"Transfer-Encoding: chunked\r\n\r\n0;a\n\r\n\r\n",
    "chunk-data-too-long": b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
}
AMBIGUOUS["te-old-version"] = b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 16, 4096], ids=["byte-by-byte", "parts", "at-once"])
@pytest.mark.parametrize("rest", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
async def test_an_ambiguous_request_is_rejected(rest: bytes, size: int) -> None:
    data = HEAD + rest + INNER
    async with listening(secrets=[]) as seen, seen.connect() as client:
        with contextlib.suppress(ConnectionError):
            await client.send(*[data[at : at + size] for at in range(0, len(data), size)])
        reply = await client.answer()
        assert (reply.status, reply.headers["connection"]) == (400, "close")
        with contextlib.suppress(ConnectionError):
            assert await client.rest() == b""
    assert not seen.deliveries
    assert [request.status for request in seen.non_webhook_requests] == [400]
    assert not seen.bugs


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
TRAILERS = {
    "one": b"X-Smuggled: 1\r\n\r\n",
    "mark-of-ours": b"Tiktok-Hook-Forwarded: 1\r\n\r\n",
    "looks-like-the-last-chunk": b"X-Smuggled: 0\r\n\r\n",
    "several": b"X-Smuggled: 1\r\nX-Smuggled: \r\n\r\n",
}
NEXT = {
    "length": INNER,
    "chunked": HEAD.replace(b"outer", b"inner") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("trailers", TRAILERS.values(), ids=TRAILERS.keys())
@pytest.mark.parametrize("following", NEXT.values(), ids=NEXT.keys())
@pytest.mark.parametrize("at", ["together", "behind", "after"])
async def test_trailers_never_become_headers_of_the_next_request(
    trailers: bytes, following: bytes, at: str
) -> None:
    """aiohttp 3.14's parser puts them there, so the connection ends with such a request."""
    async with listening(secrets=[]) as seen, seen.connect() as client:
        await client.send(CHUNKED + trailers + (following if at == "together" else b""))
        with contextlib.suppress(ConnectionError):
            if at == "behind":
                await client.send(following)
            reply = await client.answer()
            assert reply.status == 200
            if at == "after":
                await client.send(following)
            await client.rest()
    first, *others = seen.deliveries
    assert first.path == "/outer"
    for delivery in (first, *others):
        assert {name for name, _ in delivery.headers} <= {
            "Host",
            "Transfer-Encoding",
            "Content-Length",
        }


@pytest.mark.parametrize("following", NEXT.values(), ids=NEXT.keys())
@pytest.mark.parametrize("extension", [b"", b";a=b", b';a="b"'])
async def test_a_chunked_request_is_followed_by_what_comes_after_its_response(
    extension: bytes, following: bytes
) -> None:
    request = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3" + extension + b"\r\nabc\r\n0\r\n\r\n"
    async with listening(secrets=[]) as seen, seen.connect() as client:
        for sent in (request, following, request):
            await client.send(sent)
            assert (await client.answer()).status == 200
    assert [delivery.path for delivery in seen.deliveries] == ["/outer", "/inner", "/outer"]


@pytest.mark.parametrize("split", [(0, 5), (5, 20), (20, 60)])
async def test_a_body_that_looks_like_a_request_is_a_body(split: tuple[int, int]) -> None:
    data = HEAD + b"Content-Length: %d\r\n\r\n" % len(INNER) + INNER
    start, end = split
    async with listening(secrets=[]) as seen, seen.connect() as client:
        await client.send(data[:start], data[start:end], data[end:])
        assert (await client.answer()).status == 200
    assert [(delivery.path, delivery.body) for delivery in seen.deliveries] == [("/outer", INNER)]


CASES = list(cases())


@dataclass
class Chain:
    """A receiver that forwards everything it accepts to an app.

    Attributes:
        seen: The receiver.
        app: The app.
        accepted: Target and body of each request that the receiver accepted.
    """

    seen: Listening
    app: App
    accepted: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def check(self, data: bytes, pieces: Sequence[bytes]) -> None:
        """Send what a connection carries, and compare what was accepted, answered, forwarded."""
        self.accepted.clear()
        self.app.requests.clear()
        received = b""
        async with self.seen.connect() as client:
            with contextlib.suppress(OSError):
                await client.send(*pieces)
                client.writer.write_eof()
            with contextlib.suppress(ConnectionError):
                received = await client.rest()
        accepted = self.accepted
        assert not self.seen.bugs
        answered = len(re.findall(rb"HTTP/1\.[01] 200 ", received))
        assert answered == len(accepted) == len(self.app.requests)
        sent = b"".join(self.app.requests)
        for reading in READINGS:
            assert [body for _, body in reading.read(sent)] == [body for _, body in accepted]
            if reading.hyphens != b"-" or data.startswith(b"TRACE"):
                continue  # no proxy frames by other names; TRACE is answered and not accepted
            in_front = [(_path(target), body) for target, body in reading.read(data)]
            both = min(len(in_front), len(accepted))
            assert in_front[:both] == accepted[:both], reading


@asynccontextmanager
async def chain() -> AsyncIterator[Chain]:
    """A receiver and an app until the block ends."""
    async with running_app() as app, Forwarder() as forwarder:
        accepted: list[tuple[bytes, bytes]] = []

        async def handle(delivery: Delivery) -> ReceiverResponse:
            accepted.append((delivery.target.encode("latin-1"), delivery.body))
            reply = await forwarder.send(build(delivery, app.url))
            return ReceiverResponse(reply.status or 502)

        async def pass_on(request: IncomingRequest) -> ReceiverResponse:
            accepted.append((request.target.encode("latin-1"), request.body))
            path = request.target if request.target.startswith("/") else f"/{request.target}"
            reply = await forwarder.send(
                compose(request.method, app.url + path, request.headers, request.body)
            )
            return ReceiverResponse(reply.status or 502)

        limits = Limits(request_seconds=2.0)
        async with listening(
            handle, secrets=[], pass_through=pass_on, limits=limits, drain_seconds=0.1
        ) as seen:
            yield Chain(seen, app, accepted)


async def test_what_is_unusual_is_read_in_one_way_by_all() -> None:
    """By the receiver, by an app behind it, and by programs in front, whatever their liberties."""
    async with chain() as tried:
        for name, data in single_cases():
            carried = data + BEHIND
            try:
                await tried.check(carried, [carried])
            except AssertionError as error:
                raise AssertionError(f"{name}: {carried!r}") from error


async def test_a_chunk_that_turns_out_malformed_while_it_is_waited_for_is_not_a_bug() -> None:
    start = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc"
    for turns in range(8):
        async with listening(secrets=[]) as seen, seen.connect() as client:
            await client.send(start)
            for _ in range(turns):
                await asyncio.sleep(0)
            await client.send(b"\r\n\r\n\r\n")
            assert (await client.answer()).status == 400
        assert not seen.bugs


@fuzzing.one_in(4)
@given(case=st.sampled_from(CASES), cuts=st.lists(st.floats(0, 1), max_size=4))
def test_combinations_are_read_in_one_way_by_all(
    case: tuple[str, bytes], cuts: list[float]
) -> None:
    data = case[1] + BEHIND
    places = [0, *sorted(int(cut * len(data)) for cut in cuts), len(data)]

    async def exchange() -> None:
        async with chain() as tried:
            pieces = [data[start:end] for start, end in itertools.pairwise(places)]
            await tried.check(data, pieces)

    uvloop.run(exchange())


def _path(target: bytes) -> bytes:
    """A target without the host of an absolute URL, as a delivery has it."""
    return re.sub(rb"(?i)\A[a-z]+://[^/?]*", b"", target) or b"/"
