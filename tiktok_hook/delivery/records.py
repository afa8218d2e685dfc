"""A delivery and an attempt, and the names of the headers that are ours."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from tiktok_hook import events, exact_json
from tiktok_hook.signature import State, Verdict

Headers = tuple[tuple[str, str], ...]
"""Names and values in the order received. Bytes outside ASCII are kept one to one as Latin-1."""

SOURCE_HEADER = "Tiktok-Hook-Source"
"""Set to ``trigger`` by our own `trigger`, so that a sample is never taken for TikTok's."""

FORWARDED_HEADER = "Tiktok-Hook-Forwarded"
"""Our mark on what is handed to an app; a request that comes back with it is a loop."""

SELF_CHECK_HEADER = "Tiktok-Hook-Self-Check"
"""Carries the one-time token of the self-check, which is never stored, shown or counted."""

SELF_CHECK_BODY = b'{"event":"tiktok-hook.self_check"}'
"""What a self-check sends, with every token."""

SELF_CHECKED_BY_ANOTHER = b'{"ok":true,"self_check":"another"}'
"""How a listener answers the self-check of another one, with which it shares its URL."""


class Source(StrEnum):
    """Where a delivery came from."""

    TIKTOK = "tiktok"
    TRIGGER = "trigger"
    IMPORT = "import"


class BodyState(StrEnum):
    """How the body that is stored compares with the bytes that were sent.

    Only what other programs recorded is ever anything but ``exact``.
    """

    EXACT = "exact"
    MISSING = "missing"
    """The file it was imported from did not contain it."""
    DECOMPRESSED = "decompressed"
    """Stored without the Content-Encoding that its headers still name."""
    ALTERED = "altered"
    """Its length differs from the one that was sent, or it was rebuilt from its parts."""


Record = TypeVar("Record", "Delivery", "Attempt")

if TYPE_CHECKING:
    from functools import cached_property as _once
