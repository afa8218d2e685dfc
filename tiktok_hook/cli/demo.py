"""``tiktok-hook demo``: every feature on this machine, without an account or a network."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from tiktok_hook.cli import color, options
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
    help="Port of the receiver.  [default: 3000, or a free one]",
)
@inspecting
@options.color_option
@options.config_option
def command(
    form: Any,
    port: int | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
    **inspector: Any,
) -> int:
    """Try every feature on this machine, without an account or a network.

    The demo starts a receiver with a temporary history and a small app. It sends one event of each
    documented type, a forged delivery, a redelivery and an event that makes the app fail. On a
    terminal it runs until you press q; otherwise it ends by itself.
    """
    from tiktok_hook import session
    from tiktok_hook.cli import run_listen

    stays = sys.stdin.isatty() and sys.stdout.isatty()
    keys = os.environ.get("TERM") != "dumb"
    return session.run(
        session.ListenOptions(
            secret=session.demo.SECRET,
            app=session.demo.app,
            tunnel=False,
            ephemeral=True,
            port=port,
            settings_from=run_listen.settings_from(),
            **run_listen.inspector_arguments(inspector),
        ),
        format=form,
        color=color.wanted(),
        open_page=inspector["open_page"],
        script=session.demo.script(stays=stays, keys=keys),
    )
