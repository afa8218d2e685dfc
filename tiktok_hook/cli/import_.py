"""``tiktok-hook import``: deliveries of a file added to the history."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_hook.cli import completers, options, prose, selection
from tiktok_hook.cli.export import counted
from tiktok_hook.cli.standard_input import require_input
from tiktok_hook.store import Location, open_store

if TYPE_CHECKING:
    from tiktok_hook.archive import Capture, ImportResult

_NAMED = 10
"""How many entries a line names by their numbers."""


@click.command(cls=options.Command, example="tiktok-hook import colleague.jsonl")
@click.argument("file", metavar="FILE", shell_complete=completers.files)
@options.option(
    "--url",
    "urls",
    multiple=True,
    metavar="GLOB",
    help="Only requests to these URLs, as in '*/tiktok*'. Repeatable.",
)
@options.option("--signed-only", is_flag=True, help="Only requests with a Tiktok-Signature header.")
@click.option(
    "--header",
    "headers",
    cls=options.OneCallOption,
    multiple=True,
    metavar="'NAME: VALUE'",
    help="A header of the request whose body FILE contains. Repeatable.",
)
@options.secret_option
@options.secret_file_option
@options.db_option
@options.config_option
def command(
    file: str,
    urls: tuple[str, ...],
    signed_only: bool,  # noqa: FBT001 - click passes it by name
    headers: tuple[str, ...],
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    db: Location | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> None:
    """Add deliveries from a file to the history.

    FILE is JSON Lines of export or listen, a HAR of any program, or the JSON of ngrok's
    /api/requests/http or of webhook.site, also in gzip or zip; - is stdin. POST requests are
    imported; what cannot be used is left out and counted. Deliveries that the history already has
    are not added again.

    Imported deliveries get new ids. Their signatures are checked with your secret; without one they
    are unchecked. A body that the file does not contain is marked as missing.
    """
    import asyncio  # not needed for --help

    from tiktok_hook import archive
    from tiktok_hook.forward import parse_header

    known = options.resolve_secrets(secrets, secret_files)

    wanted = archive.ImportOptions(
        urls=urls,
        signed_only=signed_only,
        secrets=known,
        headers=[parse_header(text) for text in headers] or None,
    )
    if file == "-":
        require_input("file")
    with archive.opened(file) as source:
        capture = archive.load(
            source.stream,
            source.name,
            wanted,
            sibling=source.sibling,
            file_time=source.modified_at,
        )
        location = selection.located(db)
        try:
            result = asyncio.run(_store(capture, location))
        except KeyboardInterrupt:
            click.echo("\nInterrupted: nothing was imported.", err=True)
            raise
    for line in _report(result, capture):
        prose.note(line)


def _report(result: "ImportResult", capture: "Capture") -> list[str]:
    """What was imported and what was left out, a line each."""
    from tiktok_hook.delivery import BodyState
    from tiktok_hook.sanitize import visible
    from tiktok_hook.terminal import words

    lines = []
    if result.deliveries:
        ids = str(result.first)
        if result.deliveries > 1:
            ids = f"{result.first} to {result.last}"
        lines.append(f"Imported {counted(result.deliveries, result.attempts)} as {ids}.")
    else:
        lines.append("Nothing was added.")
    if result.duplicates:
        lines.append(f"Already in the history: {counted(result.duplicates, None)}.")
    if capture.is_cut:
        lines.append("The file ends early, or is not JSON: only the entries before that were read.")
    if capture.strays:
        lines.append(
            f"Left out: {words.plural(capture.strays, 'attempt')} of deliveries not in the file."
        )
    if capture.other_methods:
        common = capture.other_methods.most_common(5)
        methods = ", ".join(f"{visible(method)} {number}" for method, number in common)
        total = sum(capture.other_methods.values())
        verb = "is" if total == 1 else "are"
        lines.append(
            f"Left out: {words.plural(total, 'request')} that {verb} not POST ({methods})."
        )
    if capture.not_selected:
        lines.append(f"Left out by the options: {words.plural(capture.not_selected, 'request')}.")
    for reason, numbers in capture.unusable.items():
        lines.append(f"Left out: {_entries(numbers)}: {visible(reason)}.")
    states = {
        BodyState.MISSING: "Without the body, which is not in the file",
        BodyState.DECOMPRESSED: "With a body that the recording program decompressed",
        BodyState.ALTERED: "With a body that differs from what was sent",
    }
    for state, text in states.items():
        if numbers := capture.body_states.get(state, []):
            lines.append(
                f"{text}: {_entries(numbers)}. Unchecked; tiktok-hook show has the reason."
            )
    if capture.undiagnosed:
        count = words.plural(capture.undiagnosed, "more rejected signature")
        lines.append(f"Not diagnosed: {count}. tiktok-hook verify ID explains each.")
    return lines


def _entries(numbers: Sequence[int]) -> str:
    """``entry 3``, ``entries 3, 5 and 7 more``."""
    named = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return f"{'entry' if len(numbers) == 1 else 'entries'} {named}{more}"


async def _store(capture: "Capture", location: Location) -> "ImportResult":
    from tiktok_hook import archive

    # An import removes nothing to make room for itself.
    with open_store(location, prune=False) as store:
        return await archive.import_into(store, capture)
