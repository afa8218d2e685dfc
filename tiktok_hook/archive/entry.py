"""One delivery with its attempts, the unit of every archive format."""

from collections.abc import Iterator
from dataclasses import dataclass

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.store import Filter, HistoryReader


@dataclass(frozen=True, slots=True)
class Entry:
    """A delivery and its attempts, in order."""

    delivery: Delivery
    attempts: tuple[Attempt, ...] = ()


def entries(history: HistoryReader, where: Filter) -> Iterator[Entry]:
    """Every matching delivery with its attempts, oldest first, a few at a time.

    Raises:
        StoreError: The history cannot be read.
    """
    for delivery in history.walk(where):
        yield Entry(delivery, tuple(history.attempts(delivery.id)))
