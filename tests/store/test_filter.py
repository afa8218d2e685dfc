"""What can be given as the conditions of a filter."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from tiktok_hook import filters
from tiktok_hook.delivery import Source
from tiktok_hook.errors import UsageError
from tiktok_hook.filters import DeliveryFilter, Term, TermField
from tiktok_hook.signature import State
from tiktok_hook.store import Filter, as_filter


def test_a_single_value_stands_for_itself() -> None:
    one = Filter(events="post.*", verdicts=State.VALID, statuses=500, ids=7)
    assert one == Filter(events=("post.*",), verdicts=(State.VALID,), statuses=(500,), ids=(7,))


def test_any_sequence_will_do() -> None:
    assert Filter(events=["a", "b"], ids=range(3)) == Filter(events=("a", "b"), ids=(0, 1, 2))


def test_a_verdict_may_be_its_name() -> None:
    assert Filter(verdicts=("stale",)).verdicts == (State.STALE,)
    assert Filter(verdicts="valid", source="import") == Filter(
        verdicts=State.VALID, source=Source.IMPORT
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"verdicts": "wrong"}, "verdicts='wrong' is not one"),
        ({"verdicts": ("valid", 7)}, "7 is not a verdict"),
        ({"source": "mail"}, "source='mail' is not one"),
        ({"statuses": "500"}, "'500' is not a status"),
        ({"statuses": [True]}, "True is not a status"),
        ({"ids": "7"}, "'7' is not an id"),
        ({"ids": 7.5}, "7.5 is not an id"),
        ({"events": 7}, "7 is not a name or glob"),
        ({"events": b"post.*"}, "is not a name or glob"),
        ({"user": 7}, "user=7 is not text"),
        ({"text": b"x"}, "is not text"),
        ({"match": ("post.*",)}, "is not a filter"),
        ({"since": "soon"}, "since='soon' is not a time"),
        ({"until": True}, "until=True is not a time"),
        ({"since": float("nan")}, "is not a time"),
        ({"since": [1]}, "is not a time"),
        ({"failed": "no"}, "failed='no' is not True or False"),
        ({"queued": "yes"}, "queued='yes' is not True or False"),
    ],
)
def test_a_value_that_is_not_one_is_a_usage_error(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        Filter(**given)


def test_times_are_given_as_numbers_dates_durations_or_text() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert Filter(since=noon, until=noon.timestamp() + 1) == Filter(
        since="2026-11-23T12:00:00Z", until="@1795435201"
    )
    before = time.time()
    since = Filter(since=timedelta(hours=1)).since
    assert since is not None
    assert before - 3600 <= since <= time.time() - 3600
    assert Filter(since="1h").since == pytest.approx(since, abs=60)


@pytest.mark.parametrize("where", ["post.*", Filter(match="post.*")], ids=["text", "conditions"])
def test_a_filter_may_stand_for_conditions(where: str | Filter) -> None:
    assert as_filter(where) == Filter(match="post.*")


def test_what_is_neither_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="7 is not a filter"):
        as_filter(7)  # type: ignore[arg-type]  # what people write


def test_a_filter_as_people_write_it_is_read() -> None:
    where = Filter(match="post.* user:u-1 content.reason:spam*", events=("*.failed",), user="u-1")
    assert [str(term) for term in where.terms] == ["post.*", "user:u-1", "content.reason:spam*"]
    assert where.event_globs == [("post.*",), ("*.failed",)]
    assert where.users == ["u-1", "u-1"]
    assert [str(term) for term in where.body_terms] == ["content.reason:spam*"]
    assert Filter(match=filters.parse("post.*")) == Filter(match="post.*")


def test_a_filter_that_cannot_be_read_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="usr:1 is not a term"):
        Filter(match="usr:1")


@pytest.mark.parametrize("field", get_args(TermField))
def test_a_search_takes_every_term_of_the_filter_language_into_account(field: TermField) -> None:
    term = Term(field, "x", ("reason",) if field == "content" else ())
    where = Filter(match=DeliveryFilter((term,)))
    assert where.event_globs or where.users or where.body_terms
