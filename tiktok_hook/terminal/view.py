"""What every format is to the console: records in, pieces of text out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from tiktok_hook.delivery import Attempt, Delivery


class Piece(NamedTuple):
    """Complete lines for one of the two outputs."""

    channel: Literal["out", "err"]
    text: str


@dataclass(frozen=True, slots=True)
class Details:
    """A delivery that the user asked to see with everything there is about it."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]


class Raw(str):
    """An escape sequence for the terminal: it shows nothing and ends no line."""

    __slots__ = ()


def out(text: str) -> Piece:
    """Make a piece of data: it goes to stdout."""
    return Piece("out", text)


def err(text: str) -> Piece:
    """Make a piece for people only: it goes to stderr."""
    return Piece("err", text)


class View(Protocol):
    """One format. Used on the printing thread only, so it may keep state."""

    @property
    def holds(self) -> float | None:
        """Seconds until something that is held back has to be shown; None if nothing is."""

    def draw(self, items: Sequence[object], dropped: int) -> Iterator[Piece]:
        """Make the text of a batch, in order.

        Args:
            items: Records of `tiktok_hook.delivery`, and texts that go to stderr as they are.
            dropped: Number of records that were dropped because the queue was full.
        """

    def rest(self) -> Iterator[Piece]:
        """Show what is held back, now."""
