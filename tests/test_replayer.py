"""Replays: what they send, how they are signed, what is recorded."""

import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.apps import free_port, http, running_app
from tiktok_hook import signature
from tiktok_hook.delivery import FORWARDED_HEADER, Attempt, BodyState, Delivery, Source
from tiktok_hook.edits import EditError
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import Forwarder, ForwardRequest
from tiktok_hook.replayer import (
    REPLAY_OF_HEADER,
    Mode,
    NoSecretError,
    NoTargetError,
    OwnAddresses,
    PreparedReplay,
    Replayer,
    ReplayOptions,
    ReplayTargets,
    Signing,
    newest_received,
    prepare,
    recorded_target,
)
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store import Filter, QueueEntry, Store, open_store

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
    return made.replace(**changes)


def prepared(**given: object) -> PreparedReplay:
    settings: dict[str, object] = {"secrets": [SECRET], "now": NOW, **given}
    direct = {
        name: settings.pop(name) for name in ("secrets", "now", "whole_target") if name in settings
    }
    target = settings.pop("target", "http://app:1")
    of = settings.pop("of", delivery())
    return prepare(of, target, ReplayOptions(**settings), **direct)  # type: ignore[arg-type]  # a table's options


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
def test_a_correct_check_gives_the_expected_verdict_for_each_way_of_signing(
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


def test_the_secret_that_signed_a_delivery_signs_its_replay() -> None:
    assert judged(prepared(secrets=[OTHER, SECRET]).request) is State.VALID
    # The recorded number counts the secrets of another process.
    for number in (1, 3):
        of = delivery(verdict=Verdict(State.VALID, secret=number))
        assert judged(prepared(of=of, secrets=[OTHER, SECRET]).request) is State.VALID


def test_without_a_match_the_first_secret_signs() -> None:
    of = delivery(headers=(("tiktok-signature", "t=1,s=" + "0" * 64),))
    assert judged(prepared(of=of, secrets=[SECRET, OTHER]).request) is State.VALID


def test_without_a_secret_only_some_ways_are_open() -> None:
    for mode in (Mode.FRESH, Mode.AGED, Mode.BAD):
        with pytest.raises(NoSecretError, match="no client secret") as caught:
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


@pytest.mark.parametrize(
    ("given", "variant", "rejected"),
    [
        ({}, "", False),
        ({"sets": ["event=x"]}, "edited", False),
        ({"body": BODY}, "", False),
        ({"body": b"{}"}, "edited", False),
        ({"headers": [("X", "1")]}, "edited", False),
        ({"method": "PUT"}, "edited", False),
        ({"path": "/other"}, "edited", False),
        ({"signing": Signing(Mode.BAD)}, "wrong signature", True),
        ({"signing": Signing(Mode.NONE)}, "no signature", True),
        ({"signing": Signing(Mode.AGED, 600)}, "10 min old", True),
        ({"signing": Signing(Mode.AGED, -7200)}, "2 h in the future", True),
        ({"signing": Signing(Mode.AGED, 60)}, "60 s old", False),
        ({"signing": Signing(Mode.AS_IS)}, "original signature", False),
        ({"sets": ["event=x"], "signing": Signing(Mode.BAD)}, "edited, wrong signature", True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_attempt_records_how_it_was_made(
    given: dict[str, object],
    variant: str,
    rejected: bool,  # noqa: FBT001 - a table's column
) -> None:
    made = prepared(**given)
    assert (made.variant, made.expects_rejection) == (variant, rejected)


def test_the_id_of_the_original_is_sent_only_on_request() -> None:
    assert header(prepared().request, REPLAY_OF_HEADER) is None
    assert header(prepared(with_id=True).request, REPLAY_OF_HEADER) == "12"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body": b"", "body_state": BodyState.MISSING, "body_bytes": 147}, "147 bytes were sent"),
        ({"body": b"", "body_state": BodyState.MISSING}, "does not contain its body."),
        ({"body_bytes": 20_000}, "of 20000 bytes of its body are stored"),
    ],
    ids=["missing", "missing-of-unknown-length", "cut"],
)
def test_an_incomplete_body_is_not_replayed(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match="cannot be replayed") as caught:
        prepared(of=delivery(**changes))
    assert message in str(caught.value)
    assert "--edit" in caught.value.hint
    assert prepared(of=delivery(**changes), body=b"{}").request.body == b"{}"


def test_a_decompressed_body_is_sent_without_its_content_encoding() -> None:
    of = delivery(
        headers=(("Content-Encoding", "gzip"), ("X", "1")), body_state=BodyState.DECOMPRESSED
    )
    assert header(prepared(of=of).request, "content-encoding") is None


# Sending and recording.


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "history.db") as opened:
        yield opened


@pytest.fixture
async def replayer(store: Store) -> AsyncIterator[Replayer]:
    async with Forwarder() as forwarder:
        yield Replayer(store, forwarder, [SECRET])


async def test_a_replay_is_recorded_as_one(store: Store, replayer: Replayer) -> None:
    stored = await store.add(delivery(id=0))
    async with running_app(http(200, b"thanks")) as app:
        options = ReplayOptions(to=app.url, sets=["event=post.publish.failed"])
        made = await replayer.prepare(stored, options)
        done = await replayer.send(made)
    assert app.bodies == [made.request.body]
    assert store.history().attempts(stored.id) == [done]
    assert (done.number, done.replay, done.resigned, done.status) == (1, True, True, 200)
    assert (done.target, done.body, done.hint) == (f"{app.url}/hook?a=%20", b"thanks", "")
    assert (done.request_body, done.variant) == (made.request.body, "edited")
    assert done.ended


async def test_a_replay_is_recorded_before_its_bytes_leave(
    store: Store, replayer: Replayer
) -> None:
    stored = await store.add(delivery(id=0))
    seen: list[list[Attempt]] = []

    async def look(_: object, writer: object) -> None:
        seen.append(store.history().attempts(stored.id))

    async with running_app(look) as app:
        made = await replayer.prepare(stored, ReplayOptions(to=app.url))
        done = await replayer.send(made)
    assert [attempt.ended for attempt in seen[0]] == [False]
    assert (done.error, done.status) == ("reset", None)
    assert store.history().attempts(stored.id) == [done]


@pytest.mark.parametrize(
    ("signing", "status", "words", "failed"),
    [
        (Signing(), 403, "rejects a delivery whose signature is valid", True),
        (Signing(Mode.BAD), 403, "correctly rejected", False),
        (Signing(Mode.BAD), 500, "failed while handling", True),
        (Signing(Mode.BAD), 200, "does not verify", True),
        (Signing(Mode.NONE), 200, "does not verify", True),
        (Signing(Mode.AGED, 600), 401, "signature is valid but old", False),
        (Signing(Mode.AGED, 600), 200, "accepted an old signature", True),
        (Signing(Mode.AGED, 60), 200, "", False),
        (Signing(), 204, "not 200", True),
    ],
    ids=lambda value: str(getattr(value, "mode", value)).replace(" ", "-"),
)
async def test_an_answer_is_judged_by_what_was_sent(
    store: Store,
    replayer: Replayer,
    signing: Signing,
    status: int,
    words: str,
    failed: bool,  # noqa: FBT001 - a table's column
) -> None:
    stored = await store.add(delivery(id=0))
    async with running_app(http(status)) as app:
        options = ReplayOptions(to=app.url, signing=signing)
        done = await replayer.send(await replayer.prepare(stored, options))
    assert words in done.hint
    assert bool(words) == bool(done.hint)
    assert done.failed is failed


async def test_a_replay_that_should_be_rejected_leaves_the_delivery_failed_or_not(
    store: Store, replayer: Replayer
) -> None:
    for first in (500, 200):
        stored = await store.add(delivery(id=0))
        for status, signing in ((first, Signing()), (403, Signing(Mode.BAD))):
            async with running_app(http(status)) as app:
                options = ReplayOptions(to=app.url, signing=signing)
                await replayer.send(await replayer.prepare(stored, options))
    await store.flush()
    assert [each.id for each in store.history().walk(Filter(failed=True))] == [1]


WAITED_FOR = "http://localhost:1"


async def test_a_pending_delivery_leaves_the_queue_once_the_app_has_answered(
    store: Store, replayer: Replayer
) -> None:
    stored = await store.add(delivery(id=0), queues=[QueueEntry("hold", WAITED_FOR)])
    history = store.history()
    async with running_app(http(500)) as app:
        made = await replayer.prepare(stored, ReplayOptions(to=app.url))
        await replayer.send(made)
        await store.flush()
        assert history.queues_of(stored.id)
        url = f"http://localhost:{free_port()}/"
        nowhere = replace(made, request=replace(made.request, url=url))
        await replayer.send(nowhere, dequeue=[WAITED_FOR])
        await store.flush()
        assert history.queues_of(stored.id)
        await replayer.send(made, dequeue=[WAITED_FOR])
        await store.flush()
    assert history.queues_of(stored.id) == []


async def test_the_recorded_target_is_where_it_first_went(store: Store) -> None:
    stored = await store.add(delivery(id=0))
    history = store.history()
    assert recorded_target(history, stored) is None
    for number, again in enumerate([True, False, True]):
        await store.begin_attempt(
            Attempt(
                delivery_id=stored.id, started_at=NOW, target=f"http://a/{number}", replay=again
            )
        )
        assert recorded_target(history, stored) == f"http://a/{min(number, 1)}"


# Which target.


async def attempted(store: Store, target: str, **changes: object) -> Delivery:
    """A stored delivery with one attempt."""
    stored = await store.add(delivery(id=0, **changes))
    await store.begin_attempt(Attempt(delivery_id=stored.id, started_at=NOW, target=target))
    return stored


NONE = ReplayTargets()


async def url_of(
    store: Store, of: Delivery, targets: ReplayTargets = NONE, to: str | None = None
) -> str:
    async with Forwarder() as forwarder:
        replayer = Replayer(store, forwarder, [SECRET], lambda: targets)
        return (await replayer.prepare(of, ReplayOptions(to=to))).request.url


async def test_the_target_is_the_named_the_recorded_the_listeners_or_the_settings(
    store: Store,
) -> None:
    known = ReplayTargets(listener="http://listener:1", setting="http://setting:1")
    sent = await attempted(store, "http://recorded:1/whole")
    unsent = await store.add(delivery(id=0))
    assert await url_of(store, sent, known, to="http://named:1") == "http://named:1/hook?a=%20"
    assert await url_of(store, sent, known) == "http://recorded:1/whole"
    assert await url_of(store, unsent, known) == "http://listener:1/hook?a=%20"
    only_setting = ReplayTargets(setting="3000")
    assert await url_of(store, unsent, only_setting) == "http://localhost:3000/hook?a=%20"
    with pytest.raises(NoTargetError) as caught:
        await url_of(store, unsent)
    assert caught.value.hint


async def test_the_target_that_it_waits_for_goes_before_the_recorded(store: Store) -> None:
    waiting = await store.add(delivery(id=0), queues=[QueueEntry("hold", WAITED_FOR)])
    assert await url_of(store, waiting) == f"{WAITED_FOR}/hook?a=%20"


async def test_an_imported_delivery_never_goes_to_a_recorded_target(store: Store) -> None:
    imported = await attempted(store, "http://attacker:1/collect", source=Source.IMPORT)
    assert recorded_target(store.history(), imported) is None
    with pytest.raises(NoTargetError, match="was imported"):
        await url_of(store, imported)
    known = ReplayTargets(listener="http://listener:1")
    assert await url_of(store, imported, known) == "http://listener:1/hook?a=%20"


async def test_the_newest_received_is_neither_imported_nor_rejected(store: Store) -> None:
    assert newest_received(store.history()) is None
    accepted = await store.add(delivery(id=0))
    trigger = await store.add(delivery(id=0, source=Source.TRIGGER))
    await store.add(delivery(id=0, verdict=Verdict(State.INVALID), status=403))
    await store.add(delivery(id=0, source=Source.IMPORT, verdict=Verdict(State.UNCHECKED)))
    assert newest_received(store.history()) == trigger
    assert accepted.id < trigger.id


OWN = ReplayTargets(
    own=[
        OwnAddresses(receiver_port=5001, inspector_port=5002, callback_url="https://me.ngrok.app/")
    ]
)


@pytest.mark.parametrize(
    "to",
    [
        "5001",
        "http://localhost:5001/a",
        "http://127.0.0.1:5001",
        "http://127.1:5001",
        "http://0:5001",
        "http://0.0.0.0:5001",
        "http://2130706433:5001",
        "http://0x7f000001:5001",
        "http://0x7f.1:5001",
        "http://0177.0.0.1:5001",
        "http://127.9.8.7:5001",
        "http://[::1]:5001",
        "http://[::]:5001",
        "http://[0:0:0:0:0:0:0:1]:5001",
        "http://[::ffff:127.0.0.1]:5001",
        "http://[::ffff:7f00:1]:5001",
        "http://[::127.0.0.1]:5001",
        "http://[64:ff9b::127.0.0.1]:5001",
        "http://localhost.:5001",
        "http://LOCALHOST:5001",
        "http://a.localhost:5001",
        "http://\uff11\uff12\uff17.0.0.1:5001",
        "5002",
        "http://127.1:5002",
        "https://me.ngrok.app",
        "https://ME.ngrok.app:443/x",
    ],
)
async def test_a_replay_never_goes_to_a_listener_of_ours(store: Store, to: str) -> None:
    stored = await store.add(delivery(id=0))
    with pytest.raises(UsageError, match=r"own|Callback URL"):
        await url_of(store, stored, OWN, to=to)


async def test_a_listener_is_recognised_behind_a_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _, *given, **named: real("127.0.0.1", *given, **named)
    )
    stored = await store.add(delivery(id=0))
    with pytest.raises(UsageError, match="own receiver"):
        await url_of(store, stored, OWN, to="http://looked-up.example:5001")


