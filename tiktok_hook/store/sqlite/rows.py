"""Rows of the tables: the statements that insert them, their values and their sizes."""

from collections.abc import Collection
from functools import cache
from typing import Any, TypeVar

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.store.encoding import headers_text
from tiktok_hook.store.kept import Searchable, headers_bytes, is_rejected, storable
from tiktok_hook.store.records import QueueEntry

ROW_BYTES = 400
"""Approximate size of the columns and index entries whose length no sender chooses."""

_PAGE_BYTES = 4096

Row = tuple[Any, ...]
Item = TypeVar("Item")

DELIVERY_COLUMNS = (
    "id, received_at, source, remote_addr, method, path, query, http_version, headers, body, "
    "verdict, verdict_reason, verdict_hint, verdict_age, verdict_secret, status, "
    "redelivery_of, redelivery_number, imported_id, body_bytes, body_state, scheme"
)
ATTEMPT_COLUMNS = (
    "delivery_id, number, started_at, target, replay, resigned, variant, expects_rejection, "
    "request_method, request_headers, request_body, status, headers, body, truncated, "
    "duration_ms, error, hint"
)
REJECTED, SIZE = 22, 23
"""The positions of these columns among the values of `delivery_row`."""

OUTCOME = 11
"""Position of the first column of an attempt that describes its end."""


@cache
def insert_deliveries(count: int) -> str:
    """The statement that inserts N rows of `delivery_row`."""
    columns = f"{DELIVERY_COLUMNS}, rejected, size, event, user_openid, publish_id, link, summary"
    return _insert("deliveries", columns, 29, count)


@cache
def insert_attempts(count: int) -> str:
    """The statement that inserts N rows of `attempt_row`, each followed by size and owner."""
    return _insert("attempts", f"{ATTEMPT_COLUMNS}, size, owner", 20, count)


def padded(values: Collection[Item], filler: Item) -> list[Item]:
    """Extend values to the next power of two.

    This keeps the number of different statements small, so that prepared ones are found: a cache of
    one for each length would take megabytes.
    """
    size = 1 << (len(values) - 1).bit_length()
    return [*values, *[filler] * (size - len(values))]


def _insert(table: str, columns: str, width: int, count: int) -> str:
    row = f"({', '.join('?' * width)})"
    # FAIL, since a failure rolls the transaction back and SQLite need not undo the statement.
    return f"INSERT OR FAIL INTO {table} ({columns}) VALUES {', '.join([row] * count)}"


def delivery_row(delivery: Delivery, key: bytes | None, found_by: Searchable) -> Row:
    """The values of a row of `insert_deliveries`.

    Args:
        delivery: As returned by `as_kept`.
        key: Its `link`.
        found_by: Its `searchable_columns`.
    """
    verdict = delivery.verdict
    given = (
        delivery.remote_addr,
        delivery.method,
        delivery.path,
        delivery.query,
        delivery.http_version,
        verdict.reason,
        verdict.hint,
    )
    texts: tuple[str | bytes, ...] = given
    joined = "".join(given)
    size = len(delivery.body) + len(joined)
    if not joined.isascii():
        path, query = map(encode, given[2:4])
        texts = (*map(storable, given[:2]), path, query, *map(storable, given[4:]))
        size = len(delivery.body) + sum(map(_bytes, texts))
    remote_addr, method, path, query, http_version, reason, hint = texts
    headers = headers_text(delivery.headers)
    event, user_openid, publish_id, summary = found_by
    indexed = _bytes(event) + _bytes(user_openid) + _bytes(publish_id)
    size += _bytes(headers) + indexed + _bytes(summary)
    # Index entries are inserted in any order, so their pages are two thirds full.
    in_indexes = indexed * 3 // 2
    return (
        delivery.id,
        delivery.received_at,
        delivery.source.value,
        remote_addr,
        method,
        path,
        query,
        http_version,
        headers,
        delivery.body,
        verdict.state.value,
        reason,
        hint,
        verdict.age_seconds,
        verdict.secret,
        delivery.status,
        delivery.redelivery_of,
        delivery.redelivery_number,
        delivery.imported_id,
        len(delivery.body) if delivery.body_bytes is None else delivery.body_bytes,
        delivery.body_state.value,
        delivery.scheme,
        int(is_rejected(delivery)),
        on_disk(size) + in_indexes + ROW_BYTES,
        event,
        user_openid,
        publish_id,
        key,
        summary,
    )


def on_disk(length: int) -> int:
    """The bytes that a row of this length takes in the file: a large row fills entire pages."""
    if length < _PAGE_BYTES // 4:
        return length
    # A page holds complete rows only, and a row that does not fit into one gets its own pages.
    rows = _PAGE_BYTES // length
    return _PAGE_BYTES // rows if rows else (length // _PAGE_BYTES + 1) * _PAGE_BYTES


def _bytes(value: str | bytes | None) -> int:
    if value is None:
        return 0
    if isinstance(value, bytes) or value.isascii():
        return len(value)
    return len(value.encode(errors="surrogatepass"))


def attempt_row(attempt: Attempt) -> Row:
    """The values of a row of `insert_attempts`, but for its size."""
    return (
        attempt.delivery_id,
        attempt.number,
        attempt.started_at,
        storable(attempt.target),
        int(attempt.replay),
        int(attempt.resigned),
        storable(attempt.variant),
        int(attempt.expects_rejection),
        storable(attempt.request_method),
        headers_text(attempt.request_headers),
        attempt.request_body,
        attempt.status,
        headers_text(attempt.headers),
        attempt.body,
        int(attempt.truncated),
        attempt.duration_ms,
        None if attempt.error is None else storable(attempt.error),
        storable(attempt.hint),
    )


def queue_row(delivery_id: int, app: str, entry: QueueEntry) -> Row:
    """The values of a row of the queue."""
    return (
        delivery_id,
        app,
        entry.target,
        entry.mode,
        int(entry.secondary),
        entry.deadline,
        entry.tries,
        entry.next_try_at,
    )


QUEUE_COLUMNS = "mode, target, secondary, deadline, tries, next_try_at"


def numbered(attempt: Attempt, delivery_id: int, number: int) -> Attempt:
    """The attempt with its delivery and its number."""
    return attempt.replace(delivery_id=delivery_id, number=number)


def request_bytes(attempt: Attempt) -> int:
    """The approximate size of an attempt when it begins, in bytes."""
    own = len(attempt.request_body) if attempt.request_body is not None else 0
    own += headers_bytes(attempt.request_headers) + _bytes(attempt.target)
    return ROW_BYTES // 2 + on_disk(own)


def outcome_bytes(attempt: Attempt) -> int:
    """The approximate additional size of an attempt once it has ended, in bytes."""
    return on_disk(headers_bytes(attempt.headers) + len(attempt.body) + _bytes(attempt.hint))


def encode(text: str) -> str | bytes:
    """Text for SQLite, which accepts no lone surrogates: text with one becomes bytes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")
    return text
