"""Random addresses, and apps that answer with random bytes."""

import asyncio
from typing import Any

import uvloop
from hypothesis import example, given
from hypothesis import strategies as st

from tests import fuzzing
from tests.apps import OK, App, running_app
from tests.archive.strategies import deliveries
from tiktok_hook.delivery import Delivery
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import Forwarder, ForwardRequest, build, join, parse_target

WORDS = {None, "refused", "timeout", "reset", "protocol", "too_large"}
"""What may come of an app that is there and speaks plain HTTP."""

TARGETS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "3000", ":3000", "app:80", "http://app", "https://[::1]:3000"]),
        st.sampled_from(["", "/", "?", "#", "@", ":", "://"]),
        st.text(max_size=3) | st.sampled_from(["%zz", "::1", "]", "http"]),
        st.sampled_from(["", "/", "?", "#", "@", ":3000"]),
    ),
)


@given(text=TARGETS, path=st.text(max_size=8).map("/".__add__), query=st.text(max_size=8))
@example(text="http://%:1", path="/", query="")
def test_any_text_is_a_target_in_its_one_spelling_or_a_usage_error(
    text: str, path: str, query: str
) -> None:
    try:
        target = parse_target(text)
    except UsageError as error:
        fuzzing.check_error(error)
        return
    assert parse_target(target) == target
    assert target.isascii()
    assert target.isprintable()
    assert "#" not in target
    joined = join(target, path, query)
    assert joined.startswith(target.partition("?")[0])
    assert joined.endswith(query)


FIRST_LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404\r\n", b"HTTP/2 200\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\n", b"HTTP/1.1 101 Upgrade\r\n", b"\r\n",
    ]
)  # fmt: skip
LINES = st.sampled_from(
    [
        b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"Content-Length: 5\r\n",
        b"Content-Length: 99999999999999999999\r\n", b"Content-Length: -1\r\n",
        b"Connection: keep-alive\r\n", b"X-A: \xff\x00\r\n", b" folded\r\n", b"no colon\r\n",
    ]
)  # fmt: skip
PIECES = st.sampled_from(
    [b"5\r\nabcde\r\n", b"5\r\nabcdef\r\n", b"ffffffffffffffff\r\n", b"0\r\n\r\n", b"\r\n", OK]
)
BYTES = st.binary(max_size=6)
ANSWERS = st.one_of(
    st.builds(
        lambda first, lines, pieces: [first, *lines, b"\r\n", *pieces],
        FIRST_LINES,
        st.lists(LINES, max_size=3),
        st.lists(PIECES | BYTES, max_size=3),
    ),
    st.lists(FIRST_LINES | LINES | PIECES | BYTES, max_size=6),
    fuzzing.changes.map(lambda several: [fuzzing.changed(OK, several)]),
)


@fuzzing.one_in(10)
@given(answer=ANSWERS, method=st.sampled_from(["POST", "HEAD"]), stays=st.booleans())
@example(answer=[OK], method="POST", stays=True)
@example(answer=[OK, OK], method="POST", stays=False)
def test_whatever_an_app_answers_is_a_reply_and_the_next_one_is_served(
    answer: list[bytes], method: str, *, stays: bool
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in answer:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        # It leaves the closing to us; where we keep the connection, the next request comes.
        if stays and await reader.read(1):
            await reader.readuntil(b"good")
            writer.write(OK)

    async def exchange(app: App, forwarder: Forwarder) -> None:
        reply = await forwarder.send(ForwardRequest(method, app.url, (), b"body"), timeout=0.1)
        assert reply.error in WORDS
        assert (reply.status is None) == (reply.error is not None)
        assert reply.status is None or 200 <= reply.status <= 599
        assert (reply.error is None) or reply.detail

    async def run() -> None:
        loop_errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: loop_errors.append(what))
        async with running_app(talk) as app, Forwarder() as forwarder:
            await exchange(app, forwarder)
            app.answer = OK
            # What comes unasked after an answer may be read as the next one, but only once.
            for _ in range(2):
                good = await forwarder.send(ForwardRequest("POST", app.url, (), b"good"), timeout=5)
                if good.status == 200:
                    break
            assert (good.status, good.body) == (200, b'{"ok":true}')
        assert not loop_errors

    uvloop.run(run())


HEADERS = st.lists(
    st.tuples(
        st.text(st.characters(max_codepoint=0xFF), max_size=4)
        | st.sampled_from(
            ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "X-A"]
        ),
        st.text(st.characters(max_codepoint=0xFF), max_size=6)
        | st.sampled_from(["5", "chunked", "close, host, content-length", "a\r\nX-B: c"]),
    ),
    max_size=4,
).map(tuple)


@fuzzing.one_in(10)
@given(held=deliveries, headers=HEADERS)
@example(held=Delivery(received_at=0, path="/\ud800", body=b"a"), headers=())
def test_whatever_a_file_held_goes_out_as_one_request(
    held: Delivery, headers: tuple[tuple[str, str], ...]
) -> None:
    async def run() -> None:
        async with running_app() as app, Forwarder() as forwarder:
            request = build(held.replace(headers=headers), app.url)
            assert (await forwarder.send(request, timeout=5)).status == 200
            assert app.bodies == [held.body]
            head = app.requests[0].partition(b"\r\n\r\n")[0]
            assert len(head.split(b"\r\n")) == 1 + len(request.headers)
            assert head.count(b" ", 0, head.index(b"\r\n")) == 2

    uvloop.run(run())
