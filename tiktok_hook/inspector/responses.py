"""The JSON shapes of `/api/v1`, and the functions that make them."""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired, TypedDict

from tiktok_hook import events
from tiktok_hook.delivery import Attempt, Delivery, attempt_json, delivery_json, timestamp
from tiktok_hook.delivery.shapes import (
    AttemptShape,
    DeliveryShape,
    RequestShape,
    Timestamp,
)
from tiktok_hook.forward import ForwardRequest
from tiktok_hook.inspector.status import Status
from tiktok_hook.store import Bucket, Counts, Filter, HistoryReader, QueueEntry, QueueMode


class ErrorShape(TypedDict):
    """Why a request was rejected, and what to do about it."""

    error: str
    hint: str


class RowShape(TypedDict):
    """A delivery in the list, with its last attempt."""

    delivery: DeliveryShape
    product: str | None
    last_attempt: AttemptShape | None
    queued: Annotated[bool, "Whether it waits for an app."]
    apps: Annotated[list[str], "The apps of a shared history that it was sent to."]


class PageShape(TypedDict):
    """A page of deliveries, newest first."""

    deliveries: list[RowShape]
    next: Annotated[
        int | None,
        "The next page's `before` (or `after`). A search for a text may have found nothing yet and "
        "still continue: it has looked at all ids from this one up.",
    ]


class CountShape(TypedDict):
    """How many deliveries match."""

    matching: int
    newest: Annotated[int, "The highest id there is; 0 without deliveries."]


class RemarkShape(TypedDict):
    """What is wrong in a filter, or probably is."""

    message: str
    hint: str


class CheckedFilterShape(TypedDict):
    """What a filter means, or why it cannot be read."""

    filter: Annotated[str | None, "As it was understood; null if it cannot be read."]
    error: RemarkShape | None
    doubts: Annotated[list[RemarkShape], "What is probably mistyped."]


class DifferenceShape(TypedDict):
    """One point in which a delivery differs from what is known of its event."""

    path: str
    words: str


class QueueEntryShape(TypedDict):
    """A target that a delivery waits for."""

    target: str
    mode: Annotated[QueueMode, "`hold` is forwarded when released, the others as soon as possible."]
    tries: Annotated[int, "How often it was set aside after a failure of its own."]
    next_try_at: Annotated[Timestamp | None, "Null while it waits in order."]
    deadline: Annotated[Timestamp | None, "It is given up if it fails after this; null: never."]


class AnswerRuleShape(TypedDict):
    """What TikTok is answered for what matches a filter."""

    filter: str
    answer: Annotated[str, "In words: `500, the first 2 times of each event`."]


class WholeShape(TypedDict):
    """A delivery with its attempts, its redeliveries and what its values mean."""

    delivery: DeliveryShape
    attempts: list[AttemptShape]
    redeliveries: list[int]
    product: str | None
    meaning: str | None
    documentation: str | None
    meanings: Annotated[dict[str, str], "Meanings of values, by their path."]
    differences: Annotated[list[DifferenceShape], "From what is known of TikTok's deliveries."]
    log_id: Annotated[str | None, "TikTok's own id of the request, for its support."]
    queue: Annotated[list[QueueEntryShape], "The targets that it waits for."]
    recorded_target: Annotated[str | None, "Where it was sent last."]
    answer_rule: Annotated[
        AnswerRuleShape | None, "What chose TikTok's answer, if a rule of this session did."
    ]


class SentRequestShape(RequestShape):
    """A request as it would be sent."""

    url: str


class ReplayedShape(TypedDict):
    """The attempt that was made, or with `dry_run` the request."""

    attempt: NotRequired[AttemptShape]
    request: NotRequired[SentRequestShape]


class SampleShape(TypedDict):
    """An event of the catalogue."""

    event: str
    product: str
    meaning: str
    mark: str
    documentation: str
    sample: Annotated[str, "A body as TikTok would send it."]


class ScenarioShape(TypedDict):
    """Events that share their ids, sent in order."""

    name: str
    meaning: str
    events: list[str]


class SamplesShape(TypedDict):
    """The catalogue of events, and the scenarios."""

    samples: list[SampleShape]
    scenarios: list[ScenarioShape]


