"""Checks that the public URL leads to this receiver."""

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
    """Send one signed POST to the public URL and check that this receiver answers it.

    Args:
        url: The Callback URL.
        token: Identifies the request to the receiver, which does not store, show, forward or
            count it.
        known: The client secrets. The first one signs the request, so that verification at
            ngrok's edge accepts it.
        forwarder: Sends the request.
        through_edge: Whether ngrok verifies signatures. If so, a 403 means a wrong secret.
        pooling: Whether another listener that shares the URL may answer instead.
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
        hint = (
            "Another tiktok-hook answers at the public URL. "
            "Check where your tunnel or proxy forwards requests."
        )
        return SelfCheck(result="failed", hint=hint)
    return SelfCheck(result="failed", hint=_hint(reply.status, reply.error, through_edge))


def _hint(status: int | None, error: str | None, through_edge: bool) -> str:  # noqa: FBT001 - private
    if status == 403 and through_edge:
        return "ngrok's edge rejected the signature of the self-check. Check the client secret."
    if status is not None:
        return (
            f"The public URL answered {status}, but the response did not come from this receiver. "
            "Check for another server or proxy at that URL."
        )
    return (
        f"This machine cannot reach its own public URL ({error}), but TikTok may be able to. "
        "Press Test URL in the portal to check."
    )
