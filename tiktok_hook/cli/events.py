"""``tiktok-hook events``: the history as a table or as JSON Lines."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiktok_hook.cli import color, completers, options, prose, selection
from tiktok_hook.errors import NoHistoryError, UsageError

if TYPE_CHECKING:
    from tiktok_hook.delivery import Attempt, Delivery
    from tiktok_hook.store import Filter, HistoryReader, Location
    from tiktok_hook.terminal.table import Table

Found = list[tuple["Delivery", "Attempt | None"]]


@click.command(
    cls=options.Command,
    example='tiktok-hook events "post.publish.*" --failed --since 2d',
)
@click.argument(
    "words",
    metavar="[IDS | FILTER]...",
    nargs=-1,
    shell_complete=completers.ids_or_filter,
)
@selection.filters
@options.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="Only the newest N; 0 is all.",
)
@options.option("--follow", is_flag=True, help="Continue with each delivery at its answer.")
@options.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="json prints lines as listen does.",
)
@options.db_option
@options.color_option
@options.config_option
def command(
    words: tuple[str, ...],
    limit: int,
    follow: bool,  # noqa: FBT001 - click passes it by name
    form: str,
    db: "Location | None",
    config: Path | None,  # noqa: ARG001 - read before the options are
    **given: Any,
) -> None:
    """List what was received.

    The newest deliveries, oldest first: time, id, event, summary, verdict, what TikTok was
    answered and what your app answered last. FILTER is as in "post.publish.* user:OPEN_ID"; IDS are
    numbers, ranges (3-7), last, last-2. Filters are combined; show ID shows one whole.
    """
    ids, text = selection.split(words)
    if ids and follow:
        raise UsageError(
            f"--follow lists what is received from now on, and {ids[0]} names what is stored.",
            hint="Leave one of them out.",
        )
    fitting = selection.matching(text, selection.where(given))
    location = selection.located(db)
    try:
        opened = selection.opened(location)
    except NoHistoryError:
        if not follow and db is not None:
            raise
        prose.note(f"No history yet: tiktok-hook listen creates {location.label}.")
        if not follow:
            return
        opened = selection.awaited(location)
    with opened as history:
        fitting = selection.chosen(history, ids, fitting)
        before = history.newest_id()
        show = _Lines() if form == "json" else _Rows(headed=follow)
        newest = show.all(history, fitting, limit)
        if follow:
            show.rest(history, fitting, max(before, newest))
        elif not newest:
            _show_none(fitting)
        elif limit:
            _show_total(history, fitting, limit)


def _show_none(fitting: "Filter") -> None:
    """Show that nothing matches, and what may be mistyped."""
    none = selection.nothing_fits(fitting)
    doubt = "" if fitting.match is None else f" {none.hint}"
    prose.note(f"{none}{doubt}")


def _show_total(history: "HistoryReader", fitting: "Filter", limit: int) -> None:
    """Show how many there are when only the newest were listed."""
    if fitting.text or fitting.body_terms:  # counting would read every body
        if len(history.page(fitting, limit=limit + 1)) > limit:
            words = f"{limit} of more than {limit} deliveries; --limit 0 lists all."
            click.echo(words, err=True)
        return
    total = history.count(fitting)
    if total > limit:
        click.echo(f"{limit} of {total} deliveries; --limit 0 lists all.", err=True)


def _found(history: "HistoryReader", fitting: "Filter", limit: int) -> Found:
    """The newest deliveries, oldest first, each with its last attempt."""
    deliveries = history.page(fitting, limit=limit)[::-1]
    last = history.last_attempts([each.id for each in deliveries], app=fitting.app)
    return [(each, last.get(each.id)) for each in deliveries]


class _Rows:
    """The table.

    Args:
        headed: Whether the heading is printed even without rows.
    """

    def __init__(self, *, headed: bool) -> None:
        self._headed = headed
        self._table: Table | None = None

    def all(self, history: "HistoryReader", fitting: "Filter", limit: int) -> int:
        """Print what is stored; returns its newest id, 0 without any."""
        from tiktok_hook.terminal import table
        from tiktok_hook.terminal.cells import terminal_width
        from tiktok_hook.terminal.theme import paint_for

        found = _found(history, fitting, limit or sys.maxsize)
        self._table = table.Table(
            found,
            now=time.time(),
            width=terminal_width(sys.stdout),
            paint=paint_for(sys.stdout, color=color.wanted()),
        )
        lines = [self._table.line(*each) for each in found]
        if found or self._headed:
            click.echo("\n".join([self._table.heading(), *lines]))
        return found[-1][0].id if found else 0

    def rest(self, history: "HistoryReader", fitting: "Filter", after: int) -> None:
        """Print what is received from now on, without end."""
        from tiktok_hook.store.change_feed import Arrival, follow
        from tiktok_hook.terminal import lines
        from tiktok_hook.terminal.theme import paint_for

        assert self._table is not None
        paint = paint_for(sys.stdout, color=color.wanted())
        for each in follow(history, fitting, after):
            if isinstance(each, Arrival):
                click.echo(self._table.line(each.delivery, each.attempt))
            else:
                click.echo(paint.join(lines.attempt_line(each)))


class _Lines:
    """One line for each delivery and each attempt, as `listen` prints them."""

    @staticmethod
    def all(history: "HistoryReader", fitting: "Filter", limit: int) -> int:
        from tiktok_hook import archive

        narrowed = selection.newest(history, fitting, limit or None)
        newest = 0
        for entry in archive.entries(history, narrowed):
            newest = entry.delivery.id
            for line in archive.write([entry], "jsonl"):
                click.echo(line, nl=False)
        return newest

    @staticmethod
    def rest(history: "HistoryReader", fitting: "Filter", after: int) -> None:
        from tiktok_hook.delivery import arrival_json, attempt_json, dump
        from tiktok_hook.store.change_feed import Arrival, follow

        for each in follow(history, fitting, after):
            if isinstance(each, Arrival):
                click.echo(dump(arrival_json(each.delivery, waiting=each.waiting)))
                attempt = each.attempt
            else:
                attempt = each
            if attempt is not None:
                click.echo(dump({"type": "attempt", **attempt_json(attempt)}))
