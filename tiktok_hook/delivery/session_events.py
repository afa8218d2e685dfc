"""Events that the parts of a session publish on the bus, and that views subscribe to.

Subscribers never call the producer, so an event contains everything that they need.
"""

from dataclasses import dataclass
from typing import Literal

from tiktok_hook.delivery.records import Attempt, Delivery


@dataclass(frozen=True, slots=True)
class DeliveryStored:
    """A delivery was synced to disk; it has not been forwarded yet.

    Attributes:
        delivery: Its `status` is None while the response depends on the app.
        queued: Whether it was queued for an app as it was stored. None if it was stored earlier or
            by another process, so that it may have attempts, and its place in a queue is unknown.
    """

    delivery: Delivery
    queued: bool | None = None


@dataclass(frozen=True, slots=True)
class DeliveryAnswered:
    """The response to TikTok is being sent; published once after each `DeliveryStored`.

    Attributes:
        delivery: With its final `status`.
        skipped: Whether it is not forwarded although there is a target; a `Skipped` follows.
        rule: Filter and answer of the answer rule that chose the response; None if there is none.
    """

    delivery: Delivery
    skipped: bool = False
    rule: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """An attempt was recorded and is about to be sent."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """The app answered, or the attempt failed.

    Attributes:
        attempt: As recorded.
        will_retry: Whether the delivery stays queued and is retried automatically.
        next_try_at: Latest time of the retry, in Unix seconds; None if there is no retry.
        repeated: Whether the previous attempt failed for the same reason, so that views can omit
            this one.
    """

    attempt: Attempt
    will_retry: bool = False
    next_try_at: float | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """An accepted delivery is not forwarded.

    Attributes:
        delivery: With its final `status`.
        reason: Why, in one clause.
    """

    delivery: Delivery
    reason: str


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """The queue was paused or resumed, or its length changed.

    Attributes:
        paused: Whether the user paused the queue.
        waiting: Length of the longest queue of any target. Changes of it are published at most
            five times per second.
    """

    paused: bool
    waiting: int


@dataclass(frozen=True, slots=True)
class AppOutput:
    """One line of output of the app alongside, without its line ending; safe to show."""

    line: str


@dataclass(frozen=True, slots=True)
class NotStored:
    """A delivery could not be stored and was answered 503; published once per delivery."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class BugFound:
    """The receiver met an exception that must not happen; its request was answered 500 or ended."""

    error: Exception


