"""Files of other programs: what is imported of them, and what is left out with which reason."""

import base64
import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.archive.samples import lines, minimal
from tiktok_hook import archive, signature
from tiktok_hook.archive import Capture, ImportOptions
from tiktok_hook.delivery import BodyState, Delivery
from tiktok_hook.errors import UsageError
from tiktok_hook.signature import State

SECRET = "example-client-secret"
BODY = b'{"client_key":"awexampleclient1","event":"authorization.removed","user_openid":"u"}'
AT = 1_795_420_800


def request(**changes: Any) -> dict[str, Any]:
    """A POST as programs record it; None removes a field."""
    made = {
        "method": "POST",
        "url": "https://hooks.example.com/tiktok?x=1",
        "httpVersion": "HTTP/1.1",
        "headers": [{"name": "Content-Length", "value": str(len(BODY))}],
        "postData": {"mimeType": "application/json", "text": BODY.decode()},
        "bodySize": len(BODY),
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def entry(*, response: Any = None, **changes: Any) -> dict[str, Any]:
    answer = {
        "status": 200,
        "headers": [{"name": "X", "value": "1"}],
        "content": {"text": "ok"},
    }
    return {
        "startedDateTime": "2026-11-23T08:00:00Z",
        "time": 12.5,
        "request": request(**changes),
        "response": answer if response is None else response,
    }


def har(*entries: Any) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}}).encode()


def load(data: bytes, **options: Any) -> Capture:
    given = {key: options.pop(key) for key in ("sibling", "file_time") if key in options}
    return archive.load(io.BytesIO(data), "FILE", ImportOptions(**options), **given)


def only(capture: Capture) -> Delivery:
    (found,) = capture.entries()
    return found.delivery


def error_of(data: bytes, **options: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(data, **options)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("status", [-1, 0, None, "", "0", 99, 1000, 2.5, True, [], 10**30])
def test_a_status_that_is_none_means_that_there_was_no_response(status: object) -> None:
    (found,) = load(har(entry(response={"status": status}))).entries()
    assert (found.delivery.status, found.attempts) == (None, ())


@pytest.mark.parametrize("response", [None, {}, [], "x"])
def test_a_response_may_be_missing(response: object) -> None:
    made = entry()
    made["response"] = response
    (found,) = load(har(made)).entries()
    assert (found.delivery.status, found.attempts) == (None, ())


def test_the_response_is_imported_as_an_attempt() -> None:
    (found,) = load(har(entry())).entries()
    (attempt,) = found.attempts
    assert (attempt.status, attempt.headers, attempt.body) == (200, (("X", "1"),), b"ok")
    assert (attempt.duration_ms, attempt.ended, attempt.replay) == (12.5, True, False)
    assert attempt.target == "https://hooks.example.com/tiktok?x=1"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (None, "it is not a JSON object"),
        ("x", "it is not a JSON object"),
        ({}, "request is not a JSON object"),
        ({"request": []}, "request is not a JSON object"),
        ({"request": {"method": "POST"}}, "request.url is missing"),
        (
            {"request": {"method": "POST"}, "_tiktok_hook": {"type": "delivery"}},
            "_tiktok_hook.received_at is missing",
        ),
    ],
    ids=["null", "text", "empty", "list", "no-url", "own"],
)
def test_an_entry_that_cannot_be_used_leaves_the_others(broken: Any, reason: str) -> None:
    capture = load(har(broken, entry(), broken))
    assert capture.deliveries == 1
    assert list(capture.unusable.values()) == [[1, 3]]
    assert next(iter(capture.unusable)).startswith(reason)
    message = str(error_of(har(broken)))
    assert f"entry 1 cannot be used: {reason}" in message


