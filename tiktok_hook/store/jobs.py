"""Write operations as data, which a backend's `commit` executes."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.store import kept
from tiktok_hook.store.records import Attachment, QueueEntry


class Job:
    """A write operation, with an optional future that receives its result.

    Attributes:
        size: Approximate size of the payload, in bytes.
    """

    __slots__ = ("future", "loop", "then")

    size = 0

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.future: asyncio.Future[Any] | None = None
        self.then: Callable[[Any], Any] | None = None

    def create_future(self, then: Callable[[Any], Any] | None = None) -> asyncio.Future[Any]:
        """The future that receives the result, on the running event loop.

        Args:
            then: Called there with the job's result; what it returns is the future's result.
        """
        self.then = then
        self.loop = asyncio.get_running_loop()
        self.future = self.loop.create_future()
        return self.future

    def prepare(self) -> None:
        """Do what needs no transaction; called in the writer's thread, again for a retry."""

    def committed(self) -> None:
        """Called in the writer's thread once its transaction is durable."""


class Add(Job):
    """Store a delivery, its queue entries, and its first attempt if it begins with one.

    The result is the delivery as stored, or a StoreError if its queue is full.
    """

    __slots__ = ("attempt", "delivery", "found_by", "key", "queues", "size", "status")

    def __init__(
        self,
        delivery: Delivery,
        queues: Sequence[QueueEntry] = (),
        attempt: Attempt | None = None,
        *,
        status: int | None = None,
    ) -> None:
        super().__init__()
        self.delivery = delivery
        self.status = delivery.status if status is None else status
        self.queues = queues
        self.attempt = attempt
        self.key: bytes | None = None
        self.found_by: kept.Searchable | None = None
        self.size = kept.payload_bytes(delivery)

    def prepare(self) -> None:
        """Parse, summarise and fingerprint the delivery, then cut a rejected one; only once."""
        if self.found_by is None:
            self.key = kept.link(self.delivery)
            self.found_by = kept.searchable_columns(self.delivery)
            self.delivery = kept.as_kept(self.delivery)

    @property
    def waits(self) -> bool:
        """Whether it counts against the bound of waiting deliveries: it waits for a main target."""
        return bool(self.queues) and any(
            not each.secondary and each.mode != "attached" for each in self.queues
        )


class AddMany(Job):
    """Store several deliveries, each with its first attempt or None, all of them or none.

    Attributes:
        ids: The ids of the deliveries, once committed.
        abandoned: Set by a caller that gave up; a job that was not written yet is skipped.
    """

    __slots__ = ("abandoned", "adds", "assigned", "ids", "size")

    def __init__(self, deliveries: Sequence[tuple[Delivery, Attempt | None]]) -> None:
        super().__init__()
        self.adds = [Add(each, attempt=attempt) for each, attempt in deliveries]
        self.size = sum(each.size for each in self.adds)
        self.ids: list[int] = []
        self.abandoned = False
        self.assigned: list[int] = []

    def prepare(self) -> None:
        """Prepare each."""
        for each in self.adds:
            each.prepare()

    def committed(self) -> None:
        """Record the ids, which after a rollback would belong to other deliveries."""
        self.ids = self.assigned


class UndoImport(Job):
    """Delete the deliveries that an abandoned import has stored; the result is their number."""

    __slots__ = ("added",)

    def __init__(self, added: AddMany) -> None:
        super().__init__()
        self.added = added


class SetStatus(Job):
    """Record the status that TikTok got."""

    __slots__ = ("delivery_id", "status")

    def __init__(self, delivery_id: int, status: int) -> None:
        super().__init__()
        self.delivery_id = delivery_id
        self.status = status


class Dequeue(Job):
    """Take a delivery out of the queue of a target."""

    __slots__ = ("delivery_id", "target")

    def __init__(self, delivery_id: int, target: str) -> None:
        super().__init__()
        self.delivery_id = delivery_id
        self.target = target


class SetAside(Job):
    """Let a queued delivery wait until a time of its own, or return it to its place in order.

    Args:
        delivery_id: The delivery.
        target: The target that it waits for.
        tries: How often it was set aside.
        next_try_at: Unix seconds; None returns it to its place in order.
    """

    __slots__ = ("delivery_id", "next_try_at", "target", "tries")

    def __init__(
        self, delivery_id: int, target: str, *, tries: int, next_try_at: float | None
    ) -> None:
        super().__init__()
        self.delivery_id = delivery_id
        self.target = target
        self.tries = tries
        self.next_try_at = next_try_at


class MakeDue(Job):
    """Make every delivery that was set aside for a target due now."""

    __slots__ = ("now", "target")

    def __init__(self, target: str, now: float) -> None:
        super().__init__()
        self.target = target
        self.now = now


class Attach(Job):
    """Record an attached app, replacing what is recorded under its name.

    The queue of its previous target becomes the queue of the new one.

    Args:
        attachment: The app, with the name that the history was opened with.
        old_target: Its previous target; None if that is still one of its targets.
    """

    __slots__ = ("attachment", "old_target")

    def __init__(self, attachment: Attachment, old_target: str | None) -> None:
        super().__init__()
        self.attachment = attachment
        self.old_target = old_target


class Advance(Job):
    """Put deliveries into the queue of an attached app, and move its cursor past them.

    The result is whether that was done; False if the cursor has another value, or another process
    has the app.

    Args:
        expected: The current cursor.
        cursor: The new cursor.
        entries: Ids and queue entries.
        noted: How many missed deliveries were reported, so that they are not reported again.
    """

    __slots__ = ("cursor", "entries", "expected", "noted")

    def __init__(
        self,
        expected: int,
        cursor: int,
        entries: Sequence[tuple[int, QueueEntry]],
        *,
        noted: int = 0,
    ) -> None:
        super().__init__()
        self.expected = expected
        self.cursor = cursor
        self.entries = entries
        self.noted = noted


class BeginAttempt(Job):
    """Record an attempt before it is sent; the result is the attempt with its number."""

    __slots__ = ("attempt",)

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self.attempt = attempt


class EndAttempt(Job):
    """Record how an attempt ended."""

    __slots__ = ("attempt",)

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self.attempt = attempt


class Flush(Job):
    """Write nothing; its future is resolved when all earlier jobs are durable."""

    __slots__ = ()


class Remove(Job):
    """Delete deliveries by id; the result is how many there were."""

    __slots__ = ("ids",)

    def __init__(self, ids: Sequence[int]) -> None:
        super().__init__()
        self.ids = ids


class Clear(Job):
    """Delete some of the oldest deliveries; the result is their number, 0 if none is left.

    Args:
        before: Only deliveries received before this time, in Unix seconds; None for all.
        newest: The highest id to delete.
    """

    __slots__ = ("before", "newest")

    def __init__(self, before: float | None, newest: int) -> None:
        super().__init__()
        self.before = float("inf") if before is None else before
        self.newest = newest


class ClearIds(Job):
    """Delete deliveries by id, as `Clear` does; the result is how many there were."""

    __slots__ = ("ids",)

    def __init__(self, ids: Sequence[int]) -> None:
        super().__init__()
        self.ids = ids


class Shrink(Job):
    """Return the space of deleted deliveries to the disk, if few are left."""

    __slots__ = ()
