"""``tiktok-hook inspect``: serve the inspector for a stored history, without a listener."""

from pathlib import Path
from typing import Any

import click

from tiktok_hook import paths
from tiktok_hook.cli import options
from tiktok_hook.cli.listen import serving_page
from tiktok_hook.inspector.options import InspectorPageOptions
from tiktok_hook.option_fields import option_fields
from tiktok_hook.store import Location


@click.command(cls=options.Command, example="tiktok-hook inspect --open")
@options.db_option
@options.secret_option
@options.secret_file_option
@options.option(
    "--forward-to",
    "-f",
    metavar="TARGET",
    help="Default target of replays; the page can name another.",
)
@options.insecure_option
@options.option(
    "--rotate-token",
    is_flag=True,
    help="Replace the inspector's token, print the new URLs of running inspectors, and exit.",
)
@serving_page
@options.config_option
def command(
    db: Location | None,
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    *,
    rotate_token: bool,
    forward_to: str | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
    **given: Any,
) -> None:
    """Serve the inspector for a stored history, without a listener.

    The page lets you view, compare, export and replay deliveries. With a client secret, replays
    are signed again. Deliveries that a listener adds in the meantime appear too. Stop the server
    with Ctrl-C.
    """
    if rotate_token:
        _rotate_token()
        return
    known = options.resolve_secrets(secrets, secret_files)
    from tiktok_hook import session

    named = {each.name: given[each.name] for each, _ in option_fields(InspectorPageOptions)}
    page = session.inspect(
        InspectorPageOptions(**named),
        db=db,
        secrets=known,
        forward_to=forward_to,
        insecure=given["insecure"],
    )
    session.run_page(page, announce=click.echo, open_browser=given["open_page"])


def _rotate_token() -> None:
    token = paths.rotate_token()
    click.echo("The inspector has a new token. The old one is no longer accepted.", err=True)
    for listener in paths.listeners():
        if listener.inspector_url is not None:
            click.echo(f"{listener.inspector_url}#token={token}")