def test_other_methods_are_counted_by_their_name() -> None:
    methods = ["GET", "options", "", None, 5, "GET"]
    capture = load(har(entry(method="post"), *(entry(method=each) for each in methods)))
    assert capture.deliveries == 1
    assert capture.other_methods == {"GET": 2, "OPTIONS": 1, "no method": 3}
    only_get = str(error_of(har(*[entry(method="GET")] * 22)))
    assert only_get == "FILE has 22 requests, all GET."


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([{"name": "A", "value": "1"}, {"name": "a", "value": None}], (("A", "1"), ("a", ""))),
        ({"A": "1", "B": ["2", "3"]}, (("A", "1"), ("B", "2"), ("B", "3"))),
        ([["A", "1"], ["bad"], 5, {"name": 5}], (("A", "1"),)),
        ([{"name": ":path", "value": "/"}, {"name": "bad name", "value": "x"}], ()),
        ([{"name": "A", "value": "caf\u00e9"}], (("A", "caf\u00c3\u00a9"),)),
        ([{"name": "A", "value": "caf\u00c3\u00a9"}], (("A", "caf\u00c3\u00a9"),)),
        ([{"name": "A", "value": 5}], (("A", "5"),)),
        (None, ()),
        ("x", ()),
    ],
    ids=["null", "object", "pairs", "pseudo", "utf-8", "bytes", "number", "none", "text"],
)
def test_headers_are_read_in_each_form(headers: Any, found: tuple[tuple[str, str], ...]) -> None:
    assert only(load(har(entry(headers=headers)))).headers == (
        ("Host", "hooks.example.com"),
        *found,
    )


@pytest.mark.parametrize(
    ("version", "kept"),
    [
        ("HTTP/1.1", "1.1"),
        ("HTTP/1.0", "1.0"),
        ("HTTP/2.0", "2.0"),
        ("http/2.0", "2.0"),
        ("HTTP/2", "2.0"),
        ("h2", "2.0"),
        ("h3", "3.0"),
        ("", "1.1"),
        ("unknown", "1.1"),
        (None, "1.1"),
    ],
)
def test_host_scheme_and_version_of_http_2_are_kept(version: str | None, kept: str) -> None:
    pseudo = [{"name": ":authority", "value": "other.example.com"}]
    found = only(load(har(entry(httpVersion=version, headers=pseudo))))
    assert (found.http_version, found.header("Host"), found.scheme) == (
        kept,
        "other.example.com",
        "https",
    )
    again = b"".join(archive.write([archive.Entry(found.replace(id=7))], "har"))
    exported = json.loads(again)["log"]["entries"][0]["request"]
    assert exported["url"] == "https://other.example.com/tiktok?x=1"
    assert exported["httpVersion"] == f"HTTP/{kept}"
    assert only(load(again)).http_version == kept


@pytest.mark.parametrize(
    ("started", "at"),
    [
        ("2026-11-23T08:00:00Z", AT),
        ("2026-11-23T09:00:00.1234567+01:00", AT + 0.123456),
        ("Mon Nov 23 2026 08:00:00 GMT+0000 (Coordinated Universal Time)", AT),
        ("Mon, 23 Nov 2026 08:00:00 GMT", AT),
        ("2026-11-23 08:00:00", AT),
        (AT, AT),
        (AT * 1000, AT),
        (str(AT * 1000), AT),
        (None, 77.0),
        ("yesterday", 77.0),
        (True, 77.0),
        (10**400, 77.0),
    ],
)
def test_times_are_read_as_programs_write_them(started: Any, at: float) -> None:
    made = entry()
    made["startedDateTime"] = started
    assert only(load(har(made), file_time=77.0)).received_at == pytest.approx(at)


def test_without_a_time_the_signatures_counts() -> None:
    signed = [{"name": "Tiktok-Signature", "value": "t=1756684801,s=" + "0" * 64}]
    made = entry(headers=signed)
    del made["startedDateTime"]
    assert only(load(har(made), file_time=77.0)).received_at == 1_756_684_801


