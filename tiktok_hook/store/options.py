"""The options of the store."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tiktok_hook.errors import UsageError
from tiktok_hook.option_fields import option
from tiktok_hook.store import open_store
from tiktok_hook.store.bounds import KEEP
from tiktok_hook.store.location import MEMORY, Location, locate

if TYPE_CHECKING:
    from tiktok_hook.store.writer import Store

_EPHEMERAL_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """Which history is used, and how much it keeps."""

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

    def open_store(self, *, app: str | None = None) -> "Store":
        """Open the history with these bounds.

        Args:
            app: On a server, the name of the app whose queues are used; None is the one of this
                user on this machine.

        Raises:
            StoreError: It cannot be opened.
        """
        location = self.location
        if location.is_shared:
            return open_store(location, app=app)  # a shared history has its own bounds
        usual = _EPHEMERAL_BYTES if location.in_memory else None
        return open_store(location, keep=self.keep, keep_bytes=self.keep_bytes or usual)

    def check_store(self) -> None:
        """Check the values.

        Raises:
            UsageError: `db` is a URL that is not supported, or bounds are given for a shared
                history, which has its own.
        """
        if self.db is None or self.ephemeral:
            return
        location = locate(self.db, where="db")
        if location.is_shared and (self.keep != KEEP or self.keep_bytes is not None):
            raise UsageError(
                f"The history at {location.label} has bounds of its own; keep and keep-bytes are "
                "for a file.",
                hint="Leave them out; docs/team.md describes how its owner changes them.",
            )
