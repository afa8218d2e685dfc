"""The one JSON shape read back: the other way round of `tiktok_hook.delivery`."""

from tiktok_hook.archive.fields import Fields
from tiktok_hook.delivery import Attempt, Delivery, Headers, Source
from tiktok_hook.signature import State, Verdict


def delivery_of(fields: Fields) -> Delivery:
    """The delivery of a line, as an import.

    Its id becomes the `imported_id`. What is made from the body (event, summary, redelivery) is
    made anew, so a line that somebody edited by hand does not contradict itself.

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
        verdict=_verdict(fields),
        status=fields.status("status"),
        imported_id=number,
        body_bytes=received if received is not None and received > len(body) else None,
    )


def _verdict(fields: Fields) -> Verdict:
    if "verdict" not in fields:
        return Verdict(State.UNCHECKED)
    found = fields.object("verdict")
    word = found.text("state")
    if word not in {each.value for each in State}:
        raise ValueError(f"verdict.state is not one of {', '.join(State)}")
    return Verdict(
        State(word),
        reason=found.text("reason", ""),
        hint=found.text("hint", ""),
        age_seconds=found.number("age_seconds"),
        secret=found.whole("secret"),
    )


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
