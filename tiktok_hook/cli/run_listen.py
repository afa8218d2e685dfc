"""Run a session from the options of ``listen``, and return its exit code."""

import os
import shlex
import sys
from collections.abc import Mapping
from typing import Any

import click

from tiktok_hook import ngrok_config, settings
from tiktok_hook.cli import config_layers, options
from tiktok_hook.errors import TunnelError, UsageError
from tiktok_hook.inspector.options import InspectorOptions, InspectorPageOptions
from tiktok_hook.option_fields import flag_of, option_fields
from tiktok_hook.relay.options import RelayOptions, parse_ack
from tiktok_hook.sanitize import visible

THREE_WAYS = (
    "1. a free one: https://dashboard.ngrok.com/get-started/your-authtoken, then NGROK_AUTHTOKEN; "
    "2. without an account: tiktok-hook demo; "
    "3. without a tunnel: tiktok-hook listen --no-tunnel"
)


def start(given: Mapping[str, Any]) -> int:
    """Run one session until it ends.

    Args:
        given: The options of ``listen`` as click read them, and ``command_beside``.

    Returns:
        The exit code.

    Raises:
        HookError: The session could not start, or it failed while it ran.
    """
    from tiktok_hook import session

    found = _secrets(given)
    secrets = found.values
    # Report a missing secret before prompting for an authtoken.
    session.check_edge(verify_webhook=bool(given["verify_webhook"]), secrets=secrets)
    arguments = _arguments(given)
    sources = [*settings_from(), *([found.notice] if found.notice else [])]
    if given["tunnel"]:
        arguments |= _tunnel_arguments(given, sources)
    return session.run(
        session.ListenOptions(
            secret=secrets,
            command=given["command_beside"],
            settings_from=tuple(sources),
            **arguments,
        ),
        format=given["form"],
        exit_after=given["exit_after"],
        timeout=given["timeout"],
        open_page=given["open_page"],
    )


def settings_from() -> list[str]:
    """What the project's file sets in the command that is running, for the banner."""
    context = click.get_current_context()
    layers = config_layers.of(context)
    keys = layers.from_project(context)
    used = [f"{layers.project_file} sets {', '.join(keys)}"] if keys else []
    unknown = config_layers.unknown_variables(os.environ, context.parent)
    return [*used, *layers.notices, *unknown]


def _secrets(given: Mapping[str, Any]) -> settings.FoundSecrets:
    texts = list(given["secrets"])
    if given["verify_webhook_secret"] is not None:
        texts.append(given["verify_webhook_secret"])
    return options.find_secrets(texts, given["secret_files"])


def _arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are fields of `ListenOptions`."""
    from tiktok_hook.session.options import PARTS

    same = {each.name: given[each.name] for part in PARTS for each, _ in option_fields(part)}
    same |= inspector_arguments(given)
    same |= _history_arguments(given)
    return same if given["forward_to"] else same | _without_target(given)


def _without_target(given: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of the options that have no effect without a target.

    They replace values that the environment or the settings file sets for all sessions.

    Raises:
        UsageError: One of them was given on the command line.
    """
    unused: dict[str, Any] = {}
    for each, info in option_fields(RelayOptions):
        if not info.needs_target:
            continue
        if each.name == "ack" and isinstance(parse_ack(given["ack"]), int):
            continue  # a fixed status needs no app
        unused[each.name] = each.default
        if _is_typed(each.name):
            flag, value = flag_of(each, info), given[each.name]
            if info.repeatable:
                value = (info.metavar or "").strip("'")
            shown = flag if value is True else f"{flag} {shlex.quote(str(value))}"
            raise UsageError(
                f"{flag} needs a target: your own app.",
                hint=f"tiktok-hook listen --forward-to 3000 {shown}",
            )
    return unused


def _is_typed(name: str) -> bool:
    """Whether an option was given on the command line, not in the environment or a file."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _history_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Choose between --ephemeral and --db; the command line takes precedence.

    Raises:
        UsageError: Both were given on the command line, or both elsewhere.
    """
    if not given["ephemeral"] or given["db"] is None:
        return {name: given[name] for name in ("ephemeral", "db")}
    typed = {name: _is_typed(name) for name in ("ephemeral", "db")}
    if typed["ephemeral"] == typed["db"]:
        raise UsageError("--ephemeral and --db do not go together.", hint="Leave one of them out.")
    return {"ephemeral": typed["ephemeral"], "db": given["db"] if typed["db"] else None}


def inspector_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The inspector's arguments, the same for ``listen`` and ``demo``."""
    parts = (InspectorOptions, InspectorPageOptions)
    return {each.name: given[each.name] for part in parts for each, _ in option_fields(part)}


def _tunnel_arguments(given: Mapping[str, Any], sources: list[str]) -> dict[str, Any]:
    """The ingress and the authtoken; prompts for an authtoken if none is configured.

    Args:
        given: The options.
        sources: Gets a sentence if the authtoken comes from `.env`.
    """
    from tiktok_hook import session

    ingress = session.find_ingress(
        authtoken=given["authtoken"],
        connect_url=given["connect_url"],
        connect_cas=given["connect_cas"],
    )
    return {
        "authtoken": ingress.authtoken
        or _authtoken_of_env_file(sources)
        or _asked_authtoken(ingress.problem),
        "connect_url": ingress.connect_url,
        "connect_cas": ingress.connect_cas,
    }


def _authtoken_of_env_file(sources: list[str]) -> str | None:
    """The authtoken in `.env`, which counts only if there is no other."""
    token, notice = settings.from_env_file(settings.AUTHTOKEN_VARIABLE)
    if token:
        notice = "The authtoken comes from .env in this folder: its ngrok account is used."
    if notice and notice not in sources:
        sources.append(notice)
    return token or None


def _asked_authtoken(problem: str) -> str:
    """Show the three alternatives, and prompt for an authtoken.

    Args:
        problem: Why none was found although one seems to be configured; may be empty.

    Raises:
        TunnelError: There is no terminal for a prompt.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise TunnelError(
            f"The tunnel needs an ngrok authtoken, and {problem or 'none was given'}.",
            hint=THREE_WAYS,
        )
    if problem:
        click.echo(f"{visible(problem)}.", err=True)
    click.echo("The tunnel needs an ngrok authtoken. You have three options:", err=True)
    for way in THREE_WAYS.split("; "):
        click.echo(f"  {way}", err=True)
    token: str = click.prompt("Authtoken", hide_input=True, err=True).strip()
    if click.confirm("Save it in ngrok's config file?", default=True, err=True):
        kept = ngrok_config.keep_authtoken(token)
        click.echo(f"Saved in {kept}.", err=True)
    return token
