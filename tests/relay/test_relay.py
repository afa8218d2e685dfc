"""The ack modes, the queue and its crashes: real store, real apps, real processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.apps import OK, free_port, hang, http, reset, running_app
from tests.apps import Answer as AppAnswer
from tests.relay.samples import CRASHING, SECRET, Opener, Published, delivery, eventually
from tiktok_hook import signature
from tiktok_hook.delivery import (
    AppChanged,
    AttemptEnded,
    AttemptStarted,
    DeliveryAnswered,
    DeliveryStored,
    QueueChanged,
)
from tiktok_hook.errors import StoreError
from tiktok_hook.forward import KEPT_BYTES, Forwarder
from tiktok_hook.receiver import IncomingRequest
from tiktok_hook.relay import open_relay
from tiktok_hook.relay.options import RelayOptions
from tiktok_hook.signature import State
from tiktok_hook.store import Bounds, Store, open_store

# app


async def test_the_apps_answer_goes_back_as_it_is(relaying: Opener, store: Store) -> None:
    body = b"\x1f\x8bzipped"
    answer = http(201, body, "Content-Type: text/plain; x=y", "Content-Encoding: gzip", "X-A: 1")
    async with running_app(answer) as app, relaying(app) as relay:
        result = await relay.handle(delivery())
    assert (result.status, result.body) == (201, body)
    assert result.content_type == "text/plain; x=y"
    assert tuple(result.headers) == (("Content-Encoding", "gzip"),)
    history = store.history()
    await store.flush()
    (attempt,) = history.attempts(1)
    assert (attempt.status, attempt.body, attempt.replay, attempt.resigned) == (
        201,
        body,
        False,
        False,
    )
    assert "not 200" in attempt.hint
    stored = history.get(1)
    assert stored is not None
    assert stored.status == 201


async def test_the_delivery_and_its_attempt_are_on_disk_before_the_app_sees_them(
    relaying: Opener, store: Store
) -> None:
    seen: list[tuple[bytes, bool]] = []

    async def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stored = store.history().get(1)
        (attempt,) = store.history().attempts(1)
        assert stored is not None
        seen.append((stored.body, attempt.ended))
        writer.write(OK)

    sent = delivery()
    async with running_app(look) as app, relaying(app) as relay:
        await relay.handle(sent)
    assert seen == [(sent.body, False)]


async def test_the_delivery_is_published_before_its_attempt(
    relaying: Opener, published: Published
) -> None:
    async with running_app() as app, running_app() as second, relaying(app, second) as relay:
        await relay.handle(delivery())
        await published.until(AttemptEnded, 2)
    kinds = [type(item) for item in published]
    answered = kinds.index(DeliveryAnswered)
    assert kinds[:2] == [DeliveryStored, AttemptStarted]
    assert kinds.count(AttemptStarted) == 2
    # The answer is made of the first app's attempt; the other app's comes after it.
    assert [kind for kind in kinds[:answered] if kind is AttemptEnded] == [AttemptEnded]
    assert [kind for kind in kinds[answered:] if kind is AttemptEnded] == [AttemptEnded]
    (stored,) = published.deliveries
    assert (stored.id, stored.status) == (1, 200)
    assert {attempt.id for attempt in published.attempts} == {"1.1", "1.2"}


@pytest.mark.parametrize(
    ("options", "queued"),
    [
        ({"ack": "app"}, False),
        ({"ack": "202"}, False),
        ({"ack": "first"}, True),
        ({"ack": "hold"}, True),
        ({"ack": "first", "answers": [("post.*", "500")]}, True),
        ({"ack": "app", "answers": [("post.*", "500")]}, False),
        ({"ack": "202", "answers": [("post.*", "500")]}, False),
    ],
)
async def test_a_delivery_is_published_with_whether_it_is_queued(
    relaying: Opener, published: Published, options: dict[str, Any], *, queued: bool
) -> None:
    async with relaying(f"http://127.0.0.1:{free_port()}", **options) as relay:
        await relay.handle(delivery())
    assert [each.queued for each in published.of(DeliveryStored)] == [queued]


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
    for _piece in range(1600):
        writer.write(b"x" * 65536)
        await writer.drain()


async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    await writer.drain()
    reset(writer)


@pytest.mark.parametrize(
    ("answer", "status", "hint"),
    [
        (None, 502, "Nothing listens"),
        (hang, 504, "no complete answer within"),
        (cut, 502, "closed the connection"),
        (endless, 200, ""),
        (http(302, b"", "Location: /login"), 302, "redirect"),
        (http(204), 204, "not 200"),
        (http(403), 403, "rejects a delivery whose signature is valid"),
        (http(500, b"boom"), 500, "boom"),
        (b"garbage\r\n\r\n", 502, "not HTTP"),
    ],
    ids=["refuses", "hangs", "resets", "for-ever", "redirects", "204", "403", "500", "garbage"],
)
async def test_tiktok_gets_the_right_status_and_the_user_the_right_words(
    relaying: Opener, published: Published, answer: bytes | AppAnswer | None, status: int, hint: str
) -> None:
    async with running_app(answer or OK) as app:
        target = f"http://localhost:{free_port()}" if answer is None else app.url
        async with relaying(target, forward_timeout=1.0) as relay:
            result = await relay.handle(delivery())
    (attempt,) = published.attempts
    assert result.status == status
    assert len(result.body) <= KEPT_BYTES
    assert hint in attempt.hint
    assert bool(hint) == bool(attempt.hint)


@pytest.mark.parametrize("ack", ["app", "first", "hold", 500])
async def test_a_forged_delivery_is_kept_and_never_forwarded(
    relaying: Opener, store: Store, published: Published, ack: str | int
) -> None:
    async with running_app() as app:
        async with relaying(app, ack=ack) as relay:
            for state in (State.INVALID, State.MISSING):
                result = await relay.reject(delivery(state=state), 403)
                assert (result.status, b"false" in result.body) == (403, True)
            await relay.release()
        assert app.requests == []
    assert [each.status for each in published.deliveries] == [403, 403]
    assert store.history().counts().rejected == 2
    assert relay.waiting == 0


@pytest.mark.parametrize(
    ("state", "forwarded"),
    [
        (State.VALID, 1),
        (State.STALE, 1),
        (State.UNCHECKED, 1),
        (State.INVALID, 0),
        (State.MISSING, 0),
    ],
)
async def test_a_ping_is_answered_200_and_forwarded_only_when_its_signature_is_right(
    relaying: Opener, state: State, forwarded: int
) -> None:
    ping = delivery("tiktok.ping", state=state)
    async with running_app() as app, relaying(app) as relay:
        # As the receiver decides.
        result = await (relay.handle(ping) if forwarded else relay.reject(ping, 200))
        assert result.status == 200
        assert len(app.requests) == forwarded


async def test_without_a_target_everything_is_stored_and_answered(
    relaying: Opener, store: Store, published: Published
) -> None:
    async with relaying() as relay:
        assert (await relay.handle(delivery())).status == 200
        relay.pause()
        await relay.release()
        assert relay.target_up is None
    assert store.history().newest_id() == 1
    assert [type(item) for item in published] == [DeliveryStored, DeliveryAnswered]


async def test_the_first_targets_answer_counts_and_a_slow_second_does_not_delay_it(
    relaying: Opener, store: Store, published: Published
) -> None:
    gate = asyncio.Event()

    async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.write(http(500))

    async with running_app() as first, running_app(slow) as second:
        async with relaying(first, second) as relay:
            assert (await relay.handle(delivery())).status == 200
            assert not gate.is_set()
            gate.set()
        assert first.bodies == second.bodies
    await store.flush()
    attempts = {each.target: each.status for each in store.history().attempts(1)}
    assert attempts == {f"{first.url}/": 200, f"{second.url}/": 500}
    assert len(published.attempts) == 2


async def test_extra_headers_go_out(relaying: Opener) -> None:
    async with running_app() as app, relaying(app, headers=["X-Env: dev"]) as relay:
        await relay.handle(delivery())
    assert b"\r\nX-Env: dev\r\n" in app.requests[0]


async def test_what_cannot_be_stored_goes_nowhere(relaying: Opener, store: Store) -> None:
    async with running_app() as app:
        async with relaying(app) as relay:
            store.close()
            with pytest.raises(StoreError):
                await relay.handle(delivery())
        assert app.requests == []


# A number


async def test_a_number_makes_tiktok_retry_while_the_app_gets_everything(
    relaying: Opener, published: Published
) -> None:
    async with running_app() as app, relaying(app, ack=503) as relay:
        assert (await relay.handle(delivery())).status == 503
        assert (await published.until(AttemptEnded))[0].attempt.status == 200
    assert len(app.requests) == 1
    assert [each.status for each in published.deliveries] == [503]


# The bound of what waits


@pytest.mark.parametrize("mode", ["first", "hold", "paused"])
async def test_a_full_queue_is_an_error_in_each_mode_that_waits(
    tmp_path: Path,
    forwarder: Forwarder,
    published: Published,
    mode: Literal["first", "hold", "paused"],
) -> None:
    bounds = Bounds(keep=1, keep_bytes=1_000_000, queued=3)
    with open_store(tmp_path / "bounded.db", bounds=bounds) as store:
        options = RelayOptions(forward_to=free_port(), ack="app" if mode == "paused" else mode)
        async with open_relay(
            options, store=store, forwarder=forwarder, publish=published.take
        ) as relay:
            if mode == "paused":
                relay.pause()
            answers = await asyncio.gather(
                *(relay.handle(delivery(number=each)) for each in range(5)),
                return_exceptions=True,
            )
            assert sum(isinstance(each, StoreError) for each in answers) == 2
            assert relay.waiting == 3
            # Forged ones do not wait, so they are stored as before.
            assert (await relay.reject(delivery(state=State.INVALID), 403)).status == 403


# first


async def test_first_answers_at_once_and_forwards_in_order(
    relaying: Opener, store: Store, published: Published
) -> None:
    gate = asyncio.Event()

    async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.write(http(200))

    async with running_app(slow) as app, relaying(app, ack="first") as relay:
        for number in range(50):
            assert (await relay.handle(delivery(number=number))).status == 200
        assert relay.waiting == 50
        gate.set()
        await published.until(AttemptEnded, 50)
        numbers = [json.loads(body)["create_time"] for body in app.bodies]
        assert numbers == list(range(50))
        await eventually(lambda: relay.waiting == 0)
    await store.flush()
    assert list(store.history().pending()) == []


async def test_first_waits_for_an_app_that_is_down_with_one_notice(
    relaying: Opener, published: Published
) -> None:
    port = free_port()
    async with relaying(f"http://127.0.0.1:{port}", ack="first") as relay:
        assert relay.target_up is False
        for number in range(5):
            assert (await relay.handle(delivery(number=number))).status == 200
        await published.until_app("paused")
        async with running_app(port=port) as app:
            await app.wait_for(5)
            await published.until_app("paused", "up")
            await eventually(lambda: relay.waiting == 0)
            assert [json.loads(body)["create_time"] for body in app.bodies] == [0, 1, 2, 3, 4]
    assert Counter(each.error for each in published.attempts)["refused"] == 1


async def test_queued_deliveries_are_resumed_after_a_restart_for_the_same_target_only(
    relaying: Opener, published: Published
) -> None:
    port, other = free_port(), free_port()
    target = f"http://127.0.0.1:{port}"
    async with relaying(target, ack="first") as relay:
        for number in range(3):
            await relay.handle(delivery(number=number))
        await published.until_app("paused")
    async with running_app(port=other) as wrong, relaying(wrong, ack="first") as relay:
        await relay.handle(delivery(number=99))
        await wrong.wait_for(1)
        await eventually(lambda: relay.waiting == 0)
    assert len(wrong.requests) == 1
    async with running_app(port=port) as app, relaying(target, ack="app") as relay:
        await relay.handle(delivery(number=100))
        assert len(app.requests) == 1
    async with running_app(port=port) as app, relaying(target, ack="first"):
        await app.wait_for(3)
        assert [json.loads(body)["create_time"] for body in app.bodies] == [0, 1, 2]


async def test_a_late_delivery_is_signed_again(relaying: Opener, published: Published) -> None:
    now = time.time()
    async with running_app() as app, relaying(app, ack="hold") as relay:
        await relay.handle(delivery(number=1, received_at=now - 3600))
        await relay.handle(delivery(number=2, received_at=now - 30))
        await relay.release()
        late, soon = [each.attempt for each in await published.until(AttemptEnded, 2)]
    assert (late.resigned, soon.resigned) == (True, False)
    headers = [dict(each.request_headers) for each in (late, soon)]
    ages = [
        signature.check(each[signature.HEADER], body, SECRET, now=now).age_seconds
        for each, body in zip(headers, app.bodies, strict=True)
    ]
    assert [age is not None and abs(age) < 20 for age in ages] == [True, False]
    assert late.request_body is None


async def test_the_other_targets_get_what_waited_in_order_too(
    relaying: Opener, published: Published
) -> None:
    async with running_app() as first, running_app() as second:
        async with relaying(first, second, ack="first") as relay:
            for number in range(30):
                await relay.handle(delivery(number=number))
            await published.until(AttemptEnded, 60)
        numbers = [json.loads(body)["create_time"] for body in second.bodies]
    assert numbers == list(range(30))


# hold, pause and release


async def test_hold_sends_nothing_by_itself(relaying: Opener, published: Published) -> None:
    async with running_app() as app:
        async with relaying(app, ack="first") as relay:
            relay.pause()
            await relay.handle(delivery(number=0))
        async with relaying(app, ack="hold") as relay:
            for number in range(1, 3):
                assert (await relay.handle(delivery(number=number))).status == 200
            assert relay.waiting == 3
        async with relaying(app, ack="hold") as relay:
            assert relay.waiting == 3
            assert app.requests == []
            await relay.release()
            await published.until(AttemptEnded, 3)
            await relay.handle(delivery(number=4))
            assert relay.waiting == 1
        assert [json.loads(body)["create_time"] for body in app.bodies] == [0, 1, 2]


@pytest.mark.parametrize("ack", ["app", "first", 500])
async def test_a_pause_holds_deliveries_back_and_a_release_keeps_their_order(
    relaying: Opener, published: Published, ack: str | int
) -> None:
    async with running_app() as app, relaying(app, ack=ack) as relay:
        relay.pause()
        for number in range(20):
            assert (await relay.handle(delivery(number=number))).status == 200
        assert relay.paused
        assert app.requests == []
        await relay.release()
        for number in range(20, 30):
            await relay.handle(delivery(number=number))
        await app.wait_for(30)
        await eventually(lambda: not relay.paused and relay.waiting == 0)
        result = await relay.handle(delivery(number=30))
        assert result.status == (ack if isinstance(ack, int) else 200)
        await published.until(AttemptEnded, 31)
        numbers = [json.loads(body)["create_time"] for body in app.bodies]
    assert numbers == list(range(31))


# Whether the app is there


async def test_the_length_of_the_queue_and_a_pause_are_published(
    relaying: Opener, published: Published
) -> None:
    async with running_app() as app, relaying(app) as relay:
        relay.pause()
        for _ in range(3):
            await relay.handle(delivery())
        full = QueueChanged(paused=True, waiting=3)
        await eventually(lambda: published.of(QueueChanged)[-1] == full)
        await relay.release()
        empty = QueueChanged(paused=False, waiting=0)
        await eventually(lambda: published.of(QueueChanged)[-1] == empty)
    assert published.of(QueueChanged)[0] == QueueChanged(paused=True, waiting=0)


async def test_an_attempt_that_found_no_app_will_be_retried(
    relaying: Opener, published: Published
) -> None:
    async with relaying(f"http://127.0.0.1:{free_port()}", ack="first") as relay:
        await relay.handle(delivery())
        (ended,) = await published.until(AttemptEnded)
    assert (ended.attempt.error, ended.will_retry) == ("refused", True)


async def test_the_state_of_the_app_is_published_when_it_changes(
    relaying: Opener, published: Published
) -> None:
    async with running_app() as app:
        port = app.port
        async with relaying(app) as relay:
            assert relay.target_up is True
    published.clear()
    async with relaying(f"http://127.0.0.1:{port}") as relay:
        assert relay.target_up is False
        assert (await relay.handle(delivery())).status == 502
        assert published.of(AppChanged) == []
        async with running_app(port=port):
            await published.until_app("up")
        assert (await relay.handle(delivery())).status == 502
        await published.until_app("up", "down")
        assert published.of(AppChanged)[-1].target == f"http://127.0.0.1:{port}"


# Passing through


async def test_other_requests_pass_through_whole_and_unstored(
    relaying: Opener, store: Store
) -> None:
    page = b"p" * (3 * KEPT_BYTES)
    answer = http(302, page, "Location: /x", "Set-Cookie: a", "Set-Cookie: b", "Connection: close")
    async with running_app(answer) as app, relaying(app) as relay:
        result = await relay.pass_through(
            IncomingRequest("GET", "/login//%2f?a=+", (("Cookie", "c"),))
        )
    assert (result.status, result.body) == (302, page)
    assert tuple(result.headers) == (("Location", "/x"), ("Set-Cookie", "a"), ("Set-Cookie", "b"))
    assert app.requests[0].startswith(b"GET /login//%2f?a=+ HTTP/1.1\r\n")
    assert b"\r\nCookie: c\r\n" in app.requests[0]
    assert store.history().newest_id() == 0


@pytest.mark.parametrize(
    ("answer", "status", "note"),
    [
        (hang, 504, "no complete answer within 0.2 s"),
        (b"hello\r\n\r\n", 502, "what answered does not speak HTTP/1: b'hello'"),
        (http(200, bytes(9 << 20)), 502, "the answer is too long to pass"),
    ],
    ids=["hangs", "no-http", "too-long"],
)
async def test_why_a_request_could_not_be_passed_is_noted(
    relaying: Opener, answer: AppAnswer, status: int, note: str
) -> None:
    timeout = 0.2 if status == 504 else 10
    async with running_app(answer) as app, relaying(app, forward_timeout=timeout) as relay:
        result = await relay.pass_through(IncomingRequest("GET", "/login"))
    assert (result.status, result.note) == (status, note)


# The end


async def test_the_end_waits_for_what_is_under_way(relaying: Opener, published: Published) -> None:
    async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(OK)

    async with running_app(slow) as app, relaying(app, ack="first") as relay:
        await relay.handle(delivery(number=1))
        await relay.handle(delivery(number=2))
        await app.wait_for(1)
    assert [each.status for each in published.attempts] == [200]


@pytest.mark.realtime
async def test_the_end_does_not_wait_for_ever(
    relaying: Opener, store: Store, published: Published
) -> None:
    async with running_app(hang) as app, relaying(app, ack="first", forward_timeout=60) as relay:
        await relay.handle(delivery())
        await app.wait_for(1)
        began = time.monotonic()
        await relay.close(0.1)
        assert time.monotonic() - began < 2
    (event,) = published.of(AttemptEnded)
    assert (event.attempt.error, event.will_retry) == ("cut", True)
    await store.flush()
    assert [each.id for each in store.history().pending()] == [1]


# The crash


async def test_after_kill_9_each_of_200_reaches_the_app_in_order_and_one_at_most_twice(
    tmp_path: Path,
) -> None:
    count = 200

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(OK)

    def start(new: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", CRASHING, str(tmp_path / "history.db"), app.url, str(new)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])

    async with running_app(slow) as app:
        for new, until in ((count, 20), (0, 40), (0, 0)):
            process = await asyncio.to_thread(start, new)
            assert process.stdout is not None
            try:
                assert await asyncio.to_thread(process.stdout.readline) == b"queued\n"
                if until:
                    await app.wait_for(until, seconds=30)
                else:
                    app.answer = OK
                    await eventually(
                        lambda: json.loads(app.bodies[-1])["create_time"] == count - 1, seconds=60
                    )
            finally:
                os.kill(process.pid, signal.SIGKILL)
                await asyncio.to_thread(process.wait)
                process.stdout.close()
    numbers = [json.loads(body)["create_time"] for body in app.bodies]
    assert set(numbers) == set(range(count))
    assert numbers == sorted(numbers)
    twice = [number for number, times in Counter(numbers).items() if times > 1]
    assert len(twice) <= 2  # one for each of the two crashes before the end
    assert max(Counter(numbers).values()) <= 3
