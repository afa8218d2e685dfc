"""Points in time and durations as people and programs write them."""

import re
import time
from datetime import datetime, timedelta
from math import isfinite

Moment = float | datetime | timedelta | str
"""Unix seconds, a `datetime` (local time when it has no zone), a `timedelta` or text: how long ago
(``90s``, ``1h30m``, ``2d``, ``1w``), a time of today (``14:30``), a date with or without a time, or
``@`` and Unix seconds."""

Duration = float | timedelta | str
"""Seconds, a `timedelta`, or text: ``90``, ``90s``, ``200ms``, ``1h30m``, ``3d``."""

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# Compiled when they are used, by `re` itself: most calls name no times.
_AGO = r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhdw]))+"
_STEP = r"([0-9.]+)(ms|[smhdw])"
_CLOCK = r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"
_UNIX = r"@[0-9]{1,12}(?:\.[0-9]*)?"


def unix_seconds(given: Moment, *, now: float | None = None) -> float:
    """The point in time in Unix seconds.

    Args:
        given: One of the forms of `Moment`.
        now: Unix seconds; None reads the clock.

    Raises:
        ValueError: The text is none of them, or the date is one that no clock has.
        TypeError: It is of another type.
    """
    if isinstance(given, bool):
        raise TypeError("a time is a number, datetime, timedelta or text, not a bool")
    if isinstance(given, int | float):
        if given != given:  # noqa: PLR0124 - only NaN differs from itself
            raise ValueError("NaN is not a time")
        return float(given)
    now = time.time() if now is None else now
    if isinstance(given, timedelta):
        return now - given.total_seconds()
    if isinstance(given, datetime):
        return _timestamp(given)
    if isinstance(given, str):
        return _read(given.strip(), now)
    raise TypeError(f"a time is a number, datetime, timedelta or text, not {type(given).__name__}")


def seconds(duration: Duration) -> float:
    """A duration in seconds.

    Raises:
        ValueError: A text that is none, or a number that is not finite.
    """
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    text = str(duration).strip()
    value = _sum(text) if re.fullmatch(_AGO, text) else float(text)
    if not isfinite(value):
        raise ValueError(f"{text} is not a duration")
    return value


def _sum(text: str) -> float:
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_STEP, text))


def _read(text: str, now: float) -> float:
    if re.fullmatch(_UNIX, text):
        return float(text[1:])
    if re.fullmatch(_AGO, text):
        return now - _sum(text)
    if re.fullmatch(_CLOCK, text):
        hour, _, rest = text.partition(":")
        today = time.strftime("%Y-%m-%d", time.localtime(now))
        text = f"{today}T{hour:0>2}:{rest}"
    return _timestamp(datetime.fromisoformat(text))


def _timestamp(moment: datetime) -> float:
    try:
        return moment.timestamp()
    except (OverflowError, OSError) as error:
        raise ValueError(str(error)) from error
