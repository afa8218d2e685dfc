"""Sets up a shared history for a team: roles, rights and logins; and lists its users."""

import re
import secrets
from dataclasses import replace
from typing import Literal
from urllib.parse import quote

from psycopg import sql

from tiktok_hook.delivery import Source
from tiktok_hook.errors import NoHistoryError, StoreError, UsageError
from tiktok_hook.store.bounds import KEEP, KEEP_BYTES
from tiktok_hook.store.filter import ACCEPTED, Filter
from tiktok_hook.store.postgres import schema
from tiktok_hook.store.postgres.backend import open_reader
from tiktok_hook.store.postgres.connection import Connection, Server
from tiktok_hook.store.postgres.presence import hears_notifications
from tiktok_hook.store.postgres.reader import PostgresReader
from tiktok_hook.store.server_address import ServerAddress
from tiktok_hook.store.team_records import ROLES, Creation, Login, Member, Overview, Role

_DEVELOPER = (
    *("own_1", "register_1", "unregister_1", "acquire_1", "release_1", "origin_1"),
    "renew_epoch_1",
    *("end_abandoned_1", "begin_attempts_1", "end_attempts_1", "change_queue_1"),
    *("attach_1", "advance_1", "leave_1"),
)
"""Functions that every member may call; they change only the member's own apps."""

_LISTENER = ("add_1", "set_status_1", "prune_1", "remove_1")
"""Functions that a listener may call in addition; they add, and delete beyond the bounds."""

_NAME = re.compile(r"[a-z_][a-z0-9_.-]{0,62}")
_LONGEST_NAME = 63
"""Maximum length of a name in bytes; the server cuts longer ones."""


