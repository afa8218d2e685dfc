"""Records of the store other than deliveries and attempts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tiktok_hook.delivery import Delivery
from tiktok_hook.signature import State

QueueMode = Literal["first", "hold", "attached"]
"""Why a delivery is in a queue, and when it is forwarded from there.

``first`` (the ack mode) is forwarded as soon as possible, ``hold`` (the ack mode, or a pause) when
it is released. ``attached`` (an attached app) is forwarded as soon as possible; the app reads no
more when its queue is full, so these do not count against the bound of waiting deliveries.
"""

QUEUE_MODES: tuple[QueueMode, ...] = ("first", "hold", "attached")


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A target that a delivery waits for.

    Attributes:
        mode: ``first``, ``hold`` or ``attached``.
        target: The URL of the target.
        secondary: True for secondary targets, whose queued deliveries may be pruned.
        deadline: Unix seconds after which a failed attempt is the last one; None is never.
        tries: How often it was set aside after a failure of its own.
        next_try_at: Unix seconds before which it is not tried again; None while it waits in order.
    """

    mode: QueueMode
    target: str
    secondary: bool = False
    deadline: float | None = None
    tries: int = 0
    next_try_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An attached app: it gets the deliveries of all listeners that match its filter.

    Attributes:
        app: Its name.
        target: Where it forwards to.
        match: Its filter as text; empty matches everything.
        cursor: The newest id that it has read. Matching deliveries up to there are, or were, in its
            queue.
        epoch: The epoch of the history that `cursor` belongs to.
        host: The machine of the process that attached it last.
        pid: The number of that process.
        missed: Number of accepted deliveries that retention deleted before it read them.
    """

    app: str
    target: str = ""
    match: str = ""
    cursor: int = 0
    epoch: str = ""
    host: str = ""
    pid: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentState:
    """An attached app, its queue and the history, from one query.

    Attributes:
        attachment: As stored; None if there is no app of this name.
        epoch: The current epoch of the history.
        newest_id: The newest id; 0 in an empty history.
        in_order: How many deliveries of its queue wait in order.
        set_aside: How many deliveries of its queue are set aside.
    """

    attachment: Attachment | None
    epoch: str
    newest_id: int
    in_order: int
    set_aside: int


@dataclass(frozen=True, slots=True)
class QueuedDelivery:
    """A delivery in the queue of one target."""

    delivery: Delivery
    entry: QueueEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The listeners and apps of a shared history; a history in a file has no names.

    Attributes:
        listeners: Those that received the newest deliveries.
        apps: Those that are attached, and those that the newest deliveries were sent to.
    """

    listeners: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Numbers of deliveries.

    Attributes:
        received: All deliveries.
        valid: Valid signature of an acceptable age.
        stale: Valid signature, too old or too new.
        rejected: Invalid or missing signature.
        unchecked: No secret was given.
        redeliveries: Repetitions.
        failed: The last attempt did not get 200.
        replayed: Replayed at least once.
        pending: Waiting for the app.
    """

    received: int = 0
    valid: int = 0
    stale: int = 0
    rejected: int = 0
    unchecked: int = 0
    redeliveries: int = 0
    failed: int = 0
    replayed: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """One span of a timeline.

    Attributes:
        since: Its beginning, in Unix seconds.
        verdicts: How many deliveries of each verdict were received; verdicts without any are left
            out.
        attempts: How many attempts with deliveries of the timeline began in it and have ended.
        failed: How many of these attempts did not get 200.
        mean_ms: Their mean duration; None without any.
    """

    since: float
    verdicts: Mapping[State, int]
    attempts: int
    failed: int
    mean_ms: float | None
