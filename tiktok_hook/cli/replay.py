"""``tiktok-hook replay``: stored deliveries sent to an app again, changed and signed as asked."""

import asyncio
import itertools
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiktok_hook.cli import editing, options, selection, signature_options
from tiktok_hook.errors import AppError, UsageError
from tiktok_hook.sanitize import visible

if TYPE_CHECKING:
    from tiktok_hook.delivery import Attempt, Delivery
    from tiktok_hook.paths import Listener
    from tiktok_hook.replayer import Prepared, Signing
    from tiktok_hook.store import History, Store

_LINES = 20
"""Up to so many are told one by one on a terminal; for more there is a bar."""

_NAMED = 20
"""How many ids a hint names."""

_CLAIM_SECONDS = 3.0
"""How long --pending waits for another process that hands on the same."""

option = options.option

changing = options.together(
    option(
        "--set",
        "sets",
        multiple=True,
        metavar="PATH=VALUE",
        help="Change a value, as content.reason=spam_risk; += adds one. Repeatable.",
    ),
    option(
        "--unset", "unsets", multiple=True, metavar="PATH", help="Take a value out. Repeatable."
    ),
    option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Set a header."),
    option("--method", metavar="WORD", help="Use another HTTP method."),
    option("--path", metavar="PATH", help="Use another path and query."),
    option("--edit", is_flag=True, help="Change the body in $EDITOR first."),
)
"""The options that change what is sent."""


@click.command(cls=options.Command, example="tiktok-hook replay last --set content.reason=internal")
@click.argument("ids", metavar="[IDS]...", nargs=-1)
@selection.filters
@option("--pending", is_flag=True, help="Only what waits for the app.")
@option("--to", metavar="TARGET", help="Send it there.  [default: where it was sent before]")
@options.insecure_option
@changing
@option("--as-is", is_flag=True, help="Send the stored signature.  [default: sign afresh]")
@signature_options.ways
@option("--rate", type=click.FloatRange(min=0.01), metavar="N", help="Send at most N a second.")
@option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
@option(
    "--format",
    type=click.Choice(("compact", "json")),
    default="compact",
    show_default=True,
    help="How attempts are shown.",
)
@options.secret_option
@options.secret_file_option
@options.db_option
@options.config_option
def command(
    ids: tuple[str, ...],
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    db: Path | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
    **given: Any,
) -> None:
    """Send stored deliveries to your app again.

    IDS are numbers, ranges (3-7), last, last-2; or the filters choose. They go out one after the
    other, oldest first, signed afresh, and the attempts are kept in the history. Exits with 6 when
    an app did not answer 200.
    """
    known = options.resolve_secrets(secrets, secret_files)
    asyncio.run(_Replaying(given, known, selection.history_path(db)).run(ids))


@dataclass(frozen=True)
class _Series:
    """Deliveries that go to one place.

    Attributes:
        deliveries: Gives them, as often as asked.
        count: How many there are.
        target: Where they go; None is where each was sent before.
        leaves: The targets that each waits for no more once it is sent.
    """

    deliveries: "Callable[[], Iterator[Delivery]]"
    count: int
    target: str | None = None
    leaves: "Sequence[str]" = ()


