"""Bytes that nobody thought of."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.receiver.listening import HOST, get, listening, post
from tiktok_hook.receiver import Limits

FRAGMENTS = (
    post(signed=False),
    get(),
    get("*", method="OPTIONS"),
    get("a:1", method="CONNECT"),
    post("http://a/b?c", "Connection: Upgrade", "Upgrade: websocket", signed=False),
    post(signed=False, version="1.0"),
    f"POST / HTTP/1.1\r\n{HOST}\r\n".encode(),
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"0\r\n\r\n",
    b"\r\n",
    b"\r",
    b"\n",
    b"\x00",
    b" ",
)
TRAFFIC = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=8), min_size=1, max_size=8)
VALUES = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30
).map(lambda value: value.strip(" \t"))


Run = Callable[[Coroutine[Any, Any, None]], None]
BOTH_LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])


@BOTH_LOOPS
@settings(max_examples=400, deadline=None)
@given(traffic=TRAFFIC, reset=st.booleans(), at_once=st.booleans())
def test_whatever_comes_the_receiver_lives_on(
    run: Run, *, traffic: list[bytes], reset: bool, at_once: bool
) -> None:
    async def exchange() -> None:
        loop_errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: loop_errors.append(what))
        limits = Limits(request_seconds=0.1, linger_seconds=0.1)
        async with listening(secrets=[], limits=limits, drain_seconds=0.1) as seen:
            async with seen.connect() as client:
                with contextlib.suppress(ConnectionError):
                    await client.send(*([b"".join(traffic)] if at_once else traffic))
                    if reset:
                        client.writer.transport.abort()
                    else:
                        with contextlib.suppress(OSError):  # it may be cut off already
                            client.writer.write_eof()
                        assert (await client.rest())[:9] in {b"", b"HTTP/1.1 "}
            assert (await seen.ask(post(signed=False))).status == 200
        assert not seen.bugs
        assert not loop_errors

    run(exchange())


@BOTH_LOOPS
@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=2000), values=st.lists(VALUES, max_size=5), cut=st.floats(0, 1))
def test_what_is_well_formed_arrives_byte_for_byte(
    run: Run, *, body: bytes, values: list[str], cut: float
) -> None:
    headers = [(f"X-{number}", value) for number, value in enumerate(values)]
    request = post("/", *(f"{name}: {value}" for name, value in headers), body=body, signed=False)
    middle = int(len(request) * cut)

    async def exchange() -> None:
        async with listening(secrets=[], drain_seconds=0.1) as seen:
            assert (await seen.ask(request[:middle], request[middle:])).status == 200
        (delivery,) = seen.deliveries
        assert delivery.body == body
        assert delivery.headers == (
            ("Host", HOST.removeprefix("Host: ")),
            ("Content-Length", str(len(body))),
            *headers,
        )

    run(exchange())
