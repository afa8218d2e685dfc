"""Converts deliveries and attempts to rows of PostgreSQL and back."""

from collections.abc import Sequence
from typing import Any

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.store import encoding
from tiktok_hook.store.encoding import headers_text
from tiktok_hook.store.jobs import Add
from tiktok_hook.store.kept import is_rejected, storable
from tiktok_hook.store.postgres.arrays import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    COMMON_BYTEA,
    COMMON_TEXT,
    FLOAT,
    INTEGER,
    TEXT,
    Array,
    Column,
)
from tiktok_hook.store.records import QueueEntry

Row = tuple[Any, ...]

_ROW_BYTES = 500
"""Approximate size of the columns and index entries whose length no sender chooses."""

DELIVERY_COLUMNS = (
    "d.id, d.received_at, d.source, d.remote_addr, d.method, d.path, d.query, d.http_version, "
    "d.headers, d.body, d.verdict, d.verdict_reason, d.verdict_hint, d.verdict_age, "
    "d.verdict_secret, coalesce(m.status, d.status), d.redelivery_of, d.redelivery_number, "
    "d.imported_id, d.body_bytes, d.body_state, d.scheme, d.listener"
)
"""The columns of a delivery, from ``deliveries d LEFT JOIN marks m``."""

LISTENER, BODY = 22, 9
"""The positions of these columns in `DELIVERY_COLUMNS`."""

ATTEMPT_COLUMNS = (
    "a.delivery_id, a.number, a.started_at, a.target, a.replay, a.resigned, a.variant, "
    "a.expects_rejection, a.request_method, a.request_headers, a.request_body, a.status, "
    "a.headers, a.body, a.truncated, a.duration_ms, a.error, a.hint, a.app"
)
APP = 18
"""The position of the app in `ATTEMPT_COLUMNS`."""

QUEUE_COLUMNS = "q.mode, q.target, q.secondary, q.deadline, q.tries, q.next_try_at"

ADD_COLUMNS = (
    *(FLOAT, FLOAT, BIGINT, INTEGER, INTEGER, INTEGER, INTEGER, BOOLEAN),
    *(COMMON_TEXT, COMMON_TEXT, COMMON_TEXT, TEXT, TEXT, BYTEA, COMMON_TEXT, COMMON_TEXT),
    *(COMMON_TEXT, COMMON_TEXT, COMMON_TEXT, COMMON_TEXT, COMMON_BYTEA, COMMON_BYTEA),
    *(COMMON_TEXT, TEXT, TEXT, BYTEA),
)
"""The columns of `add_row`."""

REJECTED, SIZE = 7, 3
"""The positions of these columns in `add_row`."""


def delivery_of(row: Row) -> Delivery:
    """The delivery in a row of `DELIVERY_COLUMNS`."""
    return encoding.delivery_of(row, listener=row[LISTENER])


def attempt_of(row: Row) -> Attempt:
    """The attempt in a row of `ATTEMPT_COLUMNS`."""
    return encoding.attempt_of(row, app=row[APP])


def text(value: str) -> str:
    """Text for PostgreSQL, which accepts no lone surrogates and no NUL."""
    return storable(value).replace("\0", "\N{REPLACEMENT CHARACTER}")


def optional_text(value: str | None) -> str | None:
    """Text for PostgreSQL; None stays None."""
    return None if value is None else text(value)


def raw(value: str) -> bytes:
    """A part of the request target; lone surrogates are kept."""
    return value.encode(errors="surrogatepass")


