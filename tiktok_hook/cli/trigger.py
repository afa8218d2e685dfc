"""``tiktok-hook trigger``: send signed sample events to a listener or any URL."""

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiktok_hook.cli import completers, options, signature_options, trigger_options
from tiktok_hook.cli.config_layers import expanded
from tiktok_hook.errors import AppError, UsageError

if TYPE_CHECKING:
    from tiktok_hook.forward import Reply
    from tiktok_hook.signature import State
    from tiktok_hook.terminal.progress import Progress
    from tiktok_hook.trigger import TriggerResults, Try

option = options.option

_LINES = 20
"""Maximum number of events shown one per line; more are shown as a progress bar and a total."""

_MAX_SHUFFLED = 100_000
"""How many bodies may be shuffled: all of them are in memory then."""


@click.command(
    cls=options.Command,
    example="tiktok-hook trigger post.publish.failed --set content.reason=spam_risk",
)
@click.argument("event", required=False, shell_complete=completers.event_names)
@options.secret_option
@options.secret_file_option
@option(
    "--set",
    "sets",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change a value, as content.reason=spam_risk; += adds one. Repeatable.",
)
@click.option("--list", "listed", is_flag=True, help="List the sample events and scenarios.")
@option("--body", metavar="FILE", help="Send these bytes instead of a sample; - is stdin.")
@option(
    "--scenario",
    metavar="NAME|FILE",
    help="Send the events of a sequence in order: a built-in one, or your own file.",
)
@trigger_options.where
@signature_options.ways
@trigger_options.many
@trigger_options.retrying
@option(
    "--format",
    "form",
    type=click.Choice(("compact", "json")),
    default="compact",
    show_default=True,
    help="Lines for people, or one JSON object at the end.",
)
@options.config_option
@click.pass_context
def command(
    context: click.Context,
    /,
    event: str | None,
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    config: Path | None,  # noqa: ARG001 - read before the options are
    listed: bool,  # noqa: FBT001 - click passes it by name
    **given: Any,
) -> None:
    """Send a signed sample event.

    The event is sent to the newest running listener, or to --to. Without EVENT, the command lists
    all sample events. Exits with 6 if an answer is not 200.
    """
    if listed:
        _list(as_json=given["form"] == "json")
        return
    if event is None and given["body"] is None and given["scenario"] is None:
        trigger_options.require_event(context)
        _list(as_json=given["form"] == "json")
        return
    trigger_options.validate(event, given)
    known = options.resolve_secrets(secrets, secret_files)
    _Triggering(event, given, known[0] if known else None).run()


