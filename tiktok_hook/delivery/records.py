"""The `Delivery` and `Attempt` records, and the names of our own headers."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from tiktok_hook import events, exact_json
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import State, Verdict

Headers = tuple[tuple[str, str], ...]
"""Names and values in the order received. Non-ASCII bytes are decoded as Latin-1."""

SOURCE_HEADER = "Tiktok-Hook-Source"
"""The `trigger` command sets it to ``trigger`` to distinguish samples from TikTok's requests."""

FORWARDED_HEADER = "Tiktok-Hook-Forwarded"
"""Added to every forwarded request. A request that arrives with this header is a loop."""

SELF_CHECK_HEADER = "Tiktok-Hook-Self-Check"
"""One-time token of the self-check. Self-check requests are never stored, shown or counted."""

_MAX_LOG_ID = 100

SELF_CHECK_BODY = b'{"event":"tiktok-hook.self_check"}'
"""Request body of every self-check."""

SELF_CHECKED_BY_ANOTHER = b'{"ok":true,"self_check":"another"}'
"""Response of a listener to the self-check of another listener that shares its URL."""


class Source(StrEnum):
    """Where a delivery came from."""

    TIKTOK = "tiktok"
    TRIGGER = "trigger"
    IMPORT = "import"


class BodyState(StrEnum):
    """How the stored body compares with the bytes that were sent.

    Only imported deliveries can have a value other than ``exact``.
    """

    EXACT = "exact"
    MISSING = "missing"
    """The imported file did not contain the body."""
    DECOMPRESSED = "decompressed"
    """The body was stored decompressed, although the headers still name a Content-Encoding."""
    ALTERED = "altered"
    """The body was rebuilt from its parts, or its length differs from the original."""


Record = TypeVar("Record", "Delivery", "Attempt")

if TYPE_CHECKING:
    from functools import cached_property as _once
