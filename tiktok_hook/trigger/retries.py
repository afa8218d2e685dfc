"""The redeliveries of one event, as TikTok makes them until it gets a 200.

TikTok documents that it tries again with growing gaps for up to 72 hours, and not how long the gaps
are. Ours begin with two minutes and double.

Source: https://developers.tiktok.com/doc/webhooks-overview
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tiktok_hook.exact_json import Json
from tiktok_hook.forward import Forwarder, Reply
from tiktok_hook.trigger.listener_api import ListenerApi
from tiktok_hook.trigger.run import send_signed

GIVEN_UP_SECONDS = 72 * 3600.0
"""After which TikTok drops an event for good."""

_FIRST_GAP_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Try:
    """One delivery of an event.

    Attributes:
        number: 1 for the first.
        after_seconds: When it would have come in production, after the first.
        reply: What was answered.
    """

    number: int
    after_seconds: float
    reply: Reply

    def as_json(self) -> dict[str, Json]:
        """This delivery, for programs."""
        return {
            "number": self.number,
            "after_seconds": self.after_seconds,
            "status": self.reply.status,
            "error": self.reply.error,
            "duration_ms": round(self.reply.duration_ms, 2),
        }


def schedule() -> Iterator[float]:
    """When each delivery would come in production, in seconds after the first; the first is 0."""
    after, gap = 0.0, _FIRST_GAP_SECONDS
    while after <= GIVEN_UP_SECONDS:
        yield after
        after, gap = after + gap, gap * 2


async def retry(
    body: bytes,
    url: str,
    *,
    secret: str | None,
    age: float = 0.0,
    bad_signature: bool = False,
    speed: float = 3600.0,
    timeout: float = 10.0,
    insecure: bool = False,
    through: ListenerApi | None = None,
    on_try: Callable[[Try], None] | None = None,
) -> list[Try]:
    """Deliver an event until it is answered 200 or TikTok would give up.

    Each delivery has the same body and a signature of its own.

    Args:
        body: Of the event.
        url: Where to.
        secret: The client secret; None sends it without a signature.
        age: Seconds since it was signed.
        bad_signature: Get one digit of the signature wrong.
        speed: Seconds of production in one second here; 3600 makes an hour a second.
        timeout: Seconds for each answer.
        insecure: Do not check the certificate of an https address.
        through: A running listener that signs and sends them; then neither `url` nor `secret` is
            used.
        on_try: Called with each as it ends.

    Returns:
        All of them; the last one's status is 200 unless TikTok would have given up.
    """
    tries: list[Try] = []
    before = 0.0
    async with Forwarder(insecure=insecure) as forwarder:
        for number, after in enumerate(schedule(), 1):
            await asyncio.sleep((after - before) / speed)
            before = after
            reply = await send_signed(
                forwarder,
                body,
                url,
                secret=secret,
                age=age,
                bad_signature=bad_signature,
                timeout=timeout,
                through=through,
            )
            tries.append(Try(number, after, reply))
            if on_try is not None:
                on_try(tries[-1])
            if tries[-1].reply.status == 200:
                break
    return tries
