"""A signature that is right for another time than the header's t is described, without a cause."""

import json

import pytest

from tests.signature.samples import PARSED, diagnosed, mac
from tests.signature.vectors import BODY, SECRET, T
from tiktok_hook.signature import clocks


@pytest.mark.parametrize(
    ("signed", "headers", "which"),
    [
        (T - 1, [], "one second away"),
        (T + 7, [], "a few seconds away"),
        (T - 3600, [], "whole half hours away"),
        (T + 5 * 3600 + 1800, [], "whole half hours away"),
        (T + 4321, [("Date", "Mon, 01 Sep 2025 01:12:02 GMT")], "that of another header"),
        (T + 4321, [("Date", "Mon, 01 Sep 2025 01:12:02 -0000")], "that of another header"),
        (T + 4321, [("X-Request-Timestamp", str(T + 4321))], "that of another header"),
        (T + 4321, [("X-Date", "2025-09-01T01:12:02Z")], "that of another header"),
        (T * 1000 + 21, [("X-Time", str(T * 1000 + 21))], "that of another header"),
    ],
)
def test_the_t_that_was_signed_is_named(
    signed: int, headers: list[tuple[str, str]], which: str
) -> None:
    header = f"t={T},s={mac(b'%d.%b' % (signed, BODY)).hex()}"
    found = diagnosed(header, BODY, [SECRET], now=T, headers=headers)
    assert found is not None
    assert found.mistake == "t-changed"
    assert which in found.hint
    assert "forged or altered" in found.hint


@pytest.mark.parametrize("seconds", [True, False])
def test_a_time_of_the_content_is_named(seconds: bool) -> None:  # noqa: FBT001 a case of a table
    stamp = 1756684777123
    body = json.dumps(PARSED | {"content": json.dumps({"timestamp": stamp})}).encode()
    signed = stamp // 1000 if seconds else stamp
    header = f"t={T},s={mac(b'%d.%b' % (signed, body)).hex()}"
    found = diagnosed(header, body, [SECRET], now=T)
    assert found is not None
    assert "that of a field in the body" in found.hint


@pytest.mark.parametrize("fraction", [1, 123, 999])
def test_milliseconds_in_the_text_and_seconds_in_the_header_are_named(fraction: int) -> None:
    header = f"t={T},s={mac(b'%d%03d.%b' % (T, fraction, BODY)).hex()}"
    found = diagnosed(header, BODY, [SECRET], now=T)
    assert found is not None
    assert found.mistake == "milliseconds"


def test_seconds_in_the_text_and_milliseconds_in_the_header_are_named() -> None:
    for signed in (T, T + 1):
        header = f"t={T}123,s={mac(b'%d.%b' % (signed, BODY)).hex()}"
        found = diagnosed(header, BODY, [SECRET], now=T)
        assert found is not None
        assert found.mistake == "milliseconds"


@pytest.mark.parametrize(
    "value", ["Mon, 99 Sep", "x" * 500, "²²²²²²²²²²", "", "9" * 400, "-1", "created=١٢٣٤٥٦٧٨٩٠"]
)
def test_a_header_that_holds_no_time_is_ignored(value: str) -> None:
    assert clocks.of_headers([("Date", value), ("X-Time", value)]) == []
