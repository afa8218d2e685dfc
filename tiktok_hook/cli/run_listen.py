"""Run a session from the options of ``listen``, and return its exit code."""

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import click

from tiktok_hook import credentials, session, settings
from tiktok_hook.cli import config_layers, options, prose
from tiktok_hook.cli.screen_options import screen_arguments
from tiktok_hook.delivery import Notice
from tiktok_hook.errors import AuthtokenError, StoreError, TunnelError, UsageError
from tiktok_hook.inspector.options import InspectorOptions, InspectorPageOptions
from tiktok_hook.option_fields import flag_of, option_fields
from tiktok_hook.relay.options import AppNameOptions, RelayOptions, parse_ack
from tiktok_hook.sanitize import visible
from tiktok_hook.session.options import PARTS

_AND_THEN = ", then NGROK_AUTHTOKEN"
THREE_WAYS = (
    f"1. a free one: https://dashboard.ngrok.com/get-started/your-authtoken{_AND_THEN}; "
    "2. without an account: tiktok-hook demo; "
    "3. without a tunnel: tiktok-hook listen --no-tunnel"
)


def start(given: Mapping[str, Any]) -> int:
    """Run one session until it ends.

    Args:
        given: The options of ``listen`` as click read them, and ``app_command``.

    Returns:
        The exit code.

    Raises:
        HookError: The session could not start, or it failed while it ran.
    """
    found = _secrets(given)
    secrets = found.values
    # Report a missing secret before prompting for an authtoken.
    session.check_edge(verify_webhook=bool(given["verify_webhook"]), secrets=secrets)
    arguments = _arguments(given)
    sources = [*settings_from(), *([found.notice] if found.notice else [])]
    prompt = _AuthtokenPrompt()
    screen = screen_arguments(given)
    if given["tunnel"]:
        arguments |= _tunnel_arguments(given, sources, prompt)
    while True:
        try:
            return session.run(
                session.ListenOptions(
                    secret=secrets,
                    command=given["app_command"],
                    settings_from=tuple(sources),
                    **arguments,
                ),
                **screen,
                open_page=given["open_page"],
                script=prompt.keep_typed if prompt.keeps else None,
            )
        except AuthtokenError as error:
            # A token of an option or a variable would win over the one that is typed and kept.
            if not (prompt.possible and arguments["authtoken_from"] not in prompt.wins):
                raise
            prose.note(f"Error: {error}\nHint: {error.hint}")
            arguments |= prompt.ask()


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
    same = {each.name: given[each.name] for part in PARTS for each, _ in option_fields(part)}
    same |= inspector_arguments(given)
    history = _history_arguments(given)
    same |= history
    db = None if history["ephemeral"] else history["db"]
    if (db is None or not db.is_shared) and not _is_typed("attach_as"):
        same["attach_as"] = None  # set for all sessions, and without effect for a file
    return same if given["forward_to"] or given["routes"] else same | without_target(given)


def without_target(given: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of the options that have no effect without a target.

    They replace values that the environment or the settings file sets for all sessions.

    Raises:
        UsageError: One of them was given on the command line.
    """
    unused: dict[str, Any] = {}
    command = click.get_current_context().info_name
    fields = [*option_fields(AppNameOptions), *option_fields(RelayOptions)]
    for each, info in fields:
        if not info.needs_target or each.name not in given:
            continue
        if each.name == "ack" and given["ack"] and isinstance(parse_ack(given["ack"]), int):
            continue  # a fixed status needs no app
        unused[each.name] = each.default
        if _is_typed(each.name):
            flag, value = flag_of(each, info), given[each.name]
            if info.repeatable:
                value = (info.metavar or "").strip("'")
            shown = flag if value is True else f"{flag} {shlex.quote(str(value))}"
            raise UsageError(
                f"{flag} needs a target: your own app.",
                hint=f"tiktok-hook {command} --forward-to 3000 {shown}",
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


def _tunnel_arguments(
    given: Mapping[str, Any], sources: list[str], prompt: "_AuthtokenPrompt"
) -> dict[str, Any]:
    """The ingress and the authtoken; prompts for an authtoken if none is configured.

    Args:
        given: The options.
        sources: Gets a sentence if the authtoken comes from `.env`.
        prompt: Learns where a given authtoken comes from.

    Raises:
        TunnelError: There is no authtoken, and no terminal for a prompt.
    """
    origin = options.origin(click.get_current_context(), "authtoken")
    ingress = session.find_ingress(
        authtoken=given["authtoken"],
        authtoken_from=origin,
        connect_url=given["connect_url"],
        connect_cas=given["connect_cas"],
    )
    if given["authtoken"]:
        prompt.wins.add(origin)
    found: dict[str, Any]
    found = {"authtoken": ingress.authtoken, "authtoken_from": ingress.authtoken_from}
    if not ingress.authtoken:
        token = _authtoken_of_env_file(sources)
        found = (
            {"authtoken": token, "authtoken_from": ".env"}
            if token
            else _asked(prompt, ingress.problem)
        )
    return {**found, "connect_url": ingress.connect_url, "connect_cas": ingress.connect_cas}


def _authtoken_of_env_file(sources: list[str]) -> str | None:
    """The authtoken in `.env`, which counts only if there is no other."""
    token, notice = settings.from_env_file(settings.AUTHTOKEN_VARIABLE)
    if token:
        notice = "The authtoken comes from .env in this folder: its ngrok account is used."
    if notice and notice not in sources:
        sources.append(notice)
    return token or None


def _asked(prompt: "_AuthtokenPrompt", problem: str) -> dict[str, Any]:
    """Show the three alternatives, and prompt for an authtoken.

    Args:
        prompt: Asks.
        problem: Why none was found although one seems to be configured; may be empty.

    Raises:
        TunnelError: There is no terminal for a prompt.
    """
    if not prompt.possible:
        raise TunnelError(
            f"The tunnel needs an ngrok authtoken, and {problem or 'none was given'}.",
            hint=THREE_WAYS,
        )
    if problem:
        prose.note(f"{visible(problem)}.")
    prose.note("The tunnel needs an ngrok authtoken. You have three options:")
    for way in THREE_WAYS.replace(_AND_THEN, "").split("; "):
        prose.note(f"  {way}")
    return prompt.ask()


@dataclass(slots=True)
class _AuthtokenPrompt:
    """Asks for an authtoken, and keeps what was typed once ngrok has accepted it.

    Attributes:
        wins: Sources of an authtoken that a kept one would not replace.
        keeps: Whether the user wants the typed one to be kept.
    """

    wins: set[str] = field(default_factory=set)
    keeps: bool = False
    _token: str = field(default="", repr=False)

    @property
    def possible(self) -> bool:
        """Whether there is a terminal for a prompt."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self) -> dict[str, Any]:
        """Prompt without echo, and ask whether to keep the authtoken."""
        self._token = click.prompt("Authtoken", hide_input=True, err=True).strip()
        question = "Keep it for the next time, once the tunnel is up?"
        self.keeps = click.confirm(question, default=True, err=True)
        return {"authtoken": self._token, "authtoken_from": "this prompt"}

    @asynccontextmanager
    async def keep_typed(self, running: session.Session) -> AsyncIterator[None]:
        """Keep the typed authtoken; called when the tunnel is up."""
        try:
            file = await asyncio.to_thread(credentials.keep_authtoken, self._token)
        except StoreError as error:
            notice = Notice(str(error), error.hint)
        else:
            notice = Notice(f"The authtoken is kept in {file}.", level="info")
        running.bus.publish(notice)
        yield
