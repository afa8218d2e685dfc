"""The settings files of a command: which are read, and what each option gets from them.

`options.Command` passes the values to click as ``default_map``, so that click's own precedence
applies: option, environment, file, default.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from tiktok_hook import settings
from tiktok_hook.errors import StoreError, UsageError
from tiktok_hook.suggestions import did_you_mean

_KEY = "tiktok_hook.layers"


@dataclass(slots=True)
class Layers:
    """What the settings files set in one command.

    Attributes:
        values: By parameter name, as click reads them.
        origins: The file of each value, by parameter name.
        user_file: `config.toml` or the file of ``--config``; None if no home folder is known.
        project_file: The project's `tiktok-hook.toml`; None if there is none.
        notices: What the user should know about files that were ignored.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Path] = field(default_factory=dict)
    user_file: Path | None = None
    project_file: Path | None = None
    notices: list[str] = field(default_factory=list)

    def add(self, values: Mapping[str, Any], file: Path, own: Mapping[str, click.Option]) -> None:
        """Add the values of one file; they replace those of the files before it."""
        for key, value in values.items():
            name = own[key].name
            self.values[name] = as_click_reads(own[key], value, key=key, file=file)
            self.origins[name] = file

    def from_project(self, context: click.Context) -> list[str]:
        """The options whose value comes from the project's file, by their key."""
        given = click.core.ParameterSource.DEFAULT_MAP
        return [
            key
            for key, option in by_name(context.command).items()
            if context.get_parameter_source(option.name) is given
            and self.project_file is not None
            and self.origins.get(option.name) == self.project_file
        ]


def read(command: click.Command, name: str, args: Sequence[str], parent: Any) -> Layers:
    """Read the settings files for a command.

    Args:
        command: The command.
        name: As it was called.
        args: Its arguments, in which ``--config`` is looked up.
        parent: The context of the group.

    Raises:
        UsageError: A file cannot be read, or has a key that is unknown or not allowed in it.
    """
    layers = Layers()
    own = {
        key: option
        for key, option in by_name(command).items()
        if not getattr(option, "is_for_one_call", False)
    }
    _add_project(layers, command, name, own, parent)
    named = config_option_value(args)
    try:
        from tiktok_hook import paths

        layers.user_file = named or paths.config_dir() / "config.toml"
    except StoreError:  # no home folder is known, so there are no settings in it
        return layers
    config = settings.read_config(named, default=layers.user_file)
    config = _with_table_of(config, command, name, own)
    if config:
        values = settings.defaults_for(
            name,
            config,
            options=own,
            known=all_names(parent) | set(own),
            commands=command_names(parent),
            file=layers.user_file,
        )
        layers.add(values, layers.user_file, own)
    return layers


def _with_table_of(
    config: Mapping[str, Any], command: click.Command, name: str, own: Mapping[str, click.Option]
) -> Mapping[str, Any]:
    """Settings in which the table of `Command.settings_of` counts for this command, too.

    Only the options that both have are taken; the command's own table wins.
    """
    other = config.get(getattr(command, "settings_of", None) or "")
    if not isinstance(other, Mapping):
        return config
    shared = {key: value for key, value in other.items() if key.replace("_", "-") in own}
    table = config.get(name, {})
    return {**config, name: {**shared, **table}} if isinstance(table, Mapping) else config


def _add_project(
    layers: Layers,
    command: click.Command,
    name: str,
    own: Mapping[str, click.Option],
    parent: Any,
) -> None:
    try:
        folder = Path.cwd()
    except FileNotFoundError:  # it was deleted
        return
    project = settings.find_project_file(folder, commands=frozenset(command_names(parent)))
    if project.ignored:
        layers.notices.append(project.ignored)
    if project.path is not None:
        layers.project_file = project.path
        values = settings.defaults_for(
            name,
            _with_table_of(project.content, command, name, own),
            options=own,
            known=settings.ALLOWED_IN_PROJECT,
            commands=command_names(parent),
            file=project.path,
        )
        layers.add(values, project.path, own)


def of(context: click.Context) -> Layers:
    """The layers of the command that is running."""
    found: Layers = context.meta.get(_KEY) or Layers()
    return found


