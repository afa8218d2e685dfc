"""``tiktok-hook config show``: the settings in force, and where each one came from."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import click

from tiktok_hook import settings
from tiktok_hook.cli import COMMANDS, completers, config_layers, options
from tiktok_hook.cli.config_layers import Layers
from tiktok_hook.cli.group import no_such_command
from tiktok_hook.sanitize import visible

HIDDEN = "******"
"""In place of every secret, whatever its length."""

_SECRETS = {"secret", "verify-webhook-secret", "authtoken"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One option as it is in force.

    Attributes:
        option: Its name without dashes.
        value: Without secrets; None if it has none.
        source: ``default``, the name of a variable, or the path of a file.
    """

    option: str
    value: Any
    source: str


@click.command(cls=options.Command, example="tiktok-hook config show")
@click.argument("action", metavar="show", type=click.Choice(["show"]))
@click.argument(
    "of", metavar="[COMMAND]", default="listen", shell_complete=completers.command_names
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@options.config_option
@click.pass_context
def command(
    context: click.Context,
    /,
    action: str,  # noqa: ARG001 - there is only one
    of: str,
    config: Path | None,
    *,
    as_json: bool,
) -> None:
    """Show the settings in force and where each one came from.

    The settings are those of listen, or of COMMAND. Secrets are never shown.
    """
    if of not in COMMANDS:
        raise no_such_command(of, COMMANDS)
    parent = context.parent
    assert parent is not None
    assert isinstance(parent.command, click.Group)
    chosen = parent.command.get_command(parent, of)
    assert chosen is not None
    args = [] if config is None else ["--config", str(config)]
    layers = config_layers.read(chosen, of, args, parent)
    found = list(_settings(chosen, of, layers, parent))
    warnings = [*layers.notices, *config_layers.unknown_variables(os.environ, parent)]
    files = _files(layers)
    if as_json:
        listed = [asdict(each) for each in found]
        shown = {"command": of, "settings": listed, "files": files, "warnings": warnings}
        click.echo(json.dumps(shown))
        return
    _show(found, files, warnings)


def _settings(
    command: click.Command, name: str, layers: Layers, parent: click.Context
) -> Iterator[Setting]:
    """Every option of a command, in the order of its help."""
    own = config_layers.by_name(command)
    context = click.Context(command, info_name=name, parent=parent, default_map=layers.values)
    for option in command.params:
        try:
            option.handle_parse_result(context, {}, [])
        except click.MissingParameter:  # it has to be typed each time
            continue
        except click.BadParameter as error:
            raise config_layers.unusable(error, layers) or error from None
    config_layers.attach(layers, context)
    seen = set()
    for key, option in own.items():
        if option.name in seen or key == "config":
            continue
        seen.add(option.name)
        value = context.params.get(option.name)
        # Until a command is invoked, click marks an option without a value by a member of an enum.
        value = None if isinstance(value, Enum) else _value(key, value)
        setting = Setting(key, value, _source(context, option, layers))
        if key in _SECRETS and not setting.value:
            setting = _found_elsewhere(key) or setting
        yield setting


def _source(context: click.Context, option: click.Option, layers: Layers) -> str:
    match context.get_parameter_source(option.name):
        case click.core.ParameterSource.ENVIRONMENT:
            return config_layers.set_variable(option, os.environ)
        case click.core.ParameterSource.DEFAULT_MAP:
            return str(layers.origins[option.name])
    return "default"


def _found_elsewhere(key: str) -> Setting | None:
    """The client secret or authtoken that no option sets."""
    if key == "secret":
        found = settings.find_secrets([], [])
        return Setting(key, [HIDDEN] * len(found.values), found.source) if found.values else None
    if key == "authtoken":
        from tiktok_hook import ngrok_config

        config = ngrok_config.read()
        if config.authtoken is not None:
            return Setting(key, HIDDEN, str(config.path))
        token, _ = settings.from_env_file(settings.AUTHTOKEN_VARIABLE)
        return Setting(key, HIDDEN, ".env") if token else None
    return None


def _value(key: str, value: Any) -> Any:
    """A value for JSON, without secrets."""
    if isinstance(value, tuple | list):
        return [_value(key, each) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    if key == "db":
        return value.identity
    text = str(value)
    if key in _SECRETS:
        return HIDDEN
    if key == "header":
        return f"{text.partition(':')[0]}: {HIDDEN}"
    return _without_credentials(text)


def _without_credentials(text: str) -> str:
    """A URL without its password and the values of its query; any other text as it is."""
    import re

    text = re.sub(r"(?<=://)[^/?#@]*@", f"{HIDDEN}@", text)
    if "?" not in text:
        return text
    return re.sub(r"([?&][^=&#]*)=[^&#]*", rf"\1={HIDDEN}", text)


def _files(layers: Layers) -> Mapping[str, str | None]:
    """The files that were looked for, each with None if it is not there."""
    user, project = layers.user_file, layers.project_file
    env = Path(".env")
    return {
        "config": str(user) if user is not None and user.is_file() else None,
        "project": None if project is None else str(project),
        "env": str(env.absolute()) if env.is_file() else None,
    }


def _show(found: list[Setting], files: Mapping[str, str | None], warnings: list[str]) -> None:
    from tiktok_hook.terminal.cells import terminal_width

    rows = [(each.option, visible(_written(each.value)), visible(each.source)) for each in found]
    name_columns = max(len(name) for name, _, _ in rows)
    value_columns = min(40, max(len(value) for _, value, _ in rows))
    width = terminal_width(sys.stdout)
    for name, value, source in rows:
        line = f"{name:<{name_columns}}  {value:<{value_columns}}  {source}".rstrip()
        if width is not None and len(line) > width:
            line = f"{name:<{name_columns}}  {value}\n{'':<{name_columns}}  {source}"
        click.echo(line)
    click.echo()
    labels = {"config": "settings", "project": "project", "env": ".env"}
    for key, path in files.items():
        click.echo(f"{labels[key]:<{name_columns}}  {visible(path or 'none')}")
    for warning in warnings:
        click.echo(f"Warning: {visible(warning)}", err=True)


def _written(value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
