"""A session that is running: what is known of it, and what happened so far."""

import asyncio
import traceback
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tiktok_hook import replayer
from tiktok_hook.app_process import AppProcess
from tiktok_hook.bus import Bus, Subscription
from tiktok_hook.delivery import (
    FILTERED,
    AppState,
    Attempt,
    Delivery,
    Notice,
    Ready,
    Summary,
    TunnelState,
)
from tiktok_hook.errors import StoreError, UsageError
from tiktok_hook.forward import Forwarder
from tiktok_hook.relay import Relay
from tiktok_hook.replayer import NoTargetError, OwnAddresses, Replayer, ReplayTargets
from tiktok_hook.session.tally import Tally
from tiktok_hook.store import Store

if TYPE_CHECKING:
    from tiktok_hook.inspector import Status


@dataclass(kw_only=True)
class Session:
    """A `listen` that is running.

    Iterate over it for every delivery that is answered from then on, as it happens; it ends when
    the command beside does.

    Attributes:
        store: The history, open.
        forwarder: Talks to apps.
        secrets: The client secrets, first one first.
        tally: Counts.
        on_item: Called with everything that happens; None calls nobody.
        feed: Whoever wants to be told subscribes here.
        relay: Stores and hands on; holds the queue.
        ready: Everything known once the URL is up.
        public_url: The Callback URL where it can be reached from outside, else None.
        pooling: Whether other listeners share it.
        receiver_url: Where the receiver listens, path included; None before it does.
        tunnel: Where the tunnel stands; None without one.
        app: What is known of the first target, or of the command; None without both.
        app_process: The command beside; None without one.
        exit_code: Of the command beside; None while it runs or without one.
        ended: Set when the session has a reason of its own to end.
    """

    store: Store
    forwarder: Forwarder
    secrets: tuple[str, ...] = field(repr=False)
    tally: Tally
    on_item: Callable[[object], None] | None = None
    feed: Bus = field(default_factory=Bus)
    relay: Relay = field(init=False)
    ready: Ready = field(init=False)
    public_url: str | None = None
    pooling: bool = False
    receiver_url: str | None = None
    tunnel: TunnelState | None = None
    app: AppState | None = None
    app_process: AppProcess | None = None
    exit_code: int | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _cannot_store: bool = False
    _bugs: set[str] = field(default_factory=set)

    @property
    def callback_url(self) -> str:
        """The public HTTPS address to paste into TikTok."""
        return self.ready.callback_url

    @property
    def local_url(self) -> str:
        """Where the receiver listens on this machine, path included."""
        return self.ready.local_url

    @property
    def inspector_url(self) -> str | None:
        """The page of this session; None without an inspector."""
        return self.ready.inspector_url

    def status(self) -> "Status":
        """Where the session stands, for the inspector."""
        from tiktok_hook.inspector import Status

        return Status(
            callback_url=self.public_url or self.receiver_url,
            local_url=self.receiver_url,
            tunnel=self.tunnel,
            app=self.app,
            target_up=self.relay.target_up,
            targets=self.relay.targets,
            ack=str(self.relay.ack) if self.relay.targets else None,
            started_at=self.tally.started_at,
            counts=self.tally.total(),
            outages=self.tally.outages,
            waiting=self.relay.waiting,
            signed=bool(self.secrets),
            public=self.public_url is not None,
            pooling=self.pooling,
        )

    def summary(self) -> Summary:
        """The counts so far."""
        counts = self.tally.total()
        counts.pending, counts.pending_at = self.relay.waiting, self.relay.waited_for
        return counts

    def __aiter__(self) -> AsyncIterator[Delivery]:
        # Subscribed here and not at the first step, so that what comes in between is not missed.
        stack = ExitStack()
        return self._deliveries(stack.enter_context(self.feed.subscribe()), stack)

    async def _deliveries(
        self, arrivals: Subscription, stack: ExitStack
    ) -> AsyncIterator[Delivery]:
        with stack:
            if self.ended.is_set():  # what ended it was told before anybody could listen
                for item in arrivals.drain():
                    if isinstance(item, Delivery):
                        yield item
                return
            async for item in arrivals:
                if isinstance(item, Delivery):
                    yield item
                elif self.ended.is_set():
                    return

    def take(self, item: object) -> None:
        """Take note of something that happened, and tell everybody who listens."""
        if isinstance(item, Attempt) and item.error == FILTERED:
            if self.on_item is not None:  # nothing was tried: only the screen has to say so
                self.on_item(item)
            return
        if isinstance(item, AppState):
            if item.target is None or item.target == self.relay.targets[0]:
                self.app = item
        elif isinstance(item, Delivery) and not item.verdict.refused and self._cannot_store:
            self._cannot_store = False
            self.take(Notice("Deliveries are stored again.", level="info"))
        self.tally.add(item)
        if self.on_item is not None:
            self.on_item(item)
        self.feed.publish(item)

    def tunnel_changed(self, state: TunnelState) -> None:
        """Keep where the tunnel stands; before the session is ready nobody has to be told."""
        self.tunnel = state
        if hasattr(self, "ready"):
            self.take(state)

    def tunnel_beat(self, state: TunnelState) -> None:
        """Keep the latency, and show it; a heartbeat is no news for anybody else."""
        self.tunnel = state
        if self.on_item is not None and hasattr(self, "ready"):
            self.on_item(state)

    def unstored(self, error: StoreError) -> None:
        """A delivery was answered 503; said once until deliveries are stored again."""
        self.tally.count_unstored()
        if not self._cannot_store:
            self._cannot_store = True
            words = f"{error} TikTok is answered 503 and keeps what it has."
            self.take(Notice(words, hint=error.hint, level="error"))

    def bug(self, error: Exception) -> None:
        """Something of ours failed in a request; each kind is shown once, with its traceback."""
        text = "".join(traceback.format_exception(error))
        kind = f"{type(error).__name__} {traceback.extract_tb(error.__traceback__)[-1:]}"
        if kind not in self._bugs:
            self._bugs.add(kind)
            self.take(Notice(f"A bug of tiktok-hook: {text}", level="error"))

    def open_inspector(self) -> None:
        """Show the inspector in the user's browser."""
        if self.inspector_url is None:
            self.take(Notice("There is no inspector in this session.", level="info"))
        elif not webbrowser.open(self.inspector_url):
            self.take(Notice(f"No browser was found. Open {self.inspector_url}", level="info"))

    async def replay_last(self) -> None:
        """Send the newest delivery again, freshly signed.

        Rejected and imported deliveries are passed over.

        Raises:
            UsageError: There is nothing to send, or nowhere to send it.
            StoreError: The attempt could not be recorded.
        """
        newest = await asyncio.to_thread(replayer.newest_received, self.store.history())
        if newest is None:
            raise UsageError("There is no accepted delivery to replay yet.")
        sender = Replayer(self.store, self.forwarder, self.secrets, self._replay_targets)
        try:
            prepared = await sender.prepare(newest)
        except NoTargetError as error:
            raise UsageError(
                "There is no target to replay to.", hint="Start with --forward-to 3000."
            ) from error
        self.take(await sender.send(prepared))

    def _replay_targets(self) -> ReplayTargets:
        own = OwnAddresses.of_urls(self.receiver_url, self.inspector_url, self.public_url)
        return ReplayTargets(
            listener=next(iter(self.relay.targets), None),
            own=[own, *replayer.running_listeners()],
        )

    async def toggle_pause(self) -> None:
        """Let deliveries wait, or hand on what waits.

        Raises:
            UsageError: There is no target, so nothing can wait for it.
            StoreError: The history cannot be read.
        """
        if not self.relay.targets:
            raise UsageError("There is no target to pause.", hint="Start with --forward-to 3000.")
        if self.relay.ack == "hold":
            waiting = self.relay.waiting
            await self.relay.release()
            words = f"What waits is handed on now: {waiting}." if waiting else "Nothing waits."
        elif self.relay.paused:
            await self.relay.release()
            words = "Forwarding goes on."
        else:
            self.relay.pause()
            words = "Forwarding is paused: deliveries are stored, answered 200 and wait. p lets go."
        self.take(Notice(words, level="info"))

    def abandon(self) -> None:
        """End what would outlive this process, at once; for a second Ctrl-C."""
        if self.app_process is not None:
            self.app_process.abandon()
