"""``tiktok-hook wait``: block until a matching delivery arrives, for scripts and CI jobs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_hook.cli import options, prose, selection
from tiktok_hook.errors import HookError, NoHistoryError, UsageError
from tiktok_hook.sanitize import visible
from tiktok_hook.store import Location

if TYPE_CHECKING:
    from tiktok_hook.delivery import Delivery
    from tiktok_hook.store import Filter, HistoryReader

_MOST_ID = 2**63 - 1


class NothingArrivedError(HookError):
    """No matching delivery arrived; exit code 1."""


@click.command(
    cls=options.Command,
    example='tiktok-hook wait "post.publish.complete user:OPEN_ID" --timeout 60',
)
@click.argument("words", metavar="[FILTER]...", nargs=-1)
@options.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Exit with 1 if nothing has arrived by then.  [default: no end]",
)
@options.option(
    "--after",
    metavar="ID",
    help="Also what is stored already with a greater id; 0 is all.  [default: the newest]",
)
@options.option(
    "--since",
    metavar="WHEN",
    help="Also what was received at or after: 10s (ago), 14:30, RFC 3339, @SECONDS.",
)
@options.option(
    "--cursor", is_flag=True, help="Print the newest id, for a later --after, and exit."
)
@options.db_option
@options.config_option
def command(
    words: tuple[str, ...],
    timeout: float | None,
    after: str | None,
    since: str | None,
    cursor: bool,  # noqa: FBT001 - click passes it by name
    db: Location | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> None:
    """Wait for a matching verified delivery and print it as JSON.

    FILTER is as in "post.publish.* user:OPEN_ID"; without one, every event but tiktok.ping matches.
    A delivery is verified if its signature is right; imported ones do not count. It is printed at
    its answer, or after 30 s with "waiting": true. What arrived before does not count, unless
    --after or --since names where to begin.

    Exits with 1 when --timeout ends or Ctrl-C is pressed before one arrives.
    """
    location = selection.located(db)
    if cursor:
        _print_cursor(location)
        return
    wanted = selection.matching(" ".join(words), _since(since))
    wait = _Wait(wanted, location, timeout)
    try:
        wait.run(_id(after), begun=since is not None)
    except KeyboardInterrupt:
        raise NothingArrivedError(f"Interrupted before {wait.what} arrived.") from None


def _print_cursor(location: Location) -> None:
    try:
        with selection.opened(location) as history:
            click.echo(history.newest_id())
    except NoHistoryError:
        click.echo(0)


def _since(text: str | None) -> "Filter":
    from tiktok_hook.store import Filter  # not needed for --help

    if text is None:
        return Filter()
    return Filter(since=selection.moment(text, option="--since", now=time.time()))


def _id(text: str | None) -> int | None:
    """The id of ``--after``; None without one."""
    if text is None:
        return None
    digits = text.strip().removeprefix("#")
    if not digits.isascii() or not digits.isdigit() or int(digits) > _MOST_ID:
        raise UsageError(
            f"--after {visible(text)!r} is not a delivery id.",
            hint="tiktok-hook wait --cursor prints one to begin after.",
        )
    return int(digits)


class _Wait:
    """One run of the command.

    Args:
        wanted: What to wait for.
        location: Of the history, which need not exist yet.
        timeout: Seconds; None has no end.
    """

    def __init__(self, wanted: "Filter", location: Location, timeout: float | None) -> None:
        self._wanted = wanted
        self._location = location
        self._timeout = timeout
        self._end = None if timeout is None else time.monotonic() + timeout
        self._unverified = 0

    @property
    def what(self) -> str:
        """What is waited for, in words."""
        match = self._wanted.match
        return "a delivery" if match is None else f"a delivery that matches {visible(str(match))}"

    def run(self, after: int | None, *, begun: bool) -> None:
        """Print the first delivery that counts.

        Args:
            after: The id to begin after; None begins with what arrives from now on.
            begun: Whether what is stored already counts too, as far as the time allows.

        Raises:
            NothingArrivedError: None arrived in time.
        """
        self._show_doubts()
        self._show_listener()
        try:
            history = selection.opened(self._location)
            if after is None and not begun:
                after = history.newest_id()
            self._show_start(after or 0, begun=begun)
        except NoHistoryError:  # all that will be in it arrives from now on
            prose.note(f"No history yet at {visible(self._location.label)}.")
            self._show_start(after or 0, begun=begun)
            history = self._awaited()
        with history:
            self._print_first(history, after or 0)

    def _awaited(self) -> "HistoryReader":
        try:
            return selection.awaited(self._location, until=self._end)
        except NoHistoryError:
            raise self._nothing() from None

    def _print_first(self, history: "HistoryReader", after: int) -> None:
        from tiktok_hook.delivery import arrival_json, dump
        from tiktok_hook.store.change_feed import Arrival, follow

        left = None if self._end is None else max(self._end - time.monotonic(), 0.0)
        for each in follow(history, self._wanted, after, seconds=left):
            if isinstance(each, Arrival) and self._counts(each.delivery):
                line = dump(arrival_json(each.delivery, waiting=each.waiting))
                click.echo(line.decode("utf-8", "surrogateescape"))
                return
        raise self._nothing()

    def _counts(self, delivery: "Delivery") -> bool:
        """Whether it ends the wait; shows why not if it might have been expected to."""
        from tiktok_hook.delivery import Source
        from tiktok_hook.signature import State

        if delivery.source is Source.IMPORT:
            return False
        event = delivery.event
        if self._wanted.match is None and event is not None and event.name == "tiktok.ping":
            return False
        if delivery.verdict.state in {State.VALID, State.STALE}:
            return True
        self._unverified += 1
        if self._unverified == 1:  # anybody can send more
            state = delivery.verdict.state
            why = "the listener has no client secret" if state is State.UNCHECKED else "not signed"
            why = delivery.verdict.reason or why
            prose.note(
                f"Delivery {delivery.id} matches but is {state} ({visible(why)}): only verified "
                "deliveries count."
            )
        return False

    def _show_doubts(self) -> None:
        from tiktok_hook import filters

        if self._wanted.match is not None:
            for reason, hint in filters.doubts(self._wanted.match):
                prose.note(f"Warning: {reason}\n  {hint}")

    def _show_listener(self) -> None:
        from tiktok_hook import paths

        running = {each.history for each in paths.listeners()}
        if self._location.identity not in running:
            prose.note(
                "No listener of this machine writes to this history now: tiktok-hook listen "
                "starts one."
            )

    def _show_start(self, after: int, *, begun: bool) -> None:
        start = f" with an id above {after}" if after or not begun else ""
        since = " since the time given" if begun else ""
        end = "" if self._timeout is None else f", for at most {self._timeout:g} s"
        prose.note(f"Waiting for {self.what}{start}{since}{end}.")

    def _nothing(self) -> NothingArrivedError:
        what = self.what.removeprefix("a ")
        hint = "tiktok-hook events lists what did; --after or --since also counts what is stored."
        if self._unverified:
            count = self._unverified
            hint = f"{count} matched without being verified: tiktok-hook events shows why."
        return NothingArrivedError(f"No {what} arrived within {self._timeout or 0:g} s.", hint=hint)
