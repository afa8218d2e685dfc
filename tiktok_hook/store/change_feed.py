"""New deliveries of a history, from any process."""

import time
from collections.abc import Iterator
from itertools import islice

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.store.api import HistoryReader
from tiktok_hook.store.filter import Filter

POLL_SECONDS = 0.05
"""How often the history is asked whether it changed, which costs microseconds."""

PATIENCE_SECONDS = 0.08
"""How long a new delivery waits for its answer to be written; it is shown within 200 ms anyhow."""

OPEN_SECONDS = 60.0
OPEN_AT_MOST = 500
"""How long, and for how many deliveries, attempts that end later are still looked for."""

LOOK_BACK = 1_000
"""How many ids back is looked again, with filters that a delivery may pass only later on."""

_PAGE = 200


def follow(
    history: HistoryReader, where: Filter, after: int
) -> Iterator[tuple[Delivery, Attempt | None] | Attempt]:
    """Deliveries as they come, and attempts of theirs as they end. Never ends.

    Args:
        history: Open.
        where: Which deliveries.
        after: The newest id there was before.

    Yields:
        Each delivery once, with its last attempt when that has ended; later ones by themselves.

    Raises:
        StoreError: The history cannot be read.
    """
    news = _News(history, where, after)
    seen = None
    while True:
        version = history.changes()
        if version != seen or news.waiting:
            seen = version
            yield from news.look()
        time.sleep(POLL_SECONDS)


class _News:
    """What has been shown, and what is still to come of it."""

    def __init__(self, history: HistoryReader, where: Filter, after: int) -> None:
        self._history = history
        self._where = where
        self._start = self._after = after
        # Whether it passes these may change when an attempt ends or a replay starts.
        self._late = where.failed or where.replays or bool(where.statuses) or bool(where.text)
        self._shown: dict[int, None] = {}
        self._first_seen: dict[int, float] = {}
        self._open: dict[int, tuple[float, int]] = {}

    @property
    def waiting(self) -> bool:
        """Whether something is held back, so that it has to be looked at without any change."""
        return bool(self._first_seen)

    def look(self) -> Iterator[tuple[Delivery, Attempt | None] | Attempt]:
        """All that is new now."""
        yield from self._ended()
        late = time.monotonic() - 1.0  # one that was cleared meanwhile will not come
        self._first_seen = {key: at for key, at in self._first_seen.items() if at > late}
        after = self._after
        if self._late:
            after = max(self._start, self._history.newest_id() - LOOK_BACK)
        while found := self._history.page(self._where, after=after, limit=_PAGE):
            after = found[-1].id
            fresh = [each for each in found if each.id not in self._shown]
            held = {each.id for each in fresh if self._holds(each)}
            last = self._history.last_attempts([each.id for each in fresh])
            for each in fresh:
                if each.id in held:
                    return  # those after it wait with it, so that the order is kept
                yield each, self._show(each, last.get(each.id))

    def _holds(self, delivery: Delivery) -> bool:
        """Whether its answer may be written in a moment."""
        if delivery.status is not None:
            return False
        now = time.monotonic()
        return now - self._first_seen.setdefault(delivery.id, now) < PATIENCE_SECONDS

    def _show(self, delivery: Delivery, attempt: Attempt | None) -> Attempt | None:
        self._first_seen.pop(delivery.id, None)
        self._shown[delivery.id] = None
        if len(self._shown) > 4 * LOOK_BACK:
            for old in list(islice(self._shown, LOOK_BACK)):
                del self._shown[old]
        self._after = max(self._after, delivery.id)
        ended = attempt if attempt is not None and attempt.ended else None
        self._open[delivery.id] = (time.monotonic(), 0 if ended is None else ended.number)
        return ended

    def _ended(self) -> Iterator[Attempt]:
        """Attempts that have ended since their delivery was shown."""
        if not self._open:
            return
        now = time.monotonic()
        newest = list(self._open.items())[-OPEN_AT_MOST:]
        self._open = {key: each for key, each in newest if now - each[0] < OPEN_SECONDS}
        last = self._history.last_attempts(list(self._open))
        for key, attempt in sorted(last.items()):
            since, number = self._open[key]
            if attempt.ended and attempt.number > number:
                self._open[key] = (since, attempt.number)
                yield attempt
