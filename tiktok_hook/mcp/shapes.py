"""The output of each tool, as types that also describe it."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from tiktok_hook.delivery.shapes import (
    AttemptShape,
    DeliveryShape,
    RequestShape,
    Timestamp,
    VerdictShape,
)

BODY_REFERENCE = "URI of the resource with the exact bytes, where the body is long."
Note = Annotated[str, "How to treat content that came from outside."]


class ToolDeliveryShape(DeliveryShape):
    """A delivery whose long body is left out and named by its resource."""

    body_resource: NotRequired[Annotated[str, BODY_REFERENCE]]


class ToolRequestShape(RequestShape):
    """A request as sent or to be sent."""

    url: NotRequired[str]
    body_resource: NotRequired[Annotated[str, BODY_REFERENCE]]


class ToolAttemptShape(AttemptShape):
    """An attempt whose long bodies are left out and named by their resources."""

    body_resource: NotRequired[Annotated[str, BODY_REFERENCE]]


class ListenerShape(TypedDict):
    """A running listener."""

    local_url: str
    callback_url: Annotated[str | None, "Public address to paste into TikTok; null without one."]
    inspector_url: str | None
    target: Annotated[str | None, "Where it forwards first."]
    started_at: Timestamp
    started_here: Annotated[bool, "Whether start_listener of this server started it."]
    same_history: Annotated[bool, "Whether it writes to the history that this server reads."]


class PermissionsShape(TypedDict):
    """What the user allows."""

    listen: Annotated[Literal["allowed", "asks", "denied"], "start_listener, stop_listener"]
    send: Annotated[
        Literal["allowed", "asks", "denied"], "trigger_event, replay_delivery, audit_handler"
    ]
    remote: Annotated[bool, "Whether targets off this machine are allowed."]
    headers: Annotated[Literal["masked", "shown"], "Credentials and signatures in headers."]


class HistoryCountsShape(TypedDict):
    """Numbers of stored deliveries."""

    received: int
    valid: int
    stale: int
    rejected: int
    unchecked: int
    redeliveries: int
    failed: int
    replayed: int
    pending: Annotated[int, "Deliveries that wait for an app."]


class ToolStatusShape(TypedDict):
    """Listeners, history and permissions."""

    version: str
    can_sign: Annotated[bool, "Whether the server has a client secret."]
    listeners: list[ListenerShape]
    history: HistoryCountsShape
    cursor: Annotated[int, "Newest id; give it to wait_for_delivery before something is sent."]
    permissions: PermissionsShape


class ToolRowShape(TypedDict):
    """A delivery with its last attempt."""

    delivery: ToolDeliveryShape
    last_attempt: ToolAttemptShape | None


class ToolPageShape(TypedDict):
    """A page of deliveries, newest first."""

    deliveries: list[ToolRowShape]
    next: Annotated[int | None, "`before` of the next page; null at the end."]
    cursor: Annotated[int, "Newest id, for wait_for_delivery."]
    note: Note


class ToolWholeShape(TypedDict):
    """A delivery with what belongs to it."""

    delivery: ToolDeliveryShape
    product: str | None
    meaning: Annotated[str | None, "What the event means; null if it is not in the catalogue."]
    documentation: str | None
    meanings: Annotated[dict[str, str], "Meanings of values, by their path."]
    attempts: Annotated[int, "How many there are; list_attempts shows them."]
    redeliveries: Annotated[list[int], "Other deliveries of the same event."]
    note: Note


class ToolAttemptsShape(TypedDict):
    """The attempts at forwarding one delivery."""

    attempts: list[ToolAttemptShape]
    left_out: Annotated[int, "Attempts that are left out, so that the result stays short."]
    note: Note


class DiagnosisShape(TypedDict):
    """The mistake behind a signature."""

    mistake: Annotated[str, "A stable name."]
    reason: str
    fix: str


class ToolDiagnosisShape(TypedDict):
    """What the signature check found."""

    verdict: VerdictShape
    diagnosis: Annotated[
        DiagnosisShape | None, "The mistake and its fix; null if valid or not recognised."
    ]


class ToolWaitShape(TypedDict):
    """What arrived."""

    found: bool
    delivery: ToolDeliveryShape | None
    last_attempt: ToolAttemptShape | None
    waiting: Annotated[bool, "Whether the app has not answered yet."]
    cursor: Annotated[int, "Continue from here: nothing up to this id will be shown again."]
    note: Note


class FieldShape(TypedDict):
    """A key of an event's content."""

    name: str
    type: str
    meaning: str
    optional: Annotated[bool, "Whether it may be missing."]
    values: Annotated[dict[str, str], "Known values and what they mean."]


class EventTypeShape(TypedDict):
    """An event type of the catalogue."""

    event: str
    product: str
    meaning: str
    mark: Annotated[str, "documented, seen or inferred"]
    documentation: str
    fields: Annotated[list[FieldShape], "Keys of its content."]
    quirks: Annotated[list[str], "What surprises in it."]
    sample: NotRequired[Annotated[str, "A body as TikTok would send it."]]


class ToolEventsShape(TypedDict):
    """Event types of the catalogue."""

    events: list[EventTypeShape]


class ToolSentShape(TypedDict):
    """What was answered to a sample."""

    sent: bool
    target: str
    signed: bool
    status: int | None
    error: str | None
    duration_ms: float | None
    hint: Annotated[str, "What a bad answer most probably means, and what to do."]
    body: Annotated[str, "The body that was sent, or would be."]
    cursor: Annotated[int, "Newest id before it was sent, for wait_for_delivery."]


class ToolReplayedShape(TypedDict):
    """The attempt that was made, or with dry_run the request."""

    attempt: ToolAttemptShape | None
    request: Annotated[ToolRequestShape | None, "With dry_run only."]
    note: Note


class AuditCaseShape(TypedDict):
    """One case of an audit."""

    id: str
    title: str
    expected: Literal["accepted", "rejected", "ignored"]
    outcome: str
    status: int | None
    duration_ms: float
    observed: Annotated[str, "What the app answered."]
    means: Annotated[str, "What a failure means in production."]
    likely: Annotated[str, "The likely mistake."]


class MistakeShape(TypedDict):
    """A mistake behind several answers."""

    name: str
    words: str


class ToolAuditShape(TypedDict):
    """What an audit found."""

    target: str
    passed: bool
    duration_seconds: float
    counts: dict[str, int]
    stopped: Annotated[str, "Why not all cases were run; empty if all were."]
    framework: str | None
    mistakes: Annotated[list[MistakeShape], "The gravest first."]
    cases: Annotated[list[AuditCaseShape], "Those that did not pass, or all."]
    note: Note


class ToolExportShape(TypedDict):
    """A pytest module."""

    file_name: str
    module: Annotated[str, "The text of the module; it holds no secret."]
    deliveries: int
    run: Annotated[str, "How to run it."]
    note: Note


class CheckShape(TypedDict):
    """One finding of doctor."""

    id: str
    status: Literal["pass", "warn", "fail"]
    found: str
    next_step: str


class ToolDoctorShape(TypedDict):
    """All findings of doctor."""

    passed: bool
    counts: dict[str, int]
    checks: list[CheckShape]


class ToolListenerShape(TypedDict):
    """The listener that was started."""

    callback_url: Annotated[str | None, "Public address to paste into TikTok; null without one."]
    local_url: str
    inspector_url: str | None
    targets: list[str]
    cursor: Annotated[int, "Newest id, for wait_for_delivery."]


class ToolStoppedShape(TypedDict):
    """Whether a listener was stopped."""

    stopped: bool
    exit_code: int | None


Shape = dict[str, Any]
