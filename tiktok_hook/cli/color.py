"""``--color``: whether what people read is coloured, for the group and for each command."""

from typing import Any

import click

_CHOICES = {"auto": None, "always": True, "never": False}


def _choose(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    """Store the choice in the context, where `click.echo` and `wanted` find it.

    A command that is called without the option inherits what was given before its name.
    """
    if value is not None:
        context.color = _CHOICES[value]
    if context.color is None:
        from tiktok_hook.terminal.theme import color_of_environment

        context.color = color_of_environment()


ATTRIBUTES: dict[str, Any] = {
    "type": click.Choice(list(_CHOICES)),
    "callback": _choose,
    "expose_value": False,
    "help": "When to use colors; auto follows NO_COLOR and FORCE_COLOR.  [default: auto]",
}
"""The attributes of the option."""


def wanted() -> bool | None:
    """Whether the user asked for colors, or for none; None to decide by the output."""
    return click.get_current_context().color
