"""The options of the history."""

from dataclasses import dataclass
from pathlib import Path

from tiktok_hook.option_fields import option
from tiktok_hook.store.bounds import KEEP, KEEP_BYTES, Bounds
from tiktok_hook.store.location import MEMORY, Location, locate

_EPHEMERAL_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """Which history is used, and how much of it is kept."""

    db: Location | Path | str | None = option(None, shared="db_option")
    ephemeral: bool = option(default=False, help="Keep nothing when the session ends.")
    keep: int = option(KEEP, "Deliveries that the history keeps.", metavar="N", minimum=1)
    keep_bytes: int | None = option(
        None,
        "Bytes of bodies that it keeps.",
        metavar="BYTES",
        minimum=1 << 20,
        default_text="1 GiB, with --ephemeral 64 MiB",
    )

    @property
    def location(self) -> Location:
        """Where the history is.

        Raises:
            UsageError: `db` is a URL that is not supported.
            StoreError: No home folder is known.
        """
        return locate(MEMORY if self.ephemeral else self.db, where="db")

    @property
    def bounds(self) -> Bounds:
        """How much of it is kept."""
        usual = _EPHEMERAL_BYTES if self.location.in_memory else KEEP_BYTES
        return Bounds.of(self.keep, self.keep_bytes or usual)

    def check_store(self) -> None:
        """Check the values.

        Raises:
            UsageError: `db` is a URL that is not supported.
        """
        if self.db is not None:
            locate(self.db, where="db")