@pytest.mark.parametrize("to", ["5003", "http://192.0.2.1:5001", "http://[2001:db8::1]:5002"])
async def test_other_addresses_are_not_a_loop(store: Store, to: str) -> None:
    stored = await store.add(delivery(id=0))
    assert await url_of(store, stored, OWN, to=to)


# Several.


async def test_several_go_out_in_order_and_no_faster_than_asked(
    store: Store, replayer: Replayer
) -> None:
    several = [await store.add(delivery(id=0, body=b"%d" % number)) for number in (3, 1, 2)]
    signed_at: list[float] = []

    async def replays(to: str) -> AsyncIterator[PreparedReplay]:
        for each in several:
            signed_at.append(time.monotonic())
            yield await replayer.prepare(each, ReplayOptions(to=to))

    async with running_app() as app:
        attempts = [each async for each in replayer.send_all(replays(app.url), rate=20)]
    assert app.bodies == [b"3", b"1", b"2"]
    assert [attempt.delivery_id for attempt in attempts] == [1, 2, 3]
    # Each is prepared, and so signed, right before it is sent.
    assert signed_at[1] - signed_at[0] >= 0.05
    assert signed_at[2] - signed_at[0] >= 0.1


async def test_one_that_fails_does_not_keep_the_next_from_going(
    store: Store, replayer: Replayer
) -> None:
    stored = await store.add(delivery(id=0))
    unreachable = ReplayOptions(to=f"http://127.0.0.1:{free_port()}")

    async def replays() -> AsyncIterator[PreparedReplay]:
        for _ in range(2):
            yield await replayer.prepare(stored, unreachable)

    errors = [each.error async for each in replayer.send_all(replays())]
    assert errors == ["refused", "refused"]
