"""What the handler does with a decision, over real connections."""

import gzip
import json
from pathlib import Path

import pytest

from tests.receiver.listening import BODY, HOST, NOW, SECRET, get, listening, post
from tiktok_hook import signature
from tiktok_hook.delivery import (
    FORWARDED_HEADER,
    SELF_CHECK_BODY,
    SELF_CHECK_HEADER,
    SELF_CHECKED_BY_ANOTHER,
    SOURCE_HEADER,
    Delivery,
    NonWebhookRequest,
    Source,
)
from tiktok_hook.errors import StoreError
from tiktok_hook.receiver import IncomingRequest, ReceiverResponse
from tiktok_hook.receiver.handler import DIAGNOSES_PER_SECOND
from tiktok_hook.receiver.policy import MAX_DIAGNOSED_BYTES
from tiktok_hook.signature import State

PING = b'{"event":"tiktok.ping","create_time":1795000000000,"content":"{}"}'


async def test_a_signed_post_gets_the_response_of_the_delivery_handler() -> None:
    async def teapot(_: Delivery) -> ReceiverResponse:
        return ReceiverResponse(
            418, b"short", "text/plain", (("X-App", "yes"), ("Content-Length", "9"))
        )

    async with listening(teapot) as seen:
        reply = await seen.ask(post())
        assert (reply.status, reply.body) == (418, b"short")
        assert reply.headers["content-type"] == "text/plain"
        assert reply.headers["x-app"] == "yes"
        assert reply.headers["content-length"] == "5"
    (delivery,) = seen.deliveries
    assert delivery.verdict.state is State.VALID
    assert delivery.status is None
    assert seen.statuses == [None]
    assert delivery.received_at == NOW
    assert [(each.body, answer.status) for each, answer in seen.answered] == [(BODY, 418)]
    assert not seen.non_webhook_requests


async def test_the_default_answer_is_a_short_json_200() -> None:
    async with listening() as seen:
        reply = await seen.ask(post())
    assert (reply.status, json.loads(reply.body)) == (200, {"ok": True})
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["server"] == "tiktok-hook"


async def test_headers_path_and_query_are_kept_as_received() -> None:
    request = (
        b"POST //a/../%2e%2F%ff/b;c=1?x=%20&&y=a+b?z HTTP/1.1\r\nhOST: hooks.example\r\n"
        b"X-Twice: 1\r\nx-TWICE:   2  \r\nX-Empty:\r\nX-Latin: caf\xe9 \xff\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    async with listening(secrets=[]) as seen:
        await seen.ask(request)
    (delivery,) = seen.deliveries
    assert delivery.path == "//a/../%2e%2F%ff/b;c=1"
    assert delivery.query == "x=%20&&y=a+b?z"
    assert delivery.headers == (
        ("hOST", "hooks.example"),
        ("X-Twice", "1"),
        ("x-TWICE", "2"),
        ("X-Empty", ""),
        ("X-Latin", "café ÿ"),
        ("Content-Length", "0"),
    )
    assert delivery.verdict.state is State.UNCHECKED


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (bytes(range(256)) * 4, ()),
        (gzip.compress(BODY), ("Content-Encoding: gzip",)),
        (b"not gzip", ("Content-Encoding: gzip",)),
        (gzip.compress(b"\0" * (1 << 27)), ("Content-Encoding: gzip",)),
        (b"", ()),
        (b"x" * (1 << 20), ()),
    ],
    ids=["binary", "gzip", "no-gzip", "gzip-bomb", "empty", "largest"],
)
async def test_a_body_is_kept_byte_for_byte(body: bytes, headers: tuple[str, ...]) -> None:
    async with listening() as seen:
        reply = await seen.ask(post("/", *headers, body=body))
    assert reply.status == 200
    assert seen.deliveries[0].body == body


@pytest.mark.parametrize(
    ("request_bytes", "state", "status"),
    [
        (post(secret="another"), State.INVALID, 403),
        (post(signed=False), State.MISSING, 403),
        (post(at=NOW - 900), State.STALE, 200),
        (post(at=NOW + 900), State.STALE, 200),
        (post(secret="second"), State.VALID, 200),
        (post(body=PING, signed=False), State.MISSING, 200),
        (post(body=PING, secret="another"), State.INVALID, 200),
        (post(body=b"tiktok.ping", signed=False), State.MISSING, 403),
        (post(body=b'{"event":"x","y":"tiktok.ping"}', signed=False), State.MISSING, 403),
    ],
    ids=[
        "forged",
        "unsigned",
        "stale",
        "from-the-future",
        "second-secret",
        "unsigned-ping",
        "forged-ping",
        "no-envelope",
        "another-event",
    ],
)
async def test_the_verdict_decides(request_bytes: bytes, state: State, status: int) -> None:
    async with listening(secrets=[SECRET, "second"]) as seen:
        reply = await seen.ask(request_bytes)
    (delivery,) = seen.deliveries
    assert delivery.verdict.state is state
    assert reply.status == status
    assert delivery.status is None
    assert seen.statuses == [status if delivery.verdict.rejected else None]


