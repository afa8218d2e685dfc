import asyncio
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.apps import http, running_app
from tests.deadline import DEADLINE
from tests.inspector.conftest import Served, running, skip_ids
from tests.listener import BODY, SECRET
from tests.relay.samples import eventually
from tiktok_hook import events, signature
from tiktok_hook.delivery import Delivery, delivery_json
from tiktok_hook.inspector import openapi
from tiktok_hook.inspector.options import InspectorPageOptions
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store import QueueEntry

FORGED = Verdict(State.INVALID, reason="signature does not match")


async def test_the_next_page_is_read_by_key(served: Served) -> None:
    for _ in range(5):
        await served.receive()
    first = await served.get("/api/v1/deliveries?limit=2")
    second = await served.get(f"/api/v1/deliveries?limit=2&before={first['next']}")
    last = await served.get(f"/api/v1/deliveries?limit=2&before={second['next']}")
    ids = [[row["delivery"]["id"] for row in page["deliveries"]] for page in (first, second, last)]
    assert ids == [[5, 4], [3, 2], [1]]
    assert last["next"] is None


async def test_queues_and_routes_are_in_the_status_and_at_their_delivery() -> None:
    target = "http://127.0.0.1:3001"
    async with running(
        targets=(target,), routes=(("post.*", target),), up={target: False}, paused=True
    ) as served:
        await served.receive()
        entry = QueueEntry("first", target, deadline=1.8e9)
        queued = Delivery(received_at=1.7e9, body=BODY, headers=(), status=200)
        stored = await served.store.add(queued, queues=[entry])
        served.store.set_aside(stored.id, target, tries=2, next_try_at=1.75e9)
        await eventually(lambda: served.store.history().queues_of(stored.id)[0].tries == 2)
        whole = await served.get(f"/api/v1/deliveries/{stored.id}")
        status = await served.get("/api/v1/status")
        page = await served.get("/api/v1/deliveries?queued=1")
    next_try_at = "2025-06-15T15:06:40.000000Z"
    assert whole["queue"] == [
        {
            "target": target,
            "mode": "first",
            "tries": 2,
            "next_try_at": next_try_at,
            "deadline": "2027-01-15T08:00:00.000000Z",
        }
    ]
    assert status["routes"] == [{"filter": "post.*", "target": target, "up": False}]
    assert status["queues"] == [{"target": target, "waiting": 1, "next_try_at": next_try_at}]
    assert status["paused"]
    assert [(row["delivery"]["id"], row["queued"]) for row in page["deliveries"]] == [
        (stored.id, True)
    ]


async def test_a_delivery_carries_its_log_id_and_its_differences(served: Served) -> None:
    body = BODY.replace(b'"create_time"', b'"region":"eu","create_time"')
    await served.receive(body, headers=(("X-Tt-Logid", "2026\u202e"),))
    whole = await served.get("/api/v1/deliveries/1")
    assert whole["log_id"] == "2026\\u202e"
    assert whole["differences"] == [{"path": "region", "words": "a new key, a string"}]
    await served.receive(headers=())
    whole = await served.get("/api/v1/deliveries/2")
    assert (whole["log_id"], whole["differences"]) == (None, [])


async def test_a_delivery_has_the_one_shape(served: Served) -> None:
    delivery = await served.receive()
    whole = await served.get("/api/v1/deliveries/1")
    assert whole["delivery"] == json.loads(json.dumps(delivery_json(delivery)))
    assert whole["product"] == "Content Posting"
    assert whole["meanings"]["content.publish_type"] == "direct post"


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ("verdict=invalid", [2]),
        ("status=403", [2]),
        ("event=authorization.*", [3]),
        ("q=spam_risk", [4]),
        ("redeliveries=1", [5]),
        ("publish_id=p1", [4]),
        ("until=1", []),
        ("filter=post.publish.*", [5, 4, 2, 1]),
        ("filter=post.publish.failed+content.reason:spam_*", [4]),
        ("filter=post.publish.*&verdict=invalid", [2]),
        ("filter=key:awexampleclient1&status=403", [2]),
    ],
)
async def test_filters_narrow_the_list(served: Served, filters: str, ids: list[int]) -> None:
    await served.receive()
    await served.receive(verdict=FORGED, status=403)
    await served.receive(b'{"event":"authorization.removed","content":"{\\"reason\\":1}"}')
    content = json.dumps({"publish_id": "p1", "reason": "spam_risk"})
    await served.receive(json.dumps({"event": "post.publish.failed", "content": content}).encode())
    await served.receive()
    page = await served.get(f"/api/v1/deliveries?{filters}")
    assert [row["delivery"]["id"] for row in page["deliveries"]] == ids


