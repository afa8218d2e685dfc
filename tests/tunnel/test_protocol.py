"""Lines between the supervisor and its child."""

import pytest

from tests.tunnel.conftest import SECRET, TOKEN
from tiktok_hook.tunnel import protocol
from tiktok_hook.tunnel.protocol import (
    Beat,
    Lost,
    Message,
    Missed,
    Online,
    Order,
    Rejected,
    RemoteCommand,
)


@pytest.mark.parametrize(
    "message",
    [
        Online("https://x.ngrok.app"),
        Rejected("stage", "two\nlines", "ERR_NGROK_105", None),
        Rejected("stage", "no", None, "dns"),
        Beat(31),
        Missed(),
        Lost("transport error"),
        RemoteCommand("stop"),
    ],
    ids=lambda message: message.type,
)
def test_a_message_comes_back_as_it_went_in(message: Message) -> None:
    line = protocol.dump(message)
    assert line.count(b"\n") == 1
    assert protocol.load(line) == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"thread panicked\n",
        b"[]\n",
        b"3\n",
        b"{}\n",
        b'{"type":"odd"}\n',
        b'{"type":[]}\n',
        b'{"type":"beat"}\n',
        b'{"type":"beat","latency_ms":1,"more":1}\n',
        b"\xff\n",
        b"[" * 100_000,
        b"9" * 5_000,
    ],
    ids=lambda line: repr(line[:20]),
)
def test_a_line_that_is_not_a_message_is_skipped(line: bytes) -> None:
    assert protocol.load(line) is None


def test_an_order_comes_back_as_it_went_in() -> None:
    order = Order(
        upstream="http://127.0.0.1:1",
        authtoken=TOKEN,
        domain="x.ngrok.app",
        webhook_secret=SECRET,
        traffic_policy="a:\n  - b\n",
    )
    assert order.line().count(b"\n") == 1
    assert Order.parse(order.line()) == order