class _Triggering:
    """One run of the command.

    Args:
        event: The name of a sample, or None.
        given: The options as click read them.
        secret: The client secret for signatures; None sends without a signature.
    """

    def __init__(self, event: str | None, given: dict[str, Any], secret: str | None) -> None:
        from tiktok_hook import trigger
        from tiktok_hook.forward import parse_target

        self._given = given
        self._as_json = given["form"] == "json"
        self._label = event or given["scenario"] or "the body"
        self._bodies, self._planned, self._pauses = _bodies(event, given)
        if given["shuffle"]:
            self._bodies = _shuffled(self._bodies, self._planned, seed=given["seed"])
        to, through = given["to"], given["through_tunnel"]
        self._url = trigger.listener_url(through_tunnel=through) if to is None else parse_target(to)
        needs_secret = secret is None and not given["no_signature"]
        signing = None
        if needs_secret and to is None:
            signing = trigger.signing_listener(through_tunnel=through)
        self._lacks_secret = needs_secret and signing is None
        if self._lacks_secret:
            signature_options.require_secret(given)
            click.echo("Sent without a signature: no client secret was given.", err=True)
        self._is_signed = not (given["no_signature"] or self._lacks_secret)
        self._how: dict[str, Any] = {
            "secret": None if given["no_signature"] else secret,
            "age": signature_options.seconds(given["age"]) if given["age"] else 0.0,
            "bad_signature": given["bad_signature"],
            "timeout": given["forward_timeout"],
            "insecure": given["insecure"],
            "through": signing,
        }

    def run(self) -> None:
        if self._given["retry_like_tiktok"]:
            self._retry(next(iter(self._bodies)))
        else:
            self._send()

    def _print(self, line: str) -> None:
        if not self._as_json:
            click.echo(line)

    def _report(self, **found: Any) -> None:
        """Print the single object of ``--format json``."""
        if self._as_json:
            click.echo(json.dumps({"target": self._url, **found}))

    def _send(self) -> None:
        import asyncio

        from tiktok_hook import trigger

        tally = trigger.TriggerResults()
        bar = _bar(self._planned)

        def on_result(body: bytes, reply: "Reply") -> None:
            if bar is not None:
                bar.advance()
            elif 1 < self._planned <= _LINES:
                self._print(f"{_name(body)} → {_answer(reply)}")

        work = trigger.run(
            self._bodies,
            self._url,
            **self._how,
            pauses=self._pauses,
            rate=self._given["rate"],
            concurrency=self._given["concurrency"],
            tally=tally,
            on_reply=on_result,
        )
        try:
            with bar or nullcontext():
                asyncio.run(work)
        except KeyboardInterrupt:
            click.echo(f"Stopped after {tally.sent} of {self._planned}.", err=True)
            self._sum_up(tally)
            raise
        if self._planned == 1:
            self._end_of_one(tally)
        else:
            self._end_of_many(tally)

    def _end_of_one(self, tally: "TriggerResults") -> None:
        self._report_totals(tally)
        bad = tally.first_bad
        if self._wants_rejection and tally.rejected:
            took = _ms(tally.durations_ms[0])
            status = next(iter(tally.outcomes))
            self._print(
                f"{self._label} → {self._url}: {status} in {took}, rejected as it should be"
            )
            return
        if bad is not None:
            outcome = f"answered {bad.status}" if bad.status else f"did not answer: {bad.detail}"
            raise AppError(f"{self._url} {outcome}.", hint=self._hint(bad))
        self._print(f"{self._label} → {self._url}: 200 in {_ms(tally.durations_ms[0])}")
        self._fail_on_accepted_forgery()

    def _end_of_many(self, tally: "TriggerResults") -> None:
        self._sum_up(tally)
        if tally.outcomes["200"]:
            self._fail_on_accepted_forgery()
        if self._wants_rejection and tally.rejected == tally.sent:
            self._print("All rejected as they should be.")
        elif tally.first_bad is not None:
            raise AppError(
                f"{self._url} did not answer 200 to {tally.bad} of {tally.sent}.",
                hint=self._hint(tally.first_bad),
            )

    def _report_totals(self, tally: "TriggerResults") -> None:
        good = tally.outcomes["200"]
        if self._wants_rejection:
            good = tally.rejected + (0 if self._is_judged_forgery else good)
        passed = good == tally.sent == self._planned
        self._report(passed=passed, planned=self._planned, **tally.as_json())

    def _sum_up(self, tally: "TriggerResults") -> None:
        self._report_totals(tally)
        if not tally.sent:
            return
        rate = tally.sent / tally.seconds if tally.seconds else 0.0
        outcomes = ", ".join(f"{name}: {number}" for name, number in tally.outcomes.most_common())
        self._print(f"{tally.sent} sent in {tally.seconds:.1f} s ({rate:.0f}/s). {outcomes}")
        marks = [(each, tally.percentile(each)) for each in (50, 95, 99)]
        known = [f"p{each} {_ms(ms)}" for each, ms in marks if ms is not None]
        if known:
            self._print(", ".join(known))

    def _retry(self, body: bytes) -> None:
        import asyncio

        from tiktok_hook import trigger

        tries: list[Try] = []

        def on_result(each: "Try") -> None:
            tries.append(each)
            when = "at once" if each.number == 1 else f"after {_duration(each.after_seconds)}"
            self._print(f"{each.number}. {when}: {_answer(each.reply)}")

        speed = self._given["speed"] or 3600.0
        work = trigger.retry(body, self._url, **self._how, speed=speed, on_try=on_result)
        try:
            asyncio.run(work)
        except KeyboardInterrupt:
            self._report(accepted=False, given_up=False, deliveries=_as_json(tries))
            click.echo(f"Stopped after {len(tries)} deliveries.", err=True)
            raise
        last = tries[-1]
        accepted = last.reply.status == 200
        self._report(accepted=accepted, given_up=not accepted, deliveries=_as_json(tries))
        if not accepted:
            raise AppError(
                f"TikTok would have given up: no 200 in {last.number} deliveries within 72 hours.",
                hint=self._hint(last.reply),
            )
        self._print(
            f"Accepted at delivery {last.number}, in production about "
            f"{_duration(last.after_seconds)} after the first."
            if last.number > 1
            else "Accepted at the first delivery: TikTok would not retry."
        )
        self._fail_on_accepted_forgery()

    def _hint(self, reply: "Reply") -> str:
        from tiktok_hook.forward import explain
        from tiktok_hook.hints import LISTENER_REJECTION

        if self._lacks_secret and reply.status in {401, 403}:
            return (
                f"{reply.status}: the target requires a signature. Set TIKTOK_CLIENT_SECRET, or "
                "give --secret-file FILE, to sign the event."
            )
        if reply.body == LISTENER_REJECTION and self._given["to"] is None and self._is_signed:
            return (
                f"{reply.status}: the listener has another client secret than the one given here. "
                "Without --secret and TIKTOK_CLIENT_SECRET it signs the event itself."
            )
        is_listener = self._given["to"] is None and not self._given["through_tunnel"]
        if is_listener and reply.error in {"refused", "reset"}:
            return (
                "The listener closed the connection before it answered, as when it is stopped: see "
                "its terminal, or start it again."
            )
        if reply.status == 200:
            return ""
        return explain(reply, target=self._url, verdict=self._verdict)

    @property
    def _verdict(self) -> "State | None":
        """What the signatures deserve."""
        return signature_options.verdict(
            signed=self._is_signed,
            bad=self._given["bad_signature"],
            age=float(self._how["age"]),
        )

    @property
    def _wants_rejection(self) -> bool:
        """Whether the request was made for the target to reject: a 4xx is the success."""
        given = self._given
        return bool(given["bad_signature"] or given["no_signature"] or given["age"])

    @property
    def _is_judged_forgery(self) -> bool:
        """Whether a 200 is a failure: an app accepted what is forged.

        A listener is not judged, since without a secret it accepts every signature. Neither is an
        old signature that an app accepts: TikTok's retries may have one.
        """
        given = self._given
        return given["to"] is not None and bool(given["bad_signature"] or given["no_signature"])

    def _fail_on_accepted_forgery(self) -> None:
        """End with an error when the app of --to has accepted a forgery.

        An old signature that it accepts is only a remark: TikTok's retries may have one.

        Raises:
            AppError: It has.
        """
        from tiktok_hook import hints
        from tiktok_hook.signature import State

        if self._is_judged_forgery:
            what = "a wrong signature" if self._is_signed else "a request without a signature"
            raise AppError(f"{self._url} accepted {what}.", hint=hints.for_accepted_forgery())
        if self._given["to"] is not None and self._verdict is State.STALE:
            click.echo(hints.for_accepted_old_signature(), err=True)