@pytest.mark.realtime
@pytest.mark.parametrize("query", ["q=needle", "filter=content.a:needle"])
async def test_a_rare_text_is_found_at_once_and_far_away_a_bit_at_a_time(
    tmp_path: Path, query: str
) -> None:
    path = tmp_path / "history.db"
    async with running(path=path) as served:
        await served.receive(b'{"event":"x","content":"{\\"a\\":\\"needle\\"}"}')
        skip_ids(path, 1_000_000)
        await served.receive()
        page = await served.get(f"/api/v1/deliveries?{query}")
        assert [row["delivery"]["id"] for row in page["deliveries"]] == [1]
        far = skip_ids(path)
        await served.receive()
        began = time.monotonic()
        page = await served.get(f"/api/v1/deliveries?{query}")
        assert time.monotonic() - began < 5
        assert page["deliveries"] == []
        assert 1_000_000 < page["next"] < far


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=x",
        "before=-1",
        "verdict=good",
        "failed=yes",
        "since=nan",
        "filter=user:",
        "filter=post.publish.*+or+x",
    ],
)
async def test_an_unusable_filter_is_one_sentence(served: Served, query: str) -> None:
    reply = await served.ask("GET", f"/api/v1/deliveries?{query}")
    assert reply.status == 400
    assert json.loads(reply.body)["error"].endswith(".")


async def test_a_filter_is_checked_without_being_applied(served: Served) -> None:
    checked = await served.get("/api/v1/filter?filter=post.publish.failled++user:a")
    assert checked["filter"] == "post.publish.failled user:a"
    (doubt,) = checked["doubts"]
    assert doubt["message"] == "post.publish.failled matches no known event."
    assert "post.publish.failed" in doubt["hint"]
    checked = await served.get("/api/v1/filter?filter=content.reason:")
    assert checked["filter"] is None
    assert checked["error"]["message"] == "content.reason: has no value."


async def test_an_export_takes_a_filter(served: Served) -> None:
    await served.receive()
    await served.receive(b'{"event":"authorization.removed","content":"{}"}')
    reply = await served.ask("GET", "/api/v1/export?format=jsonl&filter=authorization.*")
    assert [
        json.loads(line)["id"] for line in reply.body.splitlines() if b'"delivery"' in line
    ] == [2]


async def test_a_request_body_with_an_unknown_field_is_rejected_and_nothing_sent(
    served: Served,
) -> None:
    await served.receive()
    async with running_app() as app:
        request_body = {"target": app.url, "singing": "bad"}
        reply = await served.ask("POST", "/api/v1/deliveries/1/replay", body=request_body)
    assert reply.status == 400
    assert "'singing'" in json.loads(reply.body)["error"]
    assert not app.requests


async def test_an_unknown_delivery_is_a_404(served: Served) -> None:
    assert (await served.ask("GET", "/api/v1/deliveries/7")).status == 404


async def test_a_19_digit_number_keeps_its_digits(served: Served) -> None:
    await served.receive(
        b'{"event":"x","content":"{\\"post_id\\":7545201234567890123,\\"f\\":1.10}"}'
    )
    reply = await served.ask("GET", "/api/v1/deliveries/1")
    assert b'"post_id":7545201234567890123,"f":1.10' in reply.body


async def test_an_edited_replay_reaches_the_app_with_a_valid_signature(
    served: Served,
) -> None:
    await served.receive()
    async with running_app() as app:
        request_body = {"target": app.url, "set": ["content.publish_id=v_edited"]}
        answer = await served.post("/api/v1/deliveries/1/replay", request_body)
    head, _, body = app.requests[0].partition(b"\r\n\r\n")
    header = next(
        line.partition(b": ")[2].decode()
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"tiktok-signature:")
    )
    now = float(header[2:].partition(",")[0])
    assert signature.check(header, body, SECRET, now=now).state is State.VALID
    assert b'\\"publish_id\\":\\"v_edited\\"' in body
    assert answer["attempt"]["status"] == 200
    assert answer["attempt"]["replay"]
    assert [
        attempt["id"] for attempt in (await served.get("/api/v1/deliveries/1"))["attempts"]
    ] == ["1.1"]
    assert served.published


@pytest.mark.parametrize(
    ("signing", "state"),
    [
        ("fresh", State.VALID),
        ("age", State.STALE),
        ("bad", State.INVALID),
        ("none", State.MISSING),
        ("as-is", State.VALID),
    ],
)
async def test_a_replay_is_signed_as_asked(served: Served, signing: str, state: State) -> None:
    delivery = await served.receive()
    request_body = {"target": "3999", "signing": signing, "dry_run": True}
    request = (await served.post("/api/v1/deliveries/1/replay", request_body))["request"]
    headers = dict(request["headers"])
    found = signature.check(
        headers.get("Tiktok-Signature"), BODY, SECRET, now=delivery.received_at + 1
    )
    assert found.state is state
    assert served.published == []


