"""Converts values to columns and back, the same for every backend."""

import json
from collections.abc import Sequence
from typing import Any

import orjson

from tiktok_hook.delivery import Attempt, BodyState, Delivery, Headers, Source
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store.records import QueueEntry


def headers_text(headers: Headers) -> str:
    """Headers as JSON: ``[[name, value], ...]``."""
    try:
        return orjson.dumps(headers).decode()
    except TypeError:  # a lone surrogate
        return json.dumps(headers)


def headers_of(text: str) -> Headers:
    """The headers in a text of `headers_text`; any other text has none.

    In a shared history another member may have written any text, and that must not prevent the
    delivery from being read.
    """
    try:
        try:
            pairs = orjson.loads(text)
        except orjson.JSONDecodeError:
            pairs = json.loads(text)
        return tuple((str(name), str(value)) for name, value in pairs)
    except (ValueError, TypeError, RecursionError):
        return ()


def spellings(text: str) -> list[str]:
    """A text to search for, as it is, as in JSON, and as in JSON inside a JSON string."""
    found = [text]
    for ascii_only in (False, True):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        found += [once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]]
    return [each for each in dict.fromkeys(found) if each.isprintable()] or [text]


def is_glob(name: str) -> bool:
    """Whether an event name of a filter has wildcards."""
    return any(each in "*?[" for each in name)


def delivery_of(row: Sequence[Any], *, listener: str | None = None) -> Delivery:
    """The delivery in a row of a backend's `DELIVERY_COLUMNS`."""
    return Delivery(
        id=row[0],
        received_at=row[1],
        source=Source(row[2]),
        remote_addr=row[3],
        method=row[4],
        path=decode(row[5]),
        query=decode(row[6]),
        http_version=row[7],
        headers=headers_of(row[8]),
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
        listener=listener,
    )


def attempt_of(row: Sequence[Any], *, app: str | None = None) -> Attempt:
    """The attempt in a row of a backend's `ATTEMPT_COLUMNS`."""
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
        request_headers=headers_of(row[9]),
        request_body=row[10],
        status=row[11],
        headers=headers_of(row[12]),
        body=row[13],
        truncated=bool(row[14]),
        duration_ms=row[15],
        error=row[16],
        hint=row[17],
        app=app,
    )


def queue_entry_of(row: Sequence[Any]) -> QueueEntry:
    """The entry in a row of a backend's `QUEUE_COLUMNS`."""
    mode, target, secondary, deadline, tries, next_try_at = row
    return QueueEntry(mode, target, bool(secondary), deadline, tries, next_try_at)


def decode(value: str | bytes) -> str:
    """The text of a column; bytes are UTF-8 that may contain lone surrogates."""
    return value if isinstance(value, str) else value.decode(errors="surrogatepass")