else:

    class _once:  # noqa: N801 - used like a function
        """As `functools.cached_property`, without the lock that Python 3.11 has there.

        Two threads may both make the value; it is the same one.
        """

        def __init__(self, make):
            self._make = make
            self._name = make.__name__
            self.__doc__ = make.__doc__

        def __get__(self, instance, owner):
            if instance is None:
                return self
            value = instance.__dict__[self._name] = self._make(instance)
            return value


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One POST exactly as received.

    Attributes:
        id: Small integer, never reused; 0 until it is stored.
        received_at: Unix seconds, UTC, exact to the microsecond.
        source: Who sent it.
        remote_addr: Address of the client, without a port: the last ``X-Forwarded-For`` entry
            when the peer is this machine (the tunnel), else the peer itself.
        method: ``POST``, or what an import held.
        path: As received, still percent-encoded.
        query: Without the question mark; empty when there was none.
        http_version: ``1.1`` or ``1.0``; imports may have ``2.0`` and ``3.0``.
        scheme: ``http`` or ``https`` where an import names it, else empty.
        headers: In order, repeated ones included.
        body: Exactly the bytes received, never inflated.
        verdict: What the signature check found.
        status: What TikTok was answered; None while it waits for the app.
        redelivery_of: Id of the first delivery of the same event; None for a first one.
        redelivery_number: 1 for a first delivery, 2 for its first repetition.
        first_received_at: Unix seconds when that first delivery was received, in the record that
            the store returns on adding; None for a first one, and in what is read back later.
        imported_id: The id that an imported one had where it came from, else None.
        body_bytes: Length of the body as received, where less of it is stored: of rejected ones
            the first 16 KiB. None where all of it is stored.
        body_state: Whether `body` is what was sent.
    """

    id: int = 0
    received_at: float
    source: Source = Source.TIKTOK
    remote_addr: str = ""
    method: str = "POST"
    path: str = "/"
    query: str = ""
    http_version: str = "1.1"
    headers: Headers = ()
    body: bytes = b""
    verdict: Verdict = Verdict(State.UNCHECKED)
    status: int | None = None
    redelivery_of: int | None = None
    redelivery_number: int = 1
    first_received_at: float | None = None
    imported_id: int | None = None
    body_bytes: int | None = None
    body_state: BodyState = BodyState.EXACT
    scheme: str = ""

    @_once
    def event(self) -> events.Event | None:
        """What TikTok meant by it; None when the body is not its envelope."""
        return events.parse(self.body)

    @_once
    def summary(self) -> str:
        """One line in words, for lists."""
        if self.event is None:
            if self.body_bytes is not None and self.body:
                return f"not a TikTok event ({self.body_bytes} bytes, cut)"
            if self.body_state is BodyState.MISSING:
                return "body not in the imported file"
            return f"not a TikTok event ({len(self.body)} bytes)" if self.body else "empty body"
        return events.summary(self.event)

    @_once
    def fingerprint(self) -> bytes | None:
        """16 bytes that redeliveries of one event share; None when the body is no event.

        TikTok sends no event id, and its retries may differ in spacing inside ``content``, so the
        parsed values count, not their text.
        """
        return None if self.event is None else fingerprint(self.event)

    @property
    def refused(self) -> bool:
        """Whether its signature had it answered 403; an app's own 403 is something else."""
        return self.status == 403 and self.verdict.state not in {State.VALID, State.UNCHECKED}

    @property
    def has_whole_body(self) -> bool:
        """Whether `body` is complete: not missing from an import, not cut when it was stored."""
        return self.body_state is not BodyState.MISSING and self.body_bytes is None

    @property
    def target(self) -> str:
        """Path and query as they stood in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def header(self, name: str) -> str | None:
        """All values of a header joined by a comma, as HTTP reads repeated ones; None without."""
        wanted = name.lower()
        values = [value for key, value in self.headers if key.lower() == wanted]
        return ",".join(values) if values else None

    def stored(self, **changes: Any) -> "Delivery":
        """A copy with fields changed; what was parsed already is not parsed again."""
        copy = _copy(self, changes)
        if "body" in changes:
            for name in ("event", "summary", "fingerprint"):
                copy.__dict__.pop(name, None)
        return copy


CUT = "cut"
"""The error of an attempt that our own end cut short: Ctrl-C, or a crash."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try at handing a delivery to an app; recorded as begun before its bytes leave.

    Attributes:
        delivery_id: The delivery it is made of.
        number: 1, 2, … within the delivery, shown as ``12.1``; 0 until it is stored.
        started_at: Unix seconds, UTC.
        target: The whole URL it went to.
        replay: Whether somebody asked for it, rather than TikTok's delivery causing it.
        resigned: Whether we signed it; otherwise it carried the stored signature or none.
        variant: How a replay differs from what was received, ``edited, wrong signature`` for
            example; empty when it does not.
        expects_rejection: Whether a 4xx is the right answer, because the signature is deliberately
            wrong, missing or too old.
        request_method: As sent.
        request_headers: As sent, in order.
        request_body: As sent; None when it is the delivery's own body, unchanged.
        status: The app's answer; None when there was none, or not yet.
        headers: Of the answer.
        body: Of the answer, cut at `truncated_at` bytes.
        truncated: Whether the answer's body was longer than what is kept.
        duration_ms: From first byte out to last byte in; None while it runs.
        error: ``refused``, ``timeout``, ``reset`` and so on; None when the app answered.
        hint: What a bad answer probably means and the next step; empty when all is well.
    """

    delivery_id: int
    number: int = 0
    started_at: float
    target: str
    replay: bool = False
    resigned: bool = False
    variant: str = ""
    expects_rejection: bool = False
    request_method: str = "POST"
    request_headers: Headers = ()
    request_body: bytes | None = None
    status: int | None = None
    headers: Headers = ()
    body: bytes = b""
    truncated: bool = False
    duration_ms: float | None = None
    error: str | None = None
    hint: str = ""

    @property
    def id(self) -> str:
        """``12.1``: what people type."""
        return f"{self.delivery_id}.{self.number}"

    def stored(self, **changes: Any) -> "Attempt":
        """A copy with fields changed."""
        return _copy(self, changes)

    @property
    def ended(self) -> bool:
        """Whether its outcome is known; one cut off by a crash never ends."""
        return self.duration_ms is not None

    @property
    def failed(self) -> bool:
        """Whether it ended with another answer than the right one.

        That is the 200 that TikTok documents as success, or a 4xx where `expects_rejection`.
        """
        if self.expects_rejection:
            return self.ended and not 400 <= (self.status or 0) < 500
        return self.ended and self.status != 200


def _copy(record: Record, changes: Mapping[str, Any]) -> Record:
    kind = type(record)
    if not changes.keys() <= kind.__dataclass_fields__.keys():
        raise TypeError(f"{kind.__name__} has no {', '.join(changes)}")
    # Often for each delivery, on the way to its answer: `replace` takes six times as long.
    copy = object.__new__(kind)
    copy.__dict__.update(record.__dict__, **changes)
    return copy


def fingerprint(event: events.Event) -> bytes:
    """16 bytes made of client_key, event, create_time, user_openid and the parsed content."""
    parts = [event.client_key, event.name, event.create_time, event.user_openid, event.content]
    try:
        text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a float as it was written, a lone surrogate, more than 64 bits
        text = exact_json.dumps(parts, sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=16).digest()
