"""Sample events, signed as TikTok would, for a listener or any address."""

import time
from collections.abc import Sequence

from tiktok_hook import edits, events, signature
from tiktok_hook.delivery import SOURCE_HEADER, Headers, Source
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import Forwarder, Reply, Request

CONTENT_TYPE = "application/json;charset=UTF-8"
"""As TikTok spelled it in a public capture of 2022; the exact text is not documented."""


def body_of(event: str, *, sets: Sequence[str] = (), now: float | None = None) -> bytes:
    """The body of a sample event, created now, with changes.

    Args:
        event: A name of the catalogue.
        sets: ``PATH=VALUE`` each; ``content.…`` reaches into the string.
        now: Unix seconds of ``create_time``; None reads the clock. The portal's test event
            counts milliseconds, as TikTok's does.

    Raises:
        UsageError: The catalogue has no such event, or a path does not exist.
    """
    kind = events.kind_of(event)
    if kind is None:
        near = events.nearest(event)
        raise UsageError(
            f"There is no event {event!r} in the catalogue.",
            hint=f"Did you mean {' or '.join(near)}?"
            if near
            else "tiktok-hook trigger lists them.",
        )
    moment = time.time() if now is None else now
    created = int(moment * 1000) if kind.name == "tiktok.ping" else int(moment)
    name = [] if event == kind.name else [f"event={event}"]
    return edits.apply(events.sample(kind.name), sets=[f"create_time={created}", *name, *sets])


def request(url: str, body: bytes, *, secret: str | None, now: float | None = None) -> Request:
    """A signed POST of a body, marked as ours.

    Args:
        url: Where to.
        body: Exactly the bytes to send.
        secret: The client secret to sign with; None sends it without a signature.
        now: Unix seconds to sign with; None reads the clock.
    """
    headers: Headers = (
        ("Content-Type", CONTENT_TYPE),
        ("User-Agent", "tiktok-hook trigger"),
        (SOURCE_HEADER, Source.TRIGGER.value),
    )
    if secret is not None:
        moment = int(time.time() if now is None else now)
        headers += ((signature.HEADER, signature.sign(body, secret, timestamp=moment)),)
    return Request(method="POST", url=url, headers=headers, body=body)


async def send(request: Request, *, timeout: float = 10.0) -> Reply:
    """Send one request and give back what was answered; an error is in the reply, not raised."""
    async with Forwarder() as forwarder:
        return await forwarder.send(request, timeout=timeout)
