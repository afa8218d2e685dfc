"""``tiktok-hook clear``: deletes deliveries, after asking."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_hook.cli import completers, options, prose, selection, standard_input
from tiktok_hook.cli.export import counted
from tiktok_hook.errors import NoHistoryError, UsageError
from tiktok_hook.store import Location, open_store

if TYPE_CHECKING:
    from tiktok_hook.store import Filter


@click.command(cls=options.Command, example="tiktok-hook clear 12 15-17")
@click.argument(
    "words", metavar="[ID|FILTER]...", nargs=-1, shell_complete=completers.ids_or_filter
)
@options.option(
    "--before",
    metavar="WHEN",
    help="Only what was received before: 30d (ago), 2026-11-23, RFC 3339.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@options.db_option
@options.config_option
def command(
    words: tuple[str, ...],
    before: str | None,
    yes: bool,  # noqa: FBT001 - click passes it by name
    db: Location | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> int:
    """Delete deliveries, or the whole history.

    Without ID and FILTER everything goes. An ID is 12, 3-7, last or last-2; the other words are one
    filter, as in "post.publish.* user:OPEN_ID".

    Deletes deliveries and their attempts for good, after asking. Their ids are not given again.
    Exits with 1 when you answer no.
    """
    import asyncio  # not needed for --help

    from tiktok_hook.store import Filter
    from tiktok_hook.terminal.words import plural

    until = None
    if before is not None:
        until = selection.moment(before, option="--before", now=time.time())
    location = selection.located(db)
    try:
        where, newest, count, queued = _found(location, words, Filter(until=until))
    except NoHistoryError:
        if db is not None:
            raise
        click.echo("No history yet: there is nothing to delete.", err=True)
        return 0
    what = counted(count, None)
    if not count:
        doubt = "" if where.match is None else f" {selection.nothing_fits(where)}"
        prose.note(f"There is nothing to delete.{doubt}")
        return 0
    if queued and not yes:
        prose.note(f"{queued} of them {'waits' if queued == 1 else 'wait'} for your app.")
    if not yes and not _confirmed(f"Delete {what} from {location.label} for good?"):
        click.echo("Nothing was deleted.", err=True)
        return 1
    try:
        gone = asyncio.run(_clear(location, where, newest))
    except KeyboardInterrupt:
        with selection.opened(location) as history:
            left = history.count(where)
        click.echo(f"\nInterrupted: {left} of {what} left.", err=True)
        raise
    click.echo(f"Deleted {plural(gone, 'delivery', 'deliveries')}.", err=True)
    return 0


def _found(
    location: Location, words: Sequence[str], fitting: "Filter"
) -> tuple["Filter", int, int, int]:
    """What is meant, the newest id there is, how many match, and how many of those are queued.

    Raises:
        UsageError: A word is neither an id nor part of a filter, or there is no such delivery.
    """
    with selection.opened(location) as history:
        where = selection.chosen(history, words, fitting)
        newest = history.newest_id()
        count = history.count(where)
        queued = history.count(replace(where, queued=True)) if count else 0
        return where, newest, count, queued


def _confirmed(question: str) -> bool:
    """Whether the user answered yes.

    Raises:
        UsageError: There was no terminal to ask at, and no answer in a pipe.
    """
    answer = standard_input.confirmed(question)
    if answer is None:
        raise UsageError(
            "Nothing was deleted: it was not confirmed.", hint="Without a terminal, add --yes."
        )
    return answer


async def _clear(location: Location, where: "Filter", newest: int) -> int:
    # Nothing else is pruned.
    with open_store(location, prune=False) as store:
        return await store.clear(where, up_to=newest)
