"""``tiktok-hook trigger``: a signed sample event to a listener or any address."""

import asyncio
from pathlib import Path

import click

from tiktok_hook.cli import options
from tiktok_hook.errors import AppError, UsageError


@click.command(
    cls=options.Command,
    example="tiktok-hook trigger post.publish.failed --set content.reason=spam_risk",
)
@click.argument("event", required=False)
@options.secret_option
@options.secret_file_option
@options.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change a value. Repeatable."
)
@options.option("--to", "to", metavar="TARGET", help="Send it there instead of to a listener.")
@options.config_option
def command(
    event: str | None,
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    sets: tuple[str, ...],
    to: str | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> None:
    """Send a signed sample event.

    It goes to the newest running listener, or to --to. Without EVENT the catalogue is listed.
    Exits with 6 when the answer is not 200.
    """
    if event is None:
        _list()
        return
    known = options.resolve_secrets(secrets, secret_files)
    from tiktok_hook import trigger

    body = trigger.body_of(event, sets=sets)
    url = _listener_url() if to is None else _target(to)
    secret = known[0] if known else None
    reply = asyncio.run(trigger.send(trigger.request(url, body, secret=secret)))
    if secret is None:
        click.echo("Sent without a signature: no client secret was given.", err=True)
    if reply.status != 200:
        answered = f"answered {reply.status}" if reply.status else f"did not answer: {reply.error}"
        raise AppError(f"{url} {answered}.", hint=_hint(url, reply.status, reply.error, reply.body))
    click.echo(f"{event} → {url}: {reply.status} in {reply.duration_ms:.0f} ms")


def _list() -> None:
    """The catalogue, by product."""
    from tiktok_hook import events

    product = ""
    for kind in events.CATALOGUE.values():
        if kind.product != product:
            product = kind.product
            click.echo(product)
        mark = "" if kind.mark == "documented" else f" [{kind.mark}]"
        click.echo(f"  {kind.name:<44} {kind.meaning}{mark}")


def _target(text: str) -> str:
    from tiktok_hook.forward import parse_target

    return parse_target(text)


def _listener_url() -> str:
    """Where the newest running listener receives.

    Raises:
        UsageError: None runs.
    """
    from tiktok_hook import folders

    running = folders.listeners()
    if not running:
        raise UsageError(
            "No listener is running.",
            hint="Start one with tiktok-hook listen, or name an address with --to.",
        )
    return running[0].local_url


def _hint(url: str, status: int | None, error: str | None, body: bytes) -> str:
    from tiktok_hook import hints
    from tiktok_hook.signature import State

    return hints.for_answer(status=status, error=error, verdict=State.VALID, target=url, body=body)
