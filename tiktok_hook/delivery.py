"""The records that every part shares: what came in, what was tried with it, what the session is.

A `Delivery` is one POST exactly as received, an `Attempt` one try at handing it to an app. The one
JSON shape of each is made here and nowhere else, so that the terminal, the API, the stream and the
exports cannot drift apart.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import orjson

from tiktok_hook import events, exact_json
from tiktok_hook.plain import visible_json
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
        http_version: ``1.1`` or ``1.0``.
        headers: In order, repeated ones included.
        body: Exactly the bytes received, never inflated.
        verdict: What the signature check found.
        status: What TikTok was answered; None while it waits for the app.
        redelivery_of: Id of the first delivery of the same event; None for a first one.
        redelivery_number: 1 for a first delivery, 2 for its first repetition.
        imported_id: The id that an imported one had where it came from, else None.
        body_bytes: How long the body was as received, where less of it is kept: of refused ones
            the first 16 KiB. None where all of it is here.
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
    imported_id: int | None = None
    body_bytes: int | None = None

    @_once
    def event(self) -> events.Event | None:
        """What TikTok meant by it; None when the body is not its envelope."""
        return events.parse(self.body)

    @_once
    def summary(self) -> str:
        """One line in words, for lists."""
        if self.event is None:
            if self.body_bytes is not None:
                return f"not a TikTok event ({self.body_bytes} bytes, cut)"
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


FILTERED = "filtered"
"""The error of an attempt that is not made because `--events` leaves its event out."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try at handing a delivery to an app; recorded as begun before its bytes leave.

    Attributes:
        delivery_id: The delivery it is made of.
        number: 1, 2, … within the delivery, shown as ``12.1``; 0 until it is stored, and for one
            that is not made.
        started_at: Unix seconds, UTC.
        target: The whole URL it went to.
        replay: Whether somebody asked for it, rather than TikTok's delivery causing it.
        resigned: Whether the signature was made afresh.
        request_method: As sent.
        request_headers: As sent, in order.
        request_body: As sent; None when it is the delivery's own body, unchanged.
        status: The app's answer; None when there was none, or not yet.
        headers: Of the answer.
        body: Of the answer, cut at `truncated_at` bytes.
        truncated: Whether the answer's body was longer than what is kept.
        duration_ms: From first byte out to last byte in; None while it runs.
        error: ``refused``, ``timeout``, ``reset`` and so on, or ``filtered`` for one that is not
            made; None when the app answered.
        hint: What a bad answer probably means and the next step; empty when all is well.
    """

    delivery_id: int
    number: int = 0
    started_at: float
    target: str
    replay: bool = False
    resigned: bool = False
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
        """Whether it ended with anything but the 200 that TikTok documents as success."""
        return self.ended and self.status != 200


@dataclass(frozen=True, slots=True)
class Probe:
    """A request to the receiver that is not a delivery: counted and shown as a line, not stored."""

    method: str
    path: str
    status: int
    at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TunnelState:
    """Where the tunnel stands.

    Attributes:
        state: ``connecting`` before the first URL, ``closed`` after the end.
        url: The public URL as ngrok named it; None before the first.
        since: Unix seconds when this state began.
        error: Why it is not online, in one sentence; None while it is.
        latency_ms: Of the last answered heartbeat; None before one.
        outage_seconds: How long it had been offline, on the state that ends an outage; else None.
    """

    state: Literal["connecting", "online", "reconnecting", "closed"]
    url: str | None
    since: float
    error: str | None = None
    latency_ms: int | None = None
    outage_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AppState:
    """Whether the developer's app is there: its target answers, or the command beside us ended.

    Attributes:
        state: ``up``, ``down``, ``started``, ``exited`` or ``paused`` (the queue waits for it).
        target: The address it is about; None for the command itself.
        exit_code: Of the command, once it ended; None else.
        detail: One sentence for people.
    """

    state: Literal["up", "down", "started", "exited", "paused"]
    target: str | None = None
    exit_code: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that is none of the above; never a secret.

    Attributes:
        message: One sentence.
        hint: One thing to do about it; empty when there is none.
        level: ``info``, ``warning`` or ``error``.
    """

    message: str
    hint: str = ""
    level: Literal["info", "warning", "error"] = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """What the request to our own public URL found: ``ok``, ``failed`` or ``skipped``."""

    result: Literal["ok", "failed", "skipped"]
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Everything the banner says.

    Attributes:
        callback_url: To paste into TikTok, path included.
        local_url: Where the receiver listens.
        inspector_url: None without an inspector.
        self_check: Whether the public URL leads here.
        memory: ``first`` run, ``same`` Callback URL as last time, or ``changed``.
        secrets: How many client secrets are given; 0 means nothing is verified.
        edge_verification: Whether ngrok verifies before we do.
        target: The first target; None without forwarding.
        target_up: Whether it accepted a connection; None without one.
        others: The further targets, each with whether it accepted a connection.
        ack: The ack mode in use; None when nothing is forwarded and TikTok gets 200.
        events: Globs of the events that are forwarded; empty for all.
        tunnelled: False with ``--no-tunnel``.
        public: Whether the Callback URL can be reached from outside (tunnel or ``--public-url``).
        history: Path of the database; None when ephemeral.
    """

    callback_url: str
    local_url: str
    inspector_url: str | None = None
    self_check: SelfCheck = SelfCheck(result="skipped")
    memory: Literal["first", "same", "changed"] = "first"
    secrets: int = 0
    edge_verification: bool = False
    target: str | None = None
    target_up: bool | None = None
    others: tuple[tuple[str, bool | None], ...] = ()
    ack: str | None = None
    events: tuple[str, ...] = ()
    tunnelled: bool = True
    public: bool = True
    history: str | None = None


@dataclass(frozen=True, slots=True)
class FailedBeside:
    """What went wrong at a target whose answers do not count.

    Attributes:
        target: Its address.
        ids: Of the deliveries whose last attempt there did not get 200 (the newest 100).
        attempts: How many attempts there did not get 200.
    """

    target: str
    ids: tuple[int, ...]
    attempts: int


@dataclass(slots=True, kw_only=True)
class Summary:
    """The counts of the exit screen.

    Attributes:
        started_at: Unix seconds.
        seconds: How long the session ran.
        received: Deliveries stored.
        valid: Of them, with a right signature in time.
        stale: Right signature, too old or too new.
        refused: Answered 403.
        unchecked: Received without a secret to check against.
        redeliveries: Repetitions among them.
        unstored: Answered 503 because they could not be stored.
        probes: Requests that were no deliveries.
        attempts: Tries at forwarding that ended.
        failed: Ids of the deliveries whose last attempt did not get 200 (the newest 100), those at
            further targets left out.
        failed_attempts: How many attempts did not get 200, wherever.
        failed_beside: The same for each further target at which some did not.
        target: The first one of several; None with fewer.
        pending: Deliveries still queued for the app, of several for the one that most wait for.
        pending_at: The address of that one; None with fewer.
        p95_ms: 95th percentile of the app's answers; None without any.
        outages: How often the tunnel was lost.
        offline_seconds: How long in all.
        dropped_lines: Deliveries that the screen only counted.
    """

    started_at: float = 0.0
    seconds: float = 0.0
    received: int = 0
    valid: int = 0
    stale: int = 0
    refused: int = 0
    unchecked: int = 0
    redeliveries: int = 0
    unstored: int = 0
    probes: int = 0
    attempts: int = 0
    failed: tuple[int, ...] = ()
    failed_attempts: int = 0
    failed_beside: tuple[FailedBeside, ...] = ()
    target: str | None = None
    pending: int = 0
    pending_at: str | None = None
    p95_ms: float | None = None
    outages: int = 0
    offline_seconds: float = 0.0
    dropped_lines: int = 0


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


def timestamp(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC with microseconds: ``2026-11-23T08:00:00.000000Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


_BIDI_OR_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _body_fields(body: bytes) -> dict[str, str]:
    """``body`` as text where it is text, else ``body_base64``; both give the bytes back exactly."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if _BIDI_OR_CONTROL.search(text):
        return {"body_base64": base64.b64encode(body).decode("ascii")}
    return {"body": text}


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict's part of the shape."""
    age = verdict.age_seconds
    return {
        "state": verdict.state.value,
        "reason": verdict.reason,
        "hint": verdict.hint,
        "age_seconds": None if age is None else round(age, 3),
        "secret": verdict.secret,
    }


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    """The one shape of a delivery. Numbers inside `event` are exact, so dump it with `dump`."""
    event = delivery.event
    return {
        "id": delivery.id,
        "received_at": timestamp(delivery.received_at),
        "source": delivery.source.value,
        "remote_addr": delivery.remote_addr,
        "method": delivery.method,
        "path": delivery.path,
        "query": delivery.query,
        "http_version": delivery.http_version,
        "headers": [[name, value] for name, value in delivery.headers],
        **_body_fields(delivery.body),
        "event": None if event is None else event.envelope,
        "summary": delivery.summary,
        "known": event is not None and event.known,
        "verdict": verdict_json(delivery.verdict),
        "redelivery_of": delivery.redelivery_of,
        "redelivery_number": delivery.redelivery_number,
        "status": delivery.status,
        "imported_id": delivery.imported_id,
        "body_bytes": len(delivery.body) if delivery.body_bytes is None else delivery.body_bytes,
    }


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """The one shape of an attempt; ``request.body`` is there only when it was changed."""
    request: dict[str, Any] = {
        "method": attempt.request_method,
        "headers": [[name, value] for name, value in attempt.request_headers],
    }
    if attempt.request_body is not None:
        request |= _body_fields(attempt.request_body)
    duration = attempt.duration_ms
    return {
        "id": attempt.id,
        "delivery_id": attempt.delivery_id,
        "number": attempt.number,
        "started_at": timestamp(attempt.started_at),
        "target": attempt.target,
        "replay": attempt.replay,
        "resigned": attempt.resigned,
        "request": request,
        "status": attempt.status,
        "duration_ms": None if duration is None else round(duration, 3),
        "headers": [[name, value] for name, value in attempt.headers],
        **_body_fields(attempt.body),
        "truncated": attempt.truncated,
        "error": attempt.error,
        "hint": attempt.hint,
    }


def dump(shape: Mapping[str, Any]) -> bytes:
    """One line of compact JSON, without a newline, every number as it was received.

    It often ends on a terminal or in an editor, so what could deceive a reader is escaped.
    """
    try:
        line = orjson.dumps(shape, default=_exact)
    except TypeError:  # an integer past 64 bits, or text that is not Unicode
        line = exact_json.dumps(shape, ascii_only=True).encode("ascii")
    return visible_json(line)


def _exact(value: object) -> orjson.Fragment:
    """How orjson writes a number whose text must not change."""
    if isinstance(value, exact_json.ExactFloat):
        return orjson.Fragment(value.text)
    raise TypeError(f"{type(value).__name__} has no place in a delivery")
