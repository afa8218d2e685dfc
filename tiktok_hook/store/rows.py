"""How a delivery and an attempt lie in their rows."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

import orjson

from tiktok_hook.delivery import Attempt, BodyState, Delivery, Headers, Source
from tiktok_hook.signature import State, Verdict

REJECTED_BODY_BYTES = 16 * 1024
REJECTED_HEADER_BYTES = 16 * 1024
REJECTED_TARGET_CHARS = 2 * 1024
"""How much of a rejected delivery is kept: of its body, its headers, and each of path and query."""

MAX_REJECTED = 1_000
MAX_REJECTED_BYTES = 16 << 20
"""How many rejected deliveries are kept, and how many bytes they may take, apart from `keep`."""

MAX_SEARCHABLE_CHARS = 200
"""The longest value of an indexed column; a stranger chooses how long the values in a body are."""

ROW_BYTES = 400
"""What the columns and index entries of a row take whose length no sender chooses, about."""

_PAGE_BYTES = 4096
_CUT_CHARS = 160

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
"""Where these stand among the values of `delivery_row`."""

OUTCOME = 11
"""From here on an attempt's values say how it ended."""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """Where a delivery waits for the app.

    Attributes:
        mode: ``first`` goes on by itself, ``hold`` when it is told to.
        target: The whole address it waits for.
        secondary: True for secondary targets, whose queued deliveries may be pruned.
    """

    mode: Literal["first", "hold"]
    target: str
    secondary: bool = False


def is_rejected(delivery: Delivery) -> bool:
    """Whether it belongs with the rejected ones, which anybody can send without the secret."""
    return delivery.verdict.refused and delivery.source is not Source.IMPORT


def as_kept(delivery: Delivery) -> Delivery:
    """The delivery as the history keeps it: rejected ones are cut, all others stay as they are."""
    if not is_rejected(delivery):
        return delivery
    changes: dict[str, Any] = {}
    if len(delivery.body) > REJECTED_BODY_BYTES:
        changes["body"] = delivery.body[:REJECTED_BODY_BYTES]
        changes["body_bytes"] = delivery.body_bytes or len(delivery.body)
    if _length(delivery.headers) > REJECTED_HEADER_BYTES:
        changes["headers"] = _fitting(delivery.headers, REJECTED_HEADER_BYTES)
    for name in ("path", "query"):
        text: str = getattr(delivery, name)
        if len(text) > REJECTED_TARGET_CHARS:
            changes[name] = text[:REJECTED_TARGET_CHARS] + "…"
    return delivery.stored(**changes) if changes else delivery


def _fitting(headers: Headers, budget: int) -> Headers:
    """Those headers that fit into `budget` bytes together, in their order."""
    kept = []
    for header in headers:
        length = _length((header,))
        if length <= budget:
            budget -= length
            kept.append(header)
    return tuple(kept)


def searchable(text: str | None) -> str | None:
    """The value of an indexed column: a long one is cut and told apart by a hash of all of it.

    So an exact match stays exact, and a glob sees the first 160 characters.
    """
    if text is None or len(text) <= MAX_SEARCHABLE_CHARS:
        return text if text is None else _text(text)
    whole = text.encode(errors="surrogatepass")
    return f"{_text(text[:_CUT_CHARS])}…{hashlib.blake2b(whole, digest_size=16).hexdigest()}"


Searchable = tuple[str | None, str | None, str | None, str]
"""The columns ``event``, ``user_openid``, ``publish_id`` and ``summary``."""


def searchable_columns(delivery: Delivery) -> Searchable:
    """What a delivery is found by, taken from its whole body."""
    event = delivery.event
    summary = _text(delivery.summary[: 2 * MAX_SEARCHABLE_CHARS])
    if event is None:
        return None, None, None, summary
    return (
        searchable(event.name),
        searchable(event.user_openid),
        searchable(event.publish_id),
        summary,
    )


def link(delivery: Delivery) -> bytes | None:
    """What an event's redeliveries share, and nothing else does; None when it is no event.

    Led by the event's own time, so that new ones go to the end of the index: with random keys
    each row of a batch would dirty a page of its own.
    """
    fingerprint = delivery.fingerprint
    if fingerprint is None or delivery.event is None:
        return None
    at = min(max(delivery.event.create_time or 0, 0), (1 << 64) - 1)
    group = f"{delivery.source.value[:2]}{int(is_rejected(delivery))}"
    return at.to_bytes(8, "big") + fingerprint + group.encode()


@cache
def insert_deliveries(count: int) -> str:
    """The statement that inserts so many rows of `delivery_row`, one behind the other."""
    columns = f"{DELIVERY_COLUMNS}, rejected, size, event, user_openid, publish_id, link, summary"
    return _insert("deliveries", columns, 29, count)


@cache
def insert_attempts(count: int) -> str:
    """The statement that inserts so many rows of `attempt_row`, each followed by its size."""
    return _insert("attempts", f"{ATTEMPT_COLUMNS}, size", 19, count)


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


def delivery_row(delivery: Delivery, key: bytes | None, found_by: Searchable) -> Row:
    """The values of a row of `insert_deliveries`.

    Args:
        delivery: As `as_kept` gave it.
        key: Its `link`.
        found_by: Its `searchable_columns`.
    """
    verdict = delivery.verdict
    remote_addr, method = _text(delivery.remote_addr), _text(delivery.method)
    path, query = encode(delivery.path), encode(delivery.query)
    http_version = _text(delivery.http_version)
    headers = _headers_text(delivery.headers)
    reason, hint = _text(verdict.reason), _text(verdict.hint)
    texts = (remote_addr, method, path, query, http_version, headers, reason, hint, *found_by)
    in_row = len(delivery.body) + sum(map(_bytes, texts))
    # Index entries come in any order, so their pages are two thirds full.
    in_indexes = sum(map(_bytes, found_by[:3])) * 3 // 2
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
        on_disk(in_row) + in_indexes + ROW_BYTES,
        *found_by[:3],
        key,
        found_by[3],
    )


def payload_bytes(delivery: Delivery) -> int:
    """What its sender made it take, about."""
    target = len(delivery.path) + len(delivery.query)
    return len(delivery.body) + target + _length(delivery.headers)


def on_disk(length: int) -> int:
    """The bytes that a row of this length takes in the file: large ones fill whole pages."""
    if length < _PAGE_BYTES // 4:
        return length
    # A page holds whole rows only, and what does not fit into one goes to pages of its own.
    rows = _PAGE_BYTES // length
    return _PAGE_BYTES // rows if rows else (length // _PAGE_BYTES + 1) * _PAGE_BYTES


def _bytes(value: str | bytes | None) -> int:
    if value is None:
        return 0
    if isinstance(value, bytes) or value.isascii():
        return len(value)
    return len(value.encode(errors="surrogatepass"))


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
        body_state=BodyState(row[20]),
        scheme=row[21],
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
        _text(attempt.variant),
        int(attempt.expects_rejection),
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
        variant=row[6],
        expects_rejection=bool(row[7]),
        request_method=row[8],
        request_headers=_headers_of(row[9]),
        request_body=row[10],
        status=row[11],
        headers=_headers_of(row[12]),
        body=row[13],
        truncated=bool(row[14]),
        duration_ms=row[15],
        error=row[16],
        hint=row[17],
    )


def numbered(attempt: Attempt, delivery_id: int, number: int) -> Attempt:
    """The attempt with the number it got."""
    return attempt.stored(delivery_id=delivery_id, number=number)


def request_bytes(attempt: Attempt) -> int:
    """What an attempt takes when it begins, about."""
    own = len(attempt.request_body) if attempt.request_body is not None else 0
    own += _length(attempt.request_headers) + _bytes(attempt.target)
    return ROW_BYTES // 2 + on_disk(own)


def outcome_bytes(attempt: Attempt) -> int:
    """What it takes more once it has ended, about."""
    return on_disk(_length(attempt.headers) + len(attempt.body) + _bytes(attempt.hint))


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
