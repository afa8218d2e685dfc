"""Publishes the replays of other processes, so that a session shows them like its own."""

import asyncio
import time
from collections.abc import Callable

from tiktok_hook.delivery import Attempt, AttemptEnded
from tiktok_hook.errors import StoreError
from tiktok_hook.store import HistoryReader, Store

POLL_SECONDS = 1.0
"""How often the history's change counter is read; it is queried only when that has changed."""

_OVERLAP_SECONDS = 1.0
"""How much later than a replay an earlier one may become visible."""

_PAGE = 50


async def follow_replays(store: Store, publish: Callable[[object], None]) -> None:
    """Publish each replay of another process that ends from now on; does not return.

    Args:
        store: The history.
        publish: Called with `AttemptEnded`.
    """
    history = store.history()
    replays = OtherReplays(history, time.time())
    seen = history.updates()
    while True:
        await asyncio.sleep(POLL_SECONDS)
        # Before the query, so that a change during it is not missed.
        updates = history.updates()
        if updates == seen:
            continue
        try:
            ended = await asyncio.to_thread(replays.ended)
        except StoreError:
            continue  # other users of the history report it; try again
        seen = updates
        for attempt in ended:
            publish(AttemptEnded(attempt))


class OtherReplays:
    """Finds the replays of other processes that began after a time, each once, when it ended.

    Args:
        history: Where they are recorded.
        since: Unix seconds.
    """

    def __init__(self, history: HistoryReader, since: float) -> None:
        self._history = history
        self._since = since
        self._open: dict[tuple[int, int], None] = {}
        self._known: dict[tuple[int, int], float] = {}  # those that began since `_since`

    def ended(self) -> list[Attempt]:
        """The replays that have ended since the last call, in the order of their start.

        Raises:
            StoreError: The history cannot be read.
        """
        found = self._read_open()
        newest = since = self._since
        while page := self._history.replays_by_others(since, _PAGE):
            new = [each for each in page if (each.delivery_id, each.number) not in self._known]
            for each in new:
                key = each.delivery_id, each.number
                self._known[key] = newest = each.started_at
                if each.ended:
                    found.append(each)
                else:
                    self._open[key] = None
            if len(page) < _PAGE or page[-1].started_at == since:
                break
            since = page[-1].started_at
        self._since = max(self._since, newest - _OVERLAP_SECONDS)
        self._known = {key: at for key, at in self._known.items() if at >= self._since}
        return found

    def _read_open(self) -> list[Attempt]:
        """The replays that were in progress at the last call and have ended since."""
        ended = []
        for key in list(self._open):
            delivery_id, number = key
            attempts = self._history.attempts(delivery_id)
            attempt = next((each for each in attempts if each.number == number), None)
            if attempt is None or attempt.ended:
                del self._open[key]
            if attempt is not None and attempt.ended:
                ended.append(attempt)
        return ended
