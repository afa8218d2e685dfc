"""What of a delivery is kept and searched: the cuts, the links between redeliveries, the sizes.

Pure, and the same for every backend.
"""

import hashlib
from itertools import chain
from typing import Any

from tiktok_hook.delivery import Delivery, Headers, Source

REJECTED_BODY_BYTES = 16 * 1024
REJECTED_HEADER_BYTES = 16 * 1024
REJECTED_TARGET_CHARS = 2 * 1024
"""How much of a rejected delivery is kept: of its body, its headers, and each of path and query."""

MAX_SEARCHABLE_CHARS = 200
"""The longest value of an indexed column; a stranger chooses how long the values in a body are."""

_CUT_CHARS = 160


def is_rejected(delivery: Delivery) -> bool:
    """Whether it belongs with the rejected ones, which anybody can send without the secret."""
    return delivery.verdict.rejected and delivery.source is not Source.IMPORT


def as_kept(delivery: Delivery) -> Delivery:
    """The delivery as the history keeps it: rejected ones are cut, all others stay as they are."""
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
    """Those headers that fit into `budget` bytes together, in their order."""
    kept = []
    for header in headers:
        length = headers_bytes((header,))
        if length <= budget:
            budget -= length
            kept.append(header)
    return tuple(kept)


def searchable(text: str | None) -> str | None:
    """The value of an indexed column: a long one is cut and distinguished by a hash of all of it.

    So an exact match stays exact, and a glob sees the first 160 characters.
    """
    if text is None or len(text) <= MAX_SEARCHABLE_CHARS:
        return text if text is None else storable(text)
    whole = text.encode(errors="surrogatepass")
    return f"{storable(text[:_CUT_CHARS])}…{hashlib.blake2b(whole, digest_size=16).hexdigest()}"


Searchable = tuple[str | None, str | None, str | None, str]
"""The columns ``event``, ``user_openid``, ``publish_id`` and ``summary``."""


def searchable_columns(delivery: Delivery) -> Searchable:
    """What a delivery is found by, taken from its whole body."""
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
    """What an event's redeliveries share, and nothing else does; None when it is not an event.

    Led by the event's own time, so that new ones go to the end of the index: with random keys
    each row of a batch would dirty a page of its own.
    """
    fingerprint = delivery.fingerprint
    if fingerprint is None or delivery.event is None:
        return None
    at = min(max(delivery.event.create_time or 0, 0), (1 << 64) - 1)
    group = f"{delivery.source[:2]}{int(is_rejected(delivery))}"
    return at.to_bytes(8, "big") + fingerprint + group.encode()


def payload_bytes(delivery: Delivery) -> int:
    """What its sender made it take, about."""
    target = len(delivery.path) + len(delivery.query)
    return len(delivery.body) + target + headers_bytes(delivery.headers)


def headers_bytes(headers: Headers) -> int:
    """What headers take, about."""
    return sum(map(len, chain.from_iterable(headers))) + 8 * len(headers)


def storable(text: str) -> str:
    """Text for a column that people look at: a lone surrogate becomes ``?``."""
    return text if text.isascii() else text.encode(errors="replace").decode()
