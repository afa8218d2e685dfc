"""``tiktok-hook help``: the help of a command as text, or of all commands as one JSON object."""

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tiktok_hook.cli import completers, options
from tiktok_hook.cli.group import no_such_command
from tiktok_hook.errors import EXIT_CODES

MORE_CODES: Mapping[str, Mapping[int, str]] = {
    "listen": {
        1: "--exit-after was not reached, or the command after -- ended early",
        3: EXIT_CODES[3], 4: EXIT_CODES[4], 130: EXIT_CODES[130],
    },
    "demo": {4: EXIT_CODES[4]},
    "trigger": {6: "an answer was not 200"},
    "wait": {1: "no matching delivery arrived"},
    "replay": {6: "an app did not answer as it should"},
    "clear": {1: "you answered no"},
    "verify": {1: "the signature is not valid, or too old"},
    "inspect": {4: EXIT_CODES[4]},
    "audit": {1: "a case failed or could not be run", 6: "the URL cannot be reached"},
    "doctor": {1: "a check failed"},
}  # fmt: skip
"""What an exit code means for one command, where that is more than 0, 1 and 2."""

_DEFAULT_TEXT = re.compile(r"\s*\[default: ([^\]]*)\]")


@click.command(cls=options.Command, example="tiktok-hook help trigger --json")
@click.argument("names", metavar="[COMMAND]...", nargs=-1, shell_complete=completers.command_names)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.pass_context
def command(context: click.Context, /, names: tuple[str, ...], *, as_json: bool) -> None:
    """Show the help of a command, as text or as JSON.

    With --json: every command with its arguments, options, types, defaults, environment variables,
    examples and exit codes. `tiktok-hook COMMAND --help --json` prints the same.
    """
    found, found_context = _found(context.find_root(), names)
    if as_json:
        click.echo(json.dumps(document(found, found_context)))
    else:
        click.echo(found.get_help(found_context))


def as_help_command(words: Sequence[str]) -> list[str] | None:
    """The words of ``help --json`` for a command line with ``--help`` and ``--json``.

    None if it has not both, so that it is run as it is.
    """
    own = list(words[: words.index("--")]) if "--" in words else list(words)
    if "--json" not in own or not {"-h", "--help"} & set(own):
        return None
    names = [word for word in own if word not in {"--json", "-h", "--help"}]
    first_option = next((n for n, word in enumerate(names) if word.startswith("-")), len(names))
    return ["help", "--json", *names[:first_option]]


def document(command: click.Command, context: click.Context) -> dict[str, Any]:
    """A command, or a group with all its commands, as JSON.

    Args:
        command: It is described by its own click options, so that nothing is written twice.
        context: With its name and its parents.
    """
    shape = _command(command, context)
    if context.parent is None:
        from importlib.metadata import version

        shape["version"] = version("tiktok-hook")
        shape["exit_codes"] = _codes(EXIT_CODES)
    return shape


def _found(root: click.Context, names: Sequence[str]) -> tuple[click.Command, click.Context]:
    """The command of these names, and a context for its help.

    Raises:
        UsageError: There is no such command.
    """
    command, context = root.command, root
    for name in names:
        child = command.get_command(context, name) if isinstance(command, click.Group) else None
        if child is None:
            known = command.list_commands(context) if isinstance(command, click.Group) else []
            raise no_such_command(" ".join(names), known)
        command, context = child, click.Context(child, info_name=name, parent=context)
    return command, context


def _command(command: click.Command, context: click.Context) -> dict[str, Any]:
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    summary, *rest = map(_joined, paragraphs)
    shape: dict[str, Any] = {
        "name": context.command_path,
        "summary": summary,
        "description": "\n\n".join(rest),
        "usage": " ".join([context.command_path, *command.collect_usage_pieces(context)]).strip(),
    }
    if isinstance(command, click.Group):
        shape["commands"] = [
            _command(child, click.Context(child, info_name=name, parent=context))
            for name in command.list_commands(context)
            if (child := command.get_command(context, name)) is not None and not child.hidden
        ]
        return shape
    names = [
        name.removeprefix("--")
        for each in command.params
        if isinstance(each, click.Option)
        for name in each.opts
    ]
    more = dict(MORE_CODES.get(context.info_name or "", {}))
    if "db" in names:
        more.setdefault(5, EXIT_CODES[5])
    codes = {0: EXIT_CODES[0], 1: "a bug", 2: EXIT_CODES[2]} | more
    example = getattr(command, "example", "")
    shape["arguments"] = [
        _argument(each)
        for each in command.params
        if isinstance(each, click.Argument) and each.human_readable_name.strip()
    ]
    shape["options"] = [
        _option(each, has_settings="config" in names)
        for each in command.params
        if isinstance(each, click.Option) and not each.hidden
    ]
    shape["examples"] = [example] if example else []
    shape["exit_codes"] = _codes(dict(sorted(codes.items())))
    return shape


def _joined(paragraph: str) -> str:
    """A paragraph as one line, unless it begins with click's mark for lines to keep."""
    if paragraph.startswith("\b\n"):
        return paragraph.removeprefix("\b\n")
    return re.sub(r"\s*\n\s*", " ", paragraph)


def _codes(codes: Mapping[int, str]) -> list[dict[str, Any]]:
    return [{"code": code, "meaning": meaning} for code, meaning in codes.items()]


def _argument(argument: click.Argument) -> dict[str, Any]:
    found = argument.to_info_dict()
    return {
        "name": argument.human_readable_name.strip("[]."),
        "required": found["required"],
        "repeatable": found["nargs"] != 1,
        **_type(found["type"]),
    }


def _option(option: click.Option, *, has_settings: bool) -> dict[str, Any]:
    found = option.to_info_dict()
    text = option.help or ""
    default_text = _DEFAULT_TEXT.search(text)
    long = next((name for name in found["opts"] if name.startswith("--")), found["opts"][0])
    default = found["default"]
    if not isinstance(default, str | int | float | bool | list | tuple):
        default = None
    is_flag = bool(found["is_flag"])
    variables = found["envvar"]
    shape: dict[str, Any] = {
        "name": long,
        "names": [*found["opts"], *found["secondary_opts"]],
        "help": _DEFAULT_TEXT.sub("", text).strip(),
        **({"type": "boolean"} if is_flag else _type(found["type"])),
        "required": found["required"],
        "repeatable": found["multiple"],
        "default": (default or False) if is_flag else default or None,
        "environment": [variables] if isinstance(variables, str) else list(variables or ()),
        "setting": long.removeprefix("--") if has_settings and long != "--config" else None,
    }
    if not is_flag and found["nargs"] != 1:
        shape["values"] = found["nargs"]
    if option.metavar and not is_flag:
        shape["metavar"] = option.metavar
    if default_text is not None:
        shape["default_text"] = default_text[1]
    return shape


_TYPES = {
    "Int": "integer", "IntRange": "integer", "Float": "number", "FloatRange": "number",
    "Bool": "boolean", "Choice": "string", "Path": "string", "File": "string", "Tuple": "array",
}  # fmt: skip


def _type(found: Mapping[str, Any]) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": _TYPES.get(found["param_type"], "string")}
    if "choices" in found:
        shape["choices"] = list(found["choices"])
    for name, key in (("min", "minimum"), ("max", "maximum")):
        if found.get(name) is not None:
            shape[key] = found[name]
    return shape
