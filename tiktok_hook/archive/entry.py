"""One delivery with its attempts, the unit of every archive format."""

from collections.abc import Iterator
from dataclasses import dataclass

from tiktok_hook.delivery import Attempt, Delivery, without_own_cookies
from tiktok_hook.store import Filter, HistoryReader


@dataclass(frozen=True, slots=True)
class Entry:
    """A delivery and its attempts, in order.

    Attributes:
        delivery: As stored.
        attempts: Of every app.
        of_others: The numbers of the attempts that other apps of a shared history made. Nothing
            that sends may take its address from them: it was written by a teammate, and would get
            a request that is signed here.
    """

    delivery: Delivery
    attempts: tuple[Attempt, ...] = ()
    of_others: frozenset[int] = frozenset()

    @classmethod
    def read(cls, history: HistoryReader, delivery: Delivery) -> "Entry":
        """A stored delivery with its attempts.

        Raises:
            StoreError: The history cannot be read.
        """
        attempts = tuple(history.attempts(delivery.id))
        others = frozenset(each.number for each in attempts if each.app != history.app)
        return cls(delivery, attempts, others)

    @property
    def own_attempts(self) -> list[Attempt]:
        """The attempts of this history's own app."""
        return [each for each in self.attempts if each.number not in self.of_others]

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
            self.of_others,
        )


def entries(history: HistoryReader, where: Filter) -> Iterator[Entry]:
    """Every matching delivery with its attempts, oldest first, a few at a time.

    Raises:
        StoreError: The history cannot be read.
    """
    for delivery in history.walk(where):
        yield Entry.read(history, delivery)