def add_row(add: Add) -> Row:
    """The values of a delivery for ``add_1``, in the order of its arrays."""
    delivery = add.delivery
    verdict = delivery.verdict
    assert add.found_by is not None  # set by `prepare`
    event, user_openid, publish_id, summary = add.found_by
    path, query = raw(delivery.path), raw(delivery.query)
    headers = headers_text(delivery.headers)
    size = len(delivery.body) + len(path) + len(query) + len(headers) + _ROW_BYTES
    age = verdict.age_seconds
    return (
        float(delivery.received_at),
        None if age is None else float(age),
        delivery.imported_id,
        size,
        len(delivery.body) if delivery.body_bytes is None else delivery.body_bytes,
        verdict.secret,
        add.status,
        is_rejected(delivery),
        delivery.source.value,
        verdict.state.value,
        optional_text(event),
        optional_text(user_openid),
        optional_text(publish_id),
        add.key,
        delivery.body_state.value,
        text(delivery.scheme),
        text(verdict.reason),
        text(verdict.hint),
        text(delivery.remote_addr),
        text(delivery.method),
        path,
        query,
        text(delivery.http_version),
        text(summary),
        headers,
        delivery.body,
    )


QUEUED_COLUMNS = (INTEGER, TEXT, COMMON_TEXT, BOOLEAN, FLOAT, INTEGER, FLOAT)
"""The columns of `queue_row`, for deliveries that are added in the same statement."""

ADVANCE_COLUMNS = (BIGINT, *QUEUED_COLUMNS[1:])
"""The columns of `queue_row`, for deliveries that are stored already."""


def queue_row(place: int, entry: QueueEntry) -> Row:
    """The values of a queue entry; `place` is the delivery's id, or its number in the batch."""
    return (
        place,
        text(entry.target),
        entry.mode,
        entry.secondary,
        _float(entry.deadline),
        entry.tries,
        _float(entry.next_try_at),
    )


BEGIN_COLUMNS = (
    *(BIGINT, FLOAT, BOOLEAN, BOOLEAN, BOOLEAN),
    *(TEXT, COMMON_TEXT, COMMON_TEXT, TEXT, BYTEA, INTEGER),
)
"""The columns of `begin_row`, for deliveries that are stored already."""

FIRST_COLUMNS = (INTEGER, *BEGIN_COLUMNS[1:])
"""The columns of `begin_row`, for deliveries that are added in the same statement."""


def begin_row(key: int, attempt: Attempt) -> Row:
    """The values of a begun attempt; `key` is its delivery's id, or its number in the batch."""
    request_headers = headers_text(attempt.request_headers)
    size = len(request_headers) + len(attempt.request_body or b"") + _ROW_BYTES // 2
    return (
        key,
        float(attempt.started_at),
        attempt.replay,
        attempt.resigned,
        attempt.expects_rejection,
        text(attempt.target),
        text(attempt.variant),
        text(attempt.request_method),
        request_headers,
        attempt.request_body,
        size,
    )


END_COLUMNS = (
    *(BIGINT, INTEGER, BOOLEAN, BOOLEAN, INTEGER, TEXT, BYTEA, BOOLEAN),
    *(FLOAT, TEXT, TEXT, INTEGER),
)
"""The columns of `end_row`."""


def end_row(attempt: Attempt) -> Row:
    """The values of an ended attempt."""
    headers = headers_text(attempt.headers)
    return (
        attempt.delivery_id,
        attempt.number,
        attempt.failed,
        attempt.expects_rejection,
        attempt.status,
        headers,
        attempt.body,
        attempt.truncated,
        _float(attempt.duration_ms),
        optional_text(attempt.error),
        text(attempt.hint),
        len(headers) + len(attempt.body) + len(attempt.hint),
    )


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def encode(rows: Sequence[Row], columns: Sequence[Column]) -> list[Array]:
    """Convert rows to one array for each column, for the functions of the schema."""
    if not rows:
        return [each.encode(()) for each in columns]
    return [
        column.encode(values)
        for column, values in zip(columns, zip(*rows, strict=True), strict=True)
    ]


def placeholders(columns: Sequence[Column]) -> str:
    """Placeholders for the arrays of `encode`."""
    return ", ".join(f"%b::{each.type}[]" for each in columns)