class SentShape(TypedDict):
    """What the receiver answered to a sample, or with `dry_run` its body."""

    status: int | None
    error: str | None
    body: NotRequired[str]


class SentBodyShape(TypedDict):
    """What the receiver answered; never the signature that was sent."""

    status: int | None
    error: str | None
    detail: str
    duration_ms: float
    headers: list[list[str]]
    body_base64: str


class SentScenarioShape(TypedDict):
    """What the receiver answered to each event of a scenario."""

    sent: list[SentShape]


class RemovedShape(TypedDict):
    """How many deliveries were deleted."""

    removed: int


class BucketShape(TypedDict):
    """A span of the timeline."""

    since: float
    verdicts: dict[str, int]
    attempts: int
    failed: int
    mean_ms: float | None


class TimelineShape(TypedDict):
    """Deliveries and the app's responses over time."""

    since: float
    until: float
    buckets: list[BucketShape]


class TunnelShape(TypedDict):
    """The tunnel's state."""

    state: Literal["connecting", "online", "reconnecting", "closed"]
    url: str | None
    since: Timestamp
    error: str | None
    latency_ms: float | None


class OutageShape(TypedDict):
    """A time without tunnel."""

    since: Timestamp
    until: Timestamp | None


class CountsShape(TypedDict):
    """Numbers of stored deliveries."""

    received: int
    valid: int
    stale: int
    rejected: int
    unchecked: int
    redeliveries: int
    failed: int
    replayed: int
    pending: int


class RouteShape(TypedDict):
    """A target, and what goes there."""

    filter: Annotated[str | None, "Null: everything."]
    target: str
    up: Annotated[bool | None, "Whether it accepts connections; null if that is not known."]


class TargetQueueShape(TypedDict):
    """The queue of one target."""

    target: str
    waiting: int
    next_try_at: Annotated[Timestamp | None, "When the next delivery is due that failed by itself."]


class SessionStatusShape(TypedDict):
    """The session; its numbers count from its start."""

    callback_url: str | None
    local_url: str | None
    public: Annotated[bool, "Whether the Callback URL can be reached from the internet."]
    tunnel: TunnelShape | None
    target: str | None
    targets: list[str]
    routes: list[RouteShape]
    answers: Annotated[list[AnswerRuleShape], "Answer rules; the first that matches counts."]
    target_up: bool | None
    ack: str | None
    started_at: Timestamp | None
    received: int
    rejected: int
    failed_attempts: int
    outages: int
    offline: list[OutageShape]
    waiting: Annotated[int, "Deliveries that wait for the app."]
    paused: Annotated[bool, "Whether the user paused forwarding."]
    can_sign: bool


class StatusShape(SessionStatusShape):
    """The session and the history in numbers."""

    history: CountsShape
    queues: Annotated[list[TargetQueueShape], "Of all targets that deliveries wait for."]
    listeners: Annotated[list[str], "Who received the newest deliveries of a shared history."]
    apps: Annotated[list[str], "The attached apps of a shared history, and those it was sent to."]


def row_json(
    delivery: Delivery, last: Attempt | None, *, queued: bool, apps: Sequence[str] = ()
) -> RowShape:
    """A row of the list."""
    event = delivery.event
    kind = None if event is None else event.kind
    return {
        "delivery": delivery_json(delivery),
        "product": None if kind is None else kind.product,
        "last_attempt": None if last is None else attempt_json(last),
        "queued": queued,
        "apps": list(apps),
    }


def queued_ids(history: HistoryReader, ids: Sequence[int]) -> frozenset[int]:
    """Which of these deliveries wait for an app."""
    found = history.page(Filter(ids=tuple(ids), queued=True), limit=len(ids)) if ids else ()
    return frozenset(each.id for each in found)