async def test_an_older_signature_than_the_tolerance_is_rejected() -> None:
    async with listening(tolerance=60.0) as seen:
        assert (await seen.ask(post(at=NOW - 50))).status == 200
        assert (await seen.ask(post(at=NOW - 70))).status == 403
        assert (await seen.ask(post(at=NOW - 70, body=PING))).status == 200
    assert seen.statuses == [None, 403, 200]


async def test_a_rejected_delivery_is_answered_403_whatever_the_relay_returns() -> None:
    async def accept(_: Delivery) -> ReceiverResponse:
        return ReceiverResponse(200)

    async with listening(accept) as seen:
        reply = await seen.ask(post(signed=False))
    assert reply.status == 403
    assert b"ignature" in reply.body
    assert seen.deliveries[0].verdict.reason


async def test_a_rejected_delivery_comes_with_its_diagnosis() -> None:
    made = signature.sign(BODY, f"{SECRET}\n", timestamp=int(NOW))
    async with listening() as seen:
        await seen.ask(post("/", f"{signature.HEADER}: {made}", signed=False))
    assert seen.deliveries[0].verdict.hint


async def test_a_flood_of_forgeries_gets_no_more_than_a_few_diagnoses() -> None:
    async with listening() as seen, seen.connect() as client:
        for _ in range(DIAGNOSES_PER_SECOND + 10):
            await client.send(post(secret="another"))
            assert (await client.answer()).status == 403
        seen.now += 1
        await client.send(post(secret="another"))
        await client.answer()
    explained = [bool(delivery.verdict.hint) for delivery in seen.deliveries]
    assert explained == [True] * DIAGNOSES_PER_SECOND + [False] * 10 + [True]


async def test_a_long_forged_body_gets_no_diagnosis() -> None:
    async with listening() as seen:
        await seen.ask(post(signed=False, body=b"x" * (MAX_DIAGNOSED_BYTES + 1)))
    assert not seen.deliveries[0].verdict.hint


LONG_PING = PING.replace(b'"{}"', b'"' + b"x" * 900_000 + b'"')


@pytest.mark.parametrize(
    ("request_bytes", "body"),
    [
        (post(body=b"x" * (1 << 20), signed=False), b"x" * (1 << 20)),
        (post(body=b"x" * (1 << 20), secret="another"), b"x" * (1 << 20)),
        (post(body=b"x" * 16_385, at=NOW - 900), b"x" * 16_385),
        (post(body=LONG_PING, signed=False), LONG_PING),
        (post(body=b"", signed=False), b""),
        (post(body=b"x" * 16_384, signed=False), b"x" * 16_384),
    ],
    ids=["unsigned", "forged", "too-old", "unsigned-ping", "empty", "at-the-limit"],
)
async def test_a_rejected_body_is_cut_before_it_is_stored_or_published(
    request_bytes: bytes, body: bytes
) -> None:
    async with listening(tolerance=300.0) as seen:
        await seen.ask(request_bytes)
    (delivery,) = seen.deliveries
    assert delivery.body == body[: 16 * 1024]
    assert delivery.body_bytes == (len(body) if len(body) > 16 * 1024 else None)


async def test_an_accepted_body_is_not_cut() -> None:
    body = b"x" * (1 << 20)
    async with listening(tolerance=300.0) as seen:
        await seen.ask(post(body=body))
    assert seen.deliveries[0].body == body


async def test_a_signature_sent_twice_is_judged_as_both() -> None:
    extra = f"{signature.HEADER.lower()}: {signature.sign(BODY, SECRET, timestamp=int(NOW))}"
    async with listening() as seen:
        assert (await seen.ask(post("/", extra))).status == 403
    assert "t" in seen.deliveries[0].verdict.reason


async def test_what_cannot_be_stored_is_answered_503_so_that_tiktok_keeps_it() -> None:
    async def full(_: Delivery) -> ReceiverResponse:
        raise StoreError("The disk is full.")

    async with listening(full) as seen:
        for request in (post(), post(signed=False)):
            reply = await seen.ask(request)
            assert (reply.status, reply.headers["retry-after"]) == (503, "5")
            assert b"disk" not in reply.body
    assert [event.message for event in seen.unstored] == ["The disk is full."] * 2
    assert not seen.bugs
    assert not seen.answered


