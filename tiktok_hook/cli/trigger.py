"""``tiktok-hook trigger``: signed sample events to a listener or any address."""

import asyncio
import sys
import time
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiktok_hook.cli import options, signing
from tiktok_hook.errors import AppError, UsageError

if TYPE_CHECKING:
    from tiktok_hook.forward import Reply
    from tiktok_hook.trigger import Tally, Try

option = options.option

_LINES = 20
"""Up to so many are told one by one; of more, a bar and the sum."""

_SCENARIOS = ("publish", "publish-failed", "disconnect", "purchase")

many = options.together(
    option(
        "--count",
        type=click.IntRange(1, 1_000_000),
        default=1,
        metavar="N",
        help="Send so many different events of this sort.",
    ),
    option(
        "--duplicate",
        type=click.IntRange(1, 1000),
        default=1,
        metavar="N",
        help="Send each N times: the same body, newly signed.",
    ),
    option(
        "--rate", type=click.FloatRange(min=0.01), metavar="N", help="At most so many a second."
    ),
    option(
        "--concurrency",
        type=click.IntRange(1, 256),
        default=1,
        metavar="N",
        help="So many at a time.",
    ),
)
"""The options for more than one."""

retrying = options.together(
    option(
        "--retry-like-tiktok",
        is_flag=True,
        help="Repeat with growing gaps until it is answered 200, for 72 hours.",
    ),
    option(
        "--speed",
        type=click.FloatRange(min=0.01),
        metavar="N",
        help="With it: seconds of TikTok's time in one of yours.  [default: 3600]",
    ),
)
"""The options for redeliveries."""


@click.command(
    cls=options.Command,
    example="tiktok-hook trigger post.publish.failed --set content.reason=spam_risk",
)
@click.argument("event", required=False)
@options.secret_option
@options.secret_file_option
@option("--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change a value. Repeatable.")
@option("--body", metavar="FILE", help="Send these bytes instead of a sample; - is stdin.")
@option("--scenario", type=click.Choice(_SCENARIOS), help="Send several events that tell a story.")
@option("--to", "to", metavar="TARGET", help="Send it there instead of to a listener.")
@option("--through-tunnel", is_flag=True, help="Send it to the listener's public Callback URL.")
@signing.ways
@many
@retrying
@options.config_option
def command(
    event: str | None,
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    config: Path | None,  # noqa: ARG001 - read before the options are
    **given: Any,
) -> None:
    """Send a signed sample event.

    It goes to the newest running listener, or to --to. Without EVENT the catalogue is listed.
    Exits with 6 when an answer is not 200.
    """
    if event is None and given["body"] is None and given["scenario"] is None:
        _list()
        return
    _check(event, given)
    known = options.resolve_secrets(secrets, secret_files)
    _Triggering(event, given, known[0] if known else None).run()


