"""One sample event: its body and the signed request that carries it."""

import time
from collections.abc import Iterator, Sequence

from tiktok_hook import edits, events, signature
from tiktok_hook.delivery import SOURCE_HEADER, Headers, Source
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import ForwardRequest

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
    created = int(moment * 1000) if kind.milliseconds else int(moment)
    name = [] if event == kind.name else [f"event={event}"]
    return edits.apply(events.sample(kind.name), sets=[f"create_time={created}", *name, *sets])


def bodies(
    event: str, count: int, *, sets: Sequence[str] = (), now: float | None = None
) -> Iterator[bytes]:
    """Several different events of one sort, a second apart, the last one created now.

    Equal ones would be taken for redeliveries of one event.

    Args:
        event: A name of the catalogue.
        count: How many; they are made as they are asked for.
        sets: ``PATH=VALUE`` each, made in all of them.
        now: Unix seconds; None reads the clock.

    Raises:
        UsageError: At once, for what `body_of` raises it for.
    """
    moment = time.time() if now is None else now
    body_of(event, sets=sets, now=moment)
    return (body_of(event, sets=sets, now=moment - back) for back in reversed(range(count)))


def request(
    url: str,
    body: bytes,
    *,
    secret: str | None,
    now: float | None = None,
    age: float = 0.0,
    bad_signature: bool = False,
) -> ForwardRequest:
    """A signed POST of a body, marked as ours.

    Args:
        url: Where to.
        body: Exactly the bytes to send.
        secret: The client secret to sign with; None sends it without a signature.
        now: Unix seconds to sign with; None reads the clock.
        age: Seconds since it was signed; negative is in the future.
        bad_signature: Get one digit of the signature wrong.

    Raises:
        UsageError: The secret cannot be a client secret.
    """
    headers: Headers = (
        ("Content-Type", CONTENT_TYPE),
        ("User-Agent", "tiktok-hook trigger"),
        (SOURCE_HEADER, Source.TRIGGER.value),
    )
    if secret is not None:
        signature.checked_secret(secret, where="secret")
        moment = int((time.time() if now is None else now) - age)
        signed = signature.sign(body, secret, timestamp=max(0, moment))
        if bad_signature:
            signed = signature.with_wrong_digit(signed)
        headers += ((signature.HEADER, signed),)
    return ForwardRequest(method="POST", url=url, headers=headers, body=body)
