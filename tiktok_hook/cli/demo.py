"""``tiktok-hook demo``: everything on this machine, without account or network."""

import sys
from pathlib import Path
from typing import Any

import click

from tiktok_hook.cli import options
from tiktok_hook.cli.listen import inspecting

option = options.option


@click.command(cls=options.Command, example="tiktok-hook demo")
@option(
    "--format",
    "form",
    type=click.Choice(["compact", "normal", "full", "json"]),
    help="How deliveries are shown.  [default: normal on a terminal, otherwise compact]",
)
@option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Port of the receiver.  [default: 3000, else a free one]",
)
@inspecting
@options.config_option
def command(
    form: Any,
    port: int | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
    **inspector: Any,
) -> int:
    """Show everything on this machine, without account or network.

    A receiver with a temporary history and a small app behind it get one of each documented
    event, a forged delivery, a redelivery and an event that the app stumbles over. On a terminal
    it stays until q; else it ends by itself.
    """
    from tiktok_hook import session
    from tiktok_hook.cli import run_listen

    stays = sys.stdin.isatty() and sys.stdout.isatty()
    return session.run(
        session.ListenOptions(
            secret=session.demo.SECRET,
            app=session.demo.app,
            tunnel=False,
            ephemeral=True,
            port=port,
            **run_listen.inspector_arguments(inspector),
        ),
        format=form,
        open_page=inspector["open_page"],
        script=session.demo.script(stays=stays),
    )