class _Triggering:
    """One run of the command.

    Args:
        event: The name of a sample, or None.
        given: The options as click read them.
        secret: To sign with; None sends without a signature.
    """

    def __init__(self, event: str | None, given: dict[str, Any], secret: str | None) -> None:
        from tiktok_hook import trigger
        from tiktok_hook.forward import parse_target

        self._given = given
        self._label = event or given["scenario"] or "the body"
        self._bodies, self._planned = _bodies(event, given)
        to, through = given["to"], given["through_tunnel"]
        self._url = trigger.listener_url(through_tunnel=through) if to is None else parse_target(to)
        if secret is None:
            signing.refuse_without_secret(given)
            if not given["no_signature"]:
                click.echo("Sent without a signature: no client secret was given.", err=True)
        self._signed = {
            "secret": None if given["no_signature"] else secret,
            "age": signing.seconds(given["age"]) if given["age"] else 0.0,
            "bad_signature": given["bad_signature"],
        }

    def run(self) -> None:
        if self._given["retry_like_tiktok"]:
            self._retry(next(iter(self._bodies)))
        else:
            self._send()

    def _send(self) -> None:
        from tiktok_hook import trigger

        tally = trigger.Tally()
        bar = _bar(self._planned)

        def told(body: bytes, reply: "Reply") -> None:
            if bar is not None:
                bar.update(1)
            elif 1 < self._planned <= _LINES:
                click.echo(f"{_name(body)} → {_answer(reply)}")

        work = trigger.run(
            self._bodies,
            self._url,
            **self._signed,
            rate=self._given["rate"],
            concurrency=self._given["concurrency"],
            tally=tally,
            on_reply=told,
        )
        try:
            with bar or nullcontext():
                asyncio.run(work)
        except KeyboardInterrupt:
            click.echo(f"Stopped after {tally.sent} of {self._planned}.", err=True)
            _sum_up(tally)
            raise
        if self._planned == 1:
            self._end_of_one(tally)
        else:
            self._end_of_many(tally)

    def _end_of_one(self, tally: "Tally") -> None:
        bad = tally.first_bad
        if bad is not None:
            said = f"answered {bad.status}" if bad.status else f"did not answer: {bad.error}"
            raise AppError(f"{self._url} {said}.", hint=self._hint(bad))
        click.echo(f"{self._label} → {self._url}: 200 in {tally.durations_ms[0]:.0f} ms")
        self._warn_of_accepted_forgery()

    def _end_of_many(self, tally: "Tally") -> None:
        _sum_up(tally)
        if tally.outcomes["200"]:
            self._warn_of_accepted_forgery()
        if tally.first_bad is not None:
            raise AppError(
                f"{self._url} did not answer 200 to {tally.bad} of {tally.sent}.",
                hint=self._hint(tally.first_bad),
            )

    def _retry(self, body: bytes) -> None:
        from tiktok_hook import trigger

        speed = self._given["speed"] or 3600.0
        tries: list[Try] = []

        def told(each: "Try") -> None:
            tries.append(each)
            when = "at once" if each.number == 1 else f"after {_time(each.after_seconds)}"
            click.echo(f"{each.number}. {when}: {_answer(each.reply)}")

        work = trigger.retry(body, self._url, **self._signed, speed=speed, on_try=told)
        try:
            asyncio.run(work)
        except KeyboardInterrupt:
            click.echo(f"Stopped after {len(tries)} deliveries.", err=True)
            raise
        last = tries[-1]
        if last.reply.status != 200:
            raise AppError(
                f"TikTok would have given up: no 200 in {last.number} deliveries within 72 hours.",
                hint=self._hint(last.reply),
            )
        click.echo(
            f"Accepted at delivery {last.number}, in production about "
            f"{_time(last.after_seconds)} after the first."
            if last.number > 1
            else "Accepted at the first delivery: TikTok would not retry."
        )
        self._warn_of_accepted_forgery()

    def _hint(self, reply: "Reply") -> str:
        from tiktok_hook import hints

        return hints.for_answer(
            status=reply.status,
            error=reply.error,
            verdict=signing.verdict(
                signed=self._signed["secret"] is not None,
                bad=self._given["bad_signature"],
                age=float(self._signed["age"] or 0),
            ),
            target=self._url,
            body=reply.body,
            location=reply.header("Location"),
        )

    def _warn_of_accepted_forgery(self) -> None:
        """A listener without a secret judges nothing, so only an app that was named is judged."""
        from tiktok_hook import hints

        forged = self._given["bad_signature"] or self._given["no_signature"]
        if forged and self._given["to"] is not None:
            click.echo(f"Hint: {hints.for_accepted_forgery()}", err=True)


def _check(event: str | None, given: dict[str, Any]) -> None:
    """Refuse options that exclude each other.

    Raises:
        UsageError: Naming them.
    """
    signing.check(given)
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


def _bodies(event: str | None, given: dict[str, Any]) -> tuple[Iterable[bytes], int]:
    """What to send, and how many that are."""
    from tiktok_hook import edits, trigger

    count, times, sets = given["count"], given["duplicate"], given["sets"]
    bodies: Iterable[bytes]
    if event is not None:
        bodies = trigger.bodies(event, count, sets=sets)
    elif given["scenario"] is not None:
        bodies = trigger.scenario(given["scenario"], sets=sets, now=time.time())
        count = len(bodies)
    else:
        body = edits.apply(options.read_body(given["body"]), sets=sets)
        bodies = (body for _ in range(count))
    return (body for body in bodies for _ in range(times)), count * times


def _bar(planned: int) -> Any:
    """A progress bar on a terminal's stderr; None when there is little to do or nobody looks."""
    if planned <= _LINES or not sys.stderr.isatty():
        return None
    return click.progressbar(length=planned, file=sys.stderr, label="Sending", show_pos=True)


def _name(body: bytes) -> str:
    from tiktok_hook import events
    from tiktok_hook.plain import visible

    event = events.parse(body)
    return visible(event.name) if event is not None else "the body"


def _answer(reply: "Reply") -> str:
    return f"{reply.status or reply.error} in {reply.duration_ms:.0f} ms"


def _sum_up(tally: "Tally") -> None:
    rate = tally.sent / tally.seconds if tally.seconds else 0.0
    outcomes = ", ".join(f"{name}: {number}" for name, number in tally.outcomes.most_common())
    click.echo(f"{tally.sent} sent in {tally.seconds:.1f} s ({rate:.0f}/s). {outcomes}")
    if tally.durations_ms:
        parts = [f"p{percent} {tally.percentile(percent):.0f} ms" for percent in (50, 95, 99)]
        click.echo(", ".join(parts))


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _list() -> None:
    """The catalogue, by product, and the stories."""
    from tiktok_hook import events, trigger

    product = ""
    for kind in events.CATALOGUE.values():
        if kind.product != product:
            product = kind.product
            click.echo(product)
        mark = "" if kind.mark == "documented" else f" [{kind.mark}]"
        click.echo(f"  {kind.name:<44} {kind.meaning}{mark}")
    click.echo("Scenarios, with --scenario")
    for name, story in trigger.SCENARIOS.items():
        click.echo(f"  {name:<44} {story.meaning}")