@pytest.mark.parametrize(
    "request_body",
    [
        {},
        {"target": 3},
        {"target": "3999", "set": "x"},
        {"target": "3999", "set": ["no-such-path=1"]},
        {"target": "3999", "signing": "twice"},
        {"target": "3999", "signing": "age", "age_seconds": "old"},
        {"target": "3999", "headers": ["X: 1\r\nY: 2"]},
        {"target": "3999", "method": "NOT A METHOD"},
        {"target": "3999", "dry_run": 1},
        [],
        b"{",
    ],
    ids=str,
)
async def test_the_error_for_an_unusable_request_body_is_one_sentence(
    served: Served, request_body: object
) -> None:
    await served.receive()
    reply = await served.ask("POST", "/api/v1/deliveries/1/replay", body=request_body)
    assert reply.status == 400
    assert json.loads(reply.body)["error"]
    assert served.published == []


async def test_a_sample_is_sent_signed_to_the_receiver(served: Served) -> None:
    async with running_app() as app:
        app.answer = http(200)
        served.status = replace(served.status, local_url=app.url)
        answer = await served.post("/api/v1/samples/authorization.removed", {})
    assert answer == {"status": 200, "error": None}
    assert b"Tiktok-Hook-Source: trigger" in app.requests[0]


async def test_an_unknown_sample_names_the_nearest(served: Served) -> None:
    reply = await served.ask("POST", "/api/v1/samples/authorisation.removed", body={})
    assert reply.status == 400
    assert "authorization.removed" in json.loads(reply.body)["hint"]


async def test_clearing_empties_the_history(served: Served) -> None:
    await served.receive()
    reply = await served.ask("DELETE", "/api/v1/deliveries")
    assert json.loads(reply.body) == {"removed": 1}
    assert (await served.get("/api/v1/deliveries"))["deliveries"] == []


@pytest.mark.parametrize(
    "query", ["event=post.publish.*", "filter=content.publish_id:v_*", "q=publish.complete"]
)
async def test_what_is_counted_can_be_deleted_and_no_more(served: Served, query: str) -> None:
    for body in (BODY, events.sample("authorization.removed"), BODY):
        await served.receive(body)
    counted = await served.get(f"/api/v1/count?{query}")
    assert counted == {"matching": 2, "newest": 3}
    await served.receive()
    reply = await served.ask("DELETE", f"/api/v1/deliveries?{query}&up_to={counted['newest']}")
    assert json.loads(reply.body) == {"removed": 2}
    left = (await served.get("/api/v1/deliveries"))["deliveries"]
    assert [each["delivery"]["id"] for each in left] == [4, 2]


@pytest.mark.parametrize("form", ["jsonl", "har", "curl", "pytest"])
async def test_an_export_is_a_download(served: Served, form: str) -> None:
    await served.receive()
    reply = await served.ask("GET", f"/api/v1/export?format={form}&ids=1")
    assert reply.status == 200
    assert (reply.header("Content-Disposition") or "").startswith("attachment; filename=")
    assert b"publish.complete" in reply.body or form == "curl"


async def test_the_timeline_counts_by_verdict(served: Served) -> None:
    await served.receive()
    await served.receive(verdict=FORGED)
    found = await served.get("/api/v1/timeline?buckets=3")
    totals: dict[str, int] = {}
    for bucket in found["buckets"]:
        for state, count in bucket["verdicts"].items():
            totals[state] = totals.get(state, 0) + count
    assert len(found["buckets"]) == 3
    assert totals == {"valid": 1, "invalid": 1}


async def stream(served: Served, *headers: tuple[str, str]) -> asyncio.StreamReader:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    lines = ["GET /api/v1/stream HTTP/1.1", f"Host: 127.0.0.1:{served.port}"]
    lines += ["Authorization: Bearer a-token-of-this-test"]
    lines += [f"{name}: {value}" for name, value in headers]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    served.writers.append(writer)
    await asyncio.wait_for(reader.readuntil(b"retry: 1000\n\n"), DEADLINE)
    return reader


async def event(reader: asyncio.StreamReader, name: str) -> bytes:
    async with asyncio.timeout(DEADLINE):
        while True:
            text = await reader.readuntil(b"\n\n")
            if f"event: {name}\n".encode() in text:
                return text


async def test_the_stream_has_deliveries_and_attempts(served: Served) -> None:
    reader = await stream(served)
    await served.receive()
    text = await event(reader, "delivery")
    assert b"id: 1\n" in text
    async with running_app() as app:
        await served.post("/api/v1/deliveries/1/replay", {"target": app.url})
        assert b'"id":"1.1"' in await event(reader, "attempt")


async def test_the_stream_resumes_after_the_last_event(served: Served) -> None:
    for _ in range(3):
        await served.receive()
    reader = await stream(served, ("Last-Event-ID", "1"))
    assert b"id: 2\n" in await event(reader, "delivery")
    assert b"id: 3\n" in await event(reader, "delivery")


