"""Records of a shared history: its server, its set-up, and the processes that use it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["listener", "developer"]

ROLES: tuple[Role, ...] = ("listener", "developer")
"""What a database user other than the owner may do."""

Rights = Literal["owner", "listener", "developer", "none"]

_FAR_MS = 50.0
_CLOCK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Login:
    """A database user, for the person who is going to use it.

    Attributes:
        name: The user.
        url: For ``--db``, without a password.
        passfile_line: A line for ``~/.pgpass`` with the new password; None when the user existed,
            whose password did not change.
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
        keep: How many deliveries are kept.
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
        role: The database user that the name belongs to.
        kind: ``listen``, ``attach`` or ``other``.
        running: Whether one of its processes holds a lease.
        host: Name of the machine of its last process.
        pid: The number of that process.
        program: Version of tiktok-hook; None when it is not running.
        direct: Whether it is connected without a pooler; None when it is not running.
        clock_seconds: How far its clock is ahead of the server's; None when that is not known.
        silent_seconds: Seconds since it was last seen; 0 while it runs.
        cursor: The newest id that an attached app has read; None for others.
        behind: How many deliveries after its cursor are accepted and match its filter.
        queued: How many deliveries wait in its queue.
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
class ServerReport:
    """The server of a shared history, as one connection sees it.

    Attributes:
        version: Such as ``15.18``.
        encrypted: Whether the connection is encrypted.
        local: Whether the connection stays on this machine, so that it needs no encryption.
        round_trip_ms: The shortest round trip of five queries.
        clock_seconds: How far this machine's clock is ahead of the server's.
        hears: Whether a notification sent by one connection arrives at another.
        direct: Whether there is no pooler in between.
        user: The database user of the connection.
        rights: What this user may do in the history; None where there is no history.
    """

    version: str
    encrypted: bool
    local: bool
    round_trip_ms: float
    clock_seconds: float
    hears: bool
    direct: bool
    user: str
    rights: Rights | None

    @property
    def is_far(self) -> bool:
        """Whether the round trip is long enough to delay the answer to TikTok noticeably."""
        return self.round_trip_ms > _FAR_MS

    @property
    def clock_is_off(self) -> bool:
        """Whether the clocks differ by more than 2 s."""
        return abs(self.clock_seconds) > _CLOCK_SECONDS


@dataclass(frozen=True, slots=True)
class Overview:
    """A shared history and the processes that use it.

    Attributes:
        label: Host and database.
        server_version: Of PostgreSQL.
        schema_version: Of the tables.
        direct: Whether no pooler is in between.
        hears: Whether notifications arrive at this connection.
        encrypted: Whether this connection is encrypted.
        owner: The user who owns the history.
        keep: How many deliveries are kept.
        keep_bytes: How many bytes they may take.
        kept: How many there are.
        newest_id: The id of the newest; 0 without any.
        epoch: Identifies the history; a new value after a dump was restored.
        members: Listeners first, then by name.
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
