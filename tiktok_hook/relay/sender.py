"""Makes one attempt: recorded as begun, sent, recorded as ended."""

import time
from collections.abc import Callable, Sequence

from tiktok_hook import signature
from tiktok_hook.delivery import Attempt, AttemptStarted, Delivery
from tiktok_hook.forward import Forwarder, ForwardRequest, Reply, begun, build, ended, with_header
from tiktok_hook.signature import State
from tiktok_hook.store import Store

LATE_SECONDS = 60.0
"""What goes out later than this after it came is signed afresh: an app may check freshness."""


class Sender:
    """Hands deliveries to apps and records what came of it.

    Args:
        store: Where attempts are recorded.
        forwarder: Talks to the apps.
        secrets: Client secrets, for signing late ones afresh.
        extra_headers: Set on everything that goes out.
        timeout: Seconds that an app may take.
        publish: Called with `AttemptStarted` by `send`.
        clock: Unix seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        forwarder: Forwarder,
        secrets: Sequence[str] = (),
        extra_headers: Sequence[tuple[str, str]] = (),
        timeout: float = 10.0,
        publish: Callable[[object], None] = lambda _event: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._forwarder = forwarder
        self._secrets = tuple(secrets)
        self._extra_headers = tuple(extra_headers)
        self._timeout = timeout
        self._publish = publish
        self._clock = clock

    def prepare(self, delivery: Delivery, target: str) -> tuple[ForwardRequest, Attempt]:
        """What would go out now, and its record before it has a number."""
        now = self._clock()
        secret = self._secret_of(delivery)
        late = secret is not None and now - delivery.received_at > LATE_SECONDS
        if late and secret is not None:
            fresh = signature.sign(delivery.body, secret, timestamp=int(now))
            headers = with_header(delivery.headers, signature.HEADER, fresh)
            delivery = delivery.stored(headers=headers)
        request = build(delivery, target, extra_headers=self._extra_headers)
        return request, begun(delivery, request, now=now, resigned=late)

    def _secret_of(self, delivery: Delivery) -> str | None:
        """The secret that its signature was made with, else the first; None without any."""
        number = delivery.verdict.secret
        if number is not None and number <= len(self._secrets):
            return self._secrets[number - 1]
        return self._secrets[0] if self._secrets else None

    async def finish(
        self, delivery: Delivery, request: ForwardRequest, attempt: Attempt
    ) -> tuple[Attempt, Reply]:
        """Send what has been recorded as begun, and record how it ended."""
        reply = await self._forwarder.send(request, timeout=self._timeout)
        verdict = State.VALID if attempt.resigned else delivery.verdict.state
        done = ended(attempt, reply, verdict=verdict)
        self._store.end_attempt_nowait(done)
        return done, reply

    async def send(self, delivery: Delivery, target: str) -> Attempt:
        """Make one whole attempt with a stored delivery.

        Raises:
            StoreError: It could not be recorded, so nothing was sent.
        """
        request, attempt = self.prepare(delivery, target)
        attempt = await self._store.begin_attempt(attempt)
        self._publish(AttemptStarted(attempt))
        done, _ = await self.finish(delivery, request, attempt)
        return done
