"""The options of the history."""

from dataclasses import dataclass
from pathlib import Path

from tiktok_hook import paths
from tiktok_hook.option_fields import option

_KEEP = 100_000
_KEEP_BYTES = 1 << 30
_KEEP_BYTES_IN_MEMORY = 64 << 20


@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """Which history is used, and how much of it is kept."""

    db: Path | str | None = option(None, shared="db_option")
    ephemeral: bool = option(default=False, help="Keep nothing when the session ends.")
    keep: int = option(_KEEP, "Deliveries that the history keeps.", metavar="N", minimum=1)
    keep_bytes: int | None = option(
        None,
        "Bytes of bodies that it keeps.",
        metavar="BYTES",
        minimum=1 << 20,
        default_text="1 GiB, with --ephemeral 64 MiB",
    )

    @property
    def history_path(self) -> Path | None:
        """The file; None for a history in memory.

        Raises:
            UsageError: It is the URL of a database server.
            StoreError: No home folder is known.
        """
        return None if self.ephemeral else paths.history_file(self.db, where="db")

    @property
    def kept_bytes(self) -> int:
        """How many bytes of bodies are kept."""
        usual = _KEEP_BYTES_IN_MEMORY if self.ephemeral else _KEEP_BYTES
        return self.keep_bytes or usual

    def check_store(self) -> None:
        """Check the values.

        Raises:
            UsageError: The history is the URL of a database server.
        """
        if self.db is not None:
            paths.history_file(self.db, where="db")
