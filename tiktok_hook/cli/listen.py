"""``tiktok-hook listen``: receiver, tunnel and everything that comes in."""

from typing import Any

import click

from tiktok_hook.cli import options
from tiktok_hook.cli.derived import options_of
from tiktok_hook.cli.screen_options import showing
from tiktok_hook.errors import UsageError
from tiktok_hook.inspector.options import InspectorOptions, InspectorPageOptions
from tiktok_hook.receiver.options import ReceiverOptions
from tiktok_hook.relay.options import AppNameOptions, RelayOptions
from tiktok_hook.store.options import StoreOptions
from tiktok_hook.tunnel.options import TunnelOptions

option = options.option


class AppCommand(options.Command):
    """Separates the command to start alongside, after ``--``, from the arguments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        alongside: list[str] = []
        if "--" in args:
            at = args.index("--")
            args, alongside = args[:at], args[at + 1 :]
        left = super().parse_args(ctx, args)
        ctx.params["app_command"] = tuple(alongside)
        return left


class ListenCommand(AppCommand):
    """Takes no arguments but the command to start alongside."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        left = super().parse_args(ctx, args)
        stray = ctx.params.pop("stray", ())
        if stray and not ctx.resilient_parsing:
            raise _positional(stray[0])
        return left


def _positional(word: str) -> UsageError:
    """What ngrok's users mean by a port at the end."""
    if word.rpartition(":")[2].isdigit() or "://" in word:
        return UsageError(
            f"listen takes no port or address as an argument, but got {word!r}.",
            hint=f"To forward deliveries to your app there: tiktok-hook listen --forward-to {word}",
        )
    return UsageError(
        f"listen takes no arguments, but got {word!r}.",
        hint=f"To start your app alongside: tiktok-hook listen --forward-to 3000 -- {word}",
    )


serving_page = options.together(
    options_of(InspectorPageOptions),
    option("--open", "open_page", is_flag=True, help="Open the inspector in a browser."),
)
"""The options of the inspector where it is served."""

inspecting = options.together(options_of(InspectorOptions), serving_page)
"""The options of the inspector where it may be left out."""


@click.command(
    cls=ListenCommand,
    example="tiktok-hook listen --secret - --forward-to 3000",
    options_metavar="[OPTIONS] [-- COMMAND...]",
)
@options.secret_option
@options.secret_file_option
@options_of(ReceiverOptions)
@options_of(TunnelOptions)
@option("--verify-webhook-secret", metavar="TEXT", help="ngrok's spelling of --secret.")
@options_of(StoreOptions)
@options_of(AppNameOptions)
@options_of(RelayOptions)
@inspecting
@showing
@click.argument("stray", nargs=-1, metavar="")
def command(**given: Any) -> int:
    """Receive TikTok webhooks: receiver, tunnel and Callback URL.

    Prints the Callback URL to paste into the TikTok Developer Portal and shows every delivery
    that arrives: headers, body, event, signature verdict and what your app answered. Everything
    received is on disk before TikTok gets its 200. Stop it with Ctrl-C.

    To start your app alongside, put its command after --:
    tiktok-hook listen --forward-to 3000 -- npm start
    """
    from tiktok_hook.cli import run_listen

    return run_listen.start(given)
