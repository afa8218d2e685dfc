"""Requests made of deliveries, and the --header option."""

import pytest

from tiktok_hook.delivery import FORWARDED_HEADER, Delivery, Headers
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import (
    build,
    parse_header,
    with_header,
)

BODY = b'{"event":"post.publish.complete",  "content":"{}"}'


def delivery(
    path: str = "/", query: str = "", headers: Headers = (), body: bytes = BODY
) -> Delivery:
    return Delivery(received_at=1.0, path=path, query=query, headers=headers, body=body)


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("X-Debug: 1", ("X-Debug", "1")),
        ("X-Debug:1:2", ("X-Debug", "1:2")),
        ("X-Empty:", ("X-Empty", "")),
        ("Host: app.test", ("Host", "app.test")),
        ("X-Name: é", ("X-Name", "Ã©")),
    ],
)
def test_a_header_option_is_read(text: str, header: tuple[str, str]) -> None:
    assert parse_header(text) == header


@pytest.mark.parametrize(
    "text",
    [
        "X-Debug",
        ": 1",
        "X Debug: 1",
        "X-Debug: 1\r\nX-More: 2",
        "X-Debug: \x00",
        "X-Debug: \ud800",
        "X\n: 1",
        "Content-Length: 5",
        "transfer-encoding: chunked",
        "Connection: close",
    ],
)
def test_a_header_that_cannot_be_sent_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_header(text)
    assert caught.value.hint


def test_a_header_is_set_in_its_place_and_only_once() -> None:
    headers = (("A", "1"), ("x-b", "2"), ("X-B", "3"), ("C", "4"))
    assert with_header(headers, "X-B", "9") == (("A", "1"), ("x-b", "9"), ("C", "4"))
    assert with_header(headers, "D", "9") == (*headers, ("D", "9"))
    assert with_header(headers, "X-B", None) == (("A", "1"), ("C", "4"))


def test_extra_headers_replace_those_of_their_name() -> None:
    came = (("Host", "a"), ("X-Debug", "1"), ("x-debug", "2"))
    made = build(
        delivery(headers=came),
        "http://app",
        extra_headers=[("X-DEBUG", "3"), ("Host", "other"), ("X-New", "4")],
    )
    assert made.headers == (
        ("Host", "other"),
        ("X-Debug", "3"),
        ("Content-Length", str(len(BODY))),
        ("X-New", "4"),
        (FORWARDED_HEADER, "1"),
    )


def test_an_imported_header_cannot_smuggle_another() -> None:
    came = ((":authority", "a"), ("X-A", "1\r\nX-B: 2"), ("Bad name", "3"))
    made = build(delivery(headers=came, body=b""), "http://app")
    assert ("X-A", "1  X-B: 2") in made.headers
    assert {name for name, _ in made.headers} == {
        "Host",
        "X-A",
        "Content-Length",
        FORWARDED_HEADER,
    }


def test_what_one_request_lists_under_connection_is_forwarded_with_the_next() -> None:
    listed = build(delivery(headers=(("Connection", "X-Mine"), ("X-Mine", "1"))), "http://app")
    free = build(delivery(headers=(("X-Mine", "1"),)), "http://app")
    assert ("X-Mine", "1") not in listed.headers
    assert ("X-Mine", "1") in free.headers


def test_of_control_characters_only_those_that_could_end_a_header_are_replaced() -> None:
    came = (("X-Nul", "1\x002"), ("X-Tab", "1\t2"), ("X-Bytes", "\x85\xa0\xad"))
    made = build(delivery(headers=came), "http://app")
    assert ("X-Nul", "1 2") in made.headers
    assert came[1:] == made.headers[2:4]