def sent(body: bytes, **changes: Any) -> dict[str, Any]:
    """An entry whose headers are those of a signed request with this body."""
    header = signature.sign(body, SECRET, timestamp=AT)
    headers = [
        {"name": "Content-Length", "value": str(len(body))},
        {"name": "Tiktok-Signature", "value": header},
    ]
    return entry(headers=headers, bodySize=len(body), **changes)


CAFE = '{"event":"e.x","n":"caf\u00e9"}'.encode()


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (CAFE, {"postData": {"text": CAFE.decode()}}),
        (CAFE, {"postData": {"text": CAFE.decode("latin-1")}}),
        (CAFE, {"postData": CAFE.decode()}),
        (CAFE, {"postData": {"text": base64.b64encode(CAFE).decode(), "encoding": "base64"}}),
        (CAFE, {"postData": {"text": base64.b64encode(CAFE).decode(), "_encoding": "BASE64"}}),
        (
            CAFE,
            {
                "postData": None,
                "_content": {"text": base64.b64encode(CAFE).decode(), "encoding": "base64"},
            },
        ),
        (CAFE, {"postData": {"text": "", "params": [], "_file": "body.bin"}}),
        (b"\xff\xfe\x00", {"postData": {"text": "\udcff\udcfe\u0000"}}),
        (b"a=b+c", {"postData": {"text": "", "params": [{"name": "a", "value": "b c"}]}}),
        (b"", {"postData": None}),
    ],
    ids=[
        "text",
        "latin-1",
        "string",
        "base64",
        "our-base64",
        "httptoolkit",
        "file",
        "surrogates",
        "params",
        "empty",
    ],
)
def test_a_body_is_exact_and_valid_with_the_secret(body: bytes, changes: dict[str, Any]) -> None:
    data = har(sent(body, **changes))
    files = {"body.bin": CAFE}
    for secrets in ([SECRET], []):
        found = only(load(data, secrets=secrets, sibling=files.get))
        assert (found.body, found.body_state) == (body, BodyState.EXACT)
        wanted = State.VALID if secrets else State.UNCHECKED
        assert found.verdict.state is wanted


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({"postData": None}, BodyState.MISSING, f"({len(BODY)} bytes were sent)"),
        ({"postData": {"text": ""}}, BodyState.MISSING, "is not in the file"),
        ({"postData": {"_file": "../secret"}}, BodyState.MISSING, "it is in ../secret, which"),
        (
            {"postData": {"mimeType": "multipart/form-data", "params": [{"name": "f"}]}},
            BodyState.MISSING,
            "the parts of a multipart form",
        ),
        ({"postData": {"text": "short"}}, BodyState.ALTERED, "5 bytes of the body"),
        ({"postData": {"params": [{"name": "a"}]}}, BodyState.ALTERED, "parameters of a form"),
    ],
    ids=["none", "empty", "file", "multipart", "other-length", "params"],
)
def test_a_body_that_is_not_in_the_file_is_marked_and_not_judged(
    changes: dict[str, Any], state: BodyState, reason: str
) -> None:
    data = har(sent(BODY, **changes))
    for secrets in ([SECRET], []):
        capture = load(data, secrets=secrets)
        found = only(capture)
        assert found.body_state is state
        assert found.verdict.state is State.UNCHECKED
        assert reason in found.verdict.reason
        assert capture.body_states == {state: [1]}


def test_a_decompressed_body_is_not_judged() -> None:
    made = sent(BODY)
    made["request"]["headers"] += [{"name": "Content-Encoding", "value": "gzip"}]
    made["request"]["headers"][0]["value"] = "60"
    found = only(load(har(made), secrets=[SECRET, "another"]))
    # The signature matches the decompressed text here, so that is what was signed.
    assert (found.verdict.state, found.body_state) == (State.VALID, BodyState.EXACT)
    found = only(load(har(made), secrets=["another"]))
    assert (found.verdict.state, found.body_state) == (State.UNCHECKED, BodyState.DECOMPRESSED)
    assert "decompressed the body (gzip)" in found.verdict.reason


