"""``tiktok-hook show``: one delivery whole, or one part of it exactly."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_hook.cli import options, selection
from tiktok_hook.errors import UsageError

if TYPE_CHECKING:
    from tiktok_hook.archive import Entry
    from tiktok_hook.delivery import Headers
    from tiktok_hook.store import History


@click.command(cls=options.Command, example="tiktok-hook show last --body")
@click.argument("word", metavar="ID", default="last")
@click.option("--body", "parts", flag_value="body", multiple=True, help="The body's bytes alone.")
@click.option("--headers", "parts", flag_value="headers", multiple=True, help="The headers alone.")
@click.option("--curl", "parts", flag_value="curl", multiple=True, help="A script that sends it.")
@click.option("--har", "parts", flag_value="har", multiple=True, help="A HAR 1.2 document.")
@click.option("--json", "parts", flag_value="json", multiple=True, help="One line of JSON.")
@options.db_option
@options.config_option
def command(
    word: str,
    parts: tuple[str, ...],
    db: Path | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> None:
    """Show one delivery whole.

    ID is a number, last (also without ID) or last-2, the one two before it. Shows the decoded
    event with what its values mean, the verdict, every attempt, the headers and the body.
    """
    if len(set(parts)) > 1:
        raise UsageError(
            f"{' and '.join(f'--{part}' for part in parts)} do not go together.",
            hint="Ask for one of them.",
        )
    from tiktok_hook import archive

    with selection.opened(db) as history:
        delivery = selection.one(history, word)
        entry = archive.Entry(delivery, tuple(history.attempts(delivery.id)))
        if parts:
            sys.stdout.buffer.write(_part(entry, parts[0]))
        else:
            click.echo(_whole(entry, history), nl=False)


def _part(entry: "Entry", part: str) -> bytes:
    """What an option asked for, byte for byte."""
    from tiktok_hook import archive

    if part == "body":
        return entry.delivery.body
    if part == "headers":
        return _header_lines(entry.delivery.headers)
    if part == "json":
        return _json(entry)
    return b"".join(archive.write([entry], "curl" if part == "curl" else "har"))


def _header_lines(headers: "Headers") -> bytes:
    """One line each: the bytes that came, but harmless where somebody looks."""
    from tiktok_hook.plain import visible

    lines = [f"{name}: {value}" for name, value in headers]
    if sys.stdout.isatty():
        return "".join(f"{visible(line)}\n" for line in lines).encode()
    return "".join(f"{line}\n" for line in lines).encode("latin-1", "replace")


def _json(entry: "Entry") -> bytes:
    """The delivery's line as an export has it, its attempts inside."""
    from tiktok_hook.delivery import attempt_json, delivery_json, dump

    attempts = [attempt_json(each) for each in entry.attempts]
    return dump({"type": "delivery", **delivery_json(entry.delivery), "attempts": attempts}) + b"\n"


def _whole(entry: "Entry", history: "History") -> str:
    """The block that a session shows, with nothing left out of it."""
    from tiktok_hook import console
    from tiktok_hook.cli import table

    delivery = entry.delivery
    first = None if delivery.redelivery_of is None else history.get(delivery.redelivery_of)
    return console.block(
        delivery,
        entry.attempts,
        paint=console.paint_for(sys.stdout),
        width=table.terminal_width() or 100,
        first_at=None if first is None else first.received_at,
    )
