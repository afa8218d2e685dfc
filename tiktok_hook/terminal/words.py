"""Numbers, times and verdicts in words."""

import time
from functools import lru_cache

from tiktok_hook.delivery import Delivery
from tiktok_hook.signature import State, Verdict

ERRORS = {
    "refused": "connection refused",
    "timeout": "timeout",
    "reset": "connection reset",
    "dns": "host not found",
    "tls": "TLS failed",
    "protocol": "the answer is not HTTP",
    "too_large": "answer too large",
    "unreachable": "host unreachable",
    "loop": "the target is tiktok-hook itself",
    "cut": "cut off when the session ended",
}
"""The error codes of attempts, in words."""


@lru_cache(maxsize=64)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


def clock(seconds: float) -> str:
    """Return the local time of day: ``08:12:03``."""
    return _clock(int(seconds))


def date_and_time(seconds: float) -> str:
    """Return the local date and time, for what is days away: ``Thu 26 Nov 08:20``."""
    moment = time.localtime(seconds)
    return f"{time.strftime('%a', moment)} {moment.tm_mday} {time.strftime('%b %H:%M', moment)}"


def date(seconds: float) -> str:
    """Return the local date: ``Thu 26 Nov 2026``."""
    moment = time.localtime(seconds)
    return f"{time.strftime('%a', moment)} {moment.tm_mday} {time.strftime('%b %Y', moment)}"


def midnight(seconds: float) -> float:
    """Return the end of a time's local day, in Unix seconds."""
    day = time.localtime(seconds)
    return time.mktime((day.tm_year, day.tm_mon, day.tm_mday + 1, 0, 0, 0, 0, 0, -1))


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units: ``4 s``, ``14 min``, ``2 h 5 min``."""
    whole = round(abs(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10 and rest:
        return f"{minutes} min {rest} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def milliseconds(value: float) -> str:
    """Return ``0.4 ms``, ``3 ms``, ``2.4 s``."""
    if value < 1:
        return f"{value:.1f} ms"
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def count(number: int) -> str:
    """Return a number with a gap between thousands, as in ``1 240``."""
    return f"{number:,}".replace(",", " ")


def plural(number: int, word: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 delivery``, ``1 240 deliveries``."""
    return f"{count(number)} {word if number == 1 else many or word + 's'}"


def verdict(found: Verdict) -> str:
    """Return a verdict in one clause: ``valid``, ``stale, signed 14 min ago``, ``invalid: …``."""
    if found.state is State.STALE and found.age_seconds is not None:
        age = duration(found.age_seconds)
        return f"stale, signed {age} ago" if found.age_seconds >= 0 else f"stale, {age} ahead"
    if found.state is State.VALID:
        return f"valid (secret {found.secret})" if (found.secret or 1) > 1 else "valid"
    if found.state is State.UNCHECKED:
        return "unchecked"
    return f"{found.state}: {found.reason}" if found.reason else found.state.value


def redelivery(delivery: Delivery) -> str:
    """Return ``delivery 3 of this event, +14 min after #9``; empty for a first delivery."""
    if delivery.redelivery_of is None:
        return ""
    words = f"delivery {delivery.redelivery_number} of this event"
    first_at = delivery.first_received_at
    if first_at is None:
        return f"{words}, first was #{delivery.redelivery_of}"
    return f"{words}, +{duration(delivery.received_at - first_at)} after #{delivery.redelivery_of}"