def whole_json(
    delivery: Delivery,
    attempts: list[Attempt],
    redeliveries: list[int],
    recorded: str | None,
    queue: list[QueueEntry],
    rule: tuple[str, str] | None,
) -> WholeShape:
    """A delivery with everything that belongs to it."""
    event = delivery.event
    kind = None if event is None else event.kind
    return {
        "delivery": delivery_json(delivery),
        "attempts": [attempt_json(each) for each in attempts],
        "redeliveries": redeliveries,
        "product": None if kind is None else kind.product,
        "meaning": None if kind is None else kind.meaning,
        "documentation": None if kind is None else kind.url,
        "meanings": {} if event is None else _meanings(event),
        "differences": []
        if event is None
        else [{"path": each.path, "words": each.words} for each in events.differences(event)],
        "log_id": delivery.log_id,
        "queue": [
            {
                "target": each.target,
                "mode": each.mode,
                "tries": each.tries,
                "next_try_at": _moment(each.next_try_at),
                "deadline": _moment(each.deadline),
            }
            for each in queue
        ],
        "recorded_target": recorded,
        "answer_rule": None if rule is None else answer_rule_json(rule),
    }


def answer_rule_json(rule: tuple[str, str]) -> AnswerRuleShape:
    """An answer rule: its filter, and its answer in words."""
    match, answer = rule
    return {"filter": match, "answer": answer}


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)


def _meanings(event: events.Event) -> dict[str, str]:
    paths = ["client_key", "event", "create_time", "user_openid", "content"]
    if isinstance(event.content, dict):
        paths += [f"content.{key}" for key in event.content]
    return {path: words for path in paths if (words := events.meaning(event, path))}


def request_json(request: ForwardRequest) -> SentRequestShape:
    """A request that would be sent."""
    sent = Attempt(
        delivery_id=0,
        started_at=0.0,
        target=request.url,
        request_method=request.method,
        request_headers=request.headers,
        request_body=request.body,
    )
    return {"url": request.url, **attempt_json(sent)["request"]}


def timeline_json(since: float, until: float, buckets: list[Bucket]) -> TimelineShape:
    """The timeline."""
    return {
        "since": since,
        "until": until,
        "buckets": [
            {
                "since": each.since,
                "verdicts": {state.value: count for state, count in each.verdicts.items()},
                "attempts": each.attempts,
                "failed": each.failed,
                "mean_ms": each.mean_ms,
            }
            for each in buckets
        ],
    }


def session_json(status: Status) -> SessionStatusShape:
    """The session's state."""
    tunnel, counts = status.tunnel, status.counts
    return {
        "callback_url": status.callback_url,
        "local_url": status.local_url,
        "public": status.public,
        "tunnel": None
        if tunnel is None
        else {
            "state": tunnel.state,
            "url": tunnel.url,
            "since": timestamp(tunnel.since),
            "error": tunnel.error,
            "latency_ms": tunnel.latency_ms,
        },
        "target": status.targets[0] if status.targets else None,
        "targets": list(status.targets),
        "routes": [
            {"filter": match, "target": target, "up": status.up.get(target)}
            for match, target in status.routes
        ],
        "answers": [answer_rule_json(each) for each in status.answers],
        "target_up": status.target_up,
        "ack": status.ack,
        "started_at": timestamp(status.started_at) if status.started_at else None,
        "received": 0 if counts is None else counts.received,
        "rejected": 0 if counts is None else counts.rejected,
        "failed_attempts": 0 if counts is None else counts.failed_attempts,
        "outages": 0 if counts is None else counts.outages,
        "offline": [
            {"since": timestamp(since), "until": None if until is None else timestamp(until)}
            for since, until in status.outages
        ],
        "waiting": status.waiting,
        "paused": status.paused,
        "can_sign": status.signed,
    }


def target_queue_json(target: str, waiting: int, next_try_at: float | None) -> TargetQueueShape:
    """The queue of one target; the time is in Unix seconds."""
    return {"target": target, "waiting": waiting, "next_try_at": _moment(next_try_at)}


def counts_json(counts: Counts) -> CountsShape:
    """The history in numbers."""
    return {
        "received": counts.received,
        "valid": counts.valid,
        "stale": counts.stale,
        "rejected": counts.rejected,
        "unchecked": counts.unchecked,
        "redeliveries": counts.redeliveries,
        "failed": counts.failed,
        "replayed": counts.replayed,
        "pending": counts.pending,
    }
