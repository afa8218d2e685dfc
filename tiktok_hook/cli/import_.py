"""``tiktok-hook import``: somebody's capture put into the history."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from tiktok_hook.cli import options, selection
from tiktok_hook.cli.export import counted
from tiktok_hook.errors import UsageError

if TYPE_CHECKING:
    from tiktok_hook.archive import Capture, Kept


@click.command(cls=options.Command, example="tiktok-hook import colleague.jsonl")
@click.argument("file", metavar="FILE")
@options.secret_option
@options.secret_file_option
@options.db_option
@options.config_option
def command(
    file: str,
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    db: Path | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> None:
    """Put deliveries from a file into the history.

    FILE is JSON Lines of export or listen, or a HAR of any tool, of which the POST requests are
    taken; - is stdin. Everything is imported or nothing. Deliveries get new ids, keep the old one
    beside them, and can be looked at and replayed. With a secret, unchecked ones are checked.
    """
    known = options.resolve_secrets(secrets, secret_files)
    from tiktok_hook import archive

    with _opened(file) as stream:
        capture = archive.load(stream, "stdin" if file == "-" else file)
        path = selection.history_path(db)
        try:
            kept = asyncio.run(_keep(capture, path, known))
        except KeyboardInterrupt:
            click.echo("\nInterrupted: nothing was imported.", err=True)
            raise
    ids = str(kept.first) if kept.deliveries == 1 else f"{kept.first} to {kept.last}"
    click.echo(f"Imported {counted(kept.deliveries, kept.attempts)} as {ids}.", err=True)
    if capture.strays:
        click.echo(f"Left out: {capture.strays} attempts of deliveries not in the file.", err=True)
    if capture.others:
        click.echo(f"Left out: {capture.others} requests that are no POST.", err=True)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """The file, or a copy of what is piped in: it is read twice.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        stream = sys.stdin.buffer if file == "-" else Path(file).expanduser().open("rb")
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror or error}.",
            hint="Name a file of tiktok-hook export, a HAR, or - for stdin.",
        ) from error
    with stream:
        if file != "-" and stream.seekable():
            yield stream
        else:
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(stream, copy)
                copy.seek(0)
                yield copy


async def _keep(capture: "Capture", path: Path, secrets: Sequence[str]) -> "Kept":
    from tiktok_hook import archive
    from tiktok_hook.store import open_store

    # Whatever is there may not be pushed out by what is imported.
    with open_store(path, keep=sys.maxsize, keep_bytes=sys.maxsize) as store:
        return await archive.keep(capture, store, secrets=secrets)
