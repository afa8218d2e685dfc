"""From the options of ``listen`` to a running session and its exit code."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tiktok_hook import ngrok_config
from tiktok_hook.cli import options
from tiktok_hook.errors import TunnelError, UsageError
from tiktok_hook.text_files import read_text

THREE_WAYS = (
    "1. a free one: https://dashboard.ngrok.com/get-started/your-authtoken, then NGROK_AUTHTOKEN; "
    "2. without an account: tiktok-hook demo; "
    "3. without a tunnel: tiktok-hook listen --no-tunnel"
)


def start(given: Mapping[str, Any]) -> int:
    """Run one session to its end.

    Args:
        given: The options of ``listen`` as click read them, and ``command_beside``.

    Returns:
        The exit code.

    Raises:
        HookError: Whatever kept it from starting or going on.
    """
    from tiktok_hook import session

    secrets = _secrets(given)
    arguments = _session_arguments(given)
    # Before the authtoken is asked for: what is missing first is said first.
    session.check_edge(verify_webhook=arguments["verify_webhook"], secrets=secrets)
    if given["tunnel"]:
        arguments |= _tunnel_arguments(given)
    arguments |= inspector_arguments(given)
    return session.run(
        session.listen(secret=secrets, command=given["command_beside"], **arguments),
        format=given["form"],
        exit_after=given["exit_after"],
        timeout=given["timeout"],
        open_page=given["open_page"],
    )


def _secrets(given: Mapping[str, Any]) -> tuple[str, ...]:
    texts = list(given["secrets"])
    if given["verify_webhook_secret"] is not None:
        texts.append(given["verify_webhook_secret"])
    return options.resolve_secrets(texts, given["secret_files"])


def _session_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """What goes to the session under the name it has here."""
    same = (
        "port", "path", "tunnel", "public_url", "self_checked", "keep", "keep_bytes", "tolerance",
        "max_body_bytes", "forward_to", "pass_through", "headers", "insecure", "forward_timeout",
    )  # fmt: skip
    return {name: given[name] for name in same} | {
        **_history_arguments(given),
        "serve_file": _readable(given["serve_file"]),
        "ack": _ack(given["ack"]),
        "events": tuple(part.strip() for part in given["events"].split(",") if part.strip()),
        "verify_webhook": given["verify_webhook"] is not None,
        **({} if given["forward_to"] else _without_target(given)),
    }


def _without_target(given: Mapping[str, Any]) -> dict[str, Any]:
    """What takes the place of settings that only a target gives a meaning.

    Raises:
        UsageError: One of them was typed.
    """
    ack = _ack(given["ack"])
    idle = {"events": (), "insecure": False, "headers": (), "forward_timeout": 10.0}
    if not isinstance(ack, int):  # a status is answered whether or not there is an app
        idle["ack"] = "app"
    for name in idle:
        if _is_typed(name):
            flag = "--header" if name == "headers" else f"--{name.replace('_', '-')}"
            value = "NAME: VALUE" if name == "headers" else given[name]
            shown = flag if value is True else f"{flag} {shlex.quote(str(value))}"
            raise UsageError(
                f"{flag} needs a target: your own app.",
                hint=f"tiktok-hook listen --forward-to 3000 {shown}",
            )
    return idle


def _is_typed(name: str) -> bool:
    """Whether an option stood on the command line, and not in the environment or a file."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _history_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Where the history lies; what is typed wins over what is set elsewhere.

    Raises:
        UsageError: --ephemeral and --db were given at the same place.
    """
    if not given["ephemeral"] or given["db"] is None:
        return {name: given[name] for name in ("ephemeral", "db")}
    typed = {name: _is_typed(name) for name in ("ephemeral", "db")}
    if typed["ephemeral"] == typed["db"]:
        raise UsageError("--ephemeral and --db do not go together.", hint="Leave one of them out.")
    return {"ephemeral": typed["ephemeral"], "db": given["db"] if typed["db"] else None}


def _readable(file: Path | None) -> Path | None:
    """The file to serve, found readable now, and not only when TikTok asks for it."""
    if file is None:
        return None
    hint = "Give --serve-file the file that TikTok's ownership check gave you."
    if file.exists() and not file.is_file():  # opening a named pipe would wait
        raise UsageError(f"The file {file} cannot be read: it is no regular file.", hint=hint)
    try:
        file.open("rb").close()
    except OSError as error:
        raise UsageError(f"The file {file} cannot be read: {error.strerror}.", hint=hint) from error
    return file


def _ack(text: str) -> Any:
    """The ack mode: one of three words, or a status."""
    if text in {"app", "first", "hold"}:
        return text
    if text.isascii() and text.isdigit() and 200 <= int(text) <= 599:
        return int(text)
    raise UsageError(
        f"--ack {text} is neither app, first, hold nor a status from 200 to 599.",
        hint="app: what your app answers. first: 200 at once. 500 makes TikTok retry.",
    )


def inspector_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The inspector's part of the arguments, of ``listen`` and ``demo`` alike."""
    same = ("inspect", "inspect_port", "inspect_host", "inspect_allow_hosts", "inspect_open")
    return {name: given[name] for name in same}


def _tunnel_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Authtoken and ingress as far as they are found, and asked for otherwise."""
    from tiktok_hook import session

    ingress = session.find_ingress(
        authtoken=given["authtoken"],
        connect_url=given["connect_url"],
        connect_cas=given["connect_cas"],
    )
    policy: Path | None = given["traffic_policy"]
    return {
        "authtoken": ingress.authtoken or _asked_authtoken(),
        "domain": given["domain"],
        "connect_url": ingress.connect_url,
        "connect_cas": ingress.connect_cas,
        "traffic_policy": None if policy is None else _policy_text(policy),
        "pooling": given["pooling"],
    }


def _policy_text(file: Path) -> str:
    hint = "Give --traffic-policy a readable YAML or JSON file."
    try:
        return read_text(file, what="traffic policy", hint=hint)
    except FileNotFoundError as error:
        raise UsageError(
            f"The traffic policy {file} cannot be read: {error.strerror}.", hint=hint
        ) from error


def _asked_authtoken() -> str:
    """Show the three ways on, and ask for a token on a terminal.

    Raises:
        TunnelError: There is no terminal to ask on.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise TunnelError(
            "The tunnel needs an ngrok authtoken, and none was given.", hint=THREE_WAYS
        )
    click.echo("The tunnel needs an ngrok authtoken. Three ways on:", err=True)
    for way in THREE_WAYS.split("; "):
        click.echo(f"  {way}", err=True)
    token: str = click.prompt("Authtoken", hide_input=True, err=True).strip()
    if click.confirm("Keep it in ngrok's config file?", default=True, err=True):
        kept = ngrok_config.keep_authtoken(token)
        click.echo(f"Kept in {kept}.", err=True)
    return token
