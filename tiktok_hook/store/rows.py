"""How a delivery and an attempt lie in their rows."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

import orjson

from tiktok_hook.delivery import Attempt, Delivery, Headers, Source
from tiktok_hook.signature import State, Verdict

REFUSED_BODY_BYTES = 16 * 1024
"""What is kept of the body of a refused delivery."""

MAX_REJECTED = 1_000
"""How many refused deliveries are kept, whatever `keep` says."""

ROW_BYTES = 400
"""What a row takes besides its headers and body: the other columns and its index entries, about."""

Row = tuple[Any, ...]
Item = TypeVar("Item")

DELIVERY_COLUMNS = (
    "id, received_at, source, remote_addr, method, path, query, http_version, headers, body, "
    "verdict, verdict_reason, verdict_hint, verdict_age, verdict_secret, status, "
    "redelivery_of, redelivery_number, imported_id, body_bytes"
)
ATTEMPT_COLUMNS = (
    "delivery_id, number, started_at, target, replay, resigned, request_method, request_headers, "
    "request_body, status, headers, body, truncated, duration_ms, error, hint"
)
REFUSED, SIZE = 20, 21
"""Where these stand among the values of `delivery_row`."""

OUTCOME = 9
"""From here on an attempt's values say how it ended."""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """Where a delivery waits for the app.

    Attributes:
        mode: ``first`` goes on by itself, ``hold`` when it is told to.
        target: The whole address it waits for.
        beside: Whether that is a further target: for one of those nothing is kept longer than the
            bounds of the history say.
    """

    mode: Literal["first", "hold"]
    target: str
    beside: bool = False


def in_ring(delivery: Delivery) -> bool:
    """Whether it belongs with the refused ones: what strangers can send without the secret."""
    return delivery.verdict.refused and delivery.source is not Source.IMPORT


def link(delivery: Delivery) -> bytes | None:
    """What an event's redeliveries share, and nothing else does; None when it is no event.

    Led by the event's own time, so that new ones go to the end of the index: with random keys
    each row of a batch would dirty a page of its own.
    """
    fingerprint = delivery.fingerprint
    if fingerprint is None or delivery.event is None:
        return None
    at = min(max(delivery.event.create_time or 0, 0), (1 << 64) - 1)
    kind = f"{delivery.source.value[:2]}{int(in_ring(delivery))}"
    return at.to_bytes(8, "big") + fingerprint + kind.encode()


@cache
def insert_deliveries(count: int) -> str:
    """The statement that inserts so many rows of `delivery_row`, one behind the other."""
    columns = f"{DELIVERY_COLUMNS}, refused, size, event, user_openid, publish_id, link, summary"
    return _insert("deliveries", columns, 27, count)


@cache
def insert_attempts(count: int) -> str:
    """The statement that inserts so many rows of `attempt_row`, each followed by its size."""
    return _insert("attempts", f"{ATTEMPT_COLUMNS}, size", 17, count)


def padded(values: Collection[Item], filler: Item) -> list[Item]:
    """As many values as a power of two.

    So there are few statements, and SQLite finds each made already: one of each length would take
    megabytes.
    """
    size = 1 << (len(values) - 1).bit_length()
    return [*values, *[filler] * (size - len(values))]


def _insert(table: str, columns: str, width: int, count: int) -> str:
    row = f"({', '.join('?' * width)})"
    # A failure undoes the whole transaction, so SQLite need not keep a way back for the statement.
    return f"INSERT OR FAIL INTO {table} ({columns}) VALUES {', '.join([row] * count)}"


def delivery_row(delivery: Delivery, key: bytes | None) -> Row:
    """The values of a row of `insert_deliveries`; `key` is its `link`."""
    event = delivery.event
    verdict = delivery.verdict
    refused = in_ring(delivery)
    body = delivery.body[:REFUSED_BODY_BYTES] if refused else delivery.body
    headers = _headers_text(delivery.headers)
    return (
        delivery.id,
        delivery.received_at,
        delivery.source.value,
        _text(delivery.remote_addr),
        _text(delivery.method),
        encode(delivery.path),
        encode(delivery.query),
        _text(delivery.http_version),
        headers,
        body,
        verdict.state.value,
        _text(verdict.reason),
        _text(verdict.hint),
        verdict.age_seconds,
        verdict.secret,
        delivery.status,
        delivery.redelivery_of,
        delivery.redelivery_number,
        delivery.imported_id,
        len(delivery.body) if delivery.body_bytes is None else delivery.body_bytes,
        int(refused),
        len(body) + len(headers) + ROW_BYTES,
        None if event is None else _text(event.name),
        None if event is None or event.user_openid is None else _text(event.user_openid),
        None if event is None or event.publish_id is None else _text(event.publish_id),
        key,
        _text(delivery.summary),
    )


def delivery_of(row: Sequence[Any]) -> Delivery:
    """The delivery in a row of `DELIVERY_COLUMNS`."""
    return Delivery(
        id=row[0],
        received_at=row[1],
        source=Source(row[2]),
        remote_addr=row[3],
        method=row[4],
        path=decode(row[5]),
        query=decode(row[6]),
        http_version=row[7],
        headers=_headers_of(row[8]),
        body=row[9],
        verdict=Verdict(
            State(row[10]), reason=row[11], hint=row[12], age_seconds=row[13], secret=row[14]
        ),
        status=row[15],
        redelivery_of=row[16],
        redelivery_number=row[17],
        imported_id=row[18],
        body_bytes=row[19] if row[19] > len(row[9]) else None,
    )


def attempt_row(attempt: Attempt) -> Row:
    """The values of a row of `insert_attempts`, but for its size."""
    return (
        attempt.delivery_id,
        attempt.number,
        attempt.started_at,
        _text(attempt.target),
        int(attempt.replay),
        int(attempt.resigned),
        _text(attempt.request_method),
        _headers_text(attempt.request_headers),
        attempt.request_body,
        attempt.status,
        _headers_text(attempt.headers),
        attempt.body,
        int(attempt.truncated),
        attempt.duration_ms,
        None if attempt.error is None else _text(attempt.error),
        _text(attempt.hint),
    )


def attempt_of(row: Sequence[Any]) -> Attempt:
    """The attempt in a row of `ATTEMPT_COLUMNS`."""
    return Attempt(
        delivery_id=row[0],
        number=row[1],
        started_at=row[2],
        target=row[3],
        replay=bool(row[4]),
        resigned=bool(row[5]),
        request_method=row[6],
        request_headers=_headers_of(row[7]),
        request_body=row[8],
        status=row[9],
        headers=_headers_of(row[10]),
        body=row[11],
        truncated=bool(row[12]),
        duration_ms=row[13],
        error=row[14],
        hint=row[15],
    )


def numbered(attempt: Attempt, delivery_id: int, number: int) -> Attempt:
    """The attempt with the number it got."""
    return attempt.stored(delivery_id=delivery_id, number=number)


def request_bytes(attempt: Attempt) -> int:
    """What an attempt takes when it begins, about."""
    own = len(attempt.request_body) if attempt.request_body is not None else 0
    return ROW_BYTES // 2 + _length(attempt.request_headers) + own


def outcome_bytes(attempt: Attempt) -> int:
    """What it takes more once it has ended, about."""
    return _length(attempt.headers) + len(attempt.body)


def _length(headers: Headers) -> int:
    return sum(len(name) + len(value) + 8 for name, value in headers)


def encode(text: str) -> str | bytes:
    """Text as SQLite takes it; lone surrogates, which it does not, go in as bytes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")
    return text


def decode(value: str | bytes) -> str:
    """What `encode` was given."""
    return value if isinstance(value, str) else value.decode(errors="surrogatepass")


def _text(text: str) -> str:
    """The same for columns that are there to be looked at: a lone surrogate becomes ``?``."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _headers_text(headers: Headers) -> str:
    try:
        return orjson.dumps(headers).decode()
    except TypeError:  # a lone surrogate
        return json.dumps(headers)


def _headers_of(text: str) -> Headers:
    try:
        pairs = orjson.loads(text)
    except orjson.JSONDecodeError:
        pairs = json.loads(text)
    return tuple((name, value) for name, value in pairs)
