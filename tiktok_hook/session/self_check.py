"""Asks our own public URL whether it leads here."""

import secrets
import time
from collections.abc import Sequence

from tiktok_hook import signature
from tiktok_hook.delivery import (
    SELF_CHECK_BODY,
    SELF_CHECK_HEADER,
    SELF_CHECKED_BY_ANOTHER,
    SelfCheck,
)
from tiktok_hook.forward import Forwarder, ForwardRequest

DEADLINE_SECONDS = 10.0


async def self_check(
    url: str,
    token: str,
    known: Sequence[str],
    forwarder: Forwarder,
    *,
    through_edge: bool,
    pooling: bool = False,
) -> SelfCheck:
    """Send one signed POST through the public URL and see whether our receiver answers it.

    Args:
        url: The Callback URL.
        token: Tells our own receiver that it is us; never stored, shown, forwarded or counted.
        known: The client secrets; the first signs, so that ngrok's own check lets it pass.
        forwarder: Sends it.
        through_edge: Whether ngrok verifies signatures, which makes a 403 mean a wrong secret.
        pooling: Whether another listener that shares the URL may be the one who answers.
    """
    key = known[0] if known else secrets.token_hex(16)
    headers = (
        ("Content-Type", "application/json"),
        (signature.HEADER, signature.sign(SELF_CHECK_BODY, key, timestamp=int(time.time()))),
        (SELF_CHECK_HEADER, token),
        ("User-Agent", "tiktok-hook self-check"),
    )
    request = ForwardRequest(method="POST", url=url, headers=headers, body=SELF_CHECK_BODY)
    reply = await forwarder.send(request, timeout=DEADLINE_SECONDS)
    if reply.status == 200 and token.encode() in reply.body:
        return SelfCheck(result="ok")
    if reply.status == 200 and reply.body == SELF_CHECKED_BY_ANOTHER:
        if pooling:
            return SelfCheck(result="ok")
        hint = "Another tiktok-hook answers at the public URL: does a tunnel or proxy lead to it?"
        return SelfCheck(result="failed", hint=hint)
    return SelfCheck(result="failed", hint=_hint(reply.status, reply.error, through_edge))


def _hint(status: int | None, error: str | None, through_edge: bool) -> str:  # noqa: FBT001 - private
    if status == 403 and through_edge:
        return "ngrok's edge refused our own signed request: is the client secret right?"
    if status is not None:
        return (
            f"The public URL answered {status}, and not from this receiver: "
            "does something else stand before it?"
        )
    return (
        f"This machine cannot reach its own public URL ({error}); TikTok may. "
        "Press Test URL in the portal to see."
    )
