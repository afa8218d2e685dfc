"""Deliveries and attempts read from their JSON shape, as untrusted data."""

from tiktok_hook.archive.fields import Fields
from tiktok_hook.delivery import Attempt, BodyState, Delivery, Headers, Source
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import State, Verdict


def delivery_of(fields: Fields) -> Delivery:
    """The delivery of a line, as an import.

    Its id becomes the `imported_id`. Event, summary and redelivery are derived from the body again,
    and its verdict is not adopted: the author of the file may have written anything.

    Raises:
        ValueError: A field is not what it should be; the reason names it.
    """
    return delivery_from(fields, headers=fields.headers("headers"), body=fields.body())


def delivery_from(fields: Fields, *, headers: Headers, body: bytes) -> Delivery:
    """The same with headers and body from elsewhere, as a HAR has them."""
    number = fields.whole("id")
    if number is not None and number < 1:
        raise ValueError("id is not a positive number")
    received = fields.whole("body_bytes")
    return Delivery(
        received_at=fields.time("received_at"),
        source=Source.IMPORT,
        remote_addr=fields.text("remote_addr", ""),
        method=fields.method("method", "POST"),
        path=fields.path("path", "/"),
        query=fields.path("query", ""),
        http_version=fields.path("http_version", "1.1"),
        headers=headers,
        body=body,
        verdict=imported_verdict(_stated(fields)),
        status=fields.status("status"),
        imported_id=number,
        body_bytes=received if received is not None and received > len(body) else None,
        body_state=_body_state(fields),
        scheme=fields.one_of("scheme", ("", "http", "https")),
    )


def _body_state(fields: Fields) -> BodyState:
    return BodyState(fields.one_of("body_state", tuple(BodyState), BodyState.EXACT))


def imported_verdict(stated: str = "") -> Verdict:
    """The verdict of a delivery that came from a file and was not checked here.

    Args:
        stated: The verdict in the file, which is shown and never acted on.
    """
    note = f"Verdict in the file: {visible(stated[:20])}. " if stated else ""
    return Verdict(
        State.UNCHECKED, "imported", f"{note}tiktok-hook verify ID --secret - checks it here."
    )


def _stated(fields: Fields) -> str:
    verdict = fields.get("verdict")
    state = verdict.get("state") if isinstance(verdict, dict) else None
    return state if isinstance(state, str) else ""


def attempt_of(fields: Fields) -> Attempt:
    """The attempt of a line; it still names the delivery it had where it came from.

    Raises:
        ValueError: A field is not what it should be; the reason names it.
    """
    request = fields.object("request")
    changed = "body" in request or "body_base64" in request
    return attempt_from(
        fields,
        request=request,
        request_headers=request.headers("headers"),
        request_body=request.body() if changed else None,
        headers=fields.headers("headers"),
        body=fields.body(),
    )


def attempt_from(
    fields: Fields,
    *,
    request: Fields,
    request_headers: Headers,
    request_body: bytes | None,
    headers: Headers,
    body: bytes,
) -> Attempt:
    """The same with headers and bodies from elsewhere, as a HAR has them."""
    duration = fields.number("duration_ms")
    if duration is not None and duration < 0:
        raise ValueError("duration_ms is negative")
    return Attempt(
        delivery_id=fields.whole("delivery_id") or 0,
        started_at=fields.time("started_at"),
        target=fields.path("target"),
        replay=fields.flag("replay"),
        resigned=fields.flag("resigned"),
        variant=fields.text("variant", ""),
        expects_rejection=fields.flag("expects_rejection"),
        request_method=request.method("method", "POST"),
        request_headers=request_headers,
        request_body=request_body,
        status=fields.status("status"),
        headers=headers,
        body=body,
        truncated=fields.flag("truncated"),
        duration_ms=duration,
        error=fields.text("error") if "error" in fields else None,
        hint=fields.text("hint", ""),
    )
