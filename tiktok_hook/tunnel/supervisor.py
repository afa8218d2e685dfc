"""Keeps one public URL online: starts the child, watches it, replaces it."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from tiktok_hook.delivery import Notice, TunnelChanged
from tiktok_hook.errors import AuthtokenError, HookError, TunnelError, UsageError
from tiktok_hook.tunnel import rejections
from tiktok_hook.tunnel.options import TunnelOptions
from tiktok_hook.tunnel.order import make_order
from tiktok_hook.tunnel.process import Child, running
from tiktok_hook.tunnel.protocol import (
    NGROK_SERVER,
    NO_POOLING,
    Beat,
    Lost,
    Message,
    Missed,
    Online,
    Order,
    Rejected,
    RemoteCommand,
)
from tiktok_hook.tunnel.rejections import NotOnlineError, Rejection
from tiktok_hook.tunnel.timing import Timing


@dataclass(frozen=True, slots=True)
class _Loss:
    """Why the tunnel is not online any more.

    Attributes:
        why: One sentence.
        since: Unix seconds when it was last known to be well.
        hung: Whether the child cannot be asked to leave.
    """

    why: str
    since: float
    hung: bool = True


class Tunnel:
    """A public URL that stays online; made by `open_tunnel`.

    One task (`run`) does everything: it starts a child, reads its messages, and replaces it. No
    other code changes the state, so there is no lock.

        start child ──first message in `connect` s?──no──> end it ──> wait ──> start child
                            │ Online
                        watch it ──Lost, Missed, silent, slept, ended──> end it ──> wait ──> start

    Invariants:
        - At most one child runs: the next one is started after the last one was reaped, so that our
          own dead session never competes for the domain for longer than ngrok keeps it.
        - Before the first URL one failure is final. Afterwards only an error that cannot heal is.
        - The wait is counted from the start of a try, not from its end: a try that took its whole
          deadline is followed by the next one at once.
        - `_settled` is set when `state.url` is known or `_error` is final, `_ended` when `run` is
          over. Those that wait for them look at `_error` next.
    """

    def __init__(
        self,
        order: Order,
        *,
        timing: Timing,
        publish: Callable[[TunnelChanged | Notice], None],
        clock: Callable[[], float],
    ) -> None:
        self.state = TunnelChanged("connecting", None, clock())
        """The tunnel's state; its `latency_ms` follows every heartbeat."""
        self.child_pid: int | None = None
        """Process id of the child that runs now; None between two of them."""
        self._order = order
        self._domain_chosen = order.domain is not None
        self._timing = timing
        self._publish = publish
        self._clock = clock
        self._settled = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: HookError | None = None

    @property
    def url(self) -> str:
        """The public URL as ngrok named it, scheme and port included."""
        assert self.state.url is not None, "open_tunnel gives out only tunnels with a URL"
        return self.state.url

    async def wait_closed(self) -> None:
        """Wait until it ends by itself.

        Raises:
            TunnelError: It ended for a reason that cannot heal, or was stopped from ngrok's
                dashboard.
        """
        await self._ended.wait()
        if self._error is not None:
            raise self._error

    async def opened(self) -> None:
        """Wait for the first URL; raises what was in its way."""
        await self._settled.wait()
        if self._error is not None:
            raise self._error

    async def run(self) -> None:
        """Be online until cancelled or rejected for good."""
        error: HookError | None = None
        try:
            await self._stay_online()
        except HookError as reason:
            error = reason
        finally:
            self._error = error
            self._set(
                TunnelChanged(
                    "closed", self.state.url, self._clock(), str(error) if error else None
                )
            )
            self._ended.set()
            self._settled.set()

    async def _stay_online(self) -> None:
        tries = 0
        while True:
            begun = time.monotonic()
            try:
                lasted = await self._one_life()
            except NotOnlineError as failure:
                wait = self._after_failure(failure.rejection, tries)
                tries += 1
            else:
                # One that is lost again and again at once is not replaced without a pause.
                tries = 0 if lasted >= self._timing.stable else min(tries + 1, 3)
                wait = self._wait(tries)
            await asyncio.sleep(max(0.0, begun + wait - time.monotonic()))

    def _wait(self, tries: int) -> float:
        """Seconds from the start of a try to the next, a little less at random."""
        waits = self._timing.waits
        return waits[min(tries, len(waits) - 1)] * random.uniform(0.8, 1.0)  # noqa: S311 - no secret

    def _after_failure(self, rejection: Rejection, tries: int) -> float:
        """The wait before the next try, or the error that makes trying again useless."""
        if self.state.url is None:
            # The first one is the user's to see, whatever it is.
            raise _error(rejection)
        wait = self._wait(tries + 1)
        if (
            rejection.code in rejections.DOMAIN_CODES
            and not self._domain_chosen
            and self._order.domain
        ):
            # ngrok does not give the host of its own choice twice: take what comes.
            self._order = replace(self._order, domain=None)
        elif not rejection.heals:
            raise _error(rejection)
        elif rejection.code in rejections.TAKEN:
            wait = min(wait, self._timing.taken)
        elif rejection.code in rejections.TOO_FAST:
            wait = self._timing.waits[-1]
        if self.state.error != rejection.message:
            self._set(replace(self.state, error=rejection.message))
        return wait

    async def _one_life(self) -> float:
        """Run one child from its start to its loss; how long it was online.

        Raises:
            NotOnlineError: It did not get that far.
            TunnelError: ngrok's dashboard stopped it.
        """
        try:
            async with running(self._order, patience=self._timing.leave) as child:
                self.child_pid = child.pid
                if (online := await self._connected(child)) is not None:
                    begun = time.monotonic()
                    self._went_online(online.url)
                    loss = await self._watch(child)
                    child.orderly = not loss.hung
                    self._went_offline(loss)
                    return time.monotonic() - begun
        finally:
            self.child_pid = None
        raise NotOnlineError(rejections.ended(*child.last_words()))

    async def _connected(self, child: Child) -> Online | None:
        """Wait for the URL; None when the child ended without a word.

        Raises:
            NotOnlineError: ngrok returned an error, could not be reached or did not answer.
        """
        server = self._order.server_addr or NGROK_SERVER
        try:
            async with asyncio.timeout(self._timing.connect):
                while (message := await child.next()) is not None:
                    if isinstance(message, Online):
                        return message
                    if isinstance(message, Rejected):
                        raise NotOnlineError(self._explained(message, server))
        except TimeoutError:
            child.orderly = False
            raise NotOnlineError(rejections.silent(server, self._timing.connect)) from None
        return None

    def _explained(self, rejected: Rejected, server: str) -> Rejection:
        return rejections.explain(
            rejected,
            domain=self._order.domain,
            server=server,
            cas=self._order.cas,
            proxy=_proxy_variable(),
        )

    async def _watch(self, child: Child) -> _Loss:
        """Follow an online child until it is of no use any more.

        Raises:
            TunnelError: ngrok's dashboard stopped it.
        """
        timing, clock = self._timing, self._clock
        heard, well = time.monotonic(), clock()
        apart = well - heard
        while True:
            begun = time.monotonic()
            loss = None
            try:
                async with asyncio.timeout(timing.tick):
                    message = await child.next()
            except TimeoutError:
                now = time.monotonic()
                if now - begun > timing.tick + 1:
                    heard = now  # we were stopped (Ctrl-Z, a debugger): hear the child out first
                elif now - heard > timing.silence:
                    loss = _Loss("The tunnel's process hung.", well)
            else:
                now = time.monotonic()
                loss = self._heard(message, well)
                if isinstance(message, Beat):
                    heard, well = now, clock()
            drift = clock() - now - apart
            apart += drift
            # When the wall clock runs ahead of the monotonic clock, the machine slept, and ngrok
            # has given up on the connection. The difference is kept up to date, so that a clock
            # that is adjusted slowly never adds up to a sleep.
            if drift > timing.sleep:
                loss = _Loss("This machine slept.", well)
            if loss is not None:
                return loss

    def _heard(self, message: Message | None, well: float) -> _Loss | None:
        """Act on a message of the child; the loss when it is to be replaced."""
        match message:
            case Beat(latency_ms):
                self._set(replace(self.state, latency_ms=latency_ms))
            case Missed():
                return _Loss("The connection to ngrok went silent.", well)
            case Lost(error):
                return _Loss(rejections.lost(error), self._clock(), hung=False)
            case RemoteCommand():
                return self._commanded(message)
            case None:
                return _Loss("The tunnel's process ended unexpectedly.", self._clock(), hung=False)
        return None

    def _commanded(self, command: RemoteCommand) -> _Loss | None:
        """Honour a button of ngrok's dashboard; the loss when the child is to be replaced."""
        if command.name == "stop":
            raise TunnelError(
                "The tunnel was stopped from ngrok's dashboard.",
                hint="Start again when you need it.",
            )
        if command.name == "restart":
            return _Loss("ngrok's dashboard asked for a restart.", self._clock(), hung=False)
        self._publish(
            Notice(
                "ngrok's dashboard asked for an update, which was declined.",
                hint="Update when it suits you: pip install --upgrade ngrok tiktok-hook",
                level="info",
            )
        )
        return None

    def _went_online(self, url: str) -> None:
        before, now = self.state, self._clock()
        if before.url is not None and before.url != url:
            self._publish(
                Notice(
                    f"The Callback URL changed: ngrok now gives {url} instead of {before.url}.",
                    hint="Paste the new one into the TikTok Developer Portal, or use --domain.",
                )
            )
        if self._order.domain is None:
            self._order = replace(self._order, domain=urlsplit(url).hostname)
        outage = max(0.0, now - before.since) if before.state == "reconnecting" else None
        self._set(TunnelChanged("online", url, now, outage_seconds=outage))
        self._settled.set()

    def _went_offline(self, loss: _Loss) -> None:
        self._set(TunnelChanged("reconnecting", self.state.url, loss.since, loss.why))

    def _set(self, state: TunnelChanged) -> None:
        self.state = state
        self._publish(state)


