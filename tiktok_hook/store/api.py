"""The interface of the store: what a backend provides and what its callers may rely on.

A backend provides three things: a `HistoryReader` for queries, a `WriteBackend` whose `commit`
turns jobs into one transaction, and `QueueLock`s. `writer.Store` is built on these and is the same
for every backend, and so are the queues that the relay forwards from. Every backend has to pass the
tests in ``tests/store/contract``.

What every backend guarantees:

- A delivery that `Store.add` returned is durable, and every reader sees it.
- Ids increase and are never used twice. They are committed in their order, so after a reader has
  seen id n, no lower one appears: ``after=n`` misses nothing. There may be gaps.
- A reader sees a transaction as a whole or not at all, and never blocks the writer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.store.filter import EVERYTHING, Filter
from tiktok_hook.store.records import (
    AttachmentState,
    Bucket,
    Counts,
    Names,
    QueuedDelivery,
    QueueEntry,
    QueueMode,
)

if TYPE_CHECKING:
    from tiktok_hook.store.jobs import Job  # brings asyncio, which reading does without

ATTACHMENT = ""
"""The target of the lock that the process of an attached app holds for all of its queues."""

SEARCH_WINDOW = 50_000
"""How many ids a search for a text looks at in one query."""


class ChangeFeed(Protocol):
    """Detects writes of this and of other processes."""

    def changes(self) -> int:
        """A change counter: different after any write by any process; -1 while it is unknown.

        Never waits and never queries a server, so it may be called on an event loop.
        """
        ...

    def wait_for_change(self, seen: int, seconds: float) -> int:
        """Block until `changes` differs from `seen`, at most `seconds`; returns its value."""
        ...

    def restored(self) -> int:
        """How often a dump was restored in place of the history since it was opened; no query.

        The same ids may belong to other deliveries then, so remembered ids are invalid. A restore
        is noticed within 5 s and counts as a change.
        """
        ...

    def additions(self) -> int:
        """A counter like `changes` that may stay the same when no delivery was added."""
        ...

    def updates(self) -> int:
        """A counter like `changes` that may stay the same when deliveries were only added."""
        ...

    def wait_for_addition(self, seen: int, seconds: float) -> int:
        """Block until `additions` differs from `seen`, at most `seconds`; returns its value."""
        ...


class HistoryReader(ChangeFeed, Protocol):
    """Queries over a history, from any thread. A context manager.

    The queues are those of the app that the history was opened for.

    Queries take as long as the disk or the server takes, so call them in a thread (`Store.read`).
    Every method raises StoreError when the history cannot be read.

    Attributes:
        label: What the history is called in messages: a path, or an address without its password.
        app: The own app in a shared history, such as ``anna@laptop``; None in a file.
    """

    @property
    def label(self) -> str: ...

    @property
    def app(self) -> str | None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        """Close all connections; a running query closes its own at its end."""
        ...

    def get(self, delivery_id: int) -> Delivery | None:
        """The delivery with an id; None if there is none."""
        ...

    def attempts(self, delivery_id: int) -> list[Attempt]:
        """The attempts with a delivery in order; of very many the first and the last ten."""
        ...

    def last_attempts(self, ids: Sequence[int], *, app: str | None = None) -> dict[int, Attempt]:
        """The last attempt of each of these deliveries that has one.

        Args:
            ids: The deliveries.
            app: The app whose attempts count in a shared history. None prefers those of the own
                app, ``any`` does not.
        """
        ...

    def replays_by_others(self, since: float, limit: int) -> list[Attempt]:
        """Replays that other processes began, in the order of their times.

        Of a shared history those of one's own app: what others replay goes to their machines.

        Args:
            since: Unix seconds; only what began then or later.
            limit: Maximum number.
        """
        ...

    def apps_of(self, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """The names of the apps that each of these deliveries was sent to; empty in a file."""
        ...

    def names(self) -> Names:
        """The listeners and apps of a shared history, sorted; empty in a file."""
        ...

    def page(
        self,
        where: Filter = EVERYTHING,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        """One page of deliveries, newest first.

        Args:
            where: Which.
            before: Only ids below this one: the last id of the previous page.
            after: Only ids above this one; then oldest first.
            limit: Maximum number of deliveries.
        """
        ...

    def search(
        self,
        where: Filter,
        *,
        before: int | None = None,
        limit: int = 50,
        window: int = SEARCH_WINDOW,
    ) -> tuple[list[Delivery], int | None]:
        """One page of deliveries, newest first, from at most `window` ids, which bounds its time.

        Args:
            where: Which.
            before: Only ids below this one: what the last search returned to continue from.
            limit: Maximum number of deliveries.
            window: How many ids are read.

        Returns:
            The deliveries that were found, and the id to continue from; None if all were read.
        """
        ...

    def walk(self, where: Filter = EVERYTHING, *, batch: int = 200) -> Iterator[Delivery]:
        """All matching deliveries, oldest first, without holding more than a batch in memory."""
        ...

    def newest_id(self) -> int:
        """The newest id that is stored; 0 when there is none."""
        ...

    def ids_received_at(self, times: Sequence[float], *, within: float) -> list[int]:
        """The ids of the deliveries received at any of these times, in order.

        Args:
            times: Unix seconds; any number of them, in one query.
            within: The permitted difference, in seconds, bounds included.
        """
        ...

    def redeliveries(self, delivery_id: int) -> list[int]:
        """The ids of all deliveries of the same event, in order, including this one."""
        ...

    def count(self, where: Filter = EVERYTHING) -> int:
        """How many matching deliveries there are, rejected ones included."""
        ...

    def counts(self, where: Filter = EVERYTHING) -> Counts:
        """How many matching deliveries there are, by verdict and outcome."""
        ...

    def timeline(self, since: float, until: float, *, buckets: int = 60) -> list[Bucket]:
        """Numbers of deliveries between two times (Unix seconds), in spans of equal length."""
        ...

    def pending(
        self, target: str | None = None, mode: QueueMode | None = None
    ) -> Iterator[Delivery]:
        """Deliveries that wait for an app, by id; for one target or mode if given."""
        ...

    def pending_count(self, target: str | None = None, mode: QueueMode | None = None) -> int:
        """How many deliveries wait for an app; for one target or mode if given."""
        ...

    def queues_of(self, delivery_id: int) -> list[QueueEntry]:
        """The targets that a delivery waits for, primary one first."""
        ...

    def queue_targets(self) -> list[str]:
        """The addresses that any delivery waits for."""
        ...

    def queue_head(
        self, target: str, up_to: Mapping[QueueMode, int | None], limit: int
    ) -> list[QueuedDelivery]:
        """The oldest deliveries that wait for a target in order, without those set aside.

        Args:
            target: The address.
            up_to: The modes to include, each with the highest id; None is any id.
            limit: Maximum number.
        """
        ...

    def queue_due(
        self, target: str, up_to: Mapping[QueueMode, int | None], now: float, limit: int
    ) -> list[QueuedDelivery]:
        """Set-aside deliveries whose next try is due at `now`, in the order of those times."""
        ...

    def attachment(self) -> AttachmentState:
        """The attached app of the name that the history was opened with, in one query."""
        ...

    def next_due_at(self, target: str, up_to: Mapping[QueueMode, int | None]) -> float | None:
        """When the next set-aside delivery is due, in Unix seconds; None if there is none."""
        ...


class QueueLock(Protocol):
    """The right to forward from the queue of one target, for one process at a time.

    Every app has its own queues and locks, by the name that the history was opened with. A lock is
    released when the process of its holder ends, in whatever way. It is an async context manager,
    which closes it. A backend with leases renews the lease while the lock is held.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    @property
    def held(self) -> bool:
        """Whether this process has the lock for certain; no query. A lease can end unnoticed."""
        ...

    @property
    def lost(self) -> bool:
        """Whether another process has had the lock since this one acquired it; no query."""
        ...

    async def acquire(self) -> bool:
        """Try to acquire the lock, without waiting for another holder; returns the success.

        Raises:
            StoreError: The lock cannot be requested.
        """
        ...

    async def release(self) -> None:
        """Release the lock; does nothing if this process does not have it."""
        ...

    async def close(self) -> None:
        """Release the lock, and delete its file or row."""
        ...