class Team:
    """A shared history, for the people who set it up.

    Every method raises StoreError when the server cannot be reached or does not allow it.
    """

    def __init__(self, address: ServerAddress) -> None:
        self._address = address
        self._server = Server(address, "team")

    def create(self, *, keep: int | None, keep_bytes: int | None) -> Creation:
        """Create the tables and the roles, or update both.

        Of a superuser's database the owner is a new role, so that no function runs with a
        superuser's rights.

        Args:
            keep: How many deliveries stay; None leaves it as it is.
            keep_bytes: How many bytes they may take; None as for `keep`.
        """
        with self._connect() as connection, self._server.explaining():
            made, new_owner = False, None
            with connection.transaction():
                schema.lock(connection, self._server)
                self._make_roles(connection)
                if not schema.exists(connection):
                    made = True
                    new_owner = self._make_owner(connection)
                    schema.create(
                        connection,
                        self._server,
                        keep=keep or KEEP,
                        keep_bytes=keep_bytes or KEEP_BYTES,
                    )
                schema.require(connection, self._server)
                self._grant(connection)
                connection.execute("RESET ROLE")
                connection.execute(_SET_BOUNDS, {"keep": keep, "keep_bytes": keep_bytes})
                found = connection.execute(_HISTORY).fetchone()
            assert found is not None
            _, owner, kept, kept_bytes, _ = found
            roles = {each: _group(connection, each) for each in ROLES}
            return Creation(made, owner, new_owner, roles, kept, kept_bytes)

    def add(self, name: str, role: Role) -> Login:
        """Make a database user, or give the role to one that exists.

        Raises:
            UsageError: The name cannot be one.
            StoreError: There is no user of this name, and ours may not make one.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be the name of a database user.",
                hint="Use small letters, digits, _ . and -, as in anna or ci-build.",
            )
        with self._connect() as connection, self._server.explaining():
            self._require(connection)
            group = _group(connection, role)
            if not _role_exists(connection, group):
                raise StoreError(
                    f"{self._server.label} has no role {group} yet.", hint="tiktok-hook team create"
                )
            is_new = not _role_exists(connection, name)
            if is_new and not _may(connection, "rolcreaterole"):
                raise StoreError(
                    f"{self._server.label} lets {connection.info.user} make no database users.",
                    hint="Use the address of an administrator, as for the first team create, or "
                    f'let one run: CREATE ROLE "{name}" LOGIN. Then run this again.',
                )
            with connection.transaction():
                if not is_new:
                    login = Login(name, _url(connection, name), None)
                else:
                    login = _new_login(connection, name)
                _run(connection, "GRANT {} TO {}", group, name)
            return login

    def leave(self, app: str) -> None:
        """Delete the cursor and the queue of an attached app, and free its name.

        Raises:
            UsageError: There is no app of this name, or it is running.
        """
        for each in self.overview().members:
            if each.app == app and each.running:
                raise UsageError(
                    f"{app} is running on {each.host} (process {each.pid}).", hint="Stop it first."
                )
        with self._connect() as connection, self._server.explaining():
            known = connection.execute("SELECT true FROM tiktok_hook.apps WHERE app = %s", (app,))
            if known.fetchone() is None:
                raise UsageError(f"There is no app {app}.", hint="tiktok-hook team status")
            connection.execute("SELECT tiktok_hook.leave_1(%s)", (app,))

    def upgrade(self) -> int:
        """Upgrade the tables to the version of this program, and update the rights; returns it."""
        with self._connect() as connection, self._server.explaining():
            self._require(connection)
            with connection.transaction():
                schema.lock(connection, self._server)
                if all(_role_exists(connection, _group(connection, each)) for each in ROLES):
                    self._grant(connection)
            return schema.VERSION

    def overview(self) -> Overview:
        """The members of the team, and the state of the history."""
        with (
            self._connect() as connection,
            self._server.connect() as other,
            self._server.explaining(),
        ):
            self._require(connection)
            with open_reader(self._address) as reader:
                members = [
                    replace(each := Member(*row), behind=_behind(reader, each))
                    for row in connection.execute(_MEMBERS).fetchall()
                ]
            history = connection.execute(_HISTORY).fetchone()
            counted = connection.execute(_COUNTED).fetchone()
            assert history is not None
            assert counted is not None
            version, owner, keep, keep_bytes, epoch = history
            server_version = connection.execute("SELECT current_setting('server_version')")
            return Overview(
                label=self._server.label,
                server_version=str((server_version.fetchone() or [""])[0]).split()[0],
                schema_version=version,
                direct=connection.is_direct,
                hears=hears_notifications(connection, other),
                encrypted=bool(connection.pgconn.ssl_in_use),
                owner=owner,
                keep=keep,
                keep_bytes=keep_bytes,
                kept=counted[0],
                newest_id=counted[1],
                epoch=str(epoch),
                members=tuple(members),
            )

    def _connect(self) -> Connection:
        return self._server.connect(writing=True)

    def _require(self, connection: Connection) -> None:
        try:
            schema.require(connection, self._server)
        except NoHistoryError:
            raise NoHistoryError(
                f"There is no shared history at {self._server.label} yet.",
                hint="tiktok-hook team create URL makes it.",
            ) from None

    def _make_roles(self, connection: Connection) -> None:
        missing = [
            each
            for role in ("developer", "listener")
            if not _role_exists(connection, each := _group(connection, role))
        ]
        if missing and not _may(connection, "rolcreaterole"):
            wanted = "; ".join(f'CREATE ROLE "{each}" NOLOGIN' for each in missing)
            raise StoreError(
                f"{self._server.label} lets {connection.info.user} create no roles.",
                hint=f"Let an administrator run: {wanted}. Then run this again.",
            )
        for each in missing:
            _run(connection, "CREATE ROLE {} NOLOGIN", each)

    def _make_owner(self, connection: Connection) -> Login | None:
        """Let a role own what a superuser creates, until the end of the transaction."""
        if not _may(connection, "rolsuper"):
            return None
        name = _group(connection, "owner")
        login = None if _role_exists(connection, name) else _new_login(connection, name)
        _run(connection, "GRANT CONNECT, CREATE ON DATABASE {} TO {}", connection.info.dbname, name)
        # So that it gives them to users that exist. It makes none: a user who may make roles may
        # also give itself those of the server's administrators, up to PostgreSQL 15.
        groups = [_group(connection, each) for each in ROLES]
        _run(connection, "GRANT {}, {} TO {} WITH ADMIN OPTION", *groups, name)
        _run(connection, "SET LOCAL ROLE {}", name)
        return login

    def _grant(self, connection: Connection) -> None:
        developer, listener = (_group(connection, each) for each in ("developer", "listener"))
        _run(connection, "GRANT USAGE ON SCHEMA tiktok_hook TO {}, {}", developer, listener)
        _run(
            connection, "GRANT SELECT ON ALL TABLES IN SCHEMA tiktok_hook TO {}, {}",
            developer, listener,
        )  # fmt: skip
        for names, roles in ((_DEVELOPER, (developer, listener)), (_LISTENER, (listener,))):
            for (function,) in connection.execute(_FUNCTIONS, (list(names),)).fetchall():
                for role in roles:
                    connection.execute(
                        sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(
                            sql.SQL(function), sql.Identifier(role)
                        )
                    )


def _behind(reader: PostgresReader, member: Member) -> int:
    """How many deliveries after its cursor an attached app is going to get."""
    if member.cursor is None:
        return 0
    try:
        where = Filter(match=member.filter or None, verdicts=ACCEPTED)
    except UsageError:  # a teammate wrote it there, and not attach
        where = Filter(verdicts=ACCEPTED)
    imported = replace(where, source=Source.IMPORT)
    return reader.count_after(where, member.cursor) - reader.count_after(imported, member.cursor)


def _group(connection: Connection, role: str) -> str:
    """The name of a role. Roles belong to the entire server, so it has the database's name."""
    database = connection.info.dbname.encode()[: _LONGEST_NAME - 10].decode(errors="ignore")
    return f"{database}_{role}"


