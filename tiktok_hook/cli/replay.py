"""``tiktok-hook replay``: stored deliveries sent to an app again, changed and signed as asked."""

import itertools
import shlex
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiktok_hook.cli import completers, editing, options, prose, selection, signature_options
from tiktok_hook.errors import AppError, UsageError
from tiktok_hook.sanitize import visible

if TYPE_CHECKING:
    from tiktok_hook.delivery import Attempt, Delivery
    from tiktok_hook.replayer import PreparedReplay, Replayer, ReplayOptions, Signing
    from tiktok_hook.store import Filter, HistoryReader, Location, Store
    from tiktok_hook.terminal.progress import Progress

_LINES = 20
"""Up to this many attempts get a line each on a terminal; more get a progress bar."""

_NAMED = 20
"""How many ids a hint names."""

_LOCK_SECONDS = 3.0
"""How long --pending waits for another process that forwards the same queue."""

option = options.option

changing = options.together(
    option(
        "--set",
        "sets",
        multiple=True,
        metavar="PATH=VALUE",
        help="Change a value, as content.reason=spam_risk; += adds one. Repeatable.",
    ),
    option("--unset", "unsets", multiple=True, metavar="PATH", help="Remove a value. Repeatable."),
    option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Set a header."),
    option("--method", metavar="WORD", help="Use another HTTP method."),
    click.option(
        "--path", cls=options.OneCallOption, metavar="PATH", help="Use another path and query."
    ),
    option("--edit", is_flag=True, help="Change the body in $EDITOR first."),
    option("--with-id", is_flag=True, help="Add the header Tiktok-Hook-Replay-Of with the id."),
)
"""The options that change what is sent."""


@click.command(cls=options.Command, example="tiktok-hook replay last --set content.reason=internal")
@click.argument(
    "words",
    metavar="[IDS | FILTER]...",
    nargs=-1,
    shell_complete=completers.ids_or_filter,
)
@selection.filters
@option("--pending", is_flag=True, help="Only deliveries that wait for the app.")
@option(
    "--as",
    "attach_as",
    metavar="NAME",
    help="The attached app whose queue --pending sends, and whose attempts these are.",
)
@option(
    "--to",
    metavar="TARGET",
    help="Send it there.  [default: where it was sent before, then the listener's target]",
)
@option(
    "--forward-to",
    "-f",
    "forward_to",
    multiple=True,
    metavar="TARGET",
    help="Target of what was never sent before, when no listener runs.",
)
@options.insecure_option
@changing
@option("--as-is", is_flag=True, help="Send the stored signature.  [default: sign again]")
@signature_options.ways
@option("--rate", type=click.FloatRange(min=0.01), metavar="N", help="Send at most N per second.")
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
    words: tuple[str, ...],
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    db: "Location | None",
    config: Path | None,  # noqa: ARG001 - read before the options are
    **given: Any,
) -> None:
    """Send stored deliveries to your app again.

    IDS are numbers, ranges (3-7), last, last-2; FILTER is as in "post.publish.* user:OPEN_ID". They
    are sent one after the other, oldest first, with a new signature, and the attempts are stored in
    the history.
    Imported deliveries never go to an address in the imported file.

    Exits with 6 when an app did not answer as it should: 200, or a 4xx to --bad-signature,
    --no-signature and --age.
    """
    import asyncio

    known = options.resolve_secrets(secrets, secret_files)
    asyncio.run(_ReplayCommand(given, known, selection.located(db)).run(words))


@dataclass(frozen=True)
class _Series:
    """Deliveries that go to one place.

    Attributes:
        deliveries: Returns them, as often as it is called.
        count: How many there are.
        target: Where they go; None uses each delivery's default target.
        leaves: The targets whose queue each leaves once it is sent.
    """

    deliveries: "Callable[[], Iterator[Delivery]]"
    count: int
    target: str | None = None
    leaves: "Sequence[str]" = ()


