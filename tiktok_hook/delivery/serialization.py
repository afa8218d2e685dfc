"""JSON serialisation of deliveries and attempts."""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from tiktok_hook import app_body, exact_json
from tiktok_hook.delivery.records import Attempt, Delivery
from tiktok_hook.delivery.session_events import AttemptEnded
from tiktok_hook.delivery.shapes import (
    AnswerShape,
    AttemptShape,
    BodyShape,
    DeliveryShape,
    RequestShape,
    VerdictShape,
)
from tiktok_hook.sanitize import visible_json
from tiktok_hook.signature import Verdict


def timestamp(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC with microseconds: ``2026-11-23T08:00:00.000000Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


_BIDI_OR_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _body_fields(body: bytes) -> BodyShape:
    """``body`` if the bytes are text, otherwise ``body_base64``; both restore the exact bytes."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if _BIDI_OR_CONTROL.search(text):
        return {"body_base64": base64.b64encode(body).decode("ascii")}
    return {"body": text}


def _decoded_field(attempt: Attempt) -> AnswerShape:
    """``body_decoded``: the text of a body that is compressed or not UTF-8, next to it."""
    plain = app_body.decoded(attempt.headers, attempt.body)
    if plain is None or "body" not in (fields := _body_fields(plain)):
        return {}
    return {"body_decoded": fields["body"]}


def verdict_json(verdict: Verdict) -> VerdictShape:
    """The result of the signature check as JSON."""
    age = verdict.age_seconds
    return {
        "state": verdict.state.value,
        "reason": verdict.reason,
        "hint": verdict.hint,
        "age_seconds": None if age is None else round(age, 3),
        "secret": verdict.secret,
    }


def delivery_json(delivery: Delivery) -> DeliveryShape:
    """A delivery as JSON. Serialise it with `dump`, because numbers inside `event` are exact."""
    event = delivery.event
    return {
        "id": delivery.id,
        "received_at": timestamp(delivery.received_at),
        "source": delivery.source.value,
        "remote_addr": delivery.remote_addr,
        "method": delivery.method,
        "path": delivery.path,
        "query": delivery.query,
        "http_version": delivery.http_version,
        "headers": [[name, value] for name, value in delivery.headers],
        **_body_fields(delivery.body),
        "event": None if event is None else event.envelope,
        "summary": delivery.summary,
        "known": event is not None and event.known,
        "verdict": verdict_json(delivery.verdict),
        "redelivery_of": delivery.redelivery_of,
        "redelivery_number": delivery.redelivery_number,
        "status": delivery.status,
        "imported_id": delivery.imported_id,
        "body_bytes": len(delivery.body) if delivery.body_bytes is None else delivery.body_bytes,
        "body_state": delivery.body_state.value,
        "scheme": delivery.scheme,
        "listener": delivery.listener,
    }


def arrival_json(delivery: Delivery, *, waiting: bool) -> dict[str, Any]:
    """The line that `events --follow` and `wait` print for a new delivery.

    Args:
        delivery: As stored by now.
        waiting: Whether it has no answer yet.
    """
    return {"type": "delivery", **delivery_json(delivery), "waiting": waiting}


def attempt_json(attempt: Attempt) -> AttemptShape:
    """The one shape of an attempt; ``request.body`` is there only when it was changed."""
    changed: BodyShape = {}
    if attempt.request_body is not None:
        changed = _body_fields(attempt.request_body)
    request: RequestShape = {
        "method": attempt.request_method,
        "headers": [[name, value] for name, value in attempt.request_headers],
        **changed,
    }
    duration = attempt.duration_ms
    return {
        "id": attempt.id,
        "delivery_id": attempt.delivery_id,
        "number": attempt.number,
        "started_at": timestamp(attempt.started_at),
        "target": attempt.target,
        "replay": attempt.replay,
        "resigned": attempt.resigned,
        "variant": attempt.variant,
        "expects_rejection": attempt.expects_rejection,
        "request": request,
        "status": attempt.status,
        "duration_ms": None if duration is None else round(duration, 3),
        "headers": [[name, value] for name, value in attempt.headers],
        **_body_fields(attempt.body),
        **_decoded_field(attempt),
        "truncated": attempt.truncated,
        "error": attempt.error,
        "hint": attempt.hint,
        "app": attempt.app,
    }


def attempt_ended_json(event: AttemptEnded) -> dict[str, Any]:
    """An attempt that ended, with whether and when it is tried again."""
    at = event.next_try_at
    retry = {"will_retry": event.will_retry, "next_try_at": None if at is None else timestamp(at)}
    return {**attempt_json(event.attempt), **retry}


def answer_json(delivery: Delivery, attempt: Attempt | None) -> dict[str, Any]:
    """The ``answer`` object: our response to TikTok, for programs that need only results.

    Args:
        delivery: Its status is None if it was interrupted before TikTok was answered.
        attempt: The attempt that determined the response; None if no app was involved.
    """
    event = delivery.event
    duration = None if attempt is None else attempt.duration_ms
    return {
        "delivery_id": delivery.id,
        "status": delivery.status,
        "error": None if attempt is None else attempt.error,
        "duration_ms": None if duration is None else round(duration, 3),
        "event": None if event is None else event.name,
        "verdict": delivery.verdict.state.value,
        "user_openid": None if event is None else event.user_openid,
    }


def dump(shape: Mapping[str, Any]) -> bytes:
    """Serialise to one line of compact JSON, without a newline, with every number as received.

    The output is often shown in a terminal or editor, so deceptive characters are escaped.
    """
    try:
        line = orjson.dumps(shape, default=_exact)
    except TypeError:  # an integer over 64 bits, or a lone surrogate
        line = exact_json.dumps(shape, ascii_only=True).encode("ascii")
    return visible_json(line)


def _exact(value: object) -> orjson.Fragment:
    """Default function for orjson: writes an `ExactFloat` as its original text."""
    if isinstance(value, exact_json.ExactFloat):
        return orjson.Fragment(value.text)
    raise TypeError(f"{type(value).__name__} is not JSON serializable")
