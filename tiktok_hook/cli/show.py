"""``tiktok-hook show``: one delivery whole, or one part of it exactly."""

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_hook.cli import color, completers, options, prose, selection
from tiktok_hook.errors import UsageError

if TYPE_CHECKING:
    from tiktok_hook.archive import Entry
    from tiktok_hook.delivery import Attempt, Delivery, Headers
    from tiktok_hook.store import HistoryReader, Location
    from tiktok_hook.terminal.theme import Paint


@click.command(cls=options.Command, example="tiktok-hook show last --body")
@click.argument("word", metavar="ID", default="last", shell_complete=completers.delivery_ids)
@click.option("--body", "parts", flag_value="body", multiple=True, help="The body's bytes alone.")
@click.option("--headers", "parts", flag_value="headers", multiple=True, help="The headers alone.")
@click.option(
    "--curl", "parts", flag_value="curl", multiple=True, help="One curl command that sends it."
)
@click.option("--har", "parts", flag_value="har", multiple=True, help="A HAR 1.2 document.")
@click.option("--json", "parts", flag_value="json", multiple=True, help="One line of JSON.")
@click.option("--raw", is_flag=True, help="Do not escape --body and --headers on a terminal.")
@options.secret_option
@options.secret_file_option
@options.db_option
@options.color_option
@options.config_option
def command(
    word: str,
    parts: tuple[str, ...],
    raw: bool,  # noqa: FBT001 - click passes it by name
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    db: "Location | None",
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
        entry = archive.Entry.read(history, delivery)
        if parts:
            if parts[0] == "curl":
                known = options.resolve_secrets(secrets, secret_files)
                sys.stdout.buffer.write(_curl(entry, history, selection.located(db), known))
            else:
                escaped = sys.stdout.isatty() and not raw
                sys.stdout.buffer.write(_part(entry, parts[0], escaped=escaped))
        else:
            click.echo(_whole(entry, history), nl=False)


def _curl(
    entry: "Entry", history: "HistoryReader", location: "Location", secrets: Sequence[str]
) -> bytes:
    """One command that sends the delivery to where a replay would go, signed now."""
    from tiktok_hook.archive import curl
    from tiktok_hook.forward import EXAMPLE_TARGET
    from tiktok_hook.replayer import (
        NoTargetError,
        ReplayOptions,
        default_target,
        prepare,
        running_targets,
    )

    try:
        target, is_whole = default_target(history, entry.delivery, running_targets(location))
    except NoTargetError:
        target, is_whole = EXAMPLE_TARGET, False
    if not secrets:
        prose.note(
            "Without a client secret the command has the stored signature, which may be too old."
        )
    prepared = prepare(
        entry.delivery,
        target,
        ReplayOptions(),
        secrets=secrets,
        whole_target=is_whole,
        now=time.time(),
    )
    return curl.command(prepared.request).encode()


def _part(entry: "Entry", part: str, *, escaped: bool) -> bytes:
    """What an option asked for: byte for byte, or harmless for a terminal."""
    from tiktok_hook import archive
    from tiktok_hook.sanitize import visible

    if part == "body":
        body = entry.delivery.body
        if not escaped:
            return body
        text = body.decode("utf-8", "backslashreplace")
        return f"{visible(text, keep_newlines=True)}\n".encode()
    if part == "headers":
        return _header_lines(entry.delivery.headers, escaped=escaped)
    if part == "json":
        return _json(entry)
    return b"".join(archive.write([entry], "har"))


def _header_lines(headers: "Headers", *, escaped: bool) -> bytes:
    """One line each: byte for byte, or harmless for a terminal."""
    from tiktok_hook.sanitize import visible

    lines = [f"{name}: {value}" for name, value in headers]
    if escaped:
        return "".join(f"{visible(line)}\n" for line in lines).encode()
    return "".join(f"{line}\n" for line in lines).encode("latin-1", "replace")


def _json(entry: "Entry") -> bytes:
    """The delivery's line as an export has it, its attempts inside."""
    from tiktok_hook.delivery import attempt_json, delivery_json, dump

    attempts = [attempt_json(each) for each in entry.attempts]
    return dump({"type": "delivery", **delivery_json(entry.delivery), "attempts": attempts}) + b"\n"


def _whole(entry: "Entry", history: "HistoryReader") -> str:
    """The block that a session shows, with nothing left out, and what each attempt brought."""
    from tiktok_hook.terminal.blocks import delivery_block
    from tiktok_hook.terminal.cells import terminal_width
    from tiktok_hook.terminal.drawing import render
    from tiktok_hook.terminal.theme import paint_for

    delivery, paint = entry.delivery, paint_for(sys.stdout, color=color.wanted())
    first = None if delivery.redelivery_of is None else history.get(delivery.redelivery_of)
    if first is not None:
        delivery = delivery.replace(first_received_at=first.received_at)
    block = delivery_block(
        delivery,
        attempts=entry.attempts,
        width=terminal_width(sys.stdout) or 100,
        name_apps=True,
    )
    parts = [
        _received(entry, history.redeliveries(delivery.id)) + _queued(history, delivery.id),
        render(block, paint).rstrip("\n"),
        _unknown(entry.delivery),
    ]
    parts += [_exchanged(each, paint) for each in entry.attempts]
    return "\n\n".join(part for part in parts if part) + "\n"


def _received(entry: "Entry", same: Sequence[int]) -> str:
    """When it came, to the day, and what it has to do with others."""
    from tiktok_hook.sanitize import visible

    delivery = entry.delivery
    moment = datetime.fromtimestamp(delivery.received_at).astimezone()
    words = f"Delivery {delivery.id}, received {moment:%Y-%m-%d %H:%M:%S %z}"
    if delivery.imported_id is not None:
        words += f", imported; its id in the file is {delivery.imported_id}"
    if delivery.listener is not None:
        words += f", by {visible(delivery.listener)}"
    log_id = entry.delivery.log_id
    if log_id is not None:
        words += f"\nTikTok's log id: {log_id} (quote it to TikTok's support)"
    others = [f"#{each}" for each in same if each != delivery.id]
    if others:
        words += f"\nOf the same event: {', '.join(others[:20])}"
    return words + (", ..." if len(others) > 20 else "")


def _queued(history: "HistoryReader", delivery_id: int) -> str:
    """Which apps a delivery is queued for, and when it is due; empty if it is not."""
    from tiktok_hook.sanitize import visible

    found = ""
    for entry in history.queues_of(delivery_id):
        due = "in order"
        if entry.next_try_at is not None:
            moment = datetime.fromtimestamp(entry.next_try_at).astimezone()
            due = f"next try {moment:%Y-%m-%d %H:%M:%S}"
        found += f"\nQueued for {visible(entry.target)}: {due}"
    return found


def _unknown(delivery: "Delivery") -> str:
    """Where it differs from the catalogue; empty if it does not, or has another envelope."""
    from tiktok_hook import events

    if delivery.event is None:
        return ""
    found = [f"    {each.path}: {each.words}" for each in events.differences(delivery.event)]
    title = "  differs from what is known of TikTok's deliveries (tiktok-hook types):"
    return "\n".join([title, *found]) if found else ""


def _exchanged(attempt: "Attempt", paint: "Paint") -> str:
    """What was changed for an attempt, and what the app answered; empty when that is nothing."""
    from tiktok_hook.sanitize import visible
    from tiktok_hook.terminal import lines

    shown = []
    if attempt.request_body is not None:
        shown += ["    sent instead of the body above:", *_indented(attempt.request_body)]
    if attempt.headers or attempt.body:
        shown.append("    answered:")
        shown += [visible(f"    {name}: {value}") for name, value in attempt.headers]
        shown += _answer_body(attempt)
        shown += ["    (cut here)"] if attempt.truncated else []
    return (
        "\n".join([paint.join(lines.attempt_line(attempt, name_app=True)), *shown]) if shown else ""
    )


def _answer_body(attempt: "Attempt") -> list[str]:
    """The lines of an answer's body, decompressed and in UTF-8."""
    from tiktok_hook import app_body

    if not attempt.body:
        return []
    plain = app_body.decoded(attempt.headers, attempt.body)
    if plain is None:
        return _indented(attempt.body)
    return [f"    (decoded, {len(attempt.body)} bytes as sent)", *_indented(plain)]


def _indented(body: bytes) -> list[str]:
    """A body's lines, harmless to look at; its length if it is not text."""
    from tiktok_hook.sanitize import visible

    try:
        text = body.decode()
    except UnicodeDecodeError:
        return [f"      {len(body)} bytes that are not text"]
    return [f"      {visible(line)}" for line in text.splitlines()]
