"""Derives what is stored of a delivery: cuts, searchable columns, links of redeliveries, sizes.

Pure, and the same for every backend.
"""

import hashlib
from itertools import chain
from typing import Any

from tiktok_hook.delivery import Delivery, Headers, Source

REJECTED_BODY_BYTES = 16 * 1024
REJECTED_HEADER_BYTES = 16 * 1024
REJECTED_TARGET_CHARS = 2 * 1024
"""Maximum size of the stored body, headers, path and query of a rejected delivery."""

MAX_SEARCHABLE_CHARS = 200
"""The longest value of an indexed column. Strangers choose the values in a body."""

_CUT_CHARS = 160


def is_rejected(delivery: Delivery) -> bool:
    """Whether the bounds of rejected deliveries apply, which can be sent without the secret."""
    return delivery.verdict.rejected and delivery.source is not Source.IMPORT


def as_kept(delivery: Delivery) -> Delivery:
    """The delivery as it is stored: a rejected one is cut, all others are unchanged."""
    if not is_rejected(delivery):
        return delivery
    changes: dict[str, Any] = {}
    if len(delivery.body) > REJECTED_BODY_BYTES:
        changes["body"] = delivery.body[:REJECTED_BODY_BYTES]
        changes["body_bytes"] = delivery.body_bytes or len(delivery.body)
    if headers_bytes(delivery.headers) > REJECTED_HEADER_BYTES:
        changes["headers"] = _fitting(delivery.headers, REJECTED_HEADER_BYTES)
    for name in ("path", "query"):
        text: str = getattr(delivery, name)
        if len(text) > REJECTED_TARGET_CHARS:
            changes[name] = text[:REJECTED_TARGET_CHARS] + "…"
    return delivery.replace(**changes) if changes else delivery


def _fitting(headers: Headers, budget: int) -> Headers:
    """As many headers, in their order, as fit into `budget` bytes."""
    kept = []
    for header in headers:
        length = headers_bytes((header,))
        if length <= budget:
            budget -= length
            kept.append(header)
    return tuple(kept)


def searchable(text: str | None) -> str | None:
    """The value of an indexed column: a long text is cut and a hash of all of it appended.

    An exact match stays exact, and a glob sees the first 160 characters.
    """
    if text is None or len(text) <= MAX_SEARCHABLE_CHARS:
        return text if text is None else storable(text)
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return f"{storable(text[:_CUT_CHARS])}…{digest}"


Searchable = tuple[str | None, str | None, str | None, str]
"""The columns ``event``, ``user_openid``, ``publish_id`` and ``summary``."""


def searchable_columns(delivery: Delivery) -> Searchable:
    """The columns that a delivery is found by, from its uncut body."""
    event = delivery.event
    summary = storable(delivery.summary[: 2 * MAX_SEARCHABLE_CHARS])
    if event is None:
        return None, None, None, summary
    return (
        searchable(event.name),
        searchable(event.user_openid),
        searchable(event.publish_id),
        summary,
    )


def link(delivery: Delivery) -> bytes | None:
    """The key that all deliveries of one event share; None if the body is not an event.

    It begins with the event's own time, so that new keys go to the end of the index: with random
    keys each row of a batch would change a different page.
    """
    fingerprint = delivery.fingerprint
    if fingerprint is None or delivery.event is None:
        return None
    at = min(max(delivery.event.create_time or 0, 0), (1 << 64) - 1)
    group = f"{delivery.source[:2]}{int(is_rejected(delivery))}"
    return at.to_bytes(8, "big") + fingerprint + group.encode()


def payload_bytes(delivery: Delivery) -> int:
    """The approximate size of a delivery, in bytes, as its sender chose it."""
    target = len(delivery.path) + len(delivery.query)
    return len(delivery.body) + target + headers_bytes(delivery.headers)


def headers_bytes(headers: Headers) -> int:
    """The approximate size of headers, in bytes."""
    return sum(map(len, chain.from_iterable(headers))) + 8 * len(headers)


def storable(text: str) -> str:
    """Text for a readable column: a lone surrogate becomes ``?``."""
    return text if text.isascii() else text.encode(errors="replace").decode()
