"""``tiktok-hook clear``: deletes deliveries, after asking."""

import asyncio
import time
from pathlib import Path

import click

from tiktok_hook.cli import options, selection
from tiktok_hook.cli.export import counted
from tiktok_hook.cli.standard_input import require_input
from tiktok_hook.errors import NoHistoryError, UsageError
from tiktok_hook.store import Filter, Location, open_store

_ANSWER_SECONDS = 2.0
"""How long an answer may take without a terminal; `yes | tiktok-hook clear` has it at once."""


@click.command(cls=options.Command, example="tiktok-hook clear --before 30d")
@options.option(
    "--before",
    metavar="WHEN",
    help="Only what was received before: 30d (ago), 2026-11-23, RFC 3339.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@options.db_option
@options.config_option
def command(
    before: str | None,
    yes: bool,  # noqa: FBT001 - click passes it by name
    db: Location | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> int:
    """Empty the history.

    Deletes deliveries and their attempts for good, after asking. Their ids are not given again.
    Exits with 1 when you answer no.
    """
    until = None
    if before is not None:
        until = selection.moment(before, option="--before", now=time.time())
    location = selection.located(db)
    try:
        count = _count(location, until)
    except NoHistoryError:
        if db is not None:
            raise
        click.echo("No history yet: there is nothing to delete.", err=True)
        return 0
    what = counted(count, None)
    if not count:
        click.echo("There is nothing to delete.", err=True)
        return 0
    if not yes and not _confirmed(f"Delete {what} from {location.label} for good?"):
        click.echo("Nothing was deleted.", err=True)
        return 1
    try:
        gone = asyncio.run(_clear(location, until))
    except KeyboardInterrupt:
        left = _count(location, until)
        click.echo(f"\nInterrupted: {left} of {what} left.", err=True)
        raise
    from tiktok_hook.terminal import words

    click.echo(f"Deleted {words.plural(gone, 'delivery', 'deliveries')}.", err=True)
    return 0


def _count(location: Location, until: float | None) -> int:

    with selection.opened(location) as history:
        return history.counts(Filter(until=until)).received


def _confirmed(question: str) -> bool:
    """Whether the user answered yes.

    Raises:
        UsageError: There was no terminal to ask at, and no answer in a pipe.
    """
    try:
        require_input("answer", seconds=_ANSWER_SECONDS)
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
    except UsageError:
        pass
    raise UsageError(
        "Nothing was deleted: it was not confirmed.", hint="Without a terminal, add --yes."
    )


async def _clear(location: Location, until: float | None) -> int:

    # Nothing else is pruned.
    with open_store(location, prune=False) as store:
        return await store.clear(before=until)