def _error(rejection: Rejection) -> HookError:
    if rejection.code in rejections.TOKEN_CODES:
        return AuthtokenError(rejection.message, hint=rejection.hint)
    kind = UsageError if rejection.code == NO_POOLING else TunnelError
    return kind(rejection.message, hint=rejection.hint)


def _proxy_variable() -> str | None:
    """The name of a proxy variable that is set; its value may hold a password."""
    names = {"HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY"}
    return next((name for name in os.environ if name.upper() in names and os.environ[name]), None)


@asynccontextmanager
async def open_tunnel(
    options: TunnelOptions,
    *,
    upstream: str,
    verify_secret: str | None = None,
    publish: Callable[[TunnelChanged | Notice], None] = lambda _event: None,
    timing: Timing | None = None,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Tunnel]:
    """Make a local address public through ngrok, and keep it so until the block ends.

    Args:
        options: What ngrok is asked for; the authtoken is in them, wherever it came from.
        upstream: Where requests go, with scheme and port: ``http://127.0.0.1:3000``.
        verify_secret: Have ngrok check TikTok's signature with this secret; None for not.
        publish: Called on the event loop with `TunnelChanged` when the state, its URL or its error
            changes and at every answered heartbeat, and with `Notice`.
        timing: How long things may take; None for the defaults.
        clock: Wall clock in Unix seconds.

    Raises:
        UsageError: An option cannot be used as given; nothing was started.
        TunnelError: There is no authtoken, ngrok returned an error, or did not answer in time.
            One try is made; later losses are healed for ever, and what cannot heal is reported by
            `Tunnel.wait_closed`.
    """
    timing = timing or Timing()
    order = make_order(options, upstream=upstream, verify_secret=verify_secret, timing=timing)
    tunnel = Tunnel(
        order,
        timing=timing,
        publish=publish,
        clock=clock,
    )
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(tunnel.run())
            try:
                await tunnel.opened()
                yield tunnel
            finally:
                task.cancel()
    except BaseExceptionGroup as failures:
        # Of one: the caller's own error, or a bug of ours. Neither should change its kind.
        if len(failures.exceptions) == 1:
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        raise
