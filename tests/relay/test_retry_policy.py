"""What an attempt means for its delivery."""

import pytest

from tiktok_hook.delivery import Attempt
from tiktok_hook.relay import retry_policy
from tiktok_hook.relay.retry_policy import DELAYS, AttemptOutcome

NOW = 1_795_410_390.0


def attempt(status: int | None = None, error: str | None = None) -> Attempt:
    return Attempt(
        delivery_id=1,
        started_at=NOW,
        target="http://127.0.0.1:3000/",
        status=status,
        error=error,
        duration_ms=1.0,
    )


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        (AttemptOutcome.DELIVERED, (200, 201, 204, 299)),
        (AttemptOutcome.REJECTED, (301, 302, 308, 400, 401, 403, 404, 409, 410, 422)),
        (AttemptOutcome.FAILED, (408, 425, 429, 500, 501, 505, 507, 520, 599)),
        (AttemptOutcome.AMBIGUOUS, (502, 503, 504)),
    ],
)
def test_a_status(outcome: AttemptOutcome, statuses: tuple[int, ...]) -> None:
    assert {retry_policy.classify(attempt(status)) for status in statuses} == {outcome}


@pytest.mark.parametrize(
    ("outcome", "errors"),
    [
        (AttemptOutcome.UNREACHED, ("refused", "dns", "unreachable", "tls", "descriptors")),
        (AttemptOutcome.AMBIGUOUS, ("reset", "protocol", "too_large")),
        (AttemptOutcome.FAILED, ("timeout",)),
        (AttemptOutcome.REJECTED, ("method",)),
    ],
)
def test_an_error(outcome: AttemptOutcome, errors: tuple[str, ...]) -> None:
    assert {retry_policy.classify(attempt(error=error)) for error in errors} == {outcome}


@pytest.mark.parametrize(
    ("ended", "symptom"),
    [
        (attempt(503), "it answers 503."),
        (attempt(error="reset"), "it accepts connections and closes them."),
        (attempt(error="protocol"), "what answers there is not HTTP."),
        (attempt(error="too_large"), "the headers of its answer are too large."),
        (attempt(error="refused"), ""),
        (attempt(500), ""),
        (attempt(200), ""),
    ],
)
def test_what_a_target_does_that_is_not_up(ended: Attempt, symptom: str) -> None:
    assert retry_policy.symptom(ended) == symptom


def test_delays_grow_to_their_limits() -> None:
    assert [DELAYS.of_head(each) for each in range(1, 8)] == [1, 2, 4, 8, 10, 10, 10]
    assert [DELAYS.of_own(each) for each in (1, 2, 3, 10, 11, 1000)] == [1, 2, 4, 512, 600, 600]
    assert DELAYS.of_own(1, jitter=0.5) == 1
    assert DELAYS.of_own(3, jitter=1.25) == 5
    assert DELAYS.of_own(20, jitter=1.25) == 600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("999999999999", 3600),
        ("-5", 0),
        ("1.5", 0),
        ("²", 0),
        ("soon", 0),
        ("", 0),
        ("Wed, 23 Nov 2026 00:00:00 GMT", 0),
    ],
)
def test_retry_after(value: str, seconds: float) -> None:
    assert retry_policy.retry_after((("Retry-After", value),), NOW) == seconds


def test_retry_after_may_be_a_date() -> None:
    header = (("retry-after", "Mon, 23 Nov 2026 05:07:00 GMT"),)
    assert retry_policy.retry_after(header, NOW) == pytest.approx(1_795_410_420 - NOW)
    assert retry_policy.retry_after((), NOW) == 0
