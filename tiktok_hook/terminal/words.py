"""Numbers, times and verdicts as people say them."""

import time
from functools import lru_cache

from tiktok_hook.delivery import Delivery
from tiktok_hook.signature import State, Verdict

REASON_WORDS = {
    "refused": "nothing listens there",
    "timeout": "no answer in time",
    "reset": "hung up without an answer",
    "dns": "host not found",
    "tls": "TLS failed",
    "protocol": "answered something that is not HTTP",
    "too_large": "answer too large",
    "loop": "is tiktok-hook itself",
}
"""What the error word of an attempt means."""


@lru_cache(maxsize=64)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


def clock(seconds: float) -> str:
    """Local time of day: ``08:12:03``."""
    return _clock(int(seconds))


def date_and_time(seconds: float) -> str:
    """Local date and time of day, for what is days away: ``Thu 26 Nov 08:20``."""
    moment = time.localtime(seconds)
    return f"{time.strftime('%a', moment)} {moment.tm_mday} {time.strftime('%b %H:%M', moment)}"


def date(seconds: float) -> str:
    """Local date: ``Thu 26 Nov 2026``."""
    moment = time.localtime(seconds)
    return f"{time.strftime('%a', moment)} {moment.tm_mday} {time.strftime('%b %Y', moment)}"


def midnight(seconds: float) -> float:
    """When the local day of a time ends, in Unix seconds."""
    day = time.localtime(seconds)
    return time.mktime((day.tm_year, day.tm_mon, day.tm_mday + 1, 0, 0, 0, 0, 0, -1))


def duration(seconds: float) -> str:
    """A length of time in its two largest units: ``4 s``, ``14 min``, ``2 h 5 min``, ``3 d``."""
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
    """``0.4 ms``, ``3 ms``, ``2.4 s``."""
    if value < 1:
        return f"{value:.1f} ms"
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def count(number: int) -> str:
    """A number with a thin gap between thousands, as in ``1 240``."""
    return f"{number:,}".replace(",", " ")


def plural(number: int, word: str, many: str | None = None) -> str:
    """``1 delivery``, ``1 240 deliveries``."""
    return f"{count(number)} {word if number == 1 else many or word + 's'}"


def verdict(found: Verdict) -> str:
    """A verdict in one clause: ``valid``, ``stale, signed 14 min ago``, ``invalid: …``."""
    if found.state is State.STALE and found.age_seconds is not None:
        age = duration(found.age_seconds)
        return f"stale, signed {age} ago" if found.age_seconds >= 0 else f"stale, {age} ahead"
    if found.state is State.VALID:
        return f"valid (secret {found.secret})" if (found.secret or 1) > 1 else "valid"
    if found.state is State.UNCHECKED:
        return "unchecked"
    return f"{found.state}: {found.reason}" if found.reason else found.state.value


def redelivery(delivery: Delivery, first_at: float | None) -> str:
    """``delivery 3 of this event, +14 min after #9``; empty for a first one.

    Args:
        delivery: As stored.
        first_at: Unix seconds of the first one, when known.
    """
    if delivery.redelivery_of is None:
        return ""
    words = f"delivery {delivery.redelivery_number} of this event"
    if first_at is None:
        return f"{words}, first was #{delivery.redelivery_of}"
    return f"{words}, +{duration(delivery.received_at - first_at)} after #{delivery.redelivery_of}"