def test_the_entries_before_a_cut_are_imported() -> None:
    whole = har(entry(), entry(), entry())
    capture = load(whole[: len(whole) - 200])
    assert (capture.deliveries, capture.is_cut) == (2, True)
    assert not load(whole).is_cut
    for end in (1, 10, 60, whole.index(b"POST") + 2):
        assert "ends in the middle of its JSON" in str(error_of(whole[:end])), whole[:end]


def test_an_entry_that_is_not_json_is_counted_and_the_others_are_imported() -> None:
    whole = har(entry(), entry(), entry())
    capture = load(
        whole.replace(b'"method": "POST"', b'"method": "POST', 2).replace(
            b'"method": "POST', b'"method": "POST"', 1
        )
    )
    assert (capture.deliveries, capture.is_cut) == (2, False)
    ((reason, numbers),) = capture.unusable.items()
    assert numbers == [2]
    assert "not JSON in line 1" in reason


def test_urls_and_signatures_choose() -> None:
    data = har(
        entry(url="https://a.test/tiktok"),
        entry(url="https://b.test/other"),
        sent(BODY, url="https://a.test/ocsp"),
    )
    assert load(data, urls=["https://a.test/*"]).deliveries == 2
    capture = load(data, urls=["*/tiktok*", "*/other"])
    assert (capture.deliveries, capture.not_selected) == (2, 1)
    assert load(data, signed_only=True).deliveries == 1
    assert "3 requests, and none matches" in str(error_of(data, urls=["*.example/*"]))
    own = lines(minimal(id=1), minimal(id=2, path="/x"))
    assert load(own, urls=["*/x"]).deliveries == 1


def raw(head: str, body: bytes) -> str:
    return base64.b64encode(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body).decode()


def ngrok(body: bytes = BODY, extra: str = "", **changes: Any) -> dict[str, Any]:
    head = f"POST /tiktok?a=%20 HTTP/1.1\nHost: x.ngrok.app\nX-Forwarded-Proto: https{extra}"
    return {
        "uri": "/api/requests/http/1",
        "id": "1",
        "remote_addr": "203.0.113.7",
        "start": "2026-11-23T08:00:00Z",
        "duration": 1_500_000,
        "request": {"method": "POST", "raw": raw(head, body)},
        "response": {"status_code": 500, "raw": raw("HTTP/1.1 500 X\nA: b", b"oops")},
        **changes,
    }


@pytest.mark.parametrize("form", ["list", "one", "array"])
def test_ngroks_requests_are_imported_byte_for_byte(form: str) -> None:
    one = ngrok(b"\xff\x00\r\n\r\nx")
    documents = {"list": {"uri": "/", "requests": [one]}, "one": one, "array": [one]}
    (found,) = load(json.dumps(documents[form]).encode()).entries()
    got = found.delivery
    assert (got.body, got.path, got.query) == (b"\xff\x00\r\n\r\nx", "/tiktok", "a=%20")
    assert (got.header("Host"), got.remote_addr, got.scheme) == (
        "x.ngrok.app",
        "203.0.113.7",
        "https",
    )
    assert (got.received_at, got.status) == (AT, 500)
    (attempt,) = found.attempts
    assert (attempt.status, attempt.body, attempt.duration_ms) == (500, b"oops", 1.5)


def test_a_chunked_or_cut_request_of_ngrok_is_read_right() -> None:
    chunked = ngrok(b"3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n", "\nTransfer-Encoding: chunked")
    assert only(load(json.dumps(chunked).encode())).body == b"abcde"
    cut = only(load(json.dumps(ngrok(b'{"a', "\nContent-Length: 900")).encode()))
    assert (cut.body_state, cut.body_bytes) == (BodyState.ALTERED, 900)
    assert "ngrok recorded 3 of 900 bytes" in cut.verdict.reason
    empty = ngrok(b"0\r\n\r\n", "\nTransfer-Encoding: chunked")
    assert only(load(json.dumps(empty).encode())).body == b""
    torn = ngrok(b"3\r\nabc\r\n9\r\nde", "\nTransfer-Encoding: chunked")
    found = only(load(json.dumps(torn).encode()))
    assert (found.body, found.body_state) == (b"abcde", BodyState.ALTERED)
    assert "its chunked body ends early" in found.verdict.reason
    get = ngrok(request={"raw": raw("GET / HTTP/1.1\nHost: a", b"")})
    assert "all GET" in str(error_of(json.dumps(get).encode()))
    bad = ngrok(request={"raw": "?"})
    assert "request.raw is not an HTTP message" in str(error_of(json.dumps(bad).encode()))


