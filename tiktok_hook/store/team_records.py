"""Records of a shared history's set-up and of those who use it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["listener", "developer"]

ROLES: tuple[Role, ...] = ("listener", "developer")
"""What a database user may do besides the owner."""


@dataclass(frozen=True, slots=True)
class Login:
    """A database user to hand out.

    Attributes:
        name: The user.
        url: For ``--db``, without a password.
        passfile_line: A line for ``~/.pgpass``, with the new password; None when the user existed,
            whose password stays as it is.
    """

    name: str
    url: str
    passfile_line: str | None


@dataclass(frozen=True, slots=True)
class Creation:
    """What `create` did.

    Attributes:
        made: Whether there was no history before.
        owner: The user who owns it.
        new_owner: The owner's login when it was created too.
        roles: The role of the server for each of `ROLES`.
        keep: How many deliveries stay.
        keep_bytes: How many bytes they may take.
    """

    made: bool
    owner: str
    new_owner: Login | None
    roles: Mapping[Role, str]
    keep: int
    keep_bytes: int


@dataclass(frozen=True, slots=True)
class Member:
    """A running process, or an attached app.

    Attributes:
        app: Its name, such as ``anna@laptop``.
        role: The database user whose name that is.
        kind: ``listen``, ``attach`` or ``other``.
        running: Whether a process of it holds a lease.
        host: Where its last process runs or ran.
        pid: Of that process.
        program: Version of tiktok-hook; None when it is not running.
        direct: Whether it is connected without a pooler; None when it is not running.
        clock_seconds: How far its clock is ahead of the server's; None when that is not known.
        silent_seconds: How long it has not been seen; 0 while it runs.
        cursor: The newest id that an attached app has looked at; None for others.
        behind: How many deliveries after its cursor it is still to get: those that are accepted
            and match its filter.
        queued: How many wait in its queue.
        target: Where it forwards to; empty for others.
        filter: Its filter; empty is everything.
    """

    app: str
    role: str | None
    kind: str
    running: bool
    host: str
    pid: int
    program: str | None
    direct: bool | None
    clock_seconds: float | None
    silent_seconds: float
    cursor: int | None
    behind: int
    queued: int
    target: str
    filter: str


@dataclass(frozen=True, slots=True)
class Overview:
    """A shared history and those who use it.

    Attributes:
        label: Host and database.
        server_version: Of PostgreSQL.
        schema_version: Of the tables.
        direct: Whether no pooler is in between.
        hears: Whether notifications arrive here.
        encrypted: Whether this connection is.
        owner: The user who owns the history.
        keep: How many deliveries stay.
        keep_bytes: How many bytes they may take.
        kept: How many there are.
        newest_id: The newest of them; 0 without any.
        epoch: Identifies the history; another one after a dump was restored.
        members: Those who listen first, then by name.
    """

    label: str
    server_version: str
    schema_version: int
    direct: bool
    hears: bool
    encrypted: bool
    owner: str
    keep: int
    keep_bytes: int
    kept: int
    newest_id: int
    epoch: str
    members: tuple[Member, ...]
