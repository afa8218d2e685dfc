"""``tiktok-hook verify``: a signature header against a body, offline."""

import time
from pathlib import Path

import click

from tiktok_hook import signature
from tiktok_hook.cli import options
from tiktok_hook.signature import State


@click.command(
    cls=options.Command,
    example="tiktok-hook verify --secret - --header 't=1756684801,s=267c…' --body event.json",
)
@options.secret_option
@options.secret_file_option
@click.option(
    "--header", required=True, metavar="TEXT", help="The header's value, or its whole line."
)
@click.option(
    "--body", required=True, metavar="FILE|-", help="The body, byte for byte; - is stdin."
)
@options.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="Oldest and newest acceptable timestamp.",
)
@options.config_option
def command(
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    header: str,
    body: str,
    tolerance: float,
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> int:
    """Check a signature header against a body, offline.

    Prints the verdict and, when it is not valid, the likely mistake. Exits with 0 when the
    signature is valid and in time, else with 1.
    """
    known = options.required_secrets(secrets, secret_files)
    name, colon, value = header.partition(":")
    headers = [(name.strip(), value.strip())] if colon else [(signature.HEADER, header.strip())]
    found = headers[0][1] if headers[0][0].lower() == signature.HEADER.lower() else None
    payload = options.read_body(body)
    now = time.time()
    verdict = signature.check(found, payload, known, now=now, tolerance=tolerance)
    verdict = signature.explain(verdict, found, payload, known, now=now, headers=headers)
    words = verdict.state.value
    if verdict.state is State.VALID and len(known) > 1:
        words += f" (secret {verdict.secret})"
    click.echo(f"{words}: {verdict.reason}" if verdict.reason else words)
    if verdict.hint:
        click.echo(f"Hint: {verdict.hint}", err=True)
    return 0 if verdict.state is State.VALID else 1
