"""Records of attempts: made before the request is sent, completed with the reply."""

from tiktok_hook import hints
from tiktok_hook.delivery import Attempt, Delivery, without_own_cookies
from tiktok_hook.forward.client import Reply
from tiktok_hook.forward.request import ForwardRequest
from tiktok_hook.signature import State


def begun(
    delivery: Delivery,
    request: ForwardRequest,
    *,
    now: float,
    replay: bool = False,
    resigned: bool = False,
) -> Attempt:
    """Create the record of an attempt that is about to be sent; the store numbers it.

    Args:
        delivery: The delivery to forward.
        request: The request for it.
        now: Unix seconds.
        replay: True if the attempt was made on request.
        resigned: True if the request was signed again.
    """
    return Attempt(
        delivery_id=delivery.id,
        started_at=now,
        target=request.url,
        replay=replay,
        resigned=resigned,
        request_method=request.method,
        request_headers=request.headers,
        request_body=None if request.body == delivery.body else request.body,
    )


def ended(attempt: Attempt, reply: Reply, *, verdict: State | None) -> Attempt:
    """Add the outcome to an attempt, and a hint if it is bad.

    Args:
        attempt: As returned by `begun`.
        reply: The outcome.
        verdict: The verdict of the signature in the request; None if unknown.
    """
    hint = explain(reply, target=attempt.target, verdict=verdict)
    return attempt.replace(
        status=reply.status,
        headers=without_own_cookies(reply.headers),
        body=reply.body,
        truncated=reply.truncated,
        duration_ms=reply.duration_ms,
        error=reply.error,
        hint=hint,
    )


def explain(reply: Reply, *, target: str, verdict: State | None) -> str:
    """Explain a bad outcome and what to do; empty if the app responded correctly.

    Args:
        reply: The outcome.
        target: Where the request went.
        verdict: Of the signature in the request; None if unknown.
    """
    if reply.status == 200 and verdict in {State.INVALID, State.MISSING}:
        return hints.for_accepted_forgery()
    return hints.for_answer(
        status=reply.status,
        error=reply.error,
        verdict=verdict,
        target=target,
        body=reply.body,
        headers=reply.headers,
        detail=reply.detail,
        evidence=reply.evidence,
    )
