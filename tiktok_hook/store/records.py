"""Records of the store besides deliveries and attempts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tiktok_hook.delivery import Delivery
from tiktok_hook.signature import State

QueueMode = Literal["first", "hold", "attached"]
"""``first`` is forwarded as soon as possible, ``hold`` when it is released.

``attached`` is in the queue of an attached app, and forwarded as soon as possible. How many of
these wait is bounded by the app's own reading, so they never keep a listener from storing more.
"""

QUEUE_MODES: tuple[QueueMode, ...] = ("first", "hold", "attached")


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A target that a delivery waits for.

    Attributes:
        mode: ``first``, ``hold`` or ``attached``.
        target: The whole address.
        secondary: True for secondary targets, whose queued deliveries may be pruned.
        deadline: Unix seconds after which a delivery that fails is given up; None is never.
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
    """An attached app: it gets what matches its filter, received by any listener.

    Attributes:
        app: Its name.
        target: Where it forwards to.
        match: Its filter as text; empty matches everything.
        cursor: The newest id that it has looked at. What matched up to there is in its queue, or
            was in it.
        epoch: The epoch of the history that `cursor` belongs to.
        host: The machine of the process that attached it last.
        pid: That process.
        missed: Accepted deliveries that retention deleted before it looked at them.
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
    """An attached app and its surroundings, as of one moment.

    Attributes:
        attachment: As stored; None when there is none of this name.
        epoch: The epoch of the history now.
        newest_id: The newest id that was stored at that moment; 0 when there is none.
        in_order: How many deliveries of its queue wait in order.
        set_aside: How many of its queue were set aside.
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
    """Who is known to a shared history; a history in a file has no names.

    Attributes:
        listeners: Who received the newest deliveries.
        apps: Those that are attached, and those that the newest deliveries were sent to.
    """

    listeners: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Numbers of deliveries.

    Attributes:
        received: All of them.
        valid: Right signature, in time.
        stale: Right signature, too old or too new.
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
        since: Where it begins, in Unix seconds.
        verdicts: How many deliveries of each verdict came in; those with none are left out.
        attempts: How many attempts of deliveries of the whole timeline began and ended.
        failed: How many of them did not get 200.
        mean_ms: What the app took for them on average; None without any.
    """

    since: float
    verdicts: Mapping[State, int]
    attempts: int
    failed: int
    mean_ms: float | None
