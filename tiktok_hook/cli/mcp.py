"""``tiktok-hook mcp``: the tools for a coding agent, over stdio."""

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiktok_hook.cli import options, selection

if TYPE_CHECKING:
    from tiktok_hook.doctor import Subject
    from tiktok_hook.mcp import ListenSettings
    from tiktok_hook.store import Location


@click.command(cls=options.Command, example="tiktok-hook mcp --allow-send")
@click.option(
    "--allow-listen", is_flag=True, help="Start and stop a listener without asking the user."
)
@click.option(
    "--allow-send",
    is_flag=True,
    help="Send events, replays and audits without asking the user.",
)
@click.option("--allow-remote", is_flag=True, help="Allow targets that are not on this machine.")
@click.option(
    "--show-headers",
    is_flag=True,
    help="Show authorization, cookie and signature headers unmasked.",
)
@options.secret_option
@options.secret_file_option
@options.db_option
@options.config_option
@click.pass_context
def command(
    context: click.Context,
    /,
    allow_listen: bool,  # noqa: FBT001 - click passes it by name
    allow_send: bool,  # noqa: FBT001
    allow_remote: bool,  # noqa: FBT001
    show_headers: bool,  # noqa: FBT001
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    db: Any,
    config: Path | None,
) -> None:
    """Serve the tools to a coding agent, over stdio.

    A Model Context Protocol server for one client, which starts it. Reading needs no permission.
    Before a listener is started or a request is sent, the client asks its user; a client that
    cannot ask is denied without --allow-listen or --allow-send. No tool takes a secret: the server
    finds it as the other commands do. Needs tiktok-hook[mcp].
    """
    from tiktok_hook import mcp

    mcp.run(
        mcp.McpOptions(
            history=(history := selection.located(db)),
            secrets=options.resolve_secrets(secrets, secret_files),
            allow_listen=allow_listen,
            allow_send=allow_send,
            allow_remote=allow_remote,
            show_headers=show_headers,
            withheld=lambda: _credentials(context, history, config),
            config=config,
            settings_of_listen=lambda words: _settings_of_listen(context, words),
            examined=lambda: _examined(context, config),
        )
    )


def _examined(context: click.Context, config: Path | None) -> "Subject":
    """What `doctor` would check, by the same environment and settings files.

    Raises:
        UsageError: A setting is not valid.
    """
    from tiktok_hook.cli import doctor
    from tiktok_hook.errors import UsageError

    words = [] if config is None else ["--config", str(config)]
    try:
        with doctor.command.make_context("doctor", words, parent=context.parent) as made:
            return doctor.subject(made, made.params)
    except click.ClickException as error:
        raise UsageError(error.format_message(), hint="tiktok-hook config show") from error


def _settings_of_listen(context: click.Context, words: Sequence[str]) -> "ListenSettings":
    """What `listen` would do, by the same environment and settings files.

    Raises:
        UsageError: A setting is not valid.
    """
    from tiktok_hook import session, settings
    from tiktok_hook.cli import config_layers, listen
    from tiktok_hook.errors import UsageError
    from tiktok_hook.mcp import ListenSettings

    try:
        with listen.command.make_context("listen", [*words[1:]], parent=context.parent) as made:
            given = made.params
            layers = config_layers.of(made)
            keys = layers.from_project(made)
            notices = [f"{layers.project_file} sets {', '.join(keys)}."] if keys else []
    except click.ClickException as error:
        raise UsageError(error.format_message(), hint="tiktok-hook config show") from error
    if given["tunnel"]:
        ingress = session.find_ingress(authtoken=given["authtoken"])
        if not ingress.authtoken and settings.from_env_file(settings.AUTHTOKEN_VARIABLE)[0]:
            notices.append("The authtoken comes from .env in this folder: its account is used.")
    routed = [target for _, target in given["routes"]]
    return ListenSettings(targets=(*given["forward_to"], *routed), notices=tuple(notices))


def _credentials(
    context: click.Context, history: "Location", config: Path | None
) -> tuple[str, ...]:
    """Tokens and passwords of the user that no result may contain, wherever they are kept."""
    from tiktok_hook import credentials, ngrok_config, paths, settings
    from tiktok_hook.cli import doctor
    from tiktok_hook.errors import HookError

    found = [
        os.environ.get(name, "").strip()
        for name in ("NGROK_AUTHTOKEN", "TIKTOK_HOOK_AUTHTOKEN", "PGPASSWORD")
    ]
    if history.server is not None:
        found += history.server.passwords
    words = [] if config is None else ["--config", str(config)]
    with (
        contextlib.suppress(HookError, click.ClickException),
        doctor.command.make_context("doctor", words, parent=context.parent) as made,
    ):
        found += [made.params["authtoken"] or "", *made.params["secrets"]]
    reads: tuple[Callable[[], str | None], ...] = (
        paths.user_token,
        credentials.read_authtoken,
        lambda: ngrok_config.read().authtoken,
        lambda: settings.from_env_file(settings.AUTHTOKEN_VARIABLE)[0],
    )
    for read in reads:
        with contextlib.suppress(HookError):  # what cannot be read is used by no command either
            found.append(read() or "")
    return tuple(each for each in found if each)
