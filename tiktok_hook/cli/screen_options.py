"""The options of `listen` and `attach` that decide what is shown, and when it ends."""

from collections.abc import Mapping
from typing import Any

import click

from tiktok_hook.cli import color, options
from tiktok_hook.errors import UsageError

option = options.option

showing = options.together(
    option(
        "--format",
        "form",
        type=click.Choice(["compact", "normal", "full", "json"]),
        help="How deliveries are shown.  [default: normal on a terminal, otherwise compact]",
    ),
    option(
        "--quiet",
        "-q",
        is_flag=True,
        help="Show only deliveries that failed or were rejected.",
    ),
    option(
        "--exit-after",
        type=click.IntRange(min=1),
        metavar="N",
        help="End after N deliveries.",
    ),
    option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        metavar="SECONDS",
        help="End after this long; with --exit-after not reached, exit with 1.",
    ),
    options.color_option,
    options.config_option,
)
"""The options of the screen and of the end."""


def screen_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `session.run` for the options of `showing`.

    Raises:
        UsageError: Two of them exclude each other.
    """
    if given["quiet"] and given["form"] == "json":
        raise UsageError(
            "--quiet and --format json do not go together.",
            hint="jq selects from JSON lines: see docs/scripts.md.",
        )
    return {
        "format": given["form"],
        "color": color.wanted(),
        "quiet": given["quiet"],
        "exit_after": given["exit_after"],
        "timeout": given["timeout"],
    }
