"""Other times that may have been signed in place of the header's t.

A forger who changes t of a captured header leaves the same bytes as a signer who read two clocks,
so a match shows which t was signed, and not why.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tiktok_hook.signature.parts import Part
from tiktok_hook.signature.scheme import is_milliseconds

_ONE_CLOCK = "The header's t must be the text that was signed."
_NEAR = Part("t-near", "with a t a few seconds away from the header's", _ONE_CLOCK)
_ZONE = Part("t-zone", "with a t that is whole half hours away from the header's", _ONE_CLOCK)
_HEADER = Part("t-in-header", "with the time of another header in place of t", _ONE_CLOCK)
_BODY = Part("t-in-body", "with a time of the body in place of t", _ONE_CLOCK)
_FRACTION = Part(
    "milliseconds",
    "with t in milliseconds",
    "Use whole seconds, and the same text in the header and in the signed text.",
)

WHICH = {
    "t-changed": "one second away",
    "create-time": "that of create_time",
    _NEAR.name: "a few seconds away",
    _ZONE.name: "whole half hours away, as between time zones",
    _HEADER.name: "that of another header",
    _BODY.name: "that of a field in the body",
}
"""For each mistake that a change of t may also explain, which t the signature is right for."""

_NEAR_SECONDS = range(2, 11)
_HALF_HOURS = range(1, 29)
"""Up to the 14 hours of the time zone that is furthest from UTC."""

_MAX_DIGITS = 20
_DATES = frozenset({"date", "x-date", "x-request-date", "x-timestamp", "x-sent-at"})


def others(
    t: bytes, envelope: dict[str, Any], in_headers: Sequence[str]
) -> Iterator[tuple[Part, bytes]]:
    """Times that may have been signed, except those that `parts.templates` has.

    Args:
        t: The header's, as its text.
        envelope: The body as a JSON object.
        in_headers: Times of other headers, as `of_headers` finds them.
    """
    number = int(t)
    for part, text in (
        *((_HEADER, text) for text in in_headers),
        *((_BODY, text) for text in _in_content(envelope)),
    ):
        yield part, text.encode()
        if is_milliseconds(text):
            yield part, text[:-3].encode()
    for step in _NEAR_SECONDS:
        yield _NEAR, str(number + step).encode()
        yield _NEAR, str(number - step).encode()
    for half_hours in _HALF_HOURS:
        yield _ZONE, str(number + half_hours * 1800).encode()
        yield _ZONE, str(number - half_hours * 1800).encode()
    if is_milliseconds(t.decode()):
        yield _FRACTION, str(-(-number // 1000)).encode()


def within_second(t: bytes) -> Iterator[tuple[Part, bytes]]:
    """Every millisecond of the second t."""
    for fraction in range(1, 1000):
        yield _FRACTION, b"%b%03d" % (t, fraction)


def of_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Times in headers such as ``Date`` and ``X-Request-Timestamp``.

    Returns:
        The name of the header, and the time in Unix seconds as text.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        text = value.strip()
        if text.isascii() and text.isdigit() and 9 <= len(text) <= _MAX_DIGITS:
            if any(word in name.lower() for word in ("time", "date", "-ts")):
                found.setdefault(text, name)
        elif found_here := re.search(r"\bcreated=([0-9]{9,13})\b", text[:300]):
            # As RFC 9421 has it, in Signature-Input.
            found.setdefault(found_here[1], name)
        elif name.lower() in _DATES and len(text) < 60:
            seconds = seconds_of(text)
            if seconds is not None:
                found.setdefault(seconds, name)
    return [(name, text) for text, name in found.items()][:4]


def seconds_of(text: str) -> str | None:
    """A date in Unix seconds, in UTC unless it names a zone; None if the text is not a date."""
    try:
        return str(int(_moment(text).timestamp()))
    except (ValueError, OverflowError, TypeError):
        return None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _in_content(envelope: dict[str, Any]) -> Iterator[str]:
    content = envelope.get("content")
    try:
        inner = json.loads(content) if isinstance(content, str) else content
    except (ValueError, RecursionError):
        inner = None
    for place in (envelope, inner):
        if not isinstance(place, dict):
            continue
        for name in ("timestamp", "time", "ts", "created_at", "create_time", "event_time"):
            value = place.get(name)
            is_own = place is envelope and name == "create_time"  # `parts` has it
            if isinstance(value, int) and not isinstance(value, bool) and not is_own:
                text = str(value) if abs(value) < 2**63 else ""
                if text.isdigit():
                    yield text