class _ReplayCommand:
    """One run of the command.

    Args:
        given: The options as click read them.
        secrets: To sign with, first one first.
        location: The history.
    """

    def __init__(
        self, given: dict[str, Any], secrets: tuple[str, ...], location: "Location"
    ) -> None:
        self._given = given
        self._secrets = secrets
        self._location = location
        self._options = _replay_options(given, _signing(given, signed=bool(secrets)))
        self._planned = 0
        self._sent = 0
        self._failed = 0
        self._not_possible = 0
        self._unedited = 0
        self._failed_ids: list[int] = []
        self._rejected = False  # at least one, as a wrong or old signature is
        self._still_queued = False
        self._hint = ""
        self._where: Filter | None = None
        self._app = _app_name(given["attach_as"])

    async def run(self, words: tuple[str, ...]) -> None:
        from tiktok_hook.forward import Forwarder
        from tiktok_hook.replayer import Replayer, running_targets
        from tiktok_hook.store import open_history, open_store

        open_history(self._location).close()  # it has to exist: replaying makes none
        setting = next(iter(self._given["forward_to"]), None)
        # Replaying never prunes. What left the queue is durable before its lock is released.
        async with AsyncExitStack() as stack:
            store = stack.enter_context(open_store(self._location, prune=False, app=self._app))
            if self._given["pending"] and not self._given["dry_run"]:
                await self._lock_queues(store, stack)
                stack.push_async_callback(store.flush)
            series = self._chosen(store.history(), words)
            self._planned = sum(each.count for each in series)
            if not self._planned:
                pending = self._given["pending"]
                raise selection.nothing_waits() if pending else selection.nothing_fits(self._where)
            async with Forwarder(insecure=self._given["insecure"]) as forwarder:
                replayer = Replayer(
                    store,
                    forwarder,
                    self._secrets,
                    lambda: running_targets(self._location, setting=setting),
                )
                await self._check_first(replayer, series)
                if self._given["dry_run"]:
                    for each in series:
                        async for prepared in self._prepared(replayer, each):
                            _show(prepared)
                    self._raise_not_possible()
                    return
                try:
                    await self._send(replayer, series)
                finally:
                    self._sum_up()
        self._raise_failed()
        self._raise_not_possible()

    def _raise_failed(self) -> None:
        if not self._failed:
            return
        hint = f"tiktok-hook show {self._failed_ids[-1]} shows why."
        if self._options.signing is None or not self._expects_rejection:
            hint += f" Once it is fixed: {self._again()}"
            wanted = "200"
            if self._rejected and self._options.signing is None and not self._secrets:
                hint = (
                    "The stored signature was sent, because no client secret was given; it is old, "
                    "and matches no changed body. Set TIKTOK_CLIENT_SECRET, or give --secret-file "
                    f"FILE, to sign again: {self._again()}"
                )
        else:
            wanted = "with a 4xx, as a bad signature deserves,"
        raise AppError(
            f"The app did not answer {wanted} to {self._failed} of {self._planned}.", hint=hint
        )

    @property
    def _expects_rejection(self) -> bool:
        return bool(
            self._given["bad_signature"] or self._given["no_signature"] or self._given["age"]
        )

    def _raise_not_possible(self) -> None:
        if self._not_possible:
            raise UsageError(
                f"{self._not_possible} of {self._planned} could not be prepared as asked.",
                hint="The lines above name them with the reason.",
            )

    async def _lock_queues(self, store: "Store", stack: AsyncExitStack) -> None:
        """Acquire the queue of every target; another process gets some time to release it."""
        import asyncio

        from tiktok_hook.store import ATTACHMENT

        names = [ATTACHMENT] if self._app is not None else []
        for target in (*names, *store.history().queue_targets()):
            lock = await stack.enter_async_context(store.queue_lock(target))
            deadline = time.monotonic() + _LOCK_SECONDS
            while not await lock.acquire():
                if time.monotonic() > deadline:
                    raise self._locked(target)
                await asyncio.sleep(_LOCK_SECONDS / 50)

    def _locked(self, target: str) -> UsageError:
        if not target:
            return UsageError(
                f"{self._app} is attached, and forwards its queue by itself.",
                hint="If it is paused, press p there.",
            )
        return UsageError(
            f"The queue of {target} is being forwarded by another process.",
            hint="A listener with --ack first does so by itself; if it is paused, press p there.",
        )

    def _chosen(self, history: "HistoryReader", words: tuple[str, ...]) -> "list[_Series]":
        """What is to be sent; what arrives meanwhile is not included."""
        from tiktok_hook.store import Filter

        fitting = selection.where(self._given)
        named = bool(words) or fitting != Filter()
        if fitting.failed:  # what is still queued will be sent without being asked for
            fitting = replace(fitting, queued=False)
        newest = history.newest_id()
        if self._given["pending"]:
            if named:
                raise UsageError(
                    "--pending sends everything that waits and cannot be combined with ids or "
                    "filters.",
                    hint="Leave one of them out.",
                )
            targets = history.queue_targets()
            if given := self._given["to"]:
                return [_waiting(history, None, target=given, leaves=targets)]
            return [_waiting(history, each, target=each, leaves=[each]) for each in targets]
        if not named:
            raise UsageError(
                "Which deliveries?",
                hint="tiktok-hook replay last, replay 3-7, replay post.* or replay --failed.",
            )
        self._where = where = selection.chosen(history, words, fitting)
        return [
            _Series(
                lambda: itertools.takewhile(lambda each: each.id <= newest, history.walk(where)),
                count=history.count(where),
                target=self._given["to"],
            )
        ]

    async def _check_first(self, replayer: "Replayer", series: "Sequence[_Series]") -> None:
        """Raise for an edit that the first of several does not allow, before any is sent.

        Only the first: preparing all of them would delay it.
        """
        if self._planned == 1 or self._given["edit"]:
            return
        from tiktok_hook.edits import EditError

        delivery, target = next((each, one.target) for one in series for each in one.deliveries())
        try:
            await replayer.prepare(delivery, replace(self._options, to=target))
        except EditError as error:
            raise EditError(f"Delivery {delivery.id}: {error}", hint=error.hint) from error
        except UsageError as error:
            # Recorded with this delivery, as a target that is our own receiver by now: the others
            # may have another one.
            if target is not None or type(error) is not UsageError:
                raise

    async def _prepared(
        self, replayer: "Replayer", series: _Series
    ) -> "AsyncIterator[PreparedReplay]":
        """Each request right before it is sent; what cannot be prepared is reported and skipped."""
        for delivery in series.deliveries():
            wanted = replace(self._options, to=series.target)
            if self._given["edit"]:
                body = editing.edited(delivery.body)
                if body is None:
                    self._unedited += 1
                    prose.note(
                        f"Delivery {delivery.id} was not sent: nothing was changed in the editor."
                    )
                    continue
                wanted = replace(wanted, body=body)
            try:
                prepared = await replayer.prepare(delivery, wanted)
            except UsageError as error:
                if self._planned == 1 or self._given["edit"]:
                    raise
                self._not_possible += 1
                prose.note(f"Delivery {delivery.id} was not sent: {error}")
                continue
            yield prepared

    async def _send(self, replayer: "Replayer", series: "Sequence[_Series]") -> None:
        bar = self._bar()
        with bar or nullcontext():
            for each in series:
                attempts = replayer.send_all(
                    self._prepared(replayer, each), rate=self._given["rate"], dequeue=each.leaves
                )
                async for attempt in attempts:
                    self._count(attempt)
                    if bar is not None:
                        bar.advance()
                    if bar is None or not sys.stdout.isatty():
                        self._report(attempt, hints=bar is None)

    def _count(self, attempt: "Attempt") -> None:
        self._sent += 1
        if attempt.failed:
            self._failed += 1
            self._failed_ids.append(attempt.delivery_id)
            self._rejected = self._rejected or attempt.status in {400, 401, 403}
            self._still_queued = self._still_queued or attempt.error is not None

    def _bar(self) -> "Progress | None":
        """A progress bar on stderr if it is a terminal; None when there are few attempts."""
        if self._planned <= _LINES or not sys.stderr.isatty():
            return None
        from tiktok_hook.terminal.progress import Progress

        return Progress("Replaying", self._planned)

    def _report(self, attempt: "Attempt", *, hints: bool) -> None:
        if self._given["format"] == "json":
            from tiktok_hook.delivery import attempt_json, dump

            shape = dump({"type": "attempt", **attempt_json(attempt)})
            click.echo(shape.decode("utf-8", "surrogateescape"))
            return
        from tiktok_hook.terminal.words import milliseconds

        answer = attempt.status or attempt.error
        took = milliseconds(attempt.duration_ms or 0.0)
        # The target includes a path that a stranger sent.
        line = f"{attempt.id} → {visible(attempt.target)} {answer} in {took}"
        if attempt.expects_rejection and not attempt.failed:
            line += ", rejected as it should be"
        click.echo(line)
        shown = attempt.failed or not attempt.expects_rejection
        if shown and attempt.hint != self._hint and hints:
            self._hint = attempt.hint
            if attempt.hint:
                prose.note(f"    {attempt.hint}")

    def _sum_up(self) -> None:
        if self._planned == 1 and not self._unedited:
            return
        if self._unedited and not self._sent:
            prose.note(
                "Nothing was sent. An editor that returns before you save needs an option to "
                'wait: EDITOR="code --wait".'
            )
            return
        if not self._failed and self._sent == self._planned:
            good = "rejected with a 4xx" if self._expects_rejection else "answered 200"
            click.echo(f"{self._sent} sent, all {good}.", err=True)
            return
        click.echo(f"{self._sent} of {self._planned} sent, {self._failed} failed.", err=True)

    def _again(self) -> str:
        """The command that sends what failed once more, as it was sent."""
        changing = ("sets", "unsets", "headers", "method", "path", "edit", "with_id", "as_is")
        if any(self._given[name] for name in changing):
            return "the same command again"
        if self._given["pending"] and self._still_queued:
            which = "--pending"
        elif len(self._failed_ids) > _NAMED:
            which = "--failed"
        else:
            which = " ".join(str(number) for number in self._failed_ids)
        to = self._given["to"]
        name = f" --as {visible(shlex.quote(self._app))}" if self._app is not None else ""
        to = f" --to {visible(shlex.quote(to))}" if to else ""
        return f"tiktok-hook replay {which}{name}{to}"


