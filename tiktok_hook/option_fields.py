"""Options as dataclass fields: type, default and help in one place.

A part has a dataclass of its options. The command line, the tables of the docs and the keyword
arguments of `listen` are derived from its fields.
"""

from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from inspect import get_annotations
from typing import Any

_KEY = "option"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionInfo:
    """What the command line adds to a field.

    Attributes:
        help: One sentence for ``--help``.
        flags: Its names; empty for ``--`` and the field's name.
        metavar: How its value is called; None for a flag.
        minimum: Of a number, included; None for no bound.
        maximum: Likewise.
        choices: The only values; empty for any.
        flag_value: Its value when only the name is given; None where a value has to follow.
        default_text: The default in words where it depends on something; empty shows the value.
        repeatable: Whether it may be given several times.
        arguments: How many arguments follow its name.
        envvars: Variables it is read from; empty for the one made of its name.
        shared: Name of an option in `cli.options` that several commands have; then nothing else
            here counts.
        needs_target: Whether it has no effect without ``--forward-to``.
    """

    help: str = ""
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    flag_value: str | None = None
    default_text: str = ""
    repeatable: bool = False
    arguments: int = 1
    envvars: tuple[str, ...] = ()
    shared: str = ""
    needs_target: bool = False


def option(default: Any, help: str = "", *, secret: bool = False, **info: Any) -> Any:  # noqa: A002 - as in click
    """A dataclass field that is an option.

    Args:
        default: Its value when it is not given.
        help: One sentence.
        secret: Leave it out of `repr`.
        **info: The other attributes of `OptionInfo`.
    """
    metadata = {_KEY: OptionInfo(help=help, **info)}
    return field(default=default, repr=not secret, metadata=metadata)


def info_of(each: "Field[Any]") -> OptionInfo | None:
    """What the command line adds to a field; None if it is not an option."""
    found: OptionInfo | None = each.metadata.get(_KEY)
    return found


def option_fields(part: type) -> Iterator[tuple["Field[Any]", OptionInfo]]:
    """The options that a dataclass adds to those of its bases, in order."""
    own = get_annotations(part)
    for each in fields(part):
        info = info_of(each)
        if info is not None and each.name in own:
            yield each, info


def flag_of(each: "Field[Any]", info: OptionInfo) -> str:
    """The long name on the command line: ``--forward-to``."""
    flags = info.flags or (f"--{each.name.replace('_', '-')}",)
    return next(flag for flag in flags if flag.startswith("--"))