def attach(layers: Layers, context: click.Context) -> None:
    """Keep the layers in a command's context, and check what the project's file set.

    Raises:
        UsageError: A target is on another machine, or ``keep`` would delete deliveries.
    """
    context.meta[_KEY] = layers
    file = layers.project_file
    for key in layers.from_project(context):
        option = by_name(context.command)[key]
        value = context.params.get(option.name)
        if key == "forward-to":
            _check_loopback(value or (), key, file)
        elif key == "route":
            _check_loopback([each[-1] for each in value or ()], key, file)
        elif key == "keep" and value is not None and value < _default(option):
            raise UsageError(
                f"keep = {value} in {file} would delete deliveries from your history, "
                f"which keeps {_default(option)}.",
                hint="A project's file may only raise it. Use --keep or your own config.toml.",
            )


def _default(option: click.Option) -> int:
    default: int = option.default  # type: ignore[assignment] # click types it as anything
    return default


def _check_loopback(targets: Sequence[str], key: str, file: Path | None) -> None:
    from tiktok_hook.forward import is_loopback, parse_target

    for target in targets:
        if not is_loopback(parse_target(str(target))):
            raise UsageError(
                f"{key} in {file} is {target}, which is not an address of this machine.",
                hint="A project's file may only forward to localhost, 127.0.0.1 or [::1]. "
                "Use the option, or your own config.toml.",
            )


def unusable(error: click.BadParameter, layers: Layers) -> UsageError | None:
    """An error that names the source of a bad value: a variable or the settings file.

    None if the value was given on the command line; click's own message is clear then.
    """
    option, context = error.param, error.ctx
    if not isinstance(option, click.Option) or context is None:
        return None
    source = context.get_parameter_source(option.name)
    flag = next(name for name in option.opts if name.startswith("--"))
    if source is click.core.ParameterSource.ENVIRONMENT:
        name = set_variable(option, os.environ)
        return UsageError(
            f"{name}={os.environ[name]} cannot be used: {error.message}",
            hint=f"It sets {flag}: correct it, or unset {name}.",
        )
    if source is click.core.ParameterSource.DEFAULT_MAP:
        return UsageError(
            f"{flag.removeprefix('--')} in {layers.origins[option.name]} cannot be used: "
            f"{error.message}",
            hint=f"It sets {flag}: correct it, or remove it.",
        )
    return None


def no_such_option(
    given: str, command: click.Command, name: str | None, parent: click.Context | None
) -> UsageError:
    """The error for an option that a command does not have."""
    path = f"tiktok-hook {name}"
    own = [each for option in command.params for each in (*option.opts, *option.secondary_opts)]
    hint = did_you_mean(given, [each for each in own if each.startswith("--")])
    if not hint and given.removeprefix("--") in all_names(parent):
        hint = f"Another command has it: {' '.join(_commands_with(given, parent))}."
    return UsageError(
        f"{path} has no option {given}.", hint=hint or f"{path} --help lists its options."
    )


def _commands_with(option: str, parent: click.Context | None) -> list[str]:
    return [
        name
        for name in command_names(parent)
        if option.removeprefix("--") in by_name(_command(name, parent))
    ]


def set_variable(option: click.Option, environment: Mapping[str, str]) -> str:
    """The variable that an option's value was read from."""
    names = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
    return next((each for each in names if environment.get(each)), "")


def unknown_variables(environment: Mapping[str, str], parent: click.Context | None) -> list[str]:
    """A warning for each ``TIKTOK_HOOK_…`` variable that sets no option of any command."""
    prefix = settings.ENVIRONMENT_PREFIX
    given = {name.removeprefix(prefix) for name in environment if name.startswith(prefix)}
    if not given:
        return []
    # Compared without the prefix, which would make all of them similar.
    known = {settings.variable(name).removeprefix(prefix) for name in all_names(parent)}
    return [
        f"{prefix}{name} sets no option. {did_you_mean(name, known)}".rstrip()
        for name in sorted(given - known)
    ]


def by_name(command: click.Command) -> dict[str, click.Option]:
    """A command's options by long name, without the dashes and without the ``no-`` forms."""
    return {
        name.removeprefix("--"): parameter
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
        if name.startswith("--")
    }


