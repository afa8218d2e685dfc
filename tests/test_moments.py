"""Points in time as people and programs write them."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tiktok_hook.moments import Moment, seconds, unix_seconds

NOW = time.mktime((2026, 11, 23, 12, 0, 0, 0, 0, -1))
"""Noon, local time."""


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("90s", NOW - 90),
        ("1h30m", NOW - 5400),
        ("2d", NOW - 172_800),
        (" 1.5h ", NOW - 5400),
        ("1w", NOW - 604_800),
        ("11:30", NOW - 1800),
        ("9:00:30", NOW - 10_770),
        ("2026-11-23", NOW - 43_200),
        ("2026-11-23 11:00", NOW - 3600),
        ("2026-11-23T08:00:00Z", 1_795_420_800.0),
        ("2026-11-23T09:00:00.5+01:00", 1_795_420_800.5),
        ("@1795420800", 1_795_420_800.0),
        ("@1795420800.25", 1_795_420_800.25),
        (7, 7.0),
        (7.5, 7.5),
        (timedelta(minutes=5), NOW - 300),
        (datetime(2026, 11, 23, 8, tzinfo=UTC), 1_795_420_800.0),
        (datetime(2026, 11, 23, 12), NOW),  # noqa: DTZ001 - local time is meant
    ],
)
def test_a_time_is_read_in_each_form(given: Moment, wanted: float) -> None:
    assert unix_seconds(given, now=NOW) == wanted


@pytest.mark.parametrize(
    "text", ["", "soon", "1", "1y", "25:00", "2026-13-01", "h", "1h ago", "@", "@x", "0001-01-01"]
)
def test_text_that_is_not_a_time_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has another message
        unix_seconds(text if text != "0001-01-01" else "0000-01-01", now=NOW)


@pytest.mark.parametrize("given", [True, None, b"1h", [1]])
def test_another_type_is_an_error(given: object) -> None:
    with pytest.raises(TypeError, match="a time is a number"):
        unix_seconds(given, now=NOW)  # type: ignore[arg-type]  # what people give


def test_a_duration_is_a_number_or_a_timedelta() -> None:
    assert seconds(timedelta(minutes=1)) == seconds(60) == 60.0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("90", 90),
        ("1.5", 1.5),
        ("90s", 90),
        ("200ms", 0.2),
        ("1s500ms", 1.5),
        ("10m", 600),
        ("1h30m", 5400),
        (" 3d ", 3 * 86_400),
    ],
)
def test_a_duration_may_be_a_string(text: str, wanted: float) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "soon", "10 m", "m", "1h30", "nan", "inf", "1y", "9" * 400 + "h"]
)
def test_an_invalid_duration_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        seconds(text)