@pytest.mark.parametrize("form", ["list", "one", "array"])
def test_requests_of_webhook_site_are_imported(form: str) -> None:
    one = {
        "uuid": "0-0",
        "type": "web",
        "method": "POST",
        "ip": "203.0.113.7",
        "content": CAFE.decode(),
        "headers": {"content-length": [str(len(CAFE))], "host": ["webhook.site"]},
        "url": "https://webhook.site/token?a=b",
        "created_at": "2026-11-23 08:00:00",
        "query": {"a": "b"},
    }
    documents = {"list": {"data": [one], "total": 1}, "one": one, "array": [one]}
    got = only(load(json.dumps(documents[form]).encode()))
    assert (got.body, got.path, got.query, got.received_at) == (CAFE, "/token", "a=b", AT)
    assert got.header("Content-Length") == str(len(CAFE))


def test_a_body_alone_is_imported_with_the_headers_that_are_given() -> None:
    header = signature.sign(b"\x1f\x8b any bytes", SECRET, timestamp=AT)
    capture = load(b"\x1f\x8b any bytes", headers=[("Tiktok-Signature", header)], secrets=[SECRET])
    got = only(capture)
    assert (got.body, got.verdict.state, got.received_at) == (
        b"\x1f\x8b any bytes",
        State.VALID,
        AT,
    )


