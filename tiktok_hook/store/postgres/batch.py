"""Builds one statement for a batch of jobs, and the result of each job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tiktok_hook.delivery import Delivery, Source
from tiktok_hook.errors import StoreError
from tiktok_hook.store import jobs
from tiktok_hook.store.jobs import Add, Job
from tiktok_hook.store.postgres import rows
from tiktok_hook.store.postgres.arrays import BIGINT, COMMON_TEXT, FLOAT, INTEGER, Column
from tiktok_hook.store.records import QueueEntry

KEPT_ATTEMPTS = 10
"""Of a delivery with many attempts, the first and the last ten are kept."""

_Arrays = tuple[Sequence[Column], Sequence[rows.Row]] | tuple[()]
"""Columns, and rows of them."""

SLICE = 512
"""Maximum number of rows that one transaction clears, so that no transaction takes long."""

_Other: TypeAlias = jobs.Clear | jobs.ClearIds | jobs.Attach | jobs.Advance
"""Jobs for which a function is called, one for each."""


@dataclass
class Batch:
    """Jobs, sorted by kind.

    All of them are sent in one statement, which is one transaction. Nothing is locked before the
    server has all of it, so a listener whose connection freezes in the middle blocks no others.
    The order of jobs within a batch is kept where it matters: among the changes of the queue, and
    of two statuses the last one counts.

    Args:
        batch: The jobs, prepared.
    """

    batch: Sequence[Job]
    adds: list[Add] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    begins: list[jobs.BeginAttempt] = field(default_factory=list)
    ends: list[jobs.EndAttempt] = field(default_factory=list)
    queue_changes: list[rows.Row] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    others: list[_Other] = field(default_factory=list)
    skipped: set[Job] = field(default_factory=set)
    rejected: dict[Job, StoreError] = field(default_factory=dict)
    added: list[rows.Row] = field(default_factory=list)
    attempt_bytes: int = 0
    newest: int | None = None

    def __post_init__(self) -> None:
        for job in self.batch:
            match job:
                case Add():
                    self.adds.append(job)
                case jobs.AddMany():
                    # Read once, since another thread may set it at any time.
                    if job.abandoned:
                        self.skipped.add(job)
                    else:
                        self.adds += job.adds
                case jobs.SetStatus():
                    self.statuses[job.delivery_id] = job.status
                case jobs.BeginAttempt():
                    self.begins.append(job)
                case jobs.EndAttempt():
                    self.ends.append(job)
                case jobs.Remove():
                    self.removed += job.ids
                case jobs.UndoImport():
                    self.removed += job.added.ids
                case jobs.Clear() | jobs.ClearIds() | jobs.Attach() | jobs.Advance():
                    self.others.append(job)
                case _:
                    self.queue_changes += _queue_change(job)
        # In the order of the ids, so that two batches rarely wait for each other. Sorting is
        # stable, so the attempts of one delivery end in their order.
        self.ends.sort(key=lambda each: each.attempt.delivery_id)

    @property
    def updates(self) -> bool:
        """Whether it does more than add deliveries without an attempt."""
        attempts = (self.begins, self.ends, [each for each in self.adds if each.attempt])
        return any((*attempts, self.statuses, self.queue_changes, self.removed, self.others))

    def waiting(self) -> tuple[int, int]:
        """Number and bytes of its deliveries that wait for a main target."""
        sizes = [each.size for each in self.adds if each.waits]
        return len(sizes), sum(sizes)

    def reject_beyond(self, number: int, error: StoreError) -> None:
        """Leave out waiting deliveries after the first ones, with an error as their result."""
        rejected = [each for each in self.adds if each.waits][number:]
        self.rejected.update(dict.fromkeys(rejected, error))
        self.adds = [each for each in self.adds if each not in self.rejected]

    def statement(
        self, app: str, owner: str, queue_bounds: tuple[int | None, int | None]
    ) -> tuple[str, list[Any]] | None:
        """The statement and its values; None when there is nothing to write.

        Args:
            app: Whose queue and attempts these are.
            owner: The process that makes the attempts.
            queue_bounds: How many deliveries and bytes may wait; None does not count them.
        """
        selected: list[str] = []
        values: list[Any] = []
        self.attempt_bytes = 0

        def call(name: str, given: Sequence[Any], *types: str, arrays: _Arrays = ()) -> None:
            placeholders = [f"%b::{each}" for each in types]
            values.extend(given)
            if arrays:
                placeholders.append(rows.placeholders(arrays[0]))
                values.extend(rows.encode(arrays[1], arrays[0]))
            selected.append(f"tiktok_hook.{name}({', '.join(placeholders)})")

        if self.statuses:
            given = [list(self.statuses), list(self.statuses.values())]
            call("set_status_1", given, "int8[]", "int4[]")
        if self.ends:
            ended = [rows.end_row(each.attempt) for each in self.ends]
            self.attempt_bytes += sum(each[-1] for each in ended)
            call("end_attempts_1", [app], "text", arrays=(rows.END_COLUMNS, ended))
        if self.queue_changes:
            changes = (_QUEUE_CHANGE_COLUMNS, self.queue_changes)
            call("change_queue_1", [app], "text", arrays=changes)
        begins = [rows.begin_row(each.attempt.delivery_id, each.attempt) for each in self.begins]
        if begins:
            self.attempt_bytes += sum(each[-1] for each in begins)
            begun = (rows.BEGIN_COLUMNS, begins)
            call("begin_attempts_1", [app, owner, KEPT_ATTEMPTS], *_WHOSE, "int4", arrays=begun)
            selected[-1] += " AS begun"
        if self.removed:
            call("remove_1", [self.removed], "int8[]")
            selected[-1] += " AS removed"
        for number, job in enumerate(self.others):
            name, its_values, its_types, arrays = _call_of(job, app, owner)
            call(name, its_values, *its_types, arrays=arrays)
            selected[-1] += f" AS result_{number}"
        if not self.adds:
            return (f"SELECT {', '.join(selected)}", values) if selected else None
        # What is in FROM runs first, so every transaction takes the locks in the same order.
        added = ", ".join(f"added.{each}" for each in _ADDED)
        placeholders, given = self._added_arrays()
        sql = f"SELECT {', '.join([added, *selected])} FROM {_ADD}, {placeholders}) AS added"
        return sql, [*values, app, owner, *queue_bounds, *given]

    def _added_arrays(self) -> tuple[str, list[Any]]:
        """Placeholders and values of what is added, without what has a default."""
        queued: list[rows.Row] = []
        begun: list[rows.Row] = []
        for place, add in enumerate(self.adds, 1):
            queued += [rows.queue_row(place, each) for each in _once(add.queues)]
            if add.attempt is not None:
                begun.append(rows.begin_row(place, add.attempt))
        self.added = [rows.add_row(each) for each in self.adds]
        self.attempt_bytes += sum(each[-1] for each in begun)
        parts: list[tuple[tuple[Column, ...], list[rows.Row]]] = [(rows.ADD_COLUMNS, self.added)]
        if queued or begun:
            parts.append((rows.QUEUED_COLUMNS, queued))
        if begun:
            parts.append((rows.FIRST_COLUMNS, begun))
        placeholders = ", ".join(_PLACEHOLDERS[columns] for columns, _ in parts)
        return placeholders, [
            array for columns, some in parts for array in rows.encode(some, columns)
        ]

    def results(self, found: Mapping[str, Any], app: str) -> list[Any]:
        """What each job results in.

        Args:
            found: The row that the statement returned.
            app: As in `statement`.
        """
        stored = iter(self._stored(found, app))
        begun = iter(found.get("begun") or ())
        removed = set(found.get("removed") or ())
        results: list[Any] = []
        for job in self.batch:
            match job:
                case Add():
                    results.append(self.rejected.get(job) or next(stored))
                case jobs.AddMany():
                    some = [] if job in self.skipped else [next(stored) for _ in job.adds]
                    job.assigned = [each.id for each in some]
                    results.append(some)
                case jobs.BeginAttempt():
                    results.append(job.attempt.replace(number=next(begun), app=app))
                case jobs.Remove():
                    results.append(len(removed.intersection(job.ids)))
                case jobs.UndoImport():
                    results.append(len(removed.intersection(job.added.ids)))
                case jobs.Clear() | jobs.Advance():
                    results.append(found[f"result_{self.others.index(job)}"])
                case jobs.ClearIds():
                    results.append(len(found[f"result_{self.others.index(job)}"]))
                case _:
                    results.append(None)
        return results

    def _stored(self, found: Mapping[str, Any], app: str) -> list[Delivery]:
        if not self.adds:
            return []
        self.newest = found["newest"]
        first_id = found["newest"] - len(self.adds) + 1
        return [
            add.delivery.replace(
                id=first_id + place,
                redelivery_of=found["first_ids"][place],
                redelivery_number=found["numbers"][place],
                first_received_at=found["first_times"][place],
                status=add.status,
                listener=None if add.delivery.source is Source.IMPORT else app,
            )
            for place, add in enumerate(self.adds)
        ]


def _once(queues: Sequence[QueueEntry]) -> list[QueueEntry]:
    """One entry for each target: the place of the first, the values of the last."""
    return list({each.target: each for each in queues}.values())


def _queue_change(job: Job) -> list[rows.Row]:
    match job:
        case jobs.Dequeue():
            return [("dequeue", job.delivery_id, rows.text(job.target), None, None)]
        case jobs.SetAside():
            next_try_at = None if job.next_try_at is None else float(job.next_try_at)
            target = rows.text(job.target)
            return [("set aside", job.delivery_id, target, job.tries, next_try_at)]
        case jobs.MakeDue():
            return [("make due", None, rows.text(job.target), None, float(job.now))]
        case _:  # Flush and Shrink write nothing
            return []


def _call_of(job: _Other, app: str, owner: str) -> tuple[str, list[Any], Sequence[str], _Arrays]:
    """The function that does a job, its values and their types, and its arrays."""
    match job:
        case jobs.Clear():
            return "clear_1", [job.before, job.newest, SLICE], ("float8", "int8", "int4"), ()
        case jobs.ClearIds():
            # Not remove_1: listeners may call that for what they imported, and clear nothing.
            return "delete_1", [list(job.ids)], ("int8[]",), ()
        case jobs.Attach():
            given = job.attachment
            texts = [app, rows.text(given.target), rows.text(given.match)]
            place = [given.cursor, given.epoch, rows.text(given.host), given.pid, given.missed]
            old_target = rows.optional_text(job.old_target)
            return "attach_1", [*texts, *place, old_target], _ATTACH_TYPES, ()
        case jobs.Advance():
            queued = [rows.queue_row(each, entry) for each, entry in job.entries]
            moved = [app, owner, job.expected, job.cursor, job.noted]
            return "advance_1", moved, _MOVED_TYPES, (rows.ADVANCE_COLUMNS, queued)


_WHOSE = ("text", "uuid")
_ATTACH_TYPES = ("text", "text", "text", "int8", "text", "text", "int4", "int8", "text")
_MOVED_TYPES = (*_WHOSE, "int8", "int8", "int8")
_QUEUE_CHANGE_COLUMNS = (COMMON_TEXT, BIGINT, COMMON_TEXT, INTEGER, FLOAT)
_ADDED = ("newest", "first_ids", "numbers", "first_times", "queued", "queued_bytes")
_ADD = "tiktok_hook.add_1(%b::text, %b::uuid, %b::int8, %b::int8"
_PLACEHOLDERS: dict[tuple[Column, ...], str] = {
    each: rows.placeholders(each)
    for each in (rows.ADD_COLUMNS, rows.QUEUED_COLUMNS, rows.FIRST_COLUMNS)
}
