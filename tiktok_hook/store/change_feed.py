"""Iterates over new deliveries of a history, from any process, each once it is answered."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from tiktok_hook.delivery import CUT, Attempt, Delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.store.api import HistoryReader
from tiktok_hook.store.filter import Filter

POLL_SECONDS = 0.05
"""How often it is checked whether a delivery was held long enough."""

ADDED_SECONDS = 0.008
"""Minimum time between two queries for new deliveries: ten listeners cause 1,000 notifications a
second."""

UPDATED_SECONDS = 0.05
"""Minimum time between two queries for changes of earlier deliveries."""

_QUIET_SECONDS = 1.0
"""How long after the last change of earlier deliveries a new one may already have attempts."""

HOLD_SECONDS = 30.0
"""How long a new delivery is held until it is answered; then it is yielded as waiting."""

OPEN_SECONDS = 60.0
OPEN_AT_MOST = 500
"""How long, and for how many deliveries, later attempts are still queried."""

HELD_AT_MOST = 1_000
"""How many deliveries are held at a time; more are yielded as waiting at once."""

LOOK_BACK = 1_000
"""How many ids back is queried again, if a delivery may start to match the filter later."""

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new delivery.

    Attributes:
        delivery: As currently stored.
        attempt: Its last attempt, if one has ended.
        waiting: Whether it is not answered yet.
    """

    delivery: Delivery
    attempt: Attempt | None
    waiting: bool


