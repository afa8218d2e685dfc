"""Where a history is: a path, ``sqlite:///path``, ``:memory:``, and later a server's URL."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tiktok_hook.errors import UsageError

MEMORY = ":memory:"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a history is.

    Attributes:
        path: The SQLite file; None in memory.
    """

    path: Path | None

    @property
    def label(self) -> str:
        """What it is called in messages; never with a password."""
        return str(self.path) if self.path else "the history in memory"

    def exists(self) -> bool:
        """Whether there is a history already; one in memory is always new."""
        return self.path is not None and self.path.exists()


def parse_location(given: str | Path | None) -> Location:
    """Read what a user or a program names a history by.

    Args:
        given: A path, ``sqlite:///`` and an absolute path, or ``:memory:``; None is in memory.

    Raises:
        UsageError: A URL of another kind. The message never holds its password.
    """
    if given is None or str(given) == MEMORY:
        return Location(None)
    text = str(given)
    # A URL that went through `Path` has lost one slash.
    if not _SCHEME.match(text):
        return Location(Path(given).expanduser())
    scheme = text.partition(":")[0].lower()
    if scheme == "sqlite" and text.startswith("sqlite:///"):
        path = unquote(urlsplit(text).path)
        # ``sqlite:///C:/folder/history.db`` on Windows
        return Location(Path(path[1:] if re.match(r"/[A-Za-z]:/", path) else path))
    raise UsageError(
        f"A history cannot be opened at a {scheme}: address.",
        hint="Name a file, as PATH or as sqlite:///PATH.",
    )
