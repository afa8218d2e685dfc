"""Translates filters to SQL conditions and index scans."""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from tiktok_hook import events, filters
from tiktok_hook.signature import State
from tiktok_hook.store.encoding import is_glob, spellings
from tiktok_hook.store.filter import Filter
from tiktok_hook.store.kept import searchable

Clause = tuple[str, Sequence[Any]]
"""A piece of SQL and the values of its question marks."""

IndexScan = tuple[str, Clause]
"""An index, and the condition that it is used for."""


def index_scans(where: Filter, names: Sequence[str] | None) -> list[IndexScan]:
    """Index scans that together find every match; empty if that needs a full scan.

    SQLite has no statistics of these tables and would guess, so the most selective index is chosen
    here. Each scan returns its rows in the order of their ids.

    Args:
        where: The filter.
        names: The event names that `where.event_globs` match; None if there are too many.
    """
    if where.listener is not None or where.only_app is not None:
        return [NOTHING]  # a file has no names of listeners and apps
    narrow = {State.INVALID, State.MISSING, State.STALE}
    verdicts: list[IndexScan] = [
        ("INDEXED BY deliveries_verdict", ("verdict = ?", (each.value,)))
        for each in dict.fromkeys(where.verdicts)
    ]
    if where.publish_id:
        return [
            (
                "INDEXED BY deliveries_publish",
                ("publish_id = ? AND publish_id <> ''", (searchable(where.publish_id),)),
            )
        ]
    if user := next(filter(None, where.users), None):
        return [
            (
                "INDEXED BY deliveries_user",
                ("user_openid = ? AND user_openid <> ''", (searchable(user),)),
            )
        ]
    if where.verdicts and narrow.issuperset(where.verdicts):
        return verdicts
    if where.failed:
        return [("INDEXED BY deliveries_failed", ("failed = 1", ()))]
    if where.replays:
        return [("INDEXED BY deliveries_replayed", ("replayed = 1", ()))]
    if where.statuses and 200 not in where.statuses:
        return [
            ("INDEXED BY deliveries_status", ("status = ? AND status <> 200", (each,)))
            for each in dict.fromkeys(where.statuses)
        ]
    if where.redeliveries:
        return [("INDEXED BY deliveries_again", ("redelivery_of IS NOT NULL", ()))]
    if where.event_globs and names is not None:
        return [
            ("INDEXED BY deliveries_event", ("event = ?", (searchable(each),))) for each in names
        ] or [NOTHING]
    return verdicts


ALL: IndexScan = ("NOT INDEXED", ("1", ()))
"""A full scan, by id."""

NOTHING: IndexScan = ("NOT INDEXED", ("0", ()))
"""A scan that finds nothing."""


def conditions(where: Filter) -> Clause:
    """All conditions but the text, as one clause for which SQLite chooses no index itself."""
    parts: list[str] = []
    values: list[Any] = []

    def add(part: str, *some: Any) -> None:
        parts.append(part)
        values.extend(some)

    def add_any(part: str, several: Sequence[Any]) -> None:
        if several:
            add(f"({' OR '.join([part] * len(several))})", *several)

    if where.ids:
        add("id IN (SELECT value FROM json_each(?))", id_list(where.ids))
    for globs in where.event_globs:
        add_any("+event GLOB ?", [sqlite_glob(each) for each in globs])
    add_any("+verdict = ?", [each.value for each in where.verdicts])
    add_any("+status = ?", where.statuses)
    if where.failed:
        add("+failed = 1")
    if where.replays:
        add("+replayed = 1")
    if where.redeliveries:
        add("+redelivery_of IS NOT NULL")
    if where.since is not None:
        add("+received_at >= ?", where.since)
    if where.until is not None:
        add("+received_at < ?", where.until)
    for user in where.users:
        add("+user_openid = ?", searchable(user))
    if where.publish_id is not None:
        add("+publish_id = ?", searchable(where.publish_id))
    if where.queued is not None:
        add(f"id {'' if where.queued else 'NOT '}IN (SELECT delivery_id FROM queue)")
    if where.source is not None:
        add("source = ?", where.source.value)
    # Last, because it parses the body of every row that matches the other conditions.
    if where.body_terms:
        add(f"{BODY_FUNCTION}(body, ?)", " ".join(map(str, where.body_terms)))
    return " AND ".join(parts) or "1", values


BODY_FUNCTION = "tiktok_hook_matches"
"""The SQL function of every reading connection; it calls `body_matches`."""


def body_matches(body: bytes, text: str) -> bool:
    """Whether the event in a body matches a filter."""
    return _parsed(text).matches_event(events.parse(body))


@lru_cache(16)
def _parsed(text: str) -> filters.DeliveryFilter:
    return filters.parse(text)


def sqlite_glob(glob: str) -> str | None:
    """Translate a glob to SQLite's GLOB, which negates with ``[^…]`` and has no lone brackets.

    An event's name without wildcards is cut like the stored name.
    """
    if not is_glob(glob):
        return searchable(glob)
    return _BRACKET.sub(_bracket, glob)


_BRACKET = re.compile(r"\[(!?)(\]?[^\]]*)(\])?")


def _bracket(found: re.Match[str]) -> str:
    negated, chosen, closed = found.groups()
    if not closed:
        return "[[]" + found[0][1:]
    if chosen == "^" and not negated:
        return "^"
    caret = chosen.startswith("^")  # in the first place it would negate
    chosen = chosen[1:] + "^" if caret else chosen
    return f"[{'^' if negated else ''}{chosen}]"


def id_list(ids: Sequence[int]) -> str:
    """Ids for ``json_each``, without those that SQLite cannot represent."""
    return json.dumps([each for each in ids if 0 < each < 1 << 63])


def text_condition(text: str, low: int, high: int) -> Clause:
    """Deliveries with ids from `low` to below `high` that contain a text, also in an attempt."""
    patterns = [f"%{_escaped(each)}%" for each in spellings(text)]
    own = [f"{each} LIKE ? ESCAPE '\\'" for each in _DELIVERY_TEXT for _ in patterns]
    tried = [f"{each} LIKE ? ESCAPE '\\'" for each in _ATTEMPT_TEXT for _ in patterns]
    condition = (
        f"({' OR '.join(own)} OR id IN (SELECT delivery_id FROM attempts "
        f"WHERE delivery_id >= {low:d} AND delivery_id < {high:d} AND ({' OR '.join(tried)})))"
    )
    return condition, patterns * (len(_DELIVERY_TEXT) + len(_ATTEMPT_TEXT))


_DELIVERY_TEXT = (
    "CAST(body AS TEXT)",
    "headers",
    "summary",
    "CAST(path AS TEXT)",
    "CAST(query AS TEXT)",
    "remote_addr",
    "verdict",
    "verdict_reason",
    "verdict_hint",
)
_ATTEMPT_TEXT = (
    "target",
    "request_headers",
    "CAST(request_body AS TEXT)",
    "headers",
    "CAST(body AS TEXT)",
    "error",
    "hint",
)


def _escaped(text: str) -> str:
    for special in "\\%_":
        text = text.replace(special, "\\" + special)
    return text
