"""Samples, runs of many, TikTok's retries and the stories."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.apps import Together, http, running_app
from tests.deadline import DEADLINE
from tests.doc_pages import block
from tiktok_hook import events, paths, signature, trigger
from tiktok_hook.delivery import fingerprint
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import ForwardRequest, Reply
from tiktok_hook.signature import State

NOW = 1_795_410_390.25
SECRET = "tiktok-client-secret"


def state(request: ForwardRequest, *, now: float) -> State:
    header = dict(request.headers).get("Tiktok-Signature")
    return signature.check(header, request.body, SECRET, now=now).state


def marks(bodies: list[bytes]) -> set[bytes]:
    """By which redeliveries are known."""
    return {fingerprint(event) for body in bodies if (event := events.parse(body))}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, State.VALID),
        ({"age": 600}, State.STALE),
        ({"age": -600}, State.STALE),
        ({"bad_signature": True}, State.INVALID),
        ({"secret": None}, State.MISSING),
    ],
    ids=["right", "late", "future", "wrong", "none"],
)
def test_a_request_is_signed_as_asked(how: dict[str, object], expected: State) -> None:
    asked = {"secret": SECRET, **how}
    made = trigger.request("http://localhost/", b"{}", now=NOW, **asked)  # type: ignore[arg-type] # a table
    assert state(made, now=NOW) is expected


@pytest.mark.parametrize("name", events.CATALOGUE)
def test_many_of_one_event_are_not_redeliveries_of_each_other(name: str) -> None:
    several = list(trigger.bodies(name, 3, now=NOW))
    assert len(marks(several)) == 3
    times = [event.created_at for body in several if (event := events.parse(body))]
    assert times == sorted(t for t in times if t is not None)
    assert times[-1] == pytest.approx(NOW, abs=1)


def test_a_path_that_does_not_exist_is_an_error_before_anything_is_sent() -> None:
    with pytest.raises(UsageError) as caught:
        trigger.bodies("post.publish.failed", 3, sets=["content.reasn=x"])
    assert "content.reason" in caught.value.hint


@pytest.mark.parametrize("name", trigger.SCENARIOS)
def test_a_scenario_has_new_ids_and_goes_forward_in_time(name: str) -> None:
    first, second = (trigger.scenario(name, now=moment) for moment in (NOW, NOW + 1))
    assert len(first) > 1
    times = [event.created_at for body in first if (event := events.parse(body))]
    assert times == sorted(t for t in times if t is not None)
    assert not marks(first) & marks(second)


def test_the_events_of_a_scenario_share_their_id() -> None:
    found = [events.parse(body) for body in trigger.scenario("publish", now=NOW)]
    assert len({event.publish_id for event in found if event}) == 1


def test_a_change_is_made_in_the_events_of_a_scenario_that_have_the_path() -> None:
    failed, complete = trigger.scenario("publish-failed", sets=["content.reason=spam"], now=NOW)
    assert b"spam" in failed
    assert b"spam" not in complete
    with pytest.raises(UsageError):
        trigger.scenario("publish-failed", sets=["content.no_such=1"], now=NOW)


REWRITERS: dict[str, Callable[[Any], str]] = {
    "JSON.stringify": lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
    "json.dumps": json.dumps,
    "json.dumps, sorted": lambda value: json.dumps(value, sort_keys=True),
    "json_encode": lambda value: json.dumps(value, separators=(",", ":")).replace("/", "\\/"),
}


@pytest.mark.parametrize("rewrite", REWRITERS.values(), ids=REWRITERS)
def test_a_verifier_that_writes_the_body_again_has_other_bytes_in_one_spelling(
    rewrite: Callable[[Any], str],
) -> None:
    bodies = trigger.scenario("spelling", now=NOW)
    assert any(rewrite(json.loads(body)).encode() != body for body in bodies)


def test_the_spellings_of_an_event_mean_the_same() -> None:
    found = [events.parse(body) for body in trigger.scenario("spelling", now=NOW)]
    assert len({event.publish_id for event in found if event is not None}) == 1
    assert all(event is not None and event.name == "post.publish.complete" for event in found)


def test_an_unknown_scenario_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="party"):
        trigger.scenario("party", now=NOW)


async def test_a_run_sends_in_order_and_counts() -> None:
    bodies = [b'{"number":%d}' % number for number in range(5)]
    async with running_app() as app:
        tally = await trigger.run(bodies, app.url, secret=SECRET)
    assert app.bodies == bodies
    assert (tally.sent, tally.bad, dict(tally.outcomes)) == (5, 0, {"200": 5})
    assert tally.seconds > 0


async def test_a_port_and_a_timedelta_are_taken() -> None:
    async with running_app() as app:
        tally = await trigger.run([b"{}"], app.port, secret=SECRET, age=timedelta(minutes=10))
    assert tally.outcomes == {"200": 1}


async def test_what_would_send_nothing_is_an_error() -> None:
    with pytest.raises(TypeError, match="bodies must be an iterable of bytes"):
        await trigger.run(b"{}", "3000", secret=SECRET)  # type: ignore[arg-type] # a mistake
    with pytest.raises(UsageError, match="concurrency=0"):
        await trigger.run([b"{}"], "3000", secret=SECRET, concurrency=0)


async def test_at_most_the_given_number_of_requests_run_at_a_time() -> None:
    together = Together(4)
    async with running_app(together) as app:
        tally = await trigger.run([b"{}"] * 12, app.url, secret=None, concurrency=4)
    assert tally.outcomes == {"200": 12}
    assert together.most == 4


async def test_a_rate_is_kept_and_costs_nothing_at_the_end() -> None:
    async with running_app() as app:
        started = time.perf_counter()
        await trigger.run([b"{}"] * 3, app.url, secret=None, rate=10, concurrency=8)
        took = time.perf_counter() - started
    assert took >= 0.2
    async with running_app() as app, asyncio.timeout(DEADLINE):
        await trigger.run([b"{}"], app.url, secret=None, rate=0.01)


async def test_what_a_caller_raises_ends_the_run_as_it_is() -> None:
    def leave(_body: bytes, _reply: Reply) -> None:
        raise BrokenPipeError

    async with running_app() as app:
        with pytest.raises(BrokenPipeError):
            await trigger.run([b"{}"] * 9, app.url, secret=None, concurrency=3, on_reply=leave)


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    tally = trigger.TriggerResults()
    assert tally.percentile(50) is None
    for number in range(1, 101):
        tally.add(Reply(200, duration_ms=float(number)))
    tally.add(Reply(None, error="refused"))
    assert [tally.percentile(each) for each in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert (tally.bad, tally.first_bad) == (1, Reply(None, error="refused"))


def test_the_gaps_between_retries_grow_and_end_before_72_hours() -> None:
    times = list(trigger.schedule())
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert times[0] == 0
    assert all(after > before for before, after in itertools.pairwise(gaps))
    assert times[-1] <= trigger.GIVEN_UP_SECONDS < times[-1] + 2 * gaps[-1]


async def test_retries_end_with_the_first_200_and_each_is_signed_again() -> None:
    answers = iter([500, 503, 200, 200])

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(next(answers), b"", "Connection: close"))
        await writer.drain()

    async with running_app(answer) as app:
        tries = await trigger.retry(b"{}", app.url, secret=SECRET, speed=1e6)
    assert [each.reply.status for each in tries] == [500, 503, 200]
    assert [each.after_seconds for each in tries] == [0, 120, 360]
    assert app.bodies == [b"{}"] * 3


async def test_retries_are_given_up_when_production_would() -> None:
    async with running_app(http(500)) as app:
        tries = await trigger.retry(b"{}", app.url, secret=SECRET, speed=1e7)
    assert len(tries) == len(list(trigger.schedule()))
    assert tries[-1].reply.status == 500


def test_the_newest_listener_is_found_and_its_public_url() -> None:
    with pytest.raises(UsageError, match="No listener is running"):
        trigger.listener_url()
    with paths.listening(local_url="http://127.0.0.1:3000/"):
        assert trigger.listener_url() == "http://127.0.0.1:3000/"
        with pytest.raises(UsageError, match="no public URL"):
            trigger.listener_url(through_tunnel=True)
    public = "https://example.ngrok.app/hook"
    with paths.listening(local_url="http://127.0.0.1:3000/hook", callback_url=public):
        assert trigger.listener_url(through_tunnel=True) == public


async def test_the_example_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    async with running_app() as app:
        example = block("trigger.run(")
        program = example.replace("http://localhost:3000/", app.url).replace("1000)", "50)")
        program = program.replace("…", "example-client-secret")
        await asyncio.to_thread(exec, program, {})
    assert len(set(app.bodies)) == 50
    assert "'200': 50" in capsys.readouterr().out
