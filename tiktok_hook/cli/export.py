"""``tiktok-hook export``: deliveries written to a file, for people, tools and tests."""

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiktok_hook.cli import completers, options, prose, selection
from tiktok_hook.errors import UsageError

if TYPE_CHECKING:
    from tiktok_hook.archive import Entry
    from tiktok_hook.store import Location


@click.command(
    cls=options.Command,
    example="tiktok-hook export last --format pytest -o test_tiktok_webhooks.py",
)
@click.argument(
    "words",
    metavar="[IDS | FILTER]...",
    nargs=-1,
    shell_complete=completers.ids_or_filter,
)
@selection.filters
@options.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N.  [default: all]"
)
@options.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "har", "curl", "pytest"]),
    default="jsonl",
    show_default=True,
    help="jsonl and har can be imported again; curl and pytest sign when they run.",
)
@options.path_option("--output", "-o", help="File to write; - is stdout.  [default: -]")
@options.option(
    "--redact",
    is_flag=True,
    help="Replace user ids, client keys, credentials, signatures and addresses by pseudonyms.",
)
@options.db_option
@options.config_option
def command(
    words: tuple[str, ...],
    limit: int | None,
    form: Any,
    output: Path | None,
    redact: bool,  # noqa: FBT001 - click passes it by name
    db: "Location | None",
    config: Path | None,  # noqa: ARG001 - read before the options are
    **given: Any,
) -> None:
    """Write deliveries to a file.

    IDS are numbers, ranges (3-7), last, last-2; FILTER is as in "post.publish.* user:OPEN_ID".
    Without either, everything that the options let through is written.
    JSON Lines hold everything exactly; HAR 1.2 opens in browsers and proxies; a curl script and a
    pytest module send the deliveries to your app, with a new signature by TIKTOK_CLIENT_SECRET.
    """
    from tiktok_hook import archive

    with selection.opened(db) as history:
        fitting = selection.chosen(history, words, selection.where(given))
        fitting = selection.newest(history, fitting, limit)

        def again() -> Iterable["Entry"]:
            return archive.entries(history, fitting)

        chosen = archive.redacted(again) if redact else again()
        counted = _Counted(chosen, whole=form in {"jsonl", "har"})
        first = list(islice(counted, 1))
        if not first:
            raise selection.nothing_fits(fitting)
        to_file = output is not None and str(output) != "-"
        name = {"name": output.name} if to_file and output is not None else {}
        pieces = archive.write(chain(first, counted), form, **name)
        try:
            if to_file and output is not None:
                _write_file(output, pieces)
            else:
                sys.stdout.buffer.writelines(pieces)
                sys.stdout.buffer.flush()
        except KeyboardInterrupt:
            done = "nothing was written" if to_file else f"{counted.words} were begun"
            click.echo(f"\nInterrupted: {done}.", err=True)
            raise
        prose.note(f"Exported {counted.words}{f' to {output}' if to_file else ''}.")


class _Counted:
    """Entries on their way, counted.

    Args:
        entries: All of them.
        whole: Whether their attempts go along.
    """

    def __init__(self, entries: Iterable["Entry"], *, whole: bool) -> None:
        self._entries = iter(entries)
        self._whole = whole
        self._deliveries = self._attempts = 0

    def __iter__(self) -> Iterator["Entry"]:
        for entry in self._entries:
            self._deliveries += 1
            self._attempts += len(entry.attempts)
            yield entry

    @property
    def words(self) -> str:
        """How many there were."""
        return counted(self._deliveries, self._attempts if self._whole else None)


def counted(deliveries: int, attempts: int | None) -> str:
    """Return ``1 delivery and 2 attempts``; without the attempts where they are None."""
    from tiktok_hook.terminal import words

    counted = words.plural(deliveries, "delivery", "deliveries")
    return counted if attempts is None else f"{counted} and {words.plural(attempts, 'attempt')}"


def _write_file(path: Path, pieces: Iterator[bytes]) -> None:
    """Write a file whole or not at all, for its owner alone: it may show who the users are.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:  # a pipe or a device
                stream.writelines(pieces)
            return
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.writelines(pieces)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="Name another file with -o, or leave it out for stdout.",
        ) from error