def _role_exists(connection: Connection, name: str) -> bool:
    found = connection.execute("SELECT true FROM pg_roles WHERE rolname = %s", (name,))
    return found.fetchone() is not None


def _may(connection: Connection, attribute: Literal["rolsuper", "rolcreaterole"]) -> bool:
    wanted = sql.SQL("SELECT rolsuper OR {} FROM pg_roles WHERE rolname = current_user")
    found = connection.execute(wanted.format(sql.Identifier(attribute))).fetchone()
    return bool(found and found[0])


def _new_login(connection: Connection, name: str) -> Login:
    """Create a user. The server and its logs get only a SCRAM verifier of the password."""
    password = secrets.token_urlsafe(18)
    verifier = connection.pgconn.encrypt_password(
        password.encode(), name.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
            sql.Identifier(name), sql.Literal(verifier.decode())
        )
    )
    info = connection.info
    parts = [info.host or "localhost", str(info.port), info.dbname, name, password]
    escaped = (each.replace("\\", "\\\\").replace(":", "\\:") for each in parts)
    return Login(name, _url(connection, name), ":".join(escaped))


def _url(connection: Connection, user: str) -> str:
    info = connection.info
    user, database = quote(user, safe=""), quote(info.dbname, safe="")
    if info.host.startswith("/"):
        return f"postgresql://{user}@/{database}?host={quote(info.host)}&port={info.port}"
    host = f"[{info.host}]" if ":" in info.host else info.host
    return f"postgresql://{user}@{host}:{info.port}/{database}"


def _run(connection: Connection, command: str, *names: str) -> None:
    connection.execute(sql.SQL(command).format(*map(sql.Identifier, names)))


_FUNCTIONS = (
    "SELECT oid::regprocedure::text FROM pg_proc "
    "WHERE pronamespace = 'tiktok_hook'::regnamespace AND proname = ANY (%s::text[])"
)
_HISTORY = (
    "SELECT version, pg_get_userbyid(c.relowner)::text, keep, keep_bytes, epoch "
    "FROM tiktok_hook.history, pg_class c WHERE c.oid = 'tiktok_hook.history'::regclass"
)
_COUNTED = (
    "SELECT count(*) FILTER (WHERE NOT rejected), coalesce(max(id), 0) FROM tiktok_hook.deliveries"
)
_SET_BOUNDS = (
    "UPDATE tiktok_hook.history SET keep = coalesce(%(keep)s::int8, keep), "
    "keep_bytes = coalesce(%(keep_bytes)s::int8, keep_bytes) "
    "WHERE keep <> coalesce(%(keep)s::int8, keep) "
    "OR keep_bytes <> coalesce(%(keep_bytes)s::int8, keep_bytes)"
)
# Running processes with the attachment of their app, and attachments without a running process.
_MEMBERS = (
    "SELECT coalesce(p.app, a.app), o.role, coalesce(p.kind, 'attach'), p.id IS NOT NULL, "
    "coalesce(p.host, a.host), coalesce(p.pid, a.pid), p.program, p.direct, p.clock_seconds, "
    "CASE WHEN p.id IS NULL THEN extract(epoch FROM now() - a.updated_at)::float8 ELSE 0 END, "
    "a.cursor, 0, "
    "(SELECT count(*) FROM tiktok_hook.queue q WHERE q.app = coalesce(p.app, a.app)), "
    "coalesce(a.target, ''), coalesce(a.filter, '') "
    "FROM (SELECT * FROM tiktok_hook.processes WHERE held_until > now()) p "
    "FULL JOIN tiktok_hook.attachments a ON a.app = p.app "
    "LEFT JOIN tiktok_hook.apps o ON o.app = coalesce(p.app, a.app) "
    "ORDER BY coalesce(p.kind, 'attach') = 'listen' DESC, 1, p.started_at"
)
