"""Events of a session: what its parts publish on the bus, and what views subscribe to.

A producer publishes; it is never asked again. So an event carries what its subscribers need.
"""

from dataclasses import dataclass
from typing import Literal

from tiktok_hook.delivery.records import Attempt, Delivery


@dataclass(frozen=True, slots=True)
class DeliveryStored:
    """A delivery is synced to disk; no app has been asked yet.

    Attributes:
        delivery: Its `status` is None while the answer depends on the app.
    """

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class DeliveryAnswered:
    """TikTok is being answered; published once for each `DeliveryStored`, after it.

    Attributes:
        delivery: With its final `status`.
        skipped: Whether it goes to no app although there is one; a `Skipped` follows.
    """

    delivery: Delivery
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """An attempt is recorded and about to be sent."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """The app answered, or the attempt failed.

    Attributes:
        attempt: As recorded.
        will_retry: Whether the delivery stays queued and is tried again without being asked for.
        next_try_at: Unix seconds of that try, at the latest; None if there is none.
        repeated: Whether the attempt before it failed for the same reason, so that a screen need
            not show it again.
    """

    attempt: Attempt
    will_retry: bool = False
    next_try_at: float | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """An accepted delivery that goes to no app.

    Attributes:
        delivery: As answered.
        reason: Why, in one clause.
    """

    delivery: Delivery
    reason: str


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """The queue was paused or resumed, or its length changed.

    Attributes:
        paused: Whether deliveries wait because the user asked for it.
        waiting: Deliveries queued for the target with most of them. Published at most five times a
            second.
    """

    paused: bool
    waiting: int


@dataclass(frozen=True, slots=True)
class AppOutput:
    """One line that the app alongside printed, without its end; safe to show."""

    line: str


@dataclass(frozen=True, slots=True)
class NotStored:
    """A delivery that could not be stored was answered 503; one event for each."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class NonWebhookRequest:
    """A request to the receiver that is not a delivery; counted and shown, not stored.

    Attributes:
        method: As sent; empty when the request was not HTTP, or when several are counted that
            differ in it.
        path: Likewise.
        status: What it was answered.
        at: Unix seconds; of the last one.
        reason: Why, where the status does not say it.
        count: How many requests this stands for. A flood is counted and published as one.
    """

    method: str
    path: str
    status: int
    at: float
    reason: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class TunnelChanged:
    """The state of the tunnel changed, or a heartbeat measured its latency.

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
class AppChanged:
    """The developer's app came up or went down, or the command alongside ended.

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