else:

    class _once:  # noqa: N801 - used like a function
        """`functools.cached_property` without the lock that it has in Python 3.11.

        Two threads may compute the value at the same time; both results are equal.
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
        id: Small integer, never reused; 0 until the delivery is stored.
        received_at: Unix seconds, UTC, exact to the microsecond.
        source: Who sent it.
        remote_addr: Address of the client, without a port. If the peer is this machine (the
            tunnel), it is the last ``X-Forwarded-For`` entry; otherwise the address of the peer.
        method: ``POST``; imported deliveries may have other methods.
        path: As received, still percent-encoded.
        query: Without the question mark; empty if there was none.
        http_version: ``1.1`` or ``1.0``; imported deliveries may have ``2.0`` or ``3.0``.
        scheme: ``http`` or ``https`` if an import provides it, otherwise empty.
        headers: In the order received, including repeated ones.
        body: Exactly the bytes received, never decompressed.
        verdict: Result of the signature check.
        status: Status code of our response to TikTok; None while it depends on the app.
        redelivery_of: Id of the first delivery of the same event; None if this is the first.
        redelivery_number: 1 for the first delivery of an event, 2 for its first redelivery.
        first_received_at: Unix seconds when the first delivery of the event was received. Set only
            on the record that the store returns when it adds a redelivery, otherwise None.
        imported_id: The id that an imported delivery had in its file, otherwise None.
        body_bytes: Original length of a body that was truncated when it was stored (rejected
            deliveries keep the first 16 KiB). None if the whole body is stored.
        body_state: How `body` compares with the bytes that were sent.
        listener: Which listener of a shared history received it, as ``anna@laptop``; None in a
            file, and for an imported delivery.
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
    listener: str | None = None

    @_once
    def event(self) -> events.Event | None:
        """The event parsed from the body; None if the body is not TikTok's envelope."""
        return events.parse(self.body)

    @_once
    def summary(self) -> str:
        """One-line description, for lists."""
        if self.event is None:
            if self.body_bytes is not None and self.body:
                return f"not a TikTok event ({self.body_bytes} bytes, cut)"
            if self.body_state is BodyState.MISSING:
                return "body not in the imported file"
            if platform := events.platform_of(self.body):
                return f"{platform}, another platform ({len(self.body)} bytes)"
            return f"not a TikTok event ({len(self.body)} bytes)" if self.body else "empty body"
        return events.summary(self.event)

    @property
    def log_id(self) -> str | None:
        """TikTok's own id of the request, from ``X-Tt-Logid``; None without that header.

        Harmless to print, and cut to `_MAX_LOG_ID` characters: it may come from a stranger.
        """
        value = next((text for name, text in self.headers if name.lower() == "x-tt-logid"), None)
        return None if value is None else visible(value.strip()[:_MAX_LOG_ID])

    @_once
    def fingerprint(self) -> bytes | None:
        """16 bytes that identify the event across redeliveries; None if the body is not an event.

        TikTok sends no event id, and the whitespace inside ``content`` may differ between its
        retries. The fingerprint is therefore computed from the parsed values.
        """
        return None if self.event is None else fingerprint(self.event)

    @property
    def rejected(self) -> bool:
        """Whether we answered 403 because of the signature; an app's own 403 does not count."""
        return self.status == 403 and self.verdict.state not in {State.VALID, State.UNCHECKED}

    @property
    def has_whole_body(self) -> bool:
        """Whether `body` is complete: neither missing from an import nor truncated when stored."""
        return self.body_state is not BodyState.MISSING and self.body_bytes is None

    @property
    def target(self) -> str:
        """Path and query as in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def header(self, name: str) -> str | None:
        """All values of a header, joined by commas as HTTP defines; None if it is absent."""
        wanted = name.lower()
        values = [value for key, value in self.headers if key.lower() == wanted]
        return ",".join(values) if values else None

    def replace(self, **changes: Any) -> "Delivery":
        """Return a copy with fields changed; values parsed from an unchanged body are kept."""
        copy = _copy(self, changes)
        if "body" in changes:
            for name in ("event", "summary", "fingerprint"):
                copy.__dict__.pop(name, None)
        return copy


CUT = "cut"
"""Error of an attempt that was interrupted because this process ended (Ctrl-C or a crash)."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try at forwarding a delivery to an app; recorded before its first byte is sent.

    Attributes:
        delivery_id: Id of the delivery that is forwarded.
        number: 1, 2, … within the delivery, shown as ``12.1``; 0 until the attempt is stored.
        started_at: Unix seconds, UTC.
        target: Full URL of the request.
        replay: Whether the user requested it; False if it was forwarded automatically.
        resigned: Whether we signed the request; otherwise it has the stored signature or none.
        variant: How a replay differs from the delivery, such as ``edited, wrong signature``; empty
            if it does not differ.
        expects_rejection: Whether the app is expected to answer 4xx, because the signature is
            deliberately wrong, missing or too old.
        request_method: As sent.
        request_headers: As sent, in order.
        request_body: As sent; None if it is the delivery's own body, unchanged.
        status: Status code of the app's response; None until or unless the app responds.
        headers: Headers of the response.
        body: Body of the response, possibly truncated.
        truncated: Whether the body of the response was longer than what is stored.
        duration_ms: Time from the first byte sent to the last byte received; None while it runs.
        error: ``refused``, ``timeout``, ``reset`` and so on; None if the app responded.
        hint: Probable cause of a failure and the next step; empty for a success.
        app: Whose app it was sent to in a shared history, as ``anna@laptop``; None in a file.
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
    app: str | None = None

    @property
    def id(self) -> str:
        """The id that users type, such as ``12.1``."""
        return f"{self.delivery_id}.{self.number}"

    def replace(self, **changes: Any) -> "Attempt":
        """Return a copy with fields changed."""
        return _copy(self, changes)

    @property
    def ended(self) -> bool:
        """Whether the outcome is known; an attempt that a crash interrupted never ends."""
        return self.duration_ms is not None

    @property
    def failed(self) -> bool:
        """Whether it ended without the expected response.

        The expected response is 200, which TikTok documents as success, or a 4xx if
        `expects_rejection` is set.
        """
        if self.expects_rejection:
            return self.ended and not 400 <= (self.status or 0) < 500
        return self.ended and self.status != 200


def _copy(record: Record, changes: dict[str, Any]) -> Record:
    # Hot path: runs several times per delivery. `dataclasses.replace` takes six times as long.
    kind = type(record)
    values = record.__dict__ | changes
    # A record's `__dict__` has all its fields, so what makes it longer is not one of them.
    if len(values) > len(record.__dict__):
        raise TypeError(f"{kind.__name__} has no {', '.join(changes)}")
    copy = object.__new__(kind)
    object.__setattr__(copy, "__dict__", values)  # a frozen class has no other way
    return copy


def fingerprint(event: events.Event) -> bytes:
    """16-byte hash of client_key, event, create_time, user_openid and the parsed content."""
    parts = [event.client_key, event.name, event.create_time, event.user_openid, event.content]
    try:
        text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an ExactFloat, a lone surrogate, or an integer over 64 bits
        text = exact_json.dumps(parts, sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=16).digest()
