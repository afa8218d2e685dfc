"""Command-line options made from the dataclasses of the parts."""

from collections.abc import Callable, Container
from dataclasses import MISSING
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import click

from tiktok_hook.cli import options
from tiktok_hook.option_fields import OptionInfo, option_fields

F = TypeVar("F", bound=Callable[..., Any])


def options_of(part: type, only: Container[str] | None = None) -> Callable[[F], F]:
    """The options that a dataclass adds to those of its bases, as one decorator.

    The parameter that a command gets is named as the field.

    Args:
        part: The dataclass.
        only: The names of the fields that the command has; None is all of them.
    """
    types = get_type_hints(part)
    made = []
    for each, info in option_fields(part):
        if only is not None and each.name not in only:
            continue
        if info.shared:
            made.append(getattr(options, info.shared))
        else:
            default = None if each.default is MISSING else each.default
            made.append(_option(each.name, info, types[each.name], default))
    return options.together(*made)


def _option(name: str, info: OptionInfo, kind: Any, default: Any) -> Any:
    flags = info.flags or (f"--{name.replace('_', '-')}",)
    kinds = (set(get_args(kind)) or {kind}) - {type(None)}
    attributes: dict[str, Any] = {"help": info.help}
    if info.default_text:
        attributes["help"] += f"  [default: {info.default_text}]"
    if info.envvars:
        attributes["envvar"] = list(info.envvars)
    if bool in kinds and info.flag_value is None:
        return _flag(name, flags, attributes, default=default)
    if info.metavar is not None:
        attributes["metavar"] = info.metavar
    if info.repeatable:
        return options.option(*flags, name, multiple=True, nargs=info.arguments, **attributes)
    if default not in {None, ()} and info.flag_value is None:
        attributes |= {"default": default, "show_default": default != ""}
    if info.choices:
        attributes["type"] = click.Choice(info.choices)
    elif kinds == {int}:
        attributes["type"] = click.IntRange(_whole(info.minimum), _whole(info.maximum))
    elif kinds == {float}:
        attributes["type"] = click.FloatRange(info.minimum, info.maximum)
    if info.flag_value is not None:
        attributes |= {"is_flag": False, "flag_value": info.flag_value}
    make = options.path_option if Path in kinds else options.option
    if make is options.path_option:
        attributes.pop("metavar", None)
    return make(*flags, name, **attributes)


def _flag(name: str, flags: tuple[str, ...], attributes: dict[str, Any], *, default: Any) -> Any:
    if any("/" in flag for flag in flags):
        return options.option(*flags, name, default=default, show_default=True, **attributes)
    return options.option(*flags, name, is_flag=True, **attributes)


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
