"""The options of `trigger` that say where samples go, and how many; which exclude each other."""

from collections.abc import Mapping
from typing import Any

import click

from tiktok_hook.cli import options, signature_options
from tiktok_hook.cli.options import option, together
from tiktok_hook.errors import UsageError

many = together(
    option(
        "--count",
        type=click.IntRange(1, 1_000_000),
        default=1,
        metavar="N",
        help="Send N different events of this sort.",
    ),
    option(
        "--duplicate",
        type=click.IntRange(1, 1000),
        default=1,
        metavar="N",
        help="Send each N times: the same body, newly signed.",
    ),
    option("--rate", type=click.FloatRange(min=0.01), metavar="N", help="Send at most N a second."),
    option(
        "--concurrency",
        type=click.IntRange(1, 256),
        default=1,
        metavar="N",
        help="Let N wait for their answers at a time.",
    ),
)
"""The options for more than one."""

retrying = together(
    option(
        "--retry-like-tiktok",
        is_flag=True,
        help="Repeat with growing gaps until it is answered 200, for 72 hours.",
    ),
    option(
        "--speed",
        type=click.FloatRange(min=0.01),
        metavar="N",
        help="With --retry-like-tiktok: seconds of TikTok's time in one of yours.  [default: 3600]",
    ),
)
"""The options for redeliveries."""

where = together(
    option("--to", "to", metavar="TARGET", help="Send it there instead of to a listener."),
    option("--through-tunnel", is_flag=True, help="Send it to the listener's public Callback URL."),
    options.insecure_option,
    option(
        "--forward-timeout",
        type=click.FloatRange(min=0.1),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="How long an answer may take.",
    ),
)
"""The options for where it goes."""


def validate(event: str | None, given: Mapping[str, Any]) -> None:
    """Refuse options that exclude each other.

    Raises:
        UsageError: Naming them.
    """
    signature_options.validate(given)
    what = {"EVENT": event, "--body": given["body"], "--scenario": given["scenario"]}
    _one_of([name for name, value in what.items() if value is not None])
    where = {"--to": given["to"] is not None, "--through-tunnel": given["through_tunnel"]}
    _one_of([name for name, value in where.items() if value])
    if given["scenario"] and given["count"] > 1:
        _one_of(["--scenario", "--count"])
    if given["retry_like_tiktok"]:
        others = {
            "--scenario": given["scenario"],
            "--count": given["count"] > 1,
            "--duplicate": given["duplicate"] > 1,
            "--rate": given["rate"],
            "--concurrency": given["concurrency"] > 1,
        }
        _one_of(["--retry-like-tiktok", *(name for name, value in others.items() if value)])
    elif given["speed"]:
        raise UsageError(
            "--speed says nothing without --retry-like-tiktok.", hint="Add it, or use --rate."
        )


def _one_of(names: list[str]) -> None:
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} exclude each other.", hint="Leave one of them.")


def refuse_without_event(context: click.Context) -> None:
    """Listing is for who asks for nothing else.

    Raises:
        UsageError: An option on the command line says that something is to be sent.
    """
    typed = click.core.ParameterSource.COMMANDLINE
    given = {name for name in context.params if context.get_parameter_source(name) is typed}
    if given - {"form", "config", "secrets", "secret_files"}:
        raise UsageError(
            "No EVENT was given to send.",
            hint="Name one; tiktok-hook trigger without options lists them.",
        )
