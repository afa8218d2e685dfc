"""What every format is to the console: records in, pieces of text out."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol


class Piece(NamedTuple):
    """Whole lines for one of the two outputs."""

    channel: Literal["out", "err"]
    text: str


def out(text: str) -> Piece:
    """Data: goes to stdout."""
    return Piece("out", text)


def err(text: str) -> Piece:
    """Words for people: go to stderr."""
    return Piece("err", text)


class View(Protocol):
    """One format. Used on the printing thread only, so it may keep state."""

    @property
    def holds(self) -> bool:
        """Whether something was kept back for the next call."""

    def draw(self, items: Sequence[object], dropped: int) -> Iterator[Piece]:
        """The text of a batch, in order.

        Args:
            items: Records of `tiktok_hook.delivery`, and texts that go to stderr as they are.
            dropped: How many more there were that nobody kept for the screen.
        """

    def rest(self) -> Iterator[Piece]:
        """What was kept back, now."""