async def test_a_bug_is_answered_500_and_reported_and_the_receiver_continues() -> None:
    async def broken(delivery: Delivery) -> ReceiverResponse:
        if delivery.path == "/bad":
            raise RuntimeError("a secret detail")
        return ReceiverResponse()

    async with listening(broken) as seen, seen.connect() as client:
        await client.send(post("/bad"))
        reply = await client.answer()
        assert reply.status == 500
        assert b"secret detail" not in reply.body
        await client.send(post())
        assert (await client.answer()).status == 200
    assert [repr(bug) for bug in seen.bugs] == ["RuntimeError('a secret detail')"]


async def test_a_bug_in_judging_is_answered_500_too() -> None:
    async with listening(secrets=[7]) as seen:  # type: ignore[list-item]  # a bug of ours
        assert (await seen.ask(post())).status == 500
    assert [type(bug) for bug in seen.bugs] == [TypeError]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html,application/xhtml+xml", "text/html; charset=utf-8"),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
    ids=["browser", "anything", "nothing"],
)
async def test_a_get_learns_to_post_and_nothing_else(accept: str, content_type: str) -> None:
    async with listening() as seen:
        reply = await seen.ask(get("/any/where?x=1", f"Accept: {accept}"))
    assert reply.status == 200
    assert reply.headers["content-type"] == content_type
    assert b"tiktok-hook is listening" in reply.body
    assert not seen.deliveries
    (request,) = seen.non_webhook_requests
    assert (request.method, request.path, request.status, request.at) == (
        "GET",
        "/any/where",
        200,
        NOW,
    )


async def test_a_head_gets_the_same_without_a_body() -> None:
    async with listening() as seen, seen.connect() as client:
        await client.send(get(method="HEAD") + get())
        head = await client.answer(to_head=True)
        assert head.status == 200
        following = await client.answer()
        assert head.headers["content-length"] == str(len(following.body))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"])
async def test_other_methods_are_not_allowed(method: str) -> None:
    async with listening() as seen:
        reply = await seen.ask(get(method=method))
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, POST")
    assert [(request.method, request.status) for request in seen.non_webhook_requests] == [
        (method, 405)
    ]
    assert not seen.deliveries


async def test_the_self_check_is_answered_and_leaves_no_trace() -> None:
    async with listening(self_check_token="one-time") as seen:
        reply = await seen.ask(post("/", f"{SELF_CHECK_HEADER}: one-time", signed=False))
        assert reply.status == 200
        assert json.loads(reply.body) == {"ok": True, "self_check": "one-time"}
    assert not seen.deliveries
    assert not seen.non_webhook_requests
    assert not seen.answered


@pytest.mark.parametrize("given", ["", "wrong", "one-time ", "ümlaut"])
async def test_a_wrong_token_is_an_ordinary_post(given: str) -> None:
    async with listening(self_check_token="one-tim") as seen:
        assert (await seen.ask(post("/", f"{SELF_CHECK_HEADER}: {given}"))).status == 200
    assert len(seen.deliveries) == 1


@pytest.mark.parametrize("own", ["", "one-time"])
async def test_the_self_check_of_a_listener_that_shares_the_url_leaves_no_trace(own: str) -> None:
    async with listening(self_check_token=own) as seen:
        checked = post("/", f"{SELF_CHECK_HEADER}: another", body=SELF_CHECK_BODY, signed=False)
        reply = await seen.ask(checked)
        assert (reply.status, reply.body) == (200, SELF_CHECKED_BY_ANOTHER)
        changed = post("/", f"{SELF_CHECK_HEADER}: another", body=SELF_CHECK_BODY + b" ")
        assert (await seen.ask(changed)).status == 200
    assert [each.body for each in seen.deliveries] == [SELF_CHECK_BODY + b" "]
    assert not seen.non_webhook_requests


async def test_without_a_self_check_an_empty_token_opens_nothing() -> None:
    async with listening() as seen:
        assert (await seen.ask(post("/", f"{SELF_CHECK_HEADER}: ", signed=False))).status == 403
    assert len(seen.deliveries) == 1


async def test_the_token_works_for_post_only() -> None:
    async with listening(self_check_token="one-time") as seen:
        reply = await seen.ask(get("/", f"{SELF_CHECK_HEADER}: one-time"))
    assert b"self_check" not in reply.body
    assert len(seen.non_webhook_requests) == 1


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_what_we_forwarded_is_a_loop(method: str) -> None:
    request = get("/", f"{FORWARDED_HEADER}: 1", "Content-Length: 0", method=method)
    async with listening(secrets=[]) as seen:
        assert (await seen.ask(request)).status == 508
    assert not seen.deliveries
    assert "loop" in seen.non_webhook_requests[0].reason


