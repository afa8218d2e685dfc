"""Generated traffic."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzzing
from tests.receiver.listening import BODY, HOST, get, listening, post
from tiktok_hook.receiver import Limits
from tiktok_hook.signature import State

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
@fuzzing.one_in(2)
@given(
    traffic=TRAFFIC,
    ending=st.sampled_from(["half-close", "half-close", "reset", "stay"]),
    at_once=st.booleans(),
)
def test_whatever_comes_the_receiver_answers_or_closes_in_time_and_lives_on(
    run: Run, *, traffic: list[bytes], ending: str, at_once: bool
) -> None:
    async def exchange() -> None:
        loop_errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: loop_errors.append(what))
        # A crowded machine may stand still for longer than a moment after a client has connected:
        # its good request would find the connection closed as unused.
        limits = Limits(
            request_seconds=0.1, unused_seconds=2.0, idle_seconds=0.1, drain_seconds=0.1
        )
        async with listening(secrets=[], limits=limits, drain_seconds=0.1) as seen:
            async with seen.connect() as client:
                with contextlib.suppress(ConnectionError):
                    await client.send(*([b"".join(traffic)] if at_once else traffic))
                    if ending == "reset":
                        client.writer.transport.abort()
                    else:
                        if ending == "half-close":
                            with contextlib.suppress(OSError):  # it may be cut off already
                                client.writer.write_eof()
                        assert (await client.rest())[:9] in {b"", b"HTTP/1.1 ", b"HTTP/1.0 "}
            assert (await seen.ask(post(signed=False))).status == 200
        assert not seen.bugs
        assert not loop_errors

    run(exchange())


@BOTH_LOOPS
@fuzzing.one_in(2)
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


@BOTH_LOOPS
@fuzzing.one_in(2)
@given(changes=fuzzing.changes, again=st.booleans())
def test_whatever_is_changed_on_the_way_no_other_body_is_valid(
    run: Run, *, changes: list[fuzzing.Change], again: bool
) -> None:
    request = fuzzing.changed(post(), changes) + (post() if again else b"")

    async def exchange() -> None:
        limits = Limits(request_seconds=0.1)
        async with listening(limits=limits, drain_seconds=0.1) as seen, seen.connect() as client:
            with contextlib.suppress(OSError):
                await client.send(request)
                client.writer.write_eof()
                answers = (await client.rest()).count(b"HTTP/1.1 200 ")
                accepted = sum(not each.verdict.rejected for each in seen.deliveries)
                assert answers <= accepted + len(seen.non_webhook_requests)
        for delivery in seen.deliveries:
            right = delivery.verdict.state in {State.VALID, State.STALE}
            assert delivery.body == BODY or not right
        assert not seen.bugs

    run(exchange())
