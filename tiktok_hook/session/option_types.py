"""Checks that options given in Python have the types and the range of their fields."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tiktok_hook.errors import UsageError
from tiktok_hook.option_fields import OptionInfo, info_of

_SHOWN_CHARS = 80

_READ_AS_TEXT = frozenset({"ack", "retry_for"})
"""Options that also accept text; the code that parses it reports errors."""

_CHECKED_BY_PART = frozenset({"port", "inspect_port"})
"""Options whose range the part checks that opens the port."""

_WORDS: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a string",
    Path: "a path",
    type(None): "None",
}


def check_types(options: object) -> None:
    """Check type and range of each option of a dataclass. For the command line click does that.

    Raises:
        UsageError: A value has another type; names the argument. The value of a secret option is
            not shown.
    """
    types = get_type_hints(type(options))
    for each in fields(options):  # type: ignore[arg-type] # a dataclass
        info = info_of(each)
        if info is None or each.name in _READ_AS_TEXT:
            continue
        value = getattr(options, each.name)
        if not _has_type(value, types[each.name]):
            raise UsageError(
                f"{each.name} is not {_words(types[each.name])}.",
                hint=f"It is {repr(value)[:_SHOWN_CHARS]}."
                if each.repr
                else f"Its type is {type(value).__name__}.",
            )
        if isinstance(value, int | float) and each.name not in _CHECKED_BY_PART:
            _check_range(each.name, value, info)


def _check_range(name: str, value: float, info: OptionInfo) -> None:
    # Asked this way round, NaN is in no range.
    if info.minimum is not None and not value >= info.minimum:
        raise UsageError(f"{name}={value} is less than {info.minimum:g}.")
    if info.maximum is not None and not value <= info.maximum:
        raise UsageError(f"{name}={value} is more than {info.maximum:g}.")


def _has_type(value: object, wanted: Any) -> bool:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in {Union, UnionType}:
        return any(_has_type(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return (
            isinstance(value, (tuple, list))
            and len(value) == len(arguments)
            and all(map(_has_type, value, arguments))
        )
    if origin is Sequence:
        return (
            isinstance(value, Sequence)
            and not isinstance(value, (str, bytes))
            and all(_has_type(each, arguments[0]) for each in value)
        )
    if wanted is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _words(wanted: Any, *, plural: bool = False) -> str:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in {Union, UnionType}:
        return " or ".join(dict.fromkeys(_words(each, plural=plural) for each in arguments))
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is Sequence:
        return f"a list of {_words(arguments[0], plural=True)}"
    if origin is tuple:
        one = f"pair of {_words(arguments[0], plural=True)}"
        return one.replace("pair", "pairs") if plural else f"a {one}"
    one = _WORDS.get(wanted, f"a {getattr(wanted, '__name__', wanted)}")
    return f"{one.removeprefix('a ')}s" if plural else one
