"""``tiktok-hook wait``: block until a matching delivery arrives, for scripts and CI jobs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_hook.cli import completers, options, selection
from tiktok_hook.errors import NoHistoryError, UsageError
from tiktok_hook.sanitize import visible
from tiktok_hook.store import Location

if TYPE_CHECKING:
    from tiktok_hook.store import Filter

_MOST_ID = 2**63 - 1


@click.command(
    cls=options.Command,
    example='tiktok-hook wait "post.publish.complete user:OPEN_ID" --timeout 60',
)
@click.argument("words", metavar="[FILTER]...", nargs=-1, shell_complete=completers.event_names)
@options.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Exit with 1 if nothing has arrived by then.  [default: no end]",
)
@options.option(
    "--after",
    metavar="ID",
    help="Also what is stored already with a greater id; 0 is all.  [default: the newest]",
)
@options.option(
    "--since",
    metavar="WHEN",
    help="Also what was received at or after: 10s (ago), 14:30, RFC 3339, @SECONDS.",
)
@options.option(
    "--cursor", is_flag=True, help="Print the newest id, for a later --after, and exit."
)
@options.db_option
@options.config_option
def command(
    words: tuple[str, ...],
    timeout: float | None,
    after: str | None,
    since: str | None,
    cursor: bool,  # noqa: FBT001 - click passes it by name
    db: Location | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> None:
    """Wait for a matching verified delivery and print it as JSON.

    FILTER is as in "post.publish.* user:OPEN_ID"; without one, every event but tiktok.ping matches.
    A delivery is verified if its signature is right; imported ones do not count. It is printed at
    its answer, or after 30 s with "waiting": true. What arrived before does not count, unless
    --after or --since names where to begin.

    Exits with 1 when --timeout ends or Ctrl-C is pressed before one arrives.
    """
    location = selection.located(db)
    if cursor:
        _print_cursor(location)
        return
    from tiktok_hook.cli import run_wait

    wanted = selection.matching(" ".join(words), _since(since))
    wait = run_wait.Wait(wanted, location, timeout)
    try:
        wait.run(_id(after), begun=since is not None)
    except KeyboardInterrupt:
        raise run_wait.NothingArrivedError(f"Interrupted before {wait.what} arrived.") from None


def _print_cursor(location: Location) -> None:
    try:
        with selection.opened(location) as history:
            click.echo(history.newest_id())
    except NoHistoryError:
        click.echo(0)


def _since(text: str | None) -> "Filter":
    from tiktok_hook.store import Filter  # not needed for --help

    if text is None:
        return Filter()
    return Filter(since=selection.moment(text, option="--since", now=time.time()))


def _id(text: str | None) -> int | None:
    """The id of ``--after``; None without one."""
    if text is None:
        return None
    digits = text.strip().removeprefix("#")
    if not digits.isascii() or not digits.isdigit() or int(digits) > _MOST_ID:
        raise UsageError(
            f"--after {visible(text)!r} is not a delivery id.",
            hint="tiktok-hook wait --cursor prints one to begin after.",
        )
    return int(digits)