def _bodies(
    event: str | None, given: dict[str, Any]
) -> tuple[Iterable[bytes], int, Sequence[float]]:
    """The bodies to send, their number, and the seconds to wait before each."""
    from tiktok_hook import edits, trigger

    count, times, sets = given["count"], given["duplicate"], given["sets"]
    bodies: Iterable[bytes]
    pauses: list[float] = []
    if event is not None:
        bodies = trigger.bodies(event, count, sets=sets)
    elif given["scenario"] is not None and given["scenario"] not in trigger.SCENARIOS:
        steps = trigger.read_scenario(_scenario_file(given["scenario"]))
        plan = trigger.planned(steps, sets=sets, now=time.time())
        bodies = [body for _, body in plan]
        pauses = [0.0 if again else pause for pause, _ in plan for again in range(times)]
        count = len(plan)
    elif given["scenario"] is not None:
        bodies = trigger.scenario(given["scenario"], sets=sets, now=time.time())
        count = len(bodies)
    else:
        body = edits.apply(options.read_body(given["body"]), sets=sets)
        bodies = (body for _ in range(count))
    return (body for body in bodies for _ in range(times)), count * times, pauses


def _scenario_file(text: str) -> Path:
    """The file that ``--scenario`` names.

    Raises:
        UsageError: It is the name of a scenario, and there is none of this name.
    """
    from tiktok_hook import trigger
    from tiktok_hook.suggestions import did_you_mean

    file = expanded(text)
    # os.path: False, not an error, if the name is too long
    if file.name != text or file.suffix or os.path.exists(file):  # noqa: PTH110
        return file
    raise UsageError(
        f"There is no scenario {text!r}.",
        hint=did_you_mean(text, trigger.SCENARIOS)
        or f"There are {', '.join(trigger.SCENARIOS)}, or name a file.",
    )


