"""What can be given as the conditions of a filter."""

import pytest

from tiktok_hook import filters
from tiktok_hook.errors import UsageError
from tiktok_hook.signature import State
from tiktok_hook.store import Filter


def test_a_single_value_stands_for_itself() -> None:
    one = Filter(events="post.*", verdicts=State.VALID, statuses=500, ids=7)  # type: ignore[arg-type]  # what people write
    assert one == Filter(events=("post.*",), verdicts=(State.VALID,), statuses=(500,), ids=(7,))


def test_any_sequence_will_do() -> None:
    assert Filter(events=["a", "b"], ids=range(3)) == Filter(events=("a", "b"), ids=(0, 1, 2))  # type: ignore[arg-type]  # what people write


def test_a_verdict_may_be_its_name() -> None:
    assert Filter(verdicts=("stale",)).verdicts == (State.STALE,)  # type: ignore[arg-type]  # what people write
    with pytest.raises(ValueError, match="wrong"):
        Filter(verdicts=("wrong",))  # type: ignore[arg-type]  # what people write


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
