"""Makes one attempt: recorded as begun, sent, recorded as ended."""

import asyncio
import time
from collections.abc import Callable, Sequence

from tiktok_hook import signature
from tiktok_hook.delivery import CUT, Attempt, AttemptEnded, AttemptStarted, Delivery, Notice
from tiktok_hook.forward import Forwarder, ForwardRequest, Reply, begun, build, ended, with_header
from tiktok_hook.relay.options import RelayOptions
from tiktok_hook.signature import State
from tiktok_hook.store import Store

LATE_SECONDS = 60.0
"""Deliveries forwarded later than this are signed again, since an app may check the age."""


class Sender:
    """Sends deliveries to apps and records the attempts.

    Args:
        options: The headers to set, and the timeout.
        store: Where attempts are recorded.
        forwarder: Talks to the apps.
        secrets: Client secrets, to sign late deliveries again.
        publish: Called with `AttemptStarted` by `send`, with `AttemptEnded` if an attempt is
            cancelled, and with `Notice`. The caller publishes every other end.
        clock: Unix seconds.
    """

    def __init__(
        self,
        options: RelayOptions,
        *,
        store: Store,
        forwarder: Forwarder,
        secrets: Sequence[str] = (),
        publish: Callable[[object], None] = lambda _event: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._forwarder = forwarder
        self._secrets = tuple(secrets)
        self._extra_headers = options.extra_headers
        self._timeout = options.forward_timeout
        self._publish = publish
        self._clock = clock
        self._late_noticed = False

    def prepare(self, delivery: Delivery, target: str) -> tuple[ForwardRequest, Attempt]:
        """The request to send now, and its attempt, which gets a number when it is recorded."""
        now = self._clock()
        secret = self._secret_of(delivery)
        late = now - delivery.received_at > LATE_SECONDS
        if late and secret is None:
            self._notice_late(delivery)
        resigned = late and secret is not None
        if late and secret is not None:
            fresh = signature.sign(delivery.body, secret, timestamp=int(now))
            headers = with_header(delivery.headers, signature.HEADER, fresh)
            delivery = delivery.replace(headers=headers)
        request = build(delivery, target, extra_headers=self._extra_headers)
        attempt = begun(delivery, request, now=now, resigned=resigned)
        return request, attempt.replace(app=self._store.app)

    def _notice_late(self, delivery: Delivery) -> None:
        """Publish once that late deliveries keep their old signature."""
        if self._late_noticed or delivery.header(signature.HEADER) is None:
            return
        self._late_noticed = True
        self._publish(
            Notice(
                f"Delivery {delivery.id} is forwarded late with its original signature; the app "
                "may reject it as too old.",
                "Give the client secret with --secret to have late deliveries signed again.",
            )
        )

    def _secret_of(self, delivery: Delivery) -> str | None:
        """The secret that a delivery was signed with, otherwise the first; None without any."""
        number = delivery.verdict.secret
        if number is not None and number <= len(self._secrets):
            return self._secrets[number - 1]
        return self._secrets[0] if self._secrets else None

    async def finish(
        self,
        delivery: Delivery,
        request: ForwardRequest,
        attempt: Attempt,
        *,
        queued: bool = False,
    ) -> tuple[Attempt, Reply]:
        """Send a request whose attempt is recorded as begun, and record how it ended.

        Args:
            delivery: As stored.
            request: From `prepare`.
            attempt: With its number.
            queued: Whether the delivery stays in the queue if this is cancelled.
        """
        began = time.monotonic()
        try:
            reply = await self._forwarder.send(request, timeout=self._timeout)
        except asyncio.CancelledError:
            cut = attempt.replace(
                error=CUT, duration_ms=(time.monotonic() - began) * 1000, hint=_CUT_HINT
            )
            self._store.end_attempt_nowait(cut)
            self._publish(AttemptEnded(cut, will_retry=queued))
            raise
        verdict = State.VALID if attempt.resigned else delivery.verdict.state
        done = ended(attempt, reply, verdict=verdict)
        self._store.end_attempt_nowait(done)
        return done, reply

    async def send(self, delivery: Delivery, target: str, *, queued: bool = False) -> Attempt:
        """Make one complete attempt with a stored delivery.

        Args:
            delivery: As stored.
            target: Where it goes.
            queued: Whether the delivery stays in the queue if this is cancelled.

        Raises:
            StoreError: The attempt could not be recorded, so nothing was sent.
        """
        request, attempt = self.prepare(delivery, target)
        attempt = await self._store.begin_attempt(attempt)
        self._publish(AttemptStarted(attempt))
        done, _ = await self.finish(delivery, request, attempt, queued=queued)
        return done


_CUT_HINT = "tiktok-hook ended before the app had answered."
