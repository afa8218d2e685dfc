"""Cookies named `tiktok_hook_*` are removed wherever a header enters or leaves the program."""

import json
from pathlib import Path

import pytest

from tests.apps import http, running_app
from tests.cli.runner import invoke
from tests.listener import BODY, listening, post, signed
from tiktok_hook import archive
from tiktok_hook.delivery import Attempt, Delivery, without_own_cookies
from tiktok_hook.forward import Forwarder, ForwardRequest

OWN = "tiktok_hook_4040=never-to-be-seen"


def bytes_below(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (OWN, None),
        (f"{OWN};", None),
        (f" {OWN} ; ", None),
        (f"sid=1; {OWN}", "sid=1"),
        (f"{OWN}; sid=1", "sid=1"),
        (f"a=1;{OWN};b=2", "a=1;b=2"),
        (f"{OWN}; tiktok_hook_3000=x; a=1", "a=1"),
        ("TikTok_Hook_4040=x; a=1", "a=1"),
        ("tiktok_hook_4040; a=1", "a=1"),
        (f"a=1, {OWN}", "a=1"),
        (f'a=1; "{OWN}"', "a=1"),
        (f"a=1;\t{OWN}", "a=1"),
        (f"a=1; \xa0{OWN}", "a=1"),
        (f"a=1 {OWN}; b=2", "b=2"),
        (f"a=1\x0b{OWN}; b=2", "b=2"),
        (f"a=1&{OWN}; b=2", "b=2"),
        (f"b=2; '{OWN}'", "b=2"),
        (f"b=2; {{{OWN}}}", "b=2"),
        (f"a={OWN}; b=2", "b=2"),
        (f"__Host-{OWN}; b=2", "b=2"),
        ("tiktok%5Fhook%5f4040=x; b=2", "b=2"),
        ("a=tiktok_hook_4040", "a=tiktok_hook_4040"),
        ("a=tiktok;; b=2 ", "a=tiktok;; b=2 "),
        ("my_tiktok_hook_4040=x", "my_tiktok_hook_4040=x"),
        ("a=1;; b=2 ", "a=1;; b=2 "),
    ],
)
def test_only_our_own_cookies_are_removed(value: str, kept: str | None) -> None:
    headers = (("Host", "a"), ("cookie", value), ("X", "1"))
    expected = [("Host", "a"), ("X", "1")]
    if kept is not None:
        expected.insert(1, ("cookie", kept))
    assert without_own_cookies(headers) == tuple(expected)


@pytest.mark.parametrize("name", ["COOKIE", "Cookie2", "X-Original-Cookie", "x-forwarded-cookies"])
def test_a_cookie_that_a_proxy_copied_is_removed_too(name: str) -> None:
    assert without_own_cookies(((name, f"{OWN}; sid=1"),)) == ((name, "sid=1"),)


@pytest.mark.parametrize("name", ["SET-COOKIE", "Set-Cookie2", "X-Original-Set-Cookie"])
def test_a_response_loses_our_own_cookies_under_any_name(name: str) -> None:
    assert without_own_cookies(((name, f"{OWN}; Path=/"),)) == ()
    assert without_own_cookies(((name, f"sid=1, {OWN}; Path=/"),)) == ()


def test_a_response_loses_only_our_own_cookies() -> None:
    other = ("Set-Cookie", "sid=tiktok_hook_1; Path=/")
    headers = (("set-cookie", f"{OWN}; Path=/; HttpOnly"), other)
    assert without_own_cookies(headers) == (other,)


def test_headers_without_such_a_cookie_stay_the_same_object() -> None:
    headers = (("Cookie", "a=1"), ("Set-Cookie", "b=2"))
    assert without_own_cookies(headers) is headers


async def test_such_a_cookie_is_neither_forwarded_stored_nor_exported(tmp_path: Path) -> None:
    db = tmp_path / "history.db"
    async with running_app() as app:
        app.answer = http(200, b"ok").replace(b"\r\n", b"\r\nSet-Cookie: %b\r\n" % OWN.encode(), 1)
        words = ("--no-tunnel", "--pass", "--db", str(db), "--forward-to", app.url)
        async with listening(*words) as listener, Forwarder() as forwarder:
            cookie = ("Cookie", f"sid=1; {OWN}")
            copied = ("X-Original-Cookie", OWN)
            real = (signed(BODY), cookie, copied)
            assert (await post(listener.local_url, BODY, *real)).status == 200
            await forwarder.send(ForwardRequest("GET", listener.local_url, (cookie,)))
        assert b"sid=1" in app.requests[0]
        assert b"sid=1" in app.requests[1]
        assert b"never-to-be-seen" not in b"".join(app.requests)
    stored = bytes_below(tmp_path)
    assert b"sid=1" in stored
    assert b"never-to-be-seen" not in stored
    assert "never-to-be-seen" not in json.dumps(listener.lines)


@pytest.mark.parametrize("form", archive.FORMATS)
def test_such_a_cookie_of_an_older_history_is_not_exported(form: archive.Format) -> None:
    headers = (("Cookie", f"sid=1; {OWN}"), ("Set-Cookie", OWN))
    delivery = Delivery(id=1, received_at=1.0, headers=headers, body=BODY)
    attempt = Attempt(
        delivery_id=1, number=1, started_at=1.0, target="http://localhost:3000/",
        request_headers=headers, headers=headers, status=200, duration_ms=1.0,
    )  # fmt: skip
    exported = b"".join(archive.write([archive.Entry(delivery, (attempt,))], form))
    assert b"never-to-be-seen" not in exported
    assert (b"sid=1" in exported) == (form != "pytest")  # which holds no headers


def test_such_a_cookie_in_an_imported_file_is_not_stored(tmp_path: Path) -> None:
    headers = [["Cookie", f"sid=1; {OWN}"]]
    line = {"type": "delivery", "id": 1, "received_at": "2026-01-02T03:04:05Z", "headers": headers,
            "body": BODY.decode()}  # fmt: skip
    tried = {"type": "attempt", "delivery_id": 1, "number": 1, "started_at": "2026-01-02T03:04:05Z",
             "target": "http://localhost:3000/", "headers": [["Set-Cookie", OWN]],
             "request": {"method": "POST", "headers": headers}}  # fmt: skip
    lines = tmp_path / "in.jsonl"
    lines.write_text(json.dumps(line) + "\n" + json.dumps(tried) + "\n")
    request = {"method": "POST", "url": "http://a/", "headers": [{"name": "Cookie", "value": OWN}]}
    entry = {"startedDateTime": "2026-01-02T03:04:05Z", "request": request}
    har = tmp_path / "in.har"
    har.write_text(json.dumps({"log": {"entries": [entry]}}))
    folder = tmp_path / "history"
    for file in (lines, har):
        done = invoke("import", str(file), "--db", str(folder / "history.db"))
        assert done.exit_code == 0, done.output
    stored = bytes_below(folder)
    assert b"sid=1" in stored
    assert b"never-to-be-seen" not in stored