async def test_a_triggered_sample_has_another_source_than_tiktoks() -> None:
    async with listening() as seen:
        await seen.ask(post("/", f"{SOURCE_HEADER}: trigger"))
        await seen.ask(post("/", f"{SOURCE_HEADER}: tiktok"))
        await seen.ask(post("/"))
    assert [delivery.source for delivery in seen.deliveries] == [
        Source.TRIGGER,
        Source.TIKTOK,
        Source.TIKTOK,
    ]


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ((), "127.0.0.1"),
        (("X-Forwarded-For: 203.0.113.9",), "203.0.113.9"),
        (("X-Forwarded-For: 10.0.0.1, 203.0.113.9",), "203.0.113.9"),
        (("X-Forwarded-For: 10.0.0.1", "x-forwarded-for: 2001:db8::1"), "2001:db8::1"),
        (("X-Forwarded-For: ",), "127.0.0.1"),
    ],
    ids=["none", "one", "the-last", "repeated", "empty"],
)
async def test_the_client_is_whom_the_tunnel_names(headers: tuple[str, ...], address: str) -> None:
    async with listening() as seen:
        await seen.ask(post("/", *headers))
    assert seen.deliveries[0].remote_addr == address


@pytest.mark.parametrize("path", ["/proof.txt", "/hook/proof.txt", "/pr%6fof.txt?x=1"])
async def test_a_served_file_is_read_at_each_request(path: str, tmp_path: Path) -> None:
    file = tmp_path / "proof.txt"
    async with listening(serve_file=file, path="/hook") as seen, seen.connect() as client:
        await client.send(get(path))
        assert (await client.answer()).status == 404
        file.write_text("tiktok-developers-site-verification=abc")
        await client.send(get(path))
        reply = await client.answer()
        assert (reply.status, reply.body) == (200, b"tiktok-developers-site-verification=abc")
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        await client.send(get("/other.txt"))
        assert b"is listening" in (await client.answer()).body
    assert [request.status for request in seen.non_webhook_requests] == [404, 200, 200]
    assert "cannot read" in seen.non_webhook_requests[0].reason


async def test_a_served_file_that_is_too_long_is_not_here(tmp_path: Path) -> None:
    file = tmp_path / "proof.bin"
    file.write_bytes(b"x" * ((1 << 20) + 1))
    async with listening(serve_file=file) as seen:
        assert (await seen.ask(get("/proof.bin"))).status == 404
        assert (await seen.ask(get("/proof.bin", method="PUT"))).status == 405
        reply = await seen.ask(post("/proof.bin"))
    assert reply.status == 200
    assert len(seen.deliveries) == 1


async def test_what_is_not_a_post_is_forwarded_with_pass() -> None:
    passed: list[IncomingRequest] = []

    async def through(request: IncomingRequest) -> ReceiverResponse:
        passed.append(request)
        return ReceiverResponse(302, b"", "", (("Location", "/login\r\nX-Evil: 1"),), note="why")

    async with listening(pass_through=through) as seen:
        reply = await seen.ask(
            get("/callback?code=a%2Fb", "Content-Length: 3", method="PUT") + b"\x00\xffz"
        )
        assert (await seen.ask(post())).status == 200
    assert reply.status == 302
    assert reply.headers["location"] == "/login  X-Evil: 1"
    assert "content-type" not in reply.headers
    (request,) = passed
    assert (request.method, request.target, request.body) == (
        "PUT",
        "/callback?code=a%2Fb",
        b"\x00\xffz",
    )
    assert request.headers[0] == tuple(HOST.split(": "))
    assert [
        (request.method, request.status, request.reason) for request in seen.non_webhook_requests
    ] == [("PUT", 302, "forwarded to the app: why")]
    assert len(seen.deliveries) == 1


async def test_a_bug_in_passing_is_answered_500() -> None:
    async def through(_: IncomingRequest) -> ReceiverResponse:
        raise RuntimeError("no")

    async with listening(pass_through=through) as seen:
        assert (await seen.ask(get())).status == 500
    assert len(seen.bugs) == 1


async def test_what_a_subscriber_raises_is_reported_and_stops_nothing() -> None:
    def broken(event: object) -> None:
        if not isinstance(event, NonWebhookRequest):
            return seen.publish(event)
        raise RuntimeError("subscriber")

    async with listening(publish=broken) as seen, seen.connect() as client:
        for request in (get(), post(), get(), post()):
            await client.send(request)
            assert (await client.answer()).status == 200
    assert len(seen.bugs) == 2
    assert len(seen.deliveries) == 2
