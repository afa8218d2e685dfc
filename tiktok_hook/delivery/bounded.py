"""A delivery that does not verify, cut to a bounded size: strangers must not fill an output."""

from tiktok_hook.delivery.records import Delivery

MAX_BODY_BYTES = 16 * 1024
"""Bytes kept of the body; the history keeps as much of a rejected delivery."""

MAX_FIELD_CHARS = 1024
"""Characters kept of the path, the query, and each header's name and value."""

MAX_HEADERS_CHARS = 16 * 1024
"""Characters kept of all headers together; the headers beyond them are left out."""


def bounded(delivery: Delivery) -> Delivery:
    """Return the delivery itself, or of one that does not verify a copy of bounded size.

    Other deliveries are data and stay exact. Of one that does not verify the body is cut, and with
    it the event that is parsed from it; `Delivery.body_bytes` says how long the body was.
    """
    if not delivery.verdict.refused:
        return delivery
    headers: list[tuple[str, str]] = []
    room = MAX_HEADERS_CHARS
    for name, value in delivery.headers:
        name, value = name[:MAX_FIELD_CHARS], value[:MAX_FIELD_CHARS]  # noqa: PLW2901 - cut
        room -= len(name) + len(value)
        if room < 0:
            break
        headers.append((name, value))
    changes = {
        "path": delivery.path[:MAX_FIELD_CHARS],
        "query": delivery.query[:MAX_FIELD_CHARS],
        "headers": tuple(headers),
    }
    if len(delivery.body) > MAX_BODY_BYTES:
        return delivery.stored(
            **changes, body=delivery.body[:MAX_BODY_BYTES], body_bytes=len(delivery.body)
        )
    return delivery.stored(**changes)
