"""One delivery with its attempts, the unit of every archive format."""

from collections.abc import Iterator
from dataclasses import dataclass

from tiktok_hook.delivery import Attempt, Delivery, without_own_cookies
from tiktok_hook.store import Filter, HistoryReader


@dataclass(frozen=True, slots=True)
class Entry:
    """A delivery and its attempts, in order."""

    delivery: Delivery
    attempts: tuple[Attempt, ...] = ()

    def without_own_cookies(self) -> "Entry":
        """Remove our own cookies, which neither a file nor a history may pass on.

        Applied to every entry on its way in and out: files come from anywhere, and a history may
        hold cookies of earlier releases.
        """
        return Entry(
            self.delivery.replace(headers=without_own_cookies(self.delivery.headers)),
            tuple(
                attempt.replace(
                    request_headers=without_own_cookies(attempt.request_headers),
                    headers=without_own_cookies(attempt.headers),
                )
                for attempt in self.attempts
            ),
        )


def entries(history: HistoryReader, where: Filter) -> Iterator[Entry]:
    """Every matching delivery with its attempts, oldest first, a few at a time.

    Raises:
        StoreError: The history cannot be read.
    """
    for delivery in history.walk(where):
        yield Entry(delivery, tuple(history.attempts(delivery.id)))
