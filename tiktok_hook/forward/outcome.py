"""Records of attempts: made before the request is sent, completed with the reply."""

from tiktok_hook import hints
from tiktok_hook.delivery import Attempt, Delivery, without_own_cookies
from tiktok_hook.forward.client import Reply
from tiktok_hook.forward.request import ForwardRequest
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import State

_WITH_DETAIL = frozenset({"tls", "protocol", "unreachable"})
"""Errors whose detail is added to the hint."""


def begun(
    delivery: Delivery,
    request: ForwardRequest,
    *,
    now: float,
    replay: bool = False,
    resigned: bool = False,
) -> Attempt:
    """The record of an attempt that is about to be made; the store numbers it.

    Args:
        delivery: The delivery to forward.
        request: The request made of it.
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
    """The attempt with its outcome, and a hint if the outcome is bad.

    Args:
        attempt: As `begun` returned it.
        reply: The outcome.
        verdict: Of the signature in the request; None if unknown.
    """
    hint = hints.for_answer(
        status=reply.status,
        error=reply.error,
        verdict=verdict,
        target=attempt.target,
        body=reply.body,
        location=reply.header("location"),
    )
    if reply.error in _WITH_DETAIL and reply.detail:
        hint = f"{hint} ({visible(reply.detail)})"
    if reply.status == 200 and verdict in {State.INVALID, State.MISSING}:
        hint = hints.for_accepted_forgery()
    return attempt.stored(
        status=reply.status,
        headers=without_own_cookies(reply.headers),
        body=reply.body,
        truncated=reply.truncated,
        duration_ms=reply.duration_ms,
        error=reply.error,
        hint=hint,
    )
