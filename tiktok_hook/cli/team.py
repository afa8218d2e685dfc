"""``tiktok-hook team``: sets up a shared history, and shows who uses it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_hook.cli import options, selection
from tiktok_hook.errors import UsageError
from tiktok_hook.sanitize import visible

if TYPE_CHECKING:
    from tiktok_hook.store import Location
    from tiktok_hook.store.team_records import Role

_ACTIONS = ("create", "add", "status", "leave", "upgrade")
_NAMED = ("add", "leave")
_MAX_BOUND = 10**15
"""Far below the greatest number that the server takes, far above what any history holds."""

_ROLES = ("listener", "developer")
"""Written out, so that ``--help`` has nothing to load; a test holds them to the real ones."""


@click.command(
    cls=options.Command,
    example="tiktok-hook team add anna --role developer --db postgresql://postgres@db/hooks",
)
@click.argument("action", metavar="create|add|status|leave|upgrade", type=click.Choice(_ACTIONS))
@click.argument("words", metavar="[NAME] [URL]", nargs=-1)
@options.option(
    "--role", type=click.Choice(_ROLES), help="Of add: what the new database user may do."
)
@options.option(
    "--keep",
    type=click.IntRange(1, _MAX_BOUND),
    metavar="N",
    help="Of create: deliveries that the history keeps.  [default: 100000]",
)
@options.option(
    "--keep-bytes",
    type=click.IntRange(1 << 20, _MAX_BOUND),
    metavar="BYTES",
    help="Of create: bytes that it keeps.  [default: 1 GiB]",
)
@click.option("--json", "as_json", is_flag=True, help="Of status: one JSON object.")
@options.db_option
@options.config_option
def command(
    action: str,
    words: tuple[str, ...],
    role: "Role | None",
    keep: int | None,
    keep_bytes: int | None,
    as_json: bool,  # noqa: FBT001 - click passes it by name
    db: "Location | None",
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> None:
    """Set up a shared history for a team, and show who uses it.

    create makes the tables and the roles, and changes how much is kept. add NAME makes a database
    user of a role, and prints the address and the password to hand out. status lists listeners and
    attached apps, how far each is behind and since when it is silent. leave NAME forgets an
    attached app, also one of a history in a file. upgrade brings the tables to the version of this
    program. URL is the database's address, as for --db; create and upgrade need the history's
    owner, the first create and add an administrator of the server.
    """
    from tiktok_hook.store import forget_app, open_team
    from tiktok_hook.team import report

    name, location = _named(action, words, db)
    _check(action, role=role, keep=keep, keep_bytes=keep_bytes, as_json=as_json)
    if action == "leave":
        forget_app(location, name)
        click.echo(f"Forgot {visible(name)}: its cursor and its queue are gone.")
        return
    team = open_team(location)
    lines: Sequence[str]
    if action == "create":
        lines = report.creation_lines(team.create(keep=keep, keep_bytes=keep_bytes), location.label)
    elif action == "add":
        assert role is not None
        lines = report.login_lines(team.add(name, role), role)
    elif action == "upgrade":
        lines = [f"{location.label} is of version {team.upgrade()}, as this tiktok-hook needs it."]
    elif as_json:
        from tiktok_hook.delivery import dump

        lines = [dump(report.overview_json(team.overview())).decode()]
    else:
        lines = report.overview_lines(team.overview())
    click.echo("\n".join(lines))


def _named(action: str, words: Sequence[str], db: "Location | None") -> "tuple[str, Location]":
    """The name and the history that were given.

    Raises:
        UsageError: One is missing, or one too many was given.
    """
    urls = [each for each in words if "://" in each]
    names = [each for each in words if each not in urls]
    wanted = 1 if action in _NAMED else 0
    if len(names) != wanted or len(urls) > 1:
        form = f"team {action} {'NAME ' * wanted}[URL]"
        raise UsageError(
            f"team {action} takes {'one name' if wanted else 'no name'}.",
            hint=f"tiktok-hook {form}",
        )
    location = options.with_typed_password(selection.located(urls[0] if urls else db))
    if not location.is_shared and action != "leave":
        raise UsageError(
            f"{location.label} is a file; a team shares a database on a PostgreSQL server.",
            hint="Give its address: postgresql://USER@HOST/DATABASE",
        )
    return (names[0] if names else ""), location


def _check(
    action: str, *, role: str | None, keep: int | None, keep_bytes: int | None, as_json: bool
) -> None:
    """Check that the options belong to the action.

    Raises:
        UsageError: One does not, or add has no role.
    """
    given = {"--role": role, "--keep": keep, "--keep-bytes": keep_bytes, "--json": as_json or None}
    of = {"--role": "add", "--keep": "create", "--keep-bytes": "create", "--json": "status"}
    for option, value in given.items():
        if value is not None and of[option] != action:
            raise UsageError(f"{option} belongs to team {of[option]}, not to team {action}.")
    if action == "add" and role is None:
        raise UsageError(
            "team add needs to know what the new user may do.",
            hint="--role developer reads and attaches; --role listener receives as well.",
        )