def test_our_own_shape_is_read_from_one_document_too() -> None:
    one = minimal(id=3, attempts=[])
    for document in (one, [one]):
        assert load(json.dumps(document, indent=2).encode()).deliveries == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{}".encode("utf-16"), "FILE is UTF-16 text."),
        ("{}".encode("utf-16-le"), "FILE is UTF-16 text."),
        ("{}".encode("utf-32"), "FILE is UTF-32 text."),
        (b"\xd4\xc3\xb2\xa1\x02\0", "FILE is a packet capture."),
        (b"\x0a\x0d\x0d\x0a\0\0", "FILE is a packet capture."),
        (b"SQLite format 3\0", "FILE is an SQLite database."),
        (b'<?xml version="1.0"?>\n<!DOCTYPE items [\n]>\n<items burpVersion="2">', "Burp Suite"),
        (b'<items burpVersion="2025">', "FILE is an export of Burp Suite (XML)."),
        (b"<!DOCTYPE html><html>", "FILE is an HTML page."),
        (b"<?xml version='1.0'?><a/>", "FILE is an XML document."),
        (b"1234:4:type;4:http;", "FILE is a flow file of mitmproxy."),
        (b"POST /hook HTTP/1.1\r\nHost: a\r\n\r\n{}", "FILE is a raw HTTP request."),
        (b"curl -X POST http://a", "FILE is a curl command."),
        (b"BZh91", "FILE is a bzip2 file."),
        (b'{"info":{"_postman_id":"1"},"item":[]}', "FILE is a Postman collection."),
        (b'{"info":{"schema":"x"},"item":[]}', "FILE is a Postman collection."),
        (b'{"_type":"export","resources":[]}', "FILE is an Insomnia export."),
        (b'{"openapi":"3.0"}', "FILE is an OpenAPI document."),
        (b'{"constants":{},"events":[]}', "FILE is a network log of Chrome"),
        (BODY, "FILE looks like the body of one TikTok event."),
        (b'{\n "a": 1\n}', "FILE is JSON in a format that is not known here (its keys: a)."),
        (b"[1, 2]", "FILE is a JSON list with 2 items"),
        (b"\xac\xed\0\5sr", "FILE is a session of Charles"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "FILE is a raw HTTP response."),
        (b"### ping\nPOST https://a/\n\n{}", "FILE is a request to send (.http)."),
        (b"#!/bin/sh\ncurl a", "FILE is a script."),
        (b'var har = {"log": {}}', "FILE is a program, not JSON."),
        (b'callback({"log": {}})', "FILE is a program, not JSON."),
        (b"{'log': {'entries': []}}", "way to print an object, not JSON."),
        (b'::1 - - [27/Nov/2026:10:00:00 +0000] "POST / HTTP/1.1" 200', "FILE is an access log."),
        (b"From: a@example.com\nSubject: b\n", "FILE is an e-mail."),
        (b"openapi: 3.0.0\ninfo:\n  title: x\n", "FILE is a YAML document."),
        (b"id,method,url\n1,POST,http://a\n", "FILE is a CSV table."),
        (b'{"collections":[],"environments":[]}', "FILE is an export of Postman."),
        (b'{"client":"Thunder Client","collectionName":"a"}', "a collection of Thunder Client."),
        (b'{"v":2,"folders":[],"requests":[]}', "FILE is a collection of Hoppscotch."),
        (b'{"headers":{},"requestContext":{},"body":""}', "FILE is an event of AWS Lambda."),
        (b'{"type":1,"tts_notification_id":"7"}', "body of one TikTok Shop event"),
        (b'[{"_source":{"layers":{}}}]', "FILE is a list of packets"),
        (
            b'[{"scheme":"https","host":"a","path":"/","request":{}}]',
            "a session of Charles (JSON).",
        ),
        (b'[{"event":"a","content":"{}"}]', "bodies of TikTok events without their headers."),
        (b"[]", "FILE is a JSON list with 0 items"),
        (b'{"log":{}}', "FILE has no entries."),
        (b'{"log":5}', "FILE is JSON in a format that is not known here (its keys: log)."),
        (b'{\n"log": {\n"entries": oops', "FILE, line 3: not JSON"),
        (b'{"log":{"entries":' + b"[" * 100_000, "FILE: nested too deep."),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_what_cannot_be_imported_is_named(data: bytes, message: str) -> None:
    assert message in str(error_of(data))


@pytest.mark.parametrize("form", ["entries", "list", "one"])
def test_the_entries_of_a_har_are_imported_without_what_is_around_them(form: str) -> None:
    one = sent(BODY)
    document = {"entries": {"entries": [one]}, "list": [one], "one": one}[form]
    assert only(load(json.dumps(document, indent=1).encode())).body == BODY


def test_a_zip_archive_may_hold_bodies_next_to_its_har_file() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("trace/har.har", har(sent(BODY, postData={"_file": "0a1b.json"})))
        file.writestr("trace/0a1b.json", BODY)
        file.writestr("other.json", b"{}")
    assert only(load(buffer.getvalue())).body == BODY


@pytest.mark.parametrize("character", ["x", "\u00e9", "\u4e2d", "\U0001f3b5"])
@pytest.mark.parametrize("escaped", [True, False], ids=["escaped", "raw"])
def test_a_large_har_takes_at_most_six_times_its_size(
    tmp_path: Path, character: str, *, escaped: bool
) -> None:
    file = tmp_path / "large.har"
    post = entry(postData={"text": character + "x" * 50_000})
    document = {"log": {"entries": [post] * 100}}
    file.write_bytes(json.dumps(document, ensure_ascii=escaped).encode())
    with file.open("rb") as stream:
        tracemalloc.start()
        try:
            bodies = [each.delivery.body for each in archive.load(stream, "large").entries()]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert bodies == [post["request"]["postData"]["text"].encode()] * 100
    assert peak < 6 * file.stat().st_size