async def test_the_stream_has_what_another_process_wrote(served: Served) -> None:
    reader = await stream(served)
    delivery = await served.receive()
    await event(reader, "delivery")
    await served.store.add(delivery)  # stored without publishing, as another process does
    assert b"id: 2\n" in await event(reader, "delivery")


async def test_the_document_names_every_route_and_no_other(served: Served) -> None:
    from tiktok_hook.inspector import Inspector, InspectorContext

    parts = InspectorContext(
        history=served.store.history(),
        store=served.store,
        forwarder=served.forwarder,
        secrets=(),
        status=lambda: served.status,
        publish=lambda _: None,
    )
    app = Inspector(parts, InspectorPageOptions(), feed=served.feed, token=lambda: "t").app
    routes = {
        (route.method.lower(), str(route.resource.canonical))
        for route in app.router.routes()
        if route.resource is not None
        and route.method != "HEAD"
        and route.resource.canonical.startswith("/api/v1")
    }
    document = openapi.document()
    described = {(method, path) for path, item in document["paths"].items() for method in item}
    assert described == routes
    assert (await served.get("/api/v1/openapi.json")) == document


async def test_a_sample_may_be_edited_and_wrongly_signed(served: Served) -> None:
    async with running_app() as app:
        served.status = replace(served.status, local_url=app.url)
        path = "/api/v1/samples/post.publish.failed"
        dry = await served.post(path, {"set": ["content.reason=spam_risk"], "dry_run": True})
        assert "spam_risk" in dry["body"]
        body = dry["body"].replace("spam_risk", "internal")
        for signing in ("fresh", "age", "bad", "none"):
            await served.post(path, {"body": body, "signing": signing})
    found = []
    for request in app.requests:
        head, _, sent = request.partition(b"\r\n\r\n")
        assert sent == body.encode()
        header = re.search(rb"(?i)\r\ntiktok-signature: *([^\r]+)", head)
        given = None if header is None else header[1].decode()
        found.append(signature.check(given, sent, SECRET, now=time.time()).state)
    assert found == [State.VALID, State.STALE, State.INVALID, State.MISSING]


async def test_a_scenario_sends_its_events_in_order(served: Served) -> None:
    names = {each["name"] for each in (await served.get("/api/v1/samples"))["scenarios"]}
    assert "publish" in names
    async with running_app() as app:
        app.answer = http(200)
        served.status = replace(served.status, local_url=app.url)
        found = await served.post("/api/v1/scenarios/publish", {})
    assert [each["status"] for each in found["sent"]] == [200, 200]
    assert b"publish.complete" in app.requests[0]
    assert b"publicly_available" in app.requests[1]


async def test_the_count_is_of_what_matches(served: Served) -> None:
    await served.receive()
    await served.receive(verdict=FORGED, status=403)
    assert await served.get("/api/v1/count") == {"matching": 2, "newest": 2}
    found = await served.get("/api/v1/count?verdict=invalid&verdict=missing")
    assert found == {"matching": 1, "newest": 2}


async def test_without_bounds_the_timeline_is_as_long_as_its_data(served: Served) -> None:
    now = time.time()
    await served.receive(received_at=now - 90)
    await served.receive(received_at=now - 3 * 86_400)
    found = await served.get("/api/v1/timeline")
    assert found["since"] == pytest.approx(now - 90, abs=0.01)
    assert found["until"] == pytest.approx(now, abs=30)


async def test_a_delivery_that_does_not_exist_is_named(served: Served) -> None:
    reply = await served.ask("GET", "/api/v1/deliveries/99999")
    assert reply.status == 404
    assert json.loads(reply.body) == {"error": "There is no delivery 99999.", "hint": ""}


async def test_a_curl_command_goes_where_a_replay_goes() -> None:
    receiver, app = "http://127.0.0.1:3999", "http://127.0.0.1:3123/hook"
    async with running(local_url=receiver, targets=(app,)) as served:
        delivery = await served.receive()
        reply = await served.ask("GET", f"/api/v1/deliveries/{delivery.id}/curl")
        missing = await served.ask("GET", "/api/v1/deliveries/99/curl")
        served.status = replace(served.status, targets=())
        without_target = await served.ask("GET", f"/api/v1/deliveries/{delivery.id}/curl")
    command = reply.body.decode()
    assert (reply.status, missing.status, without_target.status) == (200, 404, 200)
    assert command.startswith("curl -X 'POST' \\\n  'http://127.0.0.1:3123/hook")
    assert command.count("curl") == 1
    assert "Tiktok-Signature: t=" in command
    assert SECRET not in command
    assert "'http://127.0.0.1:3000/" in without_target.body.decode()
