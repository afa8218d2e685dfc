"""Routes and answer rules, over a real relay and real apps."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from tests.apps import http, running_app
from tests.relay.samples import Opener, Published, delivery
from tiktok_hook.delivery import AttemptEnded, DeliveryAnswered, Skipped
from tiktok_hook.errors import UsageError
from tiktok_hook.hints import LISTENER_RULES
from tiktok_hook.relay.options import RelayOptions
from tiktok_hook.relay.routing import AnswerRules, parse_answers, parse_routes, targets_for
from tiktok_hook.store import Store

A, B, C = (f"http://127.0.0.1:{port}" for port in (3001, 3002, 3003))
SAMPLE = delivery()
assert SAMPLE.event is not None
MATCHING, OTHER = SAMPLE.event.name, "no.such.event"


@pytest.mark.parametrize(
    ("routes", "everything", "found"),
    [
        ([(MATCHING, A)], [], (A,)),
        ([(OTHER, A)], [], ()),
        ([(OTHER, A), (MATCHING, B), ("*", C)], [], (B, C)),
        ([(OTHER, A), ("else", B)], [], (B,)),
        ([(MATCHING, A), ("else", B)], [], (A,)),
        ([(MATCHING, A), ("*", A)], [], (A,)),
        ([(MATCHING, A)], [B], (B, A)),
        ([(OTHER, A), ("else", C)], [B], (B, C)),
        ([("else", A)], [], (A,)),
    ],
)
def test_every_matching_target_gets_a_delivery(
    routes: Sequence[tuple[str, str]], everything: Sequence[str], found: tuple[str, ...]
) -> None:
    assert targets_for(SAMPLE, everything, parse_routes(routes)) == found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"routes": [("else", A), (MATCHING, B)]}, "last route"),
        ({"routes": [("user:", A)]}, "no value"),
        ({"routes": [("", A)]}, "filter is empty"),
        ({"routes": [(MATCHING, "no target at all")]}, "no target at all"),
        ({"answers": [("else", "200")]}, "last route"),
        ({"answers": [(MATCHING, "20")]}, "--answer 20 "),
        ({"answers": [(MATCHING, "199")]}, "--answer 199 "),
        ({"answers": [(MATCHING, "600")]}, "--answer 600 "),
        ({"answers": [(MATCHING, "500x0")]}, "--answer 500x0 "),
        ({"answers": [(MATCHING, "500@121")]}, "at most 120 s"),
        ({"answers": [(MATCHING, "500@soon")]}, "at most 120 s"),
        ({"answers": [(MATCHING, "500 x2")]}, "--answer 500 x2 "),
        ({"ack": "9" * 5000}, "--ack 999"),
    ],
)
def test_an_invalid_route_or_answer_is_a_usage_error(changes: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        RelayOptions(**changes).check_relay()
    assert words in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("rules", "flag"),
    [
        ({"routes": [(MATCHING, A)] * 101}, "--route"),
        ({"answers": [(MATCHING, "500")] * 101}, "--answer"),
    ],
    ids=["routes", "answers"],
)
def test_there_are_at_most_100_rules(rules: Any, flag: str) -> None:
    with pytest.raises(UsageError, match=f"{flag} is given 101 times") as caught:
        RelayOptions(**rules).check_relay()
    assert caught.value.hint


@pytest.mark.parametrize("flag", ["route", "answer"])
def test_the_globs_of_all_rules_have_a_bound(flag: str) -> None:
    """A delivery is compared with all of them: 100 long ones took 6 to 18 s of processor time."""
    long = "content.reason:*" + "a" * 3_900 + "b"
    rule = {"route": "3000", "answer": "500"}[flag]
    exact = [(f"user:{'u' * 100}{number} content.reason:*", rule) for number in range(98)]
    for rules, is_allowed in (([(long, rule)] * 2 + exact, True), ([(long, rule)] * 3, False)):
        parse = {"route": parse_routes, "answer": parse_answers}[flag]
        if is_allowed:
            assert len(parse(rules)) == 100
            continue
        with pytest.raises(UsageError, match=f"--{flag} have globs of 11,706 characters"):
            parse(rules)


def test_an_answer_has_a_status_a_count_and_a_delay() -> None:
    (rule,) = parse_answers([(MATCHING, "503x2@1.5s")])
    assert (rule.status, rule.times, rule.delay_seconds) == (503, 2, 1.5)
    (rule,) = parse_answers([(MATCHING, "200")])
    assert (rule.status, rule.times, rule.delay_seconds) == (200, None, 0.0)


def test_a_rule_is_used_up_for_each_event_separately() -> None:
    rules = AnswerRules(parse_answers([(MATCHING, "500x2"), (MATCHING, "503")]))

    def status(number: int) -> int | None:
        rule = rules.choose(delivery(number=number))
        return None if rule is None else rule.status

    found = [status(number) for number in (1, 2, 1, 1, 2, 2)]
    assert found == [500, 500, 500, 503, 500, 503]
    assert AnswerRules(parse_answers([(OTHER, "500")])).choose(SAMPLE) is None


async def test_the_first_matching_targets_answer_goes_back(
    relaying: Opener, published: Published
) -> None:
    async with (
        running_app(http(201)) as first,
        running_app(http(202)) as second,
        running_app(http(203)) as third,
    ):
        routes = [(OTHER, first.url), (MATCHING, second.url), ("*", third.url)]
        async with relaying(routes=routes) as relay:
            answer = await relay.handle(delivery())
            await published.until(AttemptEnded, 2)
    assert answer.status == 202
    assert [len(app.requests) for app in (first, second, third)] == [0, 1, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("503", "503"),
        ("500x1", "500, the first time of each event"),
        ("500x2@1.5s", "500 after 1.5 s, the first 2 times of each event"),
    ],
)
def test_the_answer_of_a_rule_is_stated_in_words(text: str, words: str) -> None:
    (rule,) = parse_answers([(MATCHING, text)])
    assert rule.answer == words


async def test_what_no_route_takes_is_answered_200_and_skipped(
    relaying: Opener, published: Published
) -> None:
    async with running_app(http(500)) as app, relaying(routes=[(OTHER, app.url)]) as relay:
        answer = await relay.handle(delivery())
    assert answer.status == 200
    assert app.requests == []
    (skipped,) = published.of(Skipped)
    assert skipped.reason == "no --route matches it"


async def test_a_delivery_is_queued_only_for_the_targets_that_it_matches(
    relaying: Opener, store: Store
) -> None:
    async with relaying(routes=[(OTHER, A), (MATCHING, B)], ack="hold") as relay:
        await relay.handle(delivery())
        queues = await asyncio.to_thread(store.history().queues_of, 1)
    assert [each.target for each in queues] == [B]


@pytest.mark.parametrize("ack", ["app", "first", "hold", "202", None], ids=str)
async def test_a_rule_replaces_the_answer_and_the_app_is_still_called(
    relaying: Opener, published: Published, store: Store, ack: str | None
) -> None:
    async with running_app(http(200)) as app:
        targets = [] if ack is None else [app]
        chosen = {} if ack is None else {"ack": ack}
        async with relaying(*targets, answers=[(MATCHING, "503x1")], **chosen) as relay:
            first = await relay.handle(delivery())
            second = await relay.handle(delivery())
            if ack not in {None, "hold"}:
                await app.wait_for(2)
    assert first.status == 503
    assert first.body == LISTENER_RULES["--answer"]
    assert second.status == (202 if ack == "202" else 200)
    assert (second.body == LISTENER_RULES["--ack"]) is (ack == "202")
    assert published.of(DeliveryAnswered)[0].delivery.status == 503
    await store.flush()
    stored = store.history().get(1)
    assert stored is not None
    assert stored.status == 503


@pytest.mark.parametrize("ack", ["app", "first", "200"])
async def test_a_delayed_answer_delays_no_other_and_is_none_when_it_is_cut_short(
    relaying: Opener, published: Published, ack: str
) -> None:
    async with (
        running_app(http(200)) as app,
        relaying(app, answers=[(MATCHING, "200x1@60")], ack=ack) as relay,
        asyncio.TaskGroup() as group,
    ):
        slow = group.create_task(_until_cancelled(relay.handle(delivery())))
        await published.until(AttemptEnded)
        await relay.handle(delivery())  # the rule is used up
        (event,) = published.of(DeliveryAnswered)
        assert (event.delivery.id, event.delivery.status) == (2, 200)
        slow.cancel()
    assert published.of(DeliveryAnswered)[1].delivery.id == 1
    assert published.of(DeliveryAnswered)[1].delivery.status is None


async def _until_cancelled(answer: Awaitable[object]) -> None:
    with suppress(asyncio.CancelledError):
        await answer


async def test_an_answer_comes_after_its_delay(relaying: Opener) -> None:
    async with relaying(answers=[(MATCHING, "202@0.1")]) as relay:
        began = asyncio.get_running_loop().time()
        assert (await relay.handle(delivery())).status == 202
        assert asyncio.get_running_loop().time() - began >= 0.1
