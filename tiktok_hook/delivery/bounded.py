"""Limits the size of unverified deliveries, so that strangers cannot flood an output."""

from tiktok_hook.delivery.records import Delivery

MAX_BODY_BYTES = 16 * 1024
"""Maximum number of body bytes to keep; the history uses the same limit for rejected deliveries."""

MAX_FIELD_CHARS = 1024
"""Maximum number of characters of the path, the query, and each header name and value."""

MAX_HEADERS_CHARS = 16 * 1024
"""Maximum number of characters of all headers together; headers past the limit are dropped."""


def bounded(delivery: Delivery) -> Delivery:
    """Return the delivery, or a copy of limited size if its signature is invalid or missing.

    Truncating the body also changes the event that is parsed from it. `Delivery.body_bytes` of the
    copy is the original length of the body.
    """
    if not delivery.verdict.rejected:
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
        return delivery.replace(
            **changes, body=delivery.body[:MAX_BODY_BYTES], body_bytes=len(delivery.body)
        )
    return delivery.replace(**changes)
