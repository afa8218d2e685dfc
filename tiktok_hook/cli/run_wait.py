"""Wait for one delivery, and print it.

A module of its own, so that everything is imported before the command prints that it waits: Ctrl-C
in the middle of an import may end ``python -m`` by the signal, whatever is caught.
"""

import time

import click

from tiktok_hook import filters, paths
from tiktok_hook.cli import prose, selection
from tiktok_hook.delivery import Delivery, Source, arrival_json, dump
from tiktok_hook.errors import HookError, NoHistoryError
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import State
from tiktok_hook.store import Filter, HistoryReader, Location
from tiktok_hook.store.change_feed import Arrival, follow


class NothingArrivedError(HookError):
    """No matching delivery arrived; exit code 1."""


class Wait:
    """One run of the command.

    Args:
        wanted: What to wait for.
        location: Of the history, which need not exist yet.
        timeout: Seconds; None has no end.
    """

    def __init__(self, wanted: Filter, location: Location, timeout: float | None) -> None:
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

    def _awaited(self) -> HistoryReader:
        try:
            return selection.awaited(self._location, until=self._end)
        except NoHistoryError:
            raise self._nothing() from None

    def _print_first(self, history: HistoryReader, after: int) -> None:
        left = None if self._end is None else max(self._end - time.monotonic(), 0.0)
        for each in follow(history, self._wanted, after, seconds=left):
            if isinstance(each, Arrival) and self._counts(each.delivery):
                line = dump(arrival_json(each.delivery, waiting=each.waiting))
                click.echo(line.decode("utf-8", "surrogateescape"))
                return
        raise self._nothing()

    def _counts(self, delivery: Delivery) -> bool:
        """Whether it ends the wait; shows why not if it might have been expected to."""
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
        if self._wanted.match is not None:
            for reason, hint in filters.doubts(self._wanted.match):
                prose.note(f"Warning: {reason}\n  {hint}")

    def _show_listener(self) -> None:
        if self._location.is_shared:
            return  # its listener is on any machine: tiktok-hook team status
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