@dataclass(frozen=True, slots=True)
class NonWebhookRequest:
    """The receiver got a request that is not a delivery; it is counted and shown, not stored.

    Attributes:
        method: As sent; empty if the request was not HTTP, or if this event counts requests with
            different methods.
        path: As sent; empty under the same conditions.
        status: Status code of our response.
        at: Unix seconds of the last request.
        reason: Why the request was not accepted, if the status alone does not explain it.
        count: Number of requests that this event represents. A flood is published as one event.
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
        url: The public URL that ngrok assigned; None before the first one.
        since: Unix seconds when this state began.
        error: Why the tunnel is offline, in one sentence; None while it is online.
        latency_ms: Latency of the last answered heartbeat; None before the first one.
        outage_seconds: Duration of the outage that this state ends; None if it ends no outage.
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
        target: Address of the app; None if the event is about the command itself.
        exit_code: Exit code of the command; None until it has ended.
        detail: One sentence for users.
    """

    state: Literal["up", "down", "started", "exited", "paused"]
    target: str | None = None
    exit_code: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to the user that no other event covers; it never contains a secret.

    Attributes:
        message: One sentence.
        hint: One thing to do about it; empty if there is none.
        level: ``info``, ``warning`` or ``error``.
    """

    message: str
    hint: str = ""
    level: Literal["info", "warning", "error"] = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """Result of the request to our own public URL: ``ok``, ``failed`` or ``skipped``."""

    result: Literal["ok", "failed", "skipped"]
    hint: str = ""


@dataclass(frozen=True, slots=True)
class AttachedTo:
    """What a session reads from its history, received by any listener.

    Attributes:
        app: The name that its cursor is kept under; None without a target.
        match: The filter, as typed; empty matches everything.
        cursor: The newest id that is passed over.
    """

    app: str | None
    match: str
    cursor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The session is ready; contains everything that the banner shows.

    Attributes:
        callback_url: The URL to paste into TikTok, including the path; empty without a receiver.
        local_url: Address of the receiver; empty without one.
        inspector_url: Address of the inspector; None without one.
        self_check: Whether the public URL reaches this receiver.
        memory: ``first`` run, ``same`` Callback URL as last time, or ``changed``.
        secrets: Number of client secrets; 0 means that signatures are not verified.
        edge_verification: Whether ngrok verifies signatures before we do.
        target: The primary target; None without forwarding.
        target_up: Whether the primary target accepted a connection; None without a target.
        others: The secondary targets, each with whether it accepted a connection.
        ack: The ack mode; None if nothing is forwarded and TikTok always gets 200.
        routes: Filter and target of each route; every target is the primary or among the others.
        answers: Filter and answer of each answer rule, the answer in words.
        tunnelled: False with ``--no-tunnel``.
        public: Whether the Callback URL can be reached from outside (tunnel or ``--public-url``).
        history: Path of the database; None when ephemeral.
        settings_from: What a project's files set, one sentence for each file; never a value.
        attached: What is read from the history; None for a listener.
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
    routes: tuple[tuple[str, str], ...] = ()
    answers: tuple[tuple[str, str], ...] = ()
    tunnelled: bool = True
    public: bool = True
    history: str | None = None
    settings_from: tuple[str, ...] = ()
    attached: AttachedTo | None = None


@dataclass(frozen=True, slots=True)
class SecondaryFailures:
    """Failures at a secondary target, whose responses do not affect the answer to TikTok.

    Attributes:
        target: Address of the target.
        ids: Ids of the deliveries whose last attempt at this target did not get 200 (the newest
            100).
        attempts: Number of attempts at this target that did not get 200.
    """

    target: str
    ids: tuple[int, ...]
    attempts: int


@dataclass(slots=True, kw_only=True)
class Summary:
    """The counts of the exit screen.

    Attributes:
        started_at: Unix seconds.
        seconds: Duration of the session.
        received: Number of stored deliveries.
        valid: Deliveries with a valid signature and a current timestamp.
        stale: Deliveries with a valid signature whose timestamp is too old or too new.
        rejected: Deliveries that were answered 403 because of their signature.
        unchecked: Deliveries that were received without a secret to verify them.
        redeliveries: Stored deliveries that repeat an earlier event.
        unstored: Deliveries that were answered 503 because they could not be stored.
        non_webhook_requests: Number of non-webhook requests.
        attempts: Number of forwarding attempts that ended.
        failed: Ids of the deliveries whose last attempt at the primary target did not get 200 (the
            newest 100).
        failed_attempts: Number of attempts at all targets that did not get 200.
        secondary_failures: Failures at each secondary target that had any.
        target: The primary target if there are several targets, otherwise None.
        pending: Deliveries still queued; with several targets, the length of the longest queue.
        pending_at: Address of the target with the longest queue; None with fewer than two targets.
        p95_ms: 95th percentile of the app's response times; None without responses.
        outages: Number of tunnel outages.
        offline_seconds: Total duration of the tunnel outages.
        dropped_lines: Deliveries that the terminal counted without printing a line.
    """

    started_at: float = 0.0
    seconds: float = 0.0
    received: int = 0
    valid: int = 0
    stale: int = 0
    rejected: int = 0
    unchecked: int = 0
    redeliveries: int = 0
    unstored: int = 0
    non_webhook_requests: int = 0
    attempts: int = 0
    failed: tuple[int, ...] = ()
    failed_attempts: int = 0
    secondary_failures: tuple[SecondaryFailures, ...] = ()
    target: str | None = None
    pending: int = 0
    pending_at: str | None = None
    p95_ms: float | None = None
    outages: int = 0
    offline_seconds: float = 0.0
    dropped_lines: int = 0
