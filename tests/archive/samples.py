"""Deliveries that an archive has to bring through unharmed, and a history to bring them to."""

import io
import json
from collections.abc import Sequence
from typing import Any

from tests.store.samples import attempt, delivery, event_body
from tiktok_hook import archive
from tiktok_hook.archive import Entry
from tiktok_hook.archive.shapes import imported_verdict
from tiktok_hook.delivery import Delivery, Source
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store import Filter, Store, open_store

DEEP = b'{"event":"deep","content":' + b"[" * 99 + b"]" * 99 + b"}"

AWKWARD = {
    "event": delivery(),
    "empty": delivery(b""),
    "binary": delivery(bytes(range(256))),
    "crlf": delivery(b'{"event":"a"}\r\n'),
    "unicode": delivery('{"event":"\u00e9\u2028\U0001f3b5"}'.encode()),
    "escapes": delivery(b'{"event":"a","content":"{\\"a\\":\\"\\\\u0000\\\\/\\"}"}'),
    "broken-utf-8": delivery(b'{"event":"\xff"}'),
    "long-integers": delivery(b'{"event":"a","id":' + b"9" * 400 + b"}"),
    "floats": delivery(b'{"event":"a","n":[1.10,1e400,-0.0]}'),
    "deep": delivery(DEEP),
    "latin-1-header": delivery(headers=(("X-Name", "caf\xe9 \xff"), ("x-name", ""))),
    "odd-path": delivery(path="/a b'\"%zz<\xe9>".replace(" ", "%20"), query="a=1&&=&b[]=%"),
    "lone-surrogate": delivery(path="/\udce9"),
    "forged": delivery(
        verdict=Verdict(State.INVALID, "wrong", "a hint", age_seconds=-2.125), status=403
    ),
    "all-fields": delivery(
        remote_addr="203.0.113.9",
        method="PUT",
        http_version="1.0",
        verdict=Verdict(State.VALID, age_seconds=0.5, secret=2),
        status=200,
    ),
}  # fmt: skip


def entry(each: Delivery, number: int = 1, attempts: Sequence[dict[str, Any]] = ()) -> Entry:
    """A delivery as a history would give it."""
    return Entry(
        each.replace(id=number),
        tuple(attempt(number, number=place, **some) for place, some in enumerate(attempts, 1)),
    )


ATTEMPTS: tuple[dict[str, Any], ...] = (
    {"status": 200, "duration_ms": 3.25, "headers": (("A", "b"),), "body": b'{"ok":true}'},
    {"status": 500, "duration_ms": 1.5, "body": b"\x00\xff", "truncated": True, "hint": "why"},
    {"replay": True, "resigned": True, "request_body": b"\xff", "error": "reset", "duration_ms": 0},
    {"replay": True, "request_body": b"changed", "request_method": "PUT"},
)
"""Answered, answered badly, failed, and never ended."""


def exported(entries: Sequence[Entry], form: archive.Format = "jsonl") -> bytes:
    """The whole file."""
    return b"".join(archive.write(entries, form))


def loaded(data: bytes) -> list[Entry]:
    """What a file holds."""
    return list(archive.load(io.BytesIO(data), "FILE").entries())


async def imported(data: bytes) -> list[Entry]:
    """What a history holds after an import of a file."""
    with open_store(None) as store:
        await archive.import_into(store, archive.load(io.BytesIO(data), "FILE"))
        return everything(store)


def everything(store: Store) -> list[Entry]:
    """All that is in a history."""
    return list(archive.entries(store.history(), Filter()))


def as_imported(each: Delivery, number: int | None = 7) -> Delivery:
    """What an import makes of an exported delivery: everything but what a file cannot prove."""
    return each.replace(
        source=Source.IMPORT,
        imported_id=number,
        verdict=imported_verdict(each.verdict.state.value),
    )


def lines(*shapes: dict[str, Any]) -> bytes:
    """JSON Lines."""
    return b"".join(json.dumps(shape).encode() + b"\n" for shape in shapes)


def minimal(**changes: Any) -> dict[str, Any]:
    """The least that is a delivery."""
    body = event_body().decode()
    return {"type": "delivery", "received_at": "2026-11-23T08:00:00Z", "body": body, **changes}