class _Replaying:
    """One run of the command.

    Args:
        given: The options as click read them.
        secrets: To sign with, first one first.
        path: The history.
    """

    def __init__(self, given: dict[str, Any], secrets: tuple[str, ...], path: Path) -> None:
        self._given = given
        self._secrets = secrets
        self._path = path
        self._signing = _signing(given, signed=bool(secrets))
        self._listeners: list[Listener] = []
        self._planned = 0
        self._done = 0
        self._bad = 0
        self._unfit = 0
        self._bad_ids: list[int] = []
        self._waits_still = False
        self._hint = ""

    async def run(self, words: tuple[str, ...]) -> None:
        from tiktok_hook import paths
        from tiktok_hook.store import open_history, open_store

        self._listeners = paths.listeners()
        open_history(self._path).close()  # it has to be there: replaying makes none
        # What is only replayed is never made shorter. The claims outlive the store, so that what
        # left the queue is known not to be in it before others look.
        with (
            ExitStack() as claims,
            open_store(self._path, keep=sys.maxsize, keep_bytes=sys.maxsize) as store,
        ):
            if self._given["pending"] and not self._given["dry_run"]:
                await self._claim(store.history(), claims)
            series = self._chosen(store.history(), words)
            self._planned = sum(each.count for each in series)
            if not self._planned:
                pending = self._given["pending"]
                raise selection.nothing_waits() if pending else selection.nothing_fits()
            self._check_first(store, series)
            if self._given["dry_run"]:
                for each in series:
                    for delivery in each.deliveries():
                        if prepared := self._fitting(store, delivery, each.target):
                            _show(delivery, prepared)
                self._tell_unfit()
                return
            try:
                await self._send(store, series)
            finally:
                self._sum_up()
        if self._bad:
            raise AppError(
                f"The app did not answer 200 to {self._bad} of {self._planned}.",
                hint=f"tiktok-hook show {self._bad_ids[-1]} shows why. Once it is mended: "
                + self._again(),
            )
        self._tell_unfit()

    def _tell_unfit(self) -> None:
        if self._unfit:
            raise UsageError(
                f"{self._unfit} of {self._planned} could not be made as asked.",
                hint="The lines above say which and why.",
            )

    async def _claim(self, history: "History", claims: ExitStack) -> None:
        """Keep other processes from handing on what waits; those that do get some time to end."""
        from tiktok_hook.store import QueueLock

        for target in history.queue_targets():
            claim = claims.enter_context(QueueLock(self._path, target))
            deadline = time.monotonic() + _CLAIM_SECONDS
            while not claim.take():
                if time.monotonic() > deadline:
                    raise UsageError(
                        f"What waits for {target} is being handed on by another process.",
                        hint="A listener with --ack first does so by itself; if it is paused, "
                        "press p there.",
                    )
                await asyncio.sleep(_CLAIM_SECONDS / 50)

    def _chosen(self, history: "History", words: tuple[str, ...]) -> "list[_Series]":
        """What is to be sent; what comes meanwhile is not among it."""
        from tiktok_hook.store import Filter

        fitting = selection.where(self._given)
        named = bool(words) or fitting != Filter()
        newest = history.newest_id()
        if self._given["pending"]:
            if named:
                raise UsageError(
                    "--pending sends all that waits, so ids and filters have no place beside it.",
                    hint="Leave one of them.",
                )
            targets = history.queue_targets()
            if given := self._given["to"]:
                return [_waiting(history, None, target=given, leaves=targets)]
            return [_waiting(history, each, target=each, leaves=[each]) for each in targets]
        if not named:
            raise UsageError(
                "Which deliveries?", hint="tiktok-hook replay last, replay 3-7 or replay --failed."
            )
        where = selection.chosen(history, words, fitting)
        return [
            _Series(
                lambda: itertools.takewhile(lambda each: each.id <= newest, history.walk(where)),
                count=history.counts(where).received,
                target=self._given["to"],
            )
        ]

    def _check_first(self, store: "Store", series: "Sequence[_Series]") -> None:
        """Refuse what cannot be made of the first of several, before any is sent.

        The others have their turn: preparing them all would keep the first one waiting.
        """
        if self._planned == 1 or self._given["edit"]:
            return
        from tiktok_hook.edits import EditError

        delivery, target = next((each, one.target) for one in series for each in one.deliveries())
        try:
            self._prepared(store, delivery, target)
        except EditError as error:
            raise EditError(f"Delivery {delivery.id}: {error}", hint=error.hint) from error

    def _fitting(
        self, store: "Store", delivery: "Delivery", wanted: str | None = None
    ) -> "Prepared | None":
        """The same as `_prepared`; one of several that cannot be made is told, and None."""
        try:
            return self._prepared(store, delivery, wanted)
        except UsageError as error:
            if self._planned == 1 or self._given["edit"]:
                raise
            self._unfit += 1
            click.echo(f"Delivery {delivery.id} is not sent: {error}", err=True)
            return None

    def _prepared(
        self, store: "Store", delivery: "Delivery", wanted: str | None = None
    ) -> "Prepared":
        from tiktok_hook import replayer
        from tiktok_hook.forward import local_port, parse_header, parse_target, refuse_loop

        given = self._given
        target, whole = wanted and parse_target(wanted), False
        if not target and (queues := store.history().queues_of(delivery.id)):
            target = queues[0].target
        if not target:
            target, whole = replayer.recorded_target(store.history(), delivery.id), True
        if not target:
            raise UsageError(
                f"Delivery {delivery.id} was never sent anywhere.",
                hint="Name your app: --to 3000",
            )
        for running in self._listeners:
            page = running.inspector_url
            refuse_loop(
                [target],
                receiver_port=local_port(running.local_url),
                inspector_port=None if page is None else local_port(page),
                callback_url=running.callback_url,
            )
        return replayer.prepare(
            delivery,
            target,
            whole_target=whole,
            secrets=self._secrets,
            signing=self._signing,
            sets=given["sets"],
            unsets=given["unsets"],
            body=editing.edited(delivery.body) if given["edit"] else None,
            headers=[parse_header(text) for text in given["headers"]],
            method=given["method"],
            path=given["path"],
            now=time.time(),
        )

    async def _send(self, store: "Store", series: "Sequence[_Series]") -> None:
        from tiktok_hook.forward import Forwarder
        from tiktok_hook.replayer import replay_all

        bar = self._bar()
        async with Forwarder(insecure=self._given["insecure"]) as forwarder:
            with bar or nullcontext():
                for each in series:
                    attempts = replay_all(
                        each.deliveries(),
                        partial(self._fitting, store, wanted=each.target),
                        forwarder=forwarder,
                        store=store,
                        rate=self._given["rate"],
                        dequeue=each.leaves,
                    )
                    async for attempt in attempts:
                        self._count(attempt)
                        if bar is not None:
                            bar.update(1)
                        if bar is None or not sys.stdout.isatty():
                            self._report(attempt, hints=bar is None)

    def _count(self, attempt: "Attempt") -> None:
        self._done += 1
        if attempt.status != 200:
            self._bad += 1
            self._bad_ids.append(attempt.delivery_id)
            self._waits_still = self._waits_still or attempt.error is not None

    def _bar(self) -> Any:
        """A progress bar on a terminal's stderr; None when there are few or nobody looks."""
        if self._planned <= _LINES or not sys.stderr.isatty():
            return None
        return click.progressbar(
            length=self._planned, file=sys.stderr, label="Replaying", show_pos=True
        )

    def _report(self, attempt: "Attempt", *, hints: bool) -> None:
        if self._given["format"] == "json":
            from tiktok_hook.delivery import attempt_json, dump

            line = dump({"type": "attempt", **attempt_json(attempt)})
            click.echo(line.decode("utf-8", "surrogateescape"))
            return
        answer = attempt.status or attempt.error
        took = f"{attempt.duration_ms or 0:.0f} ms"
        # The target has the path that somebody sent.
        click.echo(f"{attempt.id} → {visible(attempt.target)} {answer} in {took}")
        if attempt.hint != self._hint and hints:
            self._hint = attempt.hint
            if attempt.hint:
                click.echo(f"    {attempt.hint}", err=True)

    def _sum_up(self) -> None:
        if self._planned > 1:
            words = f"{self._done} of {self._planned} sent, {self._bad} not answered 200."
            click.echo(words, err=True)

    def _again(self) -> str:
        """The command that sends once more what was not answered 200."""
        if self._given["pending"] and self._waits_still:
            which = "--pending"
        elif len(self._bad_ids) > _NAMED:
            which = "--failed"
        else:
            which = " ".join(str(number) for number in self._bad_ids)
        to = self._given["to"]
        return f"tiktok-hook replay {which}" + (f" --to {visible(shlex.quote(to))}" if to else "")


