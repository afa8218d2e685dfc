import pytest

from tests.terminal.samples import AT, VALID, delivery
from tiktok_hook.signature import State, Verdict
from tiktok_hook.terminal import words


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (134, "2 min 14 s"),
        (120, "2 min"),
        (870, "14 min"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (72 * 3600, "3 d"),
        (50 * 3600, "2 d 2 h"),
        (-30, "30 s"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: float, expected: str) -> None:
    assert words.duration(seconds) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0.42, "0.4 ms"), (3.2, "3 ms"), (999, "999 ms"), (2400, "2.4 s")]
)
def test_milliseconds_are_rounded_to_what_matters(value: float, expected: str) -> None:
    assert words.milliseconds(value) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(1, "1 delivery"), (0, "0 deliveries"), (1240, "1 240 deliveries")]
)
def test_counts_agree_with_their_word(number: int, expected: str) -> None:
    assert words.plural(number, "delivery", "deliveries") == expected


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (VALID, "valid"),
        (Verdict(State.VALID, secret=2), "valid (secret 2)"),
        (Verdict(State.STALE, "old", age_seconds=840), "stale, signed 14 min ago"),
        (Verdict(State.STALE, "new", age_seconds=-840), "stale, 14 min ahead"),
        (Verdict(State.INVALID, "does not match"), "invalid: does not match"),
        (Verdict(State.MISSING, "no header"), "missing: no header"),
        (Verdict(State.UNCHECKED, "no secret"), "unchecked"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.state.value,
)
def test_a_verdict_is_one_clause(verdict: Verdict, expected: str) -> None:
    assert words.verdict(verdict) == expected


def test_a_redelivery_shows_its_number_and_how_much_later_it_came() -> None:
    third = delivery(redelivery_of=9, redelivery_number=3)
    assert (
        words.redelivery(third.replace(first_received_at=AT - 840))
        == "delivery 3 of this event, +14 min after #9"
    )
    assert words.redelivery(third) == "delivery 3 of this event, first was #9"
    assert words.redelivery(delivery()) == ""
