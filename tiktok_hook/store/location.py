"""Where a history is: a path, ``sqlite:///path``, ``:memory:``, or a server's URL."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tiktok_hook import paths
from tiktok_hook.errors import UsageError
from tiktok_hook.store.server_address import ServerAddress, parse_server

MEMORY = ":memory:"

_URL = re.compile(
    r"\s*((?:[A-Za-z][A-Za-z0-9+.-]+:)*[A-Za-z][A-Za-z0-9+.-]+):[/\\]"
    r"|\s*((?:jdbc|postgres|postgresql|mysql|mariadb|file)):",
    re.IGNORECASE,
)
"""Schemes of at least two letters each, since one is a drive of Windows. `Path` makes ``:/`` of
``://``. Those of databases are recognised without slashes too."""

_CREDENTIALS = re.compile(
    r"(?:[^/\\]*[/\\]{2,}|(?:[a-z+]*sqlite|[a-z+]*postgres\w*|psql|pg|mysql|mariadb)[^\w\s]+)?"
    r"[/\\]*[^/\\:]*:(?![/\\])[^@]*@",
    re.IGNORECASE,
)
"""``user:password@`` as the first part, the end of a URL whose scheme is missing or mistyped."""

_SQLITE = re.compile(r"sqlite:(?:///|/(?!/))", re.IGNORECASE)

_SERVER_SCHEMES = {"postgresql", "postgres"}

_CONNECTION_STRING = re.compile(
    r"(?:^|\s)(?:host|hostaddr|dbname|user|password|service|sslmode)\s*=", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Location:
    """Where a history is. Only the store opens it; other code passes it to the store.

    Attributes:
        path: The SQLite file; None in memory and on a server.
        server: The PostgreSQL database; None for SQLite.
    """

    path: Path | None
    server: ServerAddress | None = None

    @property
    def label(self) -> str:
        """What it is called in messages; never with a password."""
        if self.server is not None:
            return self.server.label
        return str(self.path) if self.path else "the history in memory"

    @property
    def identity(self) -> str | None:
        """The same text for the same history, without a password; None in memory."""
        if self.server is not None:
            return f"postgresql://{self.server.label}"
        return None if self.path is None else str(self.path.absolute())

    @property
    def argument(self) -> str | None:
        """What ``--db`` takes for the same; None in memory, and where it would show a password."""
        if self.server is not None:
            return None if self.server.has_password else self.server.url
        return None if self.path is None else str(self.path)

    @property
    def folder(self) -> Path | None:
        """The folder of its file, which may not exist yet; None in memory and on a server."""
        return None if self.path is None else self.path.parent

    @property
    def is_shared(self) -> bool:
        """Whether a team may use it: it is on a server."""
        return self.server is not None

    @property
    def in_memory(self) -> bool:
        """Whether it ends with the process that opened it."""
        return self.path is None and self.server is None


def locate(given: "Location | Path | str | None", *, where: str) -> Location:
    """The history that a user named; None is the one in the user's data folder.

    Args:
        given: See `parse_location`.
        where: The option or argument that it came from, for the message.

    Raises:
        UsageError: A URL of another kind, or a connection string. The message never quotes it,
            since it may contain a password.
        StoreError: None was given, and no home folder is known.
    """
    return parse_location(paths.history_path() if given is None else given, where=where)


def parse_location(
    given: "Location | str | Path | None", *, where: str = "The history"
) -> Location:
    """Parse the address of a history.

    Args:
        given: A path, ``sqlite:///`` and an absolute path, ``postgresql://HOST/DATABASE``, or
            ``:memory:``; None is in memory.
        where: The option or argument that it came from, for the message.

    Raises:
        UsageError: A URL of another kind, or a connection string. The message never quotes it,
            since it may contain a password.
    """
    if isinstance(given, Location):
        return given
    if given is None or str(given) == MEMORY:
        return Location(None)
    text = str(given)
    found = _URL.match(text)
    if not (found or _CONNECTION_STRING.search(text) or _CREDENTIALS.match(text)):
        return Location(_expanded(Path(given), where))
    # A URL that went through `Path` has lost two slashes: sqlite:/a/history.db.
    if (url := _SQLITE.match(text)) is not None:
        path = "/" + unquote(text[url.end() :].partition("?")[0]).lstrip("/")
        # ``sqlite:///C:/folder/history.db`` on Windows
        return Location(Path(path[1:] if re.match(r"/[A-Za-z]:/", path) else path))
    scheme = (found[1] or found[2]).lower() if found else ""
    if scheme in _SERVER_SCHEMES:
        return Location(None, parse_server(text, where=where))
    what = f"a URL ({scheme}:)" if scheme else "a connection string"
    raise UsageError(
        f"{where} is {what}; only a file or a PostgreSQL server can have the history.",
        hint="Give the path of a SQLite file, or postgresql://USER@HOST/DATABASE.",
    )


def _expanded(path: Path, where: str) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"{where} {path} begins with ~, and no home folder is known.",
            hint="Set HOME, or write the full path.",
        ) from error