def _waiting(
    history: "History", queue: str | None, *, target: str, leaves: "Sequence[str]"
) -> _Series:
    """What waits for a target, or for any; read by number, as it shrinks while it is sent."""
    numbers = [each.id for each in history.pending(queue)]
    return _Series(
        lambda: (each for number in numbers if (each := history.get(number)) is not None),
        count=len(numbers),
        target=target,
        leaves=leaves,
    )


def _signing(given: dict[str, Any], *, signed: bool) -> "Signing":
    """How to sign; without a secret and without a wish, what is stored goes out.

    Raises:
        UsageError: Two ways are asked for, or the time cannot be read.
    """
    from tiktok_hook.replayer import Mode, Signing

    signature_options.validate(given)
    if given["age"]:
        return Signing(Mode.AGED, signature_options.seconds(given["age"]))
    for name, mode in (
        ("as_is", Mode.AS_IS),
        ("bad_signature", Mode.BAD),
        ("no_signature", Mode.NONE),
    ):
        if given[name]:
            return Signing(mode)
    return Signing() if signed else Signing(Mode.AS_IS)


def _show(delivery: "Delivery", prepared: "Prepared") -> None:
    """What would go out, made harmless for the screen."""
    request = prepared.request
    click.echo(f"# delivery {delivery.id}\n{request.method} {visible(request.url)}")
    for name, value in request.headers:
        click.echo(f"{visible(name)}: {visible(value)}")
    click.echo()
    click.echo(visible(request.body.decode("utf-8", "backslashreplace"), keep_newlines=True))