def command_names(parent: click.Context | None) -> list[str]:
    """The names of all commands."""
    if parent is None or not isinstance(parent.command, click.Group):
        return []
    return list(parent.command.list_commands(parent))


def all_names(parent: click.Context | None) -> set[str]:
    """The names of all commands, and of all their options."""
    names = set(command_names(parent))
    for name in command_names(parent):
        names |= set(by_name(_command(name, parent)))
    return names


def _command(name: str, parent: click.Context | None) -> click.Command:
    """A command that `command_names` has listed."""
    assert parent is not None
    assert isinstance(parent.command, click.Group)
    found = parent.command.get_command(parent, name)
    assert found is not None
    return found


def as_click_reads(parameter: click.Option, value: Any, *, key: str, file: Path) -> Any:
    """Convert a value of the settings file to the form that click expects.

    Raises:
        UsageError: The value is a list, but the option takes one value; or it is neither a string
            nor a number.
    """
    if parameter.multiple and parameter.nargs > 1:
        groups = value if isinstance(value, list) else [value]
        if not all(isinstance(each, list) and len(each) == parameter.nargs for each in groups):
            form = ", ".join(f'"{word}"' for word in str(parameter.metavar).split())
            raise UsageError(
                f"{key} in {file} cannot be used: it is not a list of lists of {parameter.nargs}.",
                hint=f"For instance {key} = [[{form}]].",
            )
        return [tuple(map(str, each)) for each in groups]
    if parameter.multiple:
        if isinstance(value, str):
            return split_values(parameter, value)
        given = value if isinstance(value, list) else [value]
        if any(isinstance(each, bool) or not isinstance(each, _PLAIN) for each in given):
            raise UsageError(
                f"{key} in {file} cannot be used: it is not a string or a list of strings.",
                hint=f'For instance {key} = ["{_EXAMPLES.get(key, "text")}"].',
            )
        return [str(each) for each in given]
    if isinstance(value, list):
        raise UsageError(
            f"{key} in {file} cannot be used: it is a list, and --{key} takes one value.",
            hint=f"Write {key} = VALUE, without the brackets.",
        )
    if isinstance(value, bool) and not (parameter.is_flag or parameter.type is click.BOOL):
        shown = str(value).lower()
        raise UsageError(
            f"{key} in {file} cannot be used: it is {shown}, and --{key} takes a value.",
            hint="Correct it, or remove it.",
        )
    takes_integer = isinstance(parameter.type, type(click.INT))
    fits = isinstance(value, _PLAIN)  # TOML has dates, too
    if isinstance(value, float):  # and infinity
        fits = math.isfinite(value) and (value.is_integer() or not takes_integer)
    if not fits:
        raise UsageError(
            f"{key} in {file} cannot be used: {value} is not a value of --{key}.",
            hint="Correct it, or remove it.",
        )
    return value


_PLAIN = (str, int, float)
_EXAMPLES = {"forward-to": "3000", "header": "X-Debug: 1"}


def split_values(parameter: click.Option, text: str) -> list[str]:
    """Split the value of a repeatable option from the environment or a settings file.

    Only the options in `SPLIT_AT_WHITESPACE` are split, because their values cannot contain
    whitespace. Any other text is one value, so that a header or a path may contain spaces.
    """
    return text.split() if set(parameter.opts) & SPLIT_AT_WHITESPACE else [text]


SPLIT_AT_WHITESPACE = frozenset({"--secret", "--forward-to", "--inspect-allow-host"})
"""Repeatable options whose variable or setting may hold several values, split at whitespace."""


def config_option_value(args: Sequence[str]) -> Path | None:
    """The value of ``--config``, which is needed before click parses the other options."""
    for index, word in enumerate(args):
        if word == "--":
            break
        if word == "--config" and index + 1 < len(args):
            return expanded(args[index + 1])
        if word.startswith("--config="):
            return expanded(word.removeprefix("--config="))
    value = os.environ.get(settings.variable("--config"))
    return expanded(value) if value else None


def expanded(text: str) -> Path:
    """Expand ``~`` in a path that the user wrote.

    Raises:
        UsageError: The path begins with ``~``, and no home folder is known.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"The path {text} begins with ~, and no home folder is known.",
            hint="Set HOME, or write the full path.",
        ) from error
