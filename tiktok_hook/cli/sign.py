"""``tiktok-hook sign``: the header that TikTok would send with a body."""

import time
from pathlib import Path

import click

from tiktok_hook.cli import options


@click.command(
    cls=options.Command,
    example="tiktok-hook sign --secret-file client-secret.txt --body event.json",
)
@options.secret_option
@options.secret_file_option
@click.option(
    "--body", required=True, metavar="FILE|-", help="The body, byte for byte; - is stdin."
)
@click.option(
    "--timestamp",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    help="Unix time to sign with.  [default: now]",
)
@options.config_option
def command(
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    body: str,
    timestamp: int | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> None:
    """Print the signature header for a body.

    One line, ready for curl -H: the HMAC-SHA256 of the timestamp, a dot and the body, keyed with
    the client secret. With several secrets the first one signs.
    """
    from tiktok_hook import signature

    secret = options.required_secrets(secrets, secret_files)[0]
    header = signature.sign(
        options.read_body(body),
        secret,
        timestamp=int(time.time()) if timestamp is None else timestamp,
    )
    click.echo(f"{signature.HEADER}: {header}")