def _shuffled(bodies: Iterable[bytes], planned: int, *, seed: int | None) -> Iterable[bytes]:
    """The bodies in random order; a line on stderr names the seed that repeats it.

    Raises:
        UsageError: There is only one, or there are too many to hold in memory.
    """
    import random

    if not 1 < planned <= _MAX_SHUFFLED:
        raise UsageError(
            f"--shuffle takes 2 to {_MAX_SHUFFLED} events, and {planned} would be sent.",
            hint="Use --count, --duplicate or --scenario.",
        )
    used = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    click.echo(f"The order is random; --seed {used} repeats it.", err=True)
    every = list(bodies)
    random.Random(used).shuffle(every)  # noqa: S311 - an order, not a secret
    return every


def _bar(planned: int) -> "Progress | None":
    """Make a progress bar for stderr; None without a terminal, or for few events."""
    if planned <= _LINES or not sys.stderr.isatty():
        return None
    from tiktok_hook.terminal.progress import Progress

    return Progress("Sending", planned)


def _name(body: bytes) -> str:
    from tiktok_hook import events
    from tiktok_hook.sanitize import visible

    event = events.parse(body)
    return visible(event.name) if event is not None else "the body"


def _answer(reply: "Reply") -> str:
    return f"{reply.status or reply.error} in {_ms(reply.duration_ms)}"


def _ms(milliseconds: float) -> str:
    from tiktok_hook.terminal import words

    return words.milliseconds(milliseconds)


def _duration(seconds: float) -> str:
    from tiktok_hook.terminal import words

    return words.duration(seconds)


def _as_json(tries: "list[Try]") -> list[Any]:
    return [each.as_json() for each in tries]


def _list(*, as_json: bool) -> None:
    """List the sample events by product, and the scenarios."""
    from tiktok_hook import events, trigger

    kinds, stories = events.CATALOGUE.values(), trigger.SCENARIOS.items()
    if as_json:
        fields = ("name", "product", "meaning", "mark")
        known = [{field: getattr(kind, field) for field in fields} for kind in kinds]
        listed = [{"name": name, "meaning": story.meaning} for name, story in stories]
        click.echo(json.dumps({"events": known, "scenarios": listed}))
        return
    product = ""
    for kind in kinds:
        if kind.product != product:
            product = kind.product
            click.echo(product)
        mark = "" if kind.mark == "documented" else f" [{kind.mark}]"
        click.echo(f"  {kind.name:<44} {kind.meaning}{mark}")
    click.echo("Scenarios, with --scenario")
    for name, story in stories:
        click.echo(f"  {name:<44} {story.meaning}")
