"""Replays: what they send, how they are signed, what is recorded."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.apps import free_port, http, running_app
from tiktok_hook import signature
from tiktok_hook.delivery import FORWARDED_HEADER, Attempt, Delivery
from tiktok_hook.edits import EditError
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import Forwarder, ForwardRequest
from tiktok_hook.replayer import (
    Mode,
    Prepared,
    Signing,
    prepare,
    recorded_target,
    replay,
    replay_all,
)
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store import QueueEntry, Store, open_store

SECRET, OTHER = "example-secret", "other-secret"
NOW = 1_800_000_000.0
BODY = (
    b'{"client_key":"k","event":"post.publish.complete","create_time":1615338610,'
    b'"user_openid":"u","content":"{\\"publish_id\\":\\"v_pub~1\\",  \\"n\\":7200000000000000001}"}'
)
SIGNED = signature.sign(BODY, SECRET, timestamp=int(NOW) - 1000)


def delivery(**changes: object) -> Delivery:
    made = Delivery(
        id=12,
        received_at=NOW - 1000,
        path="/hook",
        query="a=%20",
        headers=(("Host", "me.app"), ("tiktok-signature", SIGNED), ("X-Two", "2")),
        body=BODY,
        verdict=Verdict(State.VALID, secret=1),
    )
    return made.stored(**changes)


def prepared(**options: object) -> Prepared:
    settings: dict[str, object] = {"secrets": [SECRET], "now": NOW, **options}
    target = settings.pop("target", "http://app:1")
    return prepare(settings.pop("of", delivery()), target, **settings)  # type: ignore[arg-type]  # a table's options


def header(request: ForwardRequest, name: str = signature.HEADER) -> str | None:
    found = [value for key, value in request.headers if key.lower() == name.lower()]
    assert len(found) < 2
    return found[0] if found else None


def judged(request: ForwardRequest, secret: str = SECRET) -> State:
    return signature.check(header(request), request.body, secret, now=NOW).state


def test_a_replay_sends_the_stored_bytes_with_a_fresh_signature() -> None:
    made = prepared()
    assert made.request == ForwardRequest(
        "POST",
        "http://app:1/hook?a=%20",
        (
            ("Host", "app:1"),
            ("tiktok-signature", signature.sign(BODY, SECRET, timestamp=int(NOW))),
            ("X-Two", "2"),
            ("Content-Length", str(len(BODY))),
            (FORWARDED_HEADER, "1"),
        ),
        BODY,
    )
    assert (made.resigned, made.verdict) == (True, State.VALID)


@pytest.mark.parametrize(
    ("signing", "state", "resigned"),
    [
        (Signing(), State.VALID, True),
        (Signing(Mode.AGED, 299), State.VALID, True),
        (Signing(Mode.AGED, 600), State.STALE, True),
        (Signing(Mode.AGED, -600), State.STALE, True),
        (Signing(Mode.AS_IS), State.STALE, False),
        (Signing(Mode.BAD), State.INVALID, True),
        (Signing(Mode.NONE), State.MISSING, False),
    ],
    ids=["fresh", "aged-a-little", "aged", "future", "as-is", "bad", "none"],
)
@pytest.mark.parametrize("sets", [(), ("content.publish_id=x",)], ids=["unchanged", "edited"])
def test_each_way_of_signing_is_what_a_right_check_says(
    signing: Signing,
    state: State,
    resigned: bool,  # noqa: FBT001 - a table's column
    sets: tuple[str, ...],
) -> None:
    if sets and signing.mode is Mode.AS_IS:
        state = State.INVALID  # the stored signature is of other bytes
    made = prepared(signing=signing, sets=sets)
    assert judged(made.request) is state
    assert (made.verdict, made.resigned) == (state, resigned)
    if signing.mode is Mode.AS_IS:
        assert header(made.request) == SIGNED


def test_the_secret_that_matched_signs_again() -> None:
    of = delivery(verdict=Verdict(State.VALID, secret=2))
    assert judged(prepared(of=of, secrets=[OTHER, SECRET]).request) is State.VALID
    unknown = delivery(verdict=Verdict(State.VALID, secret=3))
    assert judged(prepared(of=unknown, secrets=[SECRET]).request) is State.VALID


def test_without_a_secret_only_some_ways_are_open() -> None:
    for mode in (Mode.FRESH, Mode.AGED, Mode.BAD):
        with pytest.raises(UsageError, match="no client secret") as caught:
            prepared(secrets=[], signing=Signing(mode))
        assert "--as-is" in caught.value.hint
    as_is = prepared(secrets=[], signing=Signing(Mode.AS_IS))
    assert (header(as_is.request), as_is.verdict) == (SIGNED, None)
    assert prepared(secrets=[], signing=Signing(Mode.NONE)).verdict is State.MISSING


def test_edits_are_signed_as_they_are_sent() -> None:
    made = prepared(sets=["content.publish_id=v_pub~2", 'user_openid="é"'], unsets=["client_key"])
    body = json.loads(made.request.body)
    assert "client_key" not in body
    assert body["user_openid"] == "é"
    assert json.loads(body["content"]) == {"publish_id": "v_pub~2", "n": 7200000000000000001}
    assert judged(made.request) is State.VALID
    assert header(made.request, "content-length") == str(len(made.request.body))


def test_a_whole_new_body_takes_the_edits_too() -> None:
    made = prepared(body=b'{"event":"a"}', sets=["event=b"])
    assert made.request.body == b'{"event":"b"}'
    assert prepared(body=b"not json").request.body == b"not json"


def test_headers_are_replaced_or_added() -> None:
    made = prepared(headers=[("x-two", "3"), ("X-New", "1"), (signature.HEADER, "t=1,s=0")])
    assert ("X-Two", "3") in made.request.headers
    assert ("X-New", "1") in made.request.headers
    assert header(made.request) == "t=1,s=0"


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "http://app:1/hook?a=%20"),
        ({"path": "/other"}, "http://app:1/other"),
        ({"path": "/o//%2f?b=+"}, "http://app:1/o//%2f?b=+"),
        ({"path": "/"}, "http://app:1/"),
        ({"target": "http://app:1/base", "path": "/o"}, "http://app:1/base/o"),
        ({"target": "http://app:1/base/hook?a=%20", "whole_target": True}, None),
        ({"target": "http://app:1/x?y", "whole_target": True, "path": "/o"}, "http://app:1/o"),
    ],
)
def test_where_it_goes(options: dict[str, object], url: str | None) -> None:
    assert prepared(**options).request.url == (url or options["target"])


def test_the_method_can_be_another() -> None:
    assert prepared(method="put").request.method == "PUT"


@pytest.mark.parametrize(
    "options",
    [
        {"method": "GET /"},
        {"method": "É"},
        {"path": "other"},
        {"path": "/a b"},
        {"path": "/a\r\nX: 1"},
        {"path": "/#a"},
        {"path": "/ü"},
        {"path": ""},
    ],
)
def test_what_cannot_be_sent_is_a_usage_error(options: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        prepared(**options)
    assert caught.value.hint


def test_an_edit_that_does_not_fit_is_an_error_and_not_silence() -> None:
    with pytest.raises(EditError) as caught:
        prepared(sets=["content.publishid=x"])
    assert "content.publish_id" in caught.value.hint


# Sending and recording.


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "history.db") as opened:
        yield opened


@pytest.fixture
async def forwarder() -> AsyncIterator[Forwarder]:
    async with Forwarder() as made:
        yield made


async def test_a_replay_is_recorded_as_one(store: Store, forwarder: Forwarder) -> None:
    stored = await store.add(delivery(id=0))
    async with running_app(http(200, b"thanks")) as app:
        made = prepare(
            stored, app.url, secrets=[SECRET], sets=["event=post.publish.failed"], now=time.time()
        )
        done = await replay(stored, made, forwarder=forwarder, store=store)
    assert app.bodies == [made.request.body]
    assert store.history().attempts(stored.id) == [done]
    assert (done.number, done.replay, done.resigned, done.status) == (1, True, True, 200)
    assert (done.target, done.body, done.hint) == (f"{app.url}/hook?a=%20", b"thanks", "")
    assert done.request_body == made.request.body
    assert done.ended


async def test_a_replay_is_on_record_before_its_bytes_leave(
    store: Store, forwarder: Forwarder
) -> None:
    stored = await store.add(delivery(id=0))
    seen: list[list[Attempt]] = []

    async def look(_: object, writer: object) -> None:
        seen.append(store.history().attempts(stored.id))

    async with running_app(look) as app:
        made = prepare(stored, app.url, secrets=[SECRET], now=time.time())
        done = await replay(stored, made, forwarder=forwarder, store=store)
    assert [attempt.ended for attempt in seen[0]] == [False]
    assert (done.error, done.status) == ("reset", None)
    assert store.history().attempts(stored.id) == [done]


async def test_a_replay_needs_no_store(forwarder: Forwarder) -> None:
    of = delivery()
    made = prepare(of, f"http://localhost:{free_port()}", secrets=[SECRET], now=NOW)
    done = await replay(of, made, forwarder=forwarder)
    assert (done.delivery_id, done.error, done.request_body) == (12, "refused", None)
    assert "Nothing listens" in done.hint


@pytest.mark.parametrize(
    ("mode", "status", "words"),
    [
        (Mode.FRESH, 403, "refuses a good signature"),
        (Mode.BAD, 403, "rightly refused"),
        (Mode.BAD, 200, "does not verify"),
        (Mode.NONE, 200, "does not verify"),
        (Mode.FRESH, 204, "not 200"),
    ],
)
async def test_the_hint_knows_what_was_sent(
    forwarder: Forwarder, mode: Mode, status: int, words: str
) -> None:
    async with running_app(http(status)) as app:
        made = prepare(delivery(), app.url, secrets=[SECRET], signing=Signing(mode), now=NOW)
        assert words in (await replay(delivery(), made, forwarder=forwarder)).hint


WAITED_FOR = "http://localhost:1"


async def test_a_pending_delivery_leaves_the_queue_once_the_app_had_it(
    store: Store, forwarder: Forwarder
) -> None:
    stored = await store.add(delivery(id=0), queues=[QueueEntry("hold", WAITED_FOR)])
    history = store.history()
    async with running_app(http(500)) as app:
        made = prepare(stored, app.url, secrets=[SECRET], now=time.time())
        await replay(stored, made, forwarder=forwarder, store=store)
        await store.flush()
        assert history.queues_of(stored.id)
        nowhere = replace(
            made, request=replace(made.request, url=f"http://localhost:{free_port()}/")
        )
        await replay(stored, nowhere, forwarder=forwarder, store=store, dequeue=[WAITED_FOR])
        await store.flush()
        assert history.queues_of(stored.id)
        await replay(stored, made, forwarder=forwarder, store=store, dequeue=[WAITED_FOR])
        await store.flush()
    assert history.queues_of(stored.id) == []


async def test_the_recorded_target_is_where_it_first_went(store: Store) -> None:
    stored = await store.add(delivery(id=0))
    history = store.history()
    assert recorded_target(history, stored.id) is None
    for number, again in enumerate([True, False, True]):
        await store.begin_attempt(
            Attempt(
                delivery_id=stored.id, started_at=NOW, target=f"http://a/{number}", replay=again
            )
        )
        assert recorded_target(history, stored.id) == f"http://a/{min(number, 1)}"


async def test_several_go_out_in_order_no_faster_than_asked() -> None:
    several = [delivery(id=number, body=b"%d" % number) for number in (3, 1, 2)]
    async with running_app() as app, Forwarder() as forwarder:
        started = time.monotonic()
        attempts = [
            attempt
            async for attempt in replay_all(
                several,
                lambda each: prepared(of=each, target=app.url),
                forwarder=forwarder,
                rate=20,
            )
        ]
        took = time.monotonic() - started
    assert app.bodies == [b"3", b"1", b"2"]
    assert [attempt.delivery_id for attempt in attempts] == [3, 1, 2]
    assert took >= 0.1


async def test_one_that_fails_does_not_keep_the_next_from_going() -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    async with Forwarder() as forwarder:
        made = replay_all(
            [delivery(), delivery()],
            lambda each: prepared(of=each, target=nobody),
            forwarder=forwarder,
        )
        assert [attempt.error async for attempt in made] == ["refused", "refused"]