def _app_name(given: str | None) -> str | None:
    from tiktok_hook.store.app_name import checked_app_name

    return None if given is None else checked_app_name(given)


def _waiting(
    history: "HistoryReader", queue: str | None, *, target: str, leaves: "Sequence[str]"
) -> _Series:
    """Queued deliveries of a target, or of any, read by id: the queue shrinks while it is sent."""
    numbers = [each.id for each in history.pending(queue)]
    return _Series(
        lambda: (each for number in numbers if (each := history.get(number)) is not None),
        count=len(numbers),
        target=target,
        leaves=leaves,
    )


def _replay_options(given: dict[str, Any], signing: "Signing | None") -> "ReplayOptions":
    from tiktok_hook.forward import parse_header
    from tiktok_hook.replayer import ReplayOptions

    return ReplayOptions(
        signing=signing,
        sets=given["sets"],
        unsets=given["unsets"],
        headers=[parse_header(text) for text in given["headers"]],
        method=given["method"],
        path=given["path"],
        with_id=given["with_id"],
    )


def _signing(given: dict[str, Any], *, signed: bool) -> "Signing | None":
    """How to sign; None without one of the options.

    Raises:
        UsageError: Two of the options exclude each other, the time is not valid, or a secret is
            needed.
    """
    from tiktok_hook.replayer import Mode, Signing

    signature_options.validate(given)
    if not signed:
        signature_options.require_secret(given)
    if given["age"]:
        return Signing(Mode.AGED, signature_options.seconds(given["age"]))
    for name, mode in (
        ("as_is", Mode.AS_IS),
        ("bad_signature", Mode.BAD),
        ("no_signature", Mode.NONE),
    ):
        if given[name]:
            return Signing(mode)
    return None


def _show(prepared: "PreparedReplay") -> None:
    """Print what would be sent, escaped for the screen."""
    request = prepared.request
    variant = f" ({prepared.variant})" if prepared.variant else ""
    click.echo(f"# delivery {prepared.delivery.id}{variant}")
    click.echo(f"{request.method} {visible(request.url)}")
    for name, value in request.headers:
        click.echo(f"{visible(name)}: {visible(value)}")
    click.echo()
    click.echo(visible(request.body.decode("utf-8", "backslashreplace"), keep_newlines=True))
