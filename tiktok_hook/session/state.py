"""The running session: its addresses, its state, and the actions of the user."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from tiktok_hook import filters, replayer
from tiktok_hook.app_process import AppProcess
from tiktok_hook.bus import Bus
from tiktok_hook.delivery import (
    Attempt,
    AttemptEnded,
    Delivery,
    Notice,
    Ready,
    Summary,
)
from tiktok_hook.errors import HookError, UsageError
from tiktok_hook.filters import DeliveryFilter
from tiktok_hook.forward import Forwarder
from tiktok_hook.moments import seconds
from tiktok_hook.relay import Relay
from tiktok_hook.replayer import NoTargetError, OwnAddresses, Replayer, ReplayTargets
from tiktok_hook.session.answered import AnsweredLog
from tiktok_hook.session.browser import open_page
from tiktok_hook.session.read_model import ReadModel
from tiktok_hook.store import Store

_NO_TARGET = "Start with --forward-to 3000, in Python with forward_to=3000."

WAIT_SECONDS = 30.0
"""Default timeout of `Session.wait_for`."""


@dataclass(kw_only=True, repr=False)
class Session:
    """A running `listen` session.

    Iterate over it to receive each delivery since the session began, as it is answered; every
    iteration begins with the first one. It ends when the command exits.

    Attributes:
        store: The open history.
        forwarder: The HTTP client that sends requests to apps.
        secrets: The client secrets in the given order.
        bus: Receives every event of the session.
        relay: Stores, queues and forwards deliveries.
        state: The current state, derived from the events so far.
        ready: Addresses and settings.
        answered: The deliveries since the session began.
        app_process: The process of the command; None without a command.
        ended_early: Whether the command exited before the session was ready.
    """

    store: Store
    forwarder: Forwarder
    secrets: tuple[str, ...] = field(repr=False)
    bus: Bus
    relay: Relay
    state: ReadModel
    ready: Ready
    answered: AnsweredLog
    app_process: AppProcess | None = None
    ended_early: bool = False
    _waited_for: set[int] = field(default_factory=set, repr=False)

    def __repr__(self) -> str:
        return f"<tiktok_hook.Session {self.callback_url}>"

    @property
    def callback_url(self) -> str:
        """The public HTTPS URL to paste into TikTok's developer portal."""
        return self.ready.callback_url

    @property
    def local_url(self) -> str:
        """The local URL of the receiver, including the path."""
        return self.ready.local_url

    @property
    def inspector_url(self) -> str | None:
        """The URL of the inspector, including the token; None without an inspector."""
        return self.ready.inspector_url

    @property
    def ended(self) -> asyncio.Event:
        """Set when the session ends by itself, for example because the command exited."""
        return self.state.ended

    @property
    def exit_code(self) -> int | None:
        """Exit code of the command; None while it runs or without a command."""
        return self.state.exit_code

    def summary(self) -> Summary:
        """The counts so far."""
        counts = self.state.tally.total()
        counts.pending, counts.pending_at = self.relay.last_waiting, self.relay.waited_for
        return counts

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self.answered.read()

    async def wait_for(
        self, where: str | None = None, timeout: float | timedelta | None = WAIT_SECONDS
    ) -> Delivery:
        """Wait for a delivery that was answered since the session began.

        No delivery is returned twice, so that the next call waits for the next one. Rejected
        deliveries never count; without a filter, ``tiktok.ping`` does not either.

        Args:
            where: A filter such as ``"post.publish.* user:OPEN_ID"``; None matches every event.
            timeout: Seconds, or a `timedelta`; None waits for ever.

        Raises:
            TimeoutError: None arrived in time; its notes name rejected deliveries that matched,
                and what is probably mistyped in the filter.
            UsageError: The filter cannot be read.
            HookError: The session ended by itself first.
        """
        if where is not None and not isinstance(where, str):
            raise UsageError(f"{where!r} is not a filter.", hint='For instance "post.publish.*".')
        wanted = None if where is None else filters.parse(where)
        limit = None if timeout is None else seconds(timeout)
        what = "No delivery" if wanted is None else f"No delivery that matches {wanted}"
        rejected: dict[int, Delivery] = {}
        try:
            async with asyncio.timeout(limit), aclosing(self.answered.read()) as deliveries:
                async for delivery in deliveries:
                    if not _is_wanted(delivery, wanted):
                        continue
                    if delivery.verdict.rejected:
                        rejected[delivery.id] = delivery
                    elif delivery.id not in self._waited_for:
                        self._waited_for.add(delivery.id)
                        return delivery
        except TimeoutError:
            error = TimeoutError(f"{what} arrived within {limit:g} s.")
            if rejected:
                last = next(reversed(rejected.values()))
                reason = last.verdict.reason or last.verdict.state
                error.add_note(f"Rejected: {len(rejected)} that matched; the last one: {reason}.")
            for doubt in () if wanted is None else filters.doubts(wanted):
                error.add_note(" ".join(doubt))
            raise error from None
        raise HookError(f"{what} arrived before the session ended.")

    def open_inspector(self) -> None:
        """Open the inspector in the user's browser. Returns immediately."""
        url = self.inspector_url
        if url is None:
            self.bus.publish(Notice("There is no inspector in this session.", level="info"))
            return
        notice = Notice(f"No browser was found. Open {url}", level="info")
        loop = asyncio.get_running_loop()

        def failed() -> None:
            with suppress(RuntimeError):  # the session has ended in the meantime
                loop.call_soon_threadsafe(self.bus.publish, notice)

        open_page(url, failed)

    async def replay_last(self) -> None:
        """Re-sign and send the newest delivery.

        Rejected and imported deliveries are skipped.

        Raises:
            UsageError: There is no delivery or no target.
            StoreError: The attempt could not be recorded.
        """
        newest = await asyncio.to_thread(replayer.newest_received, self.store.history())
        if newest is None:
            raise UsageError("There is no accepted delivery to replay yet.")
        await self._replay(newest)

    async def replay_last_failed(self) -> None:
        """Re-sign and send the newest delivery that the app did not answer with 200.

        Raises:
            UsageError: There is no failed delivery or no target.
            StoreError: The attempt could not be recorded.
        """
        history = self.store.history()
        newest = await asyncio.to_thread(replayer.newest_received, history, failed=True)
        if newest is None:
            raise UsageError("No delivery has failed.")
        await self._replay(newest)

    async def last_with_attempts(self) -> tuple[Delivery, Sequence[Attempt]]:
        """Return the newest delivery with its attempts.

        Raises:
            UsageError: There is no delivery yet.
            StoreError: The history cannot be read.
        """
        history = self.store.history()
        newest = await asyncio.to_thread(history.page, limit=1)
        if not newest:
            raise UsageError("There is no delivery to show yet.")
        return newest[0], await asyncio.to_thread(history.attempts, newest[0].id)

    async def _replay(self, delivery: Delivery) -> None:
        sender = Replayer(self.store, self.forwarder, self.secrets, self._replay_targets)
        try:
            prepared = await sender.prepare(delivery)
        except NoTargetError as error:
            raise UsageError(
                "There is no target to replay to.",
                hint=_NO_TARGET,
            ) from error
        self.bus.publish(AttemptEnded(await sender.send(prepared)))

    def _replay_targets(self) -> ReplayTargets:
        own = OwnAddresses.of_urls(
            self.local_url, self.inspector_url, self.callback_url if self.ready.public else None
        )
        return ReplayTargets(
            listener=next(iter(self.relay.targets), None),
            own=[own, *replayer.running_listeners()],
        )

    async def toggle_pause(self) -> None:
        """Pause forwarding, resume it, or with ``--ack hold`` forward the queued deliveries.

        Raises:
            UsageError: There is no target.
            StoreError: The history cannot be read.
        """
        if not self.relay.targets:
            raise UsageError(
                "There is no target to pause.",
                hint=_NO_TARGET,
            )
        if self.relay.ack == "hold":
            waiting = await asyncio.to_thread(lambda: self.relay.waiting)
            await self.relay.release()
            words = f"Forwarding queued deliveries: {waiting}." if waiting else "Nothing is queued."
        elif self.relay.paused:
            await self.relay.release()
            words = "Forwarding resumed."
        else:
            self.relay.pause()
            words = "Forwarding paused: deliveries are stored, answered 200 and queued. p resumes."
        self.bus.publish(Notice(words, level="info"))

    def abandon(self) -> None:
        """Kill the child process without waiting for it, on a second Ctrl-C."""
        if self.app_process is not None:
            self.app_process.abandon()


def _is_wanted(delivery: Delivery, wanted: DeliveryFilter | None) -> bool:
    if wanted is not None:
        return wanted.matches(delivery)
    return delivery.event is None or delivery.event.name != "tiktok.ping"
