"""The options of `trigger` for the target and the number of events, and which exclude others."""

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
        help="Send N different events of this type.",
    ),
    option(
        "--duplicate",
        type=click.IntRange(1, 1000),
        default=1,
        metavar="N",
        help="Send each event N times, with the same body and a new signature.",
    ),
    option("--shuffle", is_flag=True, help="Send the events in random order."),
    option(
        "--seed",
        type=click.IntRange(min=0),
        metavar="N",
        help="With --shuffle: repeat the order of an earlier run.",
    ),
    option(
        "--rate",
        type=click.FloatRange(min=0.01),
        metavar="N",
        help="Send at most N events per second.",
    ),
    option(
        "--concurrency",
        type=click.IntRange(1, 256),
        default=1,
        metavar="N",
        help="Maximum number of requests in flight.",
    ),
)
"""The options for several events."""

retrying = together(
    option(
        "--retry-like-tiktok",
        is_flag=True,
        help="Retry with backoff for up to 72 hours, until the answer is 200.",
    ),
    option(
        "--speed",
        type=click.FloatRange(min=0.01),
        metavar="N",
        help="With --retry-like-tiktok: simulated seconds per real second.  [default: 3600]",
    ),
)
"""The options for redeliveries."""

where = together(
    option("--to", "to", metavar="TARGET", help="Send to this target instead of a listener."),
    option("--through-tunnel", is_flag=True, help="Send to the listener's public Callback URL."),
    options.insecure_option,
    option(
        "--forward-timeout",
        type=click.FloatRange(min=0.1),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="Longest wait for an answer.",
    ),
)
"""The options for the target."""


def validate(event: str | None, given: Mapping[str, Any]) -> None:
    """Check that the options do not exclude each other.

    Raises:
        UsageError: Two of them do, or ``--speed`` has no effect.
    """
    signature_options.validate(given)
    what = {"EVENT": event, "--body": given["body"], "--scenario": given["scenario"]}
    _one_of([name for name, value in what.items() if value is not None])
    where = {"--to": given["to"] is not None, "--through-tunnel": given["through_tunnel"]}
    _one_of([name for name, value in where.items() if value])
    if given["scenario"] and given["count"] > 1:
        _one_of(["--scenario", "--count"])
    if given["seed"] is not None and not given["shuffle"]:
        raise UsageError("--seed has no effect without --shuffle.", hint="Add --shuffle.")
    if given["retry_like_tiktok"]:
        others = {
            "--scenario": given["scenario"],
            "--count": given["count"] > 1,
            "--duplicate": given["duplicate"] > 1,
            "--shuffle": given["shuffle"],
            "--rate": given["rate"],
            "--concurrency": given["concurrency"] > 1,
        }
        _one_of(["--retry-like-tiktok", *(name for name, value in others.items() if value)])
    elif given["speed"]:
        raise UsageError(
            "--speed has no effect without --retry-like-tiktok.",
            hint="Add --retry-like-tiktok, or use --rate.",
        )


def _one_of(names: list[str]) -> None:
    if len(names) > 1:
        raise UsageError(
            f"{' and '.join(names)} exclude each other.", hint="Give only one of them."
        )


def require_event(context: click.Context) -> None:
    """Reject a command line without EVENT that has options for sending.

    Raises:
        UsageError: An option on the command line applies only to an event that is sent.
    """
    typed = click.core.ParameterSource.COMMANDLINE
    given = {name for name in context.params if context.get_parameter_source(name) is typed}
    if given - {"form", "config", "secrets", "secret_files"}:
        raise UsageError(
            "No EVENT was given.",
            hint="Give the name of an event; tiktok-hook trigger without options lists them.",
        )