def follow(
    history: HistoryReader,
    where: Filter,
    after: int,
    *,
    hold: float = HOLD_SECONDS,
    seconds: float | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Iterator[Arrival | Attempt]:
    """Yield new deliveries as they are answered, and later attempts with them as they end.

    A delivery that is not answered yet is held, and those after it are not, so deliveries may come
    out of the order of their ids.

    Args:
        history: Open.
        where: Which deliveries.
        after: Only deliveries with a higher id are yielded.
        hold: Seconds after which a delivery is yielded although it is not answered.
        seconds: When to end; deliveries that are held then are yielded. None never ends.
        stopped: Checked every `POLL_SECONDS`; ends the iteration when it returns True.

    Yields:
        Each delivery once, with its last attempt if that has ended; later attempts by themselves.

    Raises:
        StoreError: The history cannot be read, or a dump was restored in its place.
    """
    restored = history.restored()
    end = None if seconds is None else time.monotonic() + seconds
    news = _News(history, where, after, hold)
    additions: int | None = None
    updates: int | None = None
    looked_at = updated_at = -_QUIET_SECONDS
    while stopped is None or not stopped():
        # Read before the query, so that a change during the query is not missed.
        changes, added, updated = history.changes(), history.additions(), history.updates()
        now = time.monotonic()
        over = end is not None and now >= end
        is_updated = updated != updates and now - updated_at >= UPDATED_SECONDS
        if is_updated or over or news.due:
            additions, updates, looked_at, updated_at = added, updated, now, now
            require_same(history, restored)
            yield from news.look(all_held=over)
        elif added != additions:
            additions, looked_at = added, now
            yield from news.additions(tried=now - updated_at < _QUIET_SECONDS)
        if over:
            return
        left = POLL_SECONDS if end is None else min(POLL_SECONDS, end - time.monotonic())
        history.wait_for_change(changes, max(left, 0.0))
        time.sleep(max(looked_at + ADDED_SECONDS - time.monotonic(), 0.0))


def require_same(history: HistoryReader, restored: int) -> None:
    """Check that no dump was restored, after which ids may belong to other deliveries.

    Args:
        history: Open.
        restored: An earlier value of `HistoryReader.restored`.

    Raises:
        StoreError: A dump was restored since.
    """
    if history.restored() != restored:
        raise StoreError(
            f"{history.label} was restored from a dump, so its ids may mean other deliveries now.",
            hint="Start this again; tiktok-hook events lists what the history has now.",
        )


class _News:
    """The state of an iteration: what was yielded, what is held, what may still change."""

    def __init__(self, history: HistoryReader, where: Filter, after: int, hold: float) -> None:
        self._history = history
        self._where = where
        self._hold = hold
        self._start = self._after = after
        # With these conditions a delivery may start to match when an attempt ends or a replay
        # starts.
        self._late = where.failed or where.replays or bool(where.statuses) or bool(where.text)
        self._shown: dict[int, None] = {}
        self._held: dict[int, float] = {}  # id: time at which its hold ends, oldest first
        self._open: dict[int, tuple[float, int]] = {}

    @property
    def due(self) -> bool:
        """Whether a delivery was held long enough, so that it is yielded without any change."""
        return any(at <= time.monotonic() for at in islice(self._held.values(), 1))

    def look(self, *, all_held: bool) -> Iterator[Arrival | Attempt]:
        """New attempts and deliveries, each in the order of the ids."""
        yield from self._ended()
        yield from self._arrivals(self._held_before(), all_held=all_held)
        after = self._after
        if self._late:
            after = max(self._start, self._history.newest_id() - LOOK_BACK)
        while found := self._history.page(self._where, after=after, limit=_PAGE):
            after = found[-1].id
            known = self._shown.keys() | self._held.keys()
            new = [each for each in found if each.id not in known]
            yield from self._arrivals(new, all_held=all_held)
            self._after = max(self._after, after)

    def additions(self, *, tried: bool) -> Iterator[Arrival]:
        """Only new deliveries, in the order of their ids.

        Args:
            tried: Whether they may have attempts already.
        """
        while found := self._history.page(self._where, after=self._after, limit=_PAGE):
            self._after = found[-1].id
            new = [each for each in found if each.id not in self._shown]
            yield from self._arrivals(new, all_held=False, tried=tried)

    def _held_before(self) -> list[Delivery]:
        """The held deliveries as currently stored, without those that were deleted."""
        if not self._held:
            return []
        ids = tuple(self._held)
        found = self._history.page(Filter(ids=ids), after=0, limit=len(ids))
        there = {each.id for each in found}
        self._held = {key: at for key, at in self._held.items() if key in there}
        return found

    def _arrivals(
        self, found: list[Delivery], *, all_held: bool, tried: bool = True
    ) -> Iterator[Arrival]:
        """The deliveries that are answered or were held long enough; the others are held."""
        last = self._last_attempts([each.id for each in found]) if tried else {}
        for each in found:
            attempt = last.get(each.id)
            ended = attempt if attempt is not None and attempt.ended else None
            cut = ended is not None and ended.error == CUT
            if each.status is None and not cut and not all_held:
                until = self._held.setdefault(each.id, time.monotonic() + self._hold)
                if time.monotonic() < until and len(self._held) <= HELD_AT_MOST:
                    continue
            self._held.pop(each.id, None)
            self._show(each, ended)
            yield Arrival(each, ended, waiting=each.status is None and not cut)

    def _last_attempts(self, ids: list[int]) -> dict[int, Attempt]:
        return self._history.last_attempts(ids, app=self._where.app) if ids else {}

    def _show(self, delivery: Delivery, ended: Attempt | None) -> None:
        self._shown[delivery.id] = None
        if len(self._shown) > 4 * LOOK_BACK:
            for old in list(islice(self._shown, LOOK_BACK)):
                del self._shown[old]
        self._open[delivery.id] = (time.monotonic(), 0 if ended is None else ended.number)

    def _ended(self) -> Iterator[Attempt]:
        """Attempts that have ended since their delivery was yielded."""
        if not self._open:
            return
        now = time.monotonic()
        newest = list(self._open.items())[-OPEN_AT_MOST:]
        self._open = {key: each for key, each in newest if now - each[0] < OPEN_SECONDS}
        last = self._last_attempts(list(self._open))
        for key, attempt in sorted(last.items()):
            since, number = self._open[key]
            if attempt.ended and attempt.number > number:
                self._open[key] = (since, attempt.number)
                yield attempt
