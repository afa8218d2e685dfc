"""Attempts as they are recorded: begun before the bytes leave, ended with what came back."""

from tiktok_hook import hints
from tiktok_hook.delivery import Attempt, Delivery, without_own_cookies
from tiktok_hook.forward.client import Reply
from tiktok_hook.forward.request import ForwardRequest
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import State

_WITH_DETAIL = frozenset({"tls", "protocol", "unreachable"})
"""Errors of which the system or the answer says more than the word does."""


def begun(
    delivery: Delivery,
    request: ForwardRequest,
    *,
    now: float,
    replay: bool = False,
    resigned: bool = False,
) -> Attempt:
    """An attempt that is about to be made; its number comes from the store.

    Args:
        delivery: What it is made of.
        request: What goes out.
        now: Unix seconds.
        replay: Whether somebody asked for it.
        resigned: Whether the signature was made afresh.
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
    """The attempt with its outcome, and what a bad one probably means.

    Args:
        attempt: As it was begun.
        reply: What the app answered.
        verdict: What a right check says of the signature that the app was given.
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