class WriteBackend(Protocol):
    """Writes for `writer.Store`.

    Used only by the writer's thread once it was opened, except for `reader`, `queue_lock` and
    `label`.
    """

    @property
    def label(self) -> str:
        """What the history is called in messages, without any password."""
        ...

    @property
    def reader(self) -> HistoryReader:
        """The reading side; closed with the backend."""
        ...

    def queue_lock(self, target: str) -> QueueLock:
        """A lock for the queue of one target, not acquired yet."""
        ...

    def commit(self, jobs: "Sequence[Job]") -> list[Any]:
        """Write jobs in their order as one transaction that is durable on return.

        Returns:
            The result of each job; a StoreError for a job that was left out.

        Raises:
            Exception: Any error of the driver; nothing was written then.
        """
        ...

    @property
    def has_more_to_do(self) -> bool:
        """Whether the next commit, even an empty one, has work to do, such as deleting old rows."""
        ...

    def explain(self, error: Exception) -> StoreError | None:
        """Translate an error of `commit` for the user; None if it is not the driver's."""
        ...

    def is_fault_of_a_row(self, error: Exception) -> bool:
        """Whether a single row may have caused an error, so that the others can be written."""
        ...

    def recover(self, error: Exception) -> None:
        """Close what an error of `commit` has made unusable; the next commit reconnects."""
        ...

    def close(self) -> None:
        """Close everything; closing twice is fine."""
        ...


@dataclass(frozen=True, slots=True)
class Integrity:
    """The result of checking the storage of a history.

    Attributes:
        damage: The database's message about the first damage; empty if none was found.
        complete: Whether everything was read in the given time.
    """

    damage: str
    complete: bool


__all__ = [
    "ATTACHMENT",
    "SEARCH_WINDOW",
    "ChangeFeed",
    "HistoryReader",
    "Integrity",
    "QueueLock",
    "WriteBackend",
]
