"""The filters of a list, as they stand in an address."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from multidict import MultiMapping

from tiktok_hook.delivery import Source
from tiktok_hook.errors import UsageError
from tiktok_hook.signature import State
from tiktok_hook.store import Filter

T = TypeVar("T")
MAX_ID = 1 << 62

FILTERS: Mapping[str, str] = {
    "event": "Name or glob of an event; may be repeated.",
    "verdict": "valid, stale, invalid, missing or unchecked; may be repeated.",
    "status": "What TikTok was answered; may be repeated.",
    "failed": "1: only those whose last attempt did not get 200.",
    "redeliveries": "1: only repetitions.",
    "replays": "1: only those that were replayed.",
    "since": "Unix seconds: received at or after this.",
    "until": "Unix seconds: received before this.",
    "user": "The exact user_openid.",
    "publish_id": "The exact publish_id.",
    "source": "tiktok, trigger or import.",
    "q": "Text found anywhere in it.",
}
"""Every filter and what it means."""


def where(query: MultiMapping[str]) -> Filter:
    """The filters that an address holds; what is no filter is left alone.

    Raises:
        UsageError: A value cannot be one.
    """
    return Filter(
        events=tuple(query.getall("event", [])),
        verdicts=tuple(_parsed("verdict", text, State) for text in query.getall("verdict", [])),
        statuses=tuple(integer("status", text, 100, 999) for text in query.getall("status", [])),
        failed=_flag(query, "failed"),
        redeliveries=_flag(query, "redeliveries"),
        replays=_flag(query, "replays"),
        since=_number(query, "since"),
        until=_number(query, "until"),
        user=query.get("user") or None,
        publish_id=query.get("publish_id") or None,
        text=query.get("q") or None,
        source=_parsed("source", query["source"], Source) if query.get("source") else None,
    )


def integer(name: str, text: str, low: int, high: int) -> int:
    """A whole number within bounds.

    Raises:
        UsageError: It is none.
    """
    if text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high:
        return int(text)
    raise UsageError(f"{name} has to be a whole number from {low} to {high}.")


def optional_id(query: MultiMapping[str], name: str) -> int | None:
    """An id that may be left out.

    Raises:
        UsageError: It is none.
    """
    text = query.get(name)
    return None if text is None else integer(name, text, 0, MAX_ID)


def _flag(query: MultiMapping[str], name: str) -> bool:
    text = query.get(name, "0")
    if text not in {"0", "1"}:
        raise UsageError(f"{name} has to be 0 or 1.")
    return text == "1"


def _number(query: MultiMapping[str], name: str) -> float | None:
    text = query.get(name)
    if text is None:
        return None
    number = _parsed(name, text, float)
    if not abs(number) < 1e12:  # also refuses what is no number
        raise UsageError(f"{name} has to be a time in Unix seconds.")
    return number


def _parsed(name: str, text: str, kind: Callable[[str], T]) -> T:
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"{name} cannot be {text[:40]!r}.") from None
