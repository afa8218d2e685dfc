"""Recorded requests in other formats than HAR: ngrok's, webhook.site's, and a body alone."""

import base64
import binascii
from collections.abc import Sequence

from tiktok_hook.archive.entry import Entry
from tiktok_hook.archive.foreign import (
    RecordedRequest,
    RecordedResponse,
    UnusableError,
    entry_of,
    headers_of,
    size_of,
    status_of,
    time_of,
)
from tiktok_hook.archive.har_reader import OtherMethodError
from tiktok_hook.archive.recorded_body import Reading, of_text
from tiktok_hook.delivery import Headers
from tiktok_hook.exact_json import Json


def of_ngrok(value: Json, secrets: Sequence[str], file_time: float | None) -> Entry:
    """A request of ngrok's ``/api/requests/http``, whose ``raw`` has the exact bytes.

    Raises:
        OtherMethodError: It is not a POST.
        ValueError: It cannot be used.
    """
    if not isinstance(value, dict) or not isinstance(value.get("request"), dict):
        raise UnusableError("request is not a JSON object")
    line, headers, body = _raw(value["request"], "request")
    method, _, rest = line.partition(" ")
    target, _, version = rest.rpartition(" ")
    if method.upper() != "POST":
        raise OtherMethodError(method)
    length = next((text for name, text in headers if name.lower() == "content-length"), "")
    note = ""
    if length.isascii() and length.isdigit() and int(length) > len(body):
        note = f"ngrok recorded {len(body)} of {int(length)} bytes"
    duration = value.get("duration")
    response = None
    answer = value.get("response")
    if isinstance(answer, dict):
        try:
            _, answer_headers, answer_body = _raw(answer, "response")
        except UnusableError:
            (answer_headers, _), answer_body = headers_of(answer.get("headers")), b""
        is_number = isinstance(duration, int | float) and not isinstance(duration, bool)
        response = RecordedResponse(
            status=status_of(answer.get("status_code")),
            headers=answer_headers,
            body=answer_body,
            duration_ms=float(duration) / 1e6
            if is_number and isinstance(duration, int | float) and 0 <= duration < 1e15
            else None,
        )
    host = next((text for name, text in headers if name.lower() == "host"), "")
    secure = any(
        name.lower() == "x-forwarded-proto" and text.lower() == "https" for name, text in headers
    )
    address = value.get("remote_addr")
    return entry_of(
        RecordedRequest(
            url=f"{'https' if secure else 'http'}://{host or 'localhost'}{target}"
            if target.startswith("/")
            else target or "/",
            headers=headers,
            http_version=version,
            at=time_of(value.get("start")),
            remote_addr=address[:100] if isinstance(address, str) else "",
            readings=[Reading(body)] if body else [],
            body_note=note,
            response=response,
        ),
        secrets=secrets,
        file_time=file_time,
    )


def _raw(message: Json, name: str) -> tuple[str, Headers, bytes]:
    """First line, headers and body of a message that is recorded whole in base64."""
    raw = message.get("raw") if isinstance(message, dict) else None
    try:
        data = base64.b64decode(raw if isinstance(raw, str) else "", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        raise UnusableError(f"{name}.raw is not an HTTP message in base64")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = []
    for line in lines:
        key, _, text = line.partition(":")
        headers.append((key.strip(), text.strip(" \t")))
    if any(key.lower() == "transfer-encoding" and "chunked" in text.lower()
           for key, text in headers):  # fmt: skip
        body = _dechunked(body) or body
    return first, tuple(headers), body


def _dechunked(data: bytes) -> bytes | None:
    """The content of a chunked body; None if it is not chunked."""
    parts: list[bytes] = []
    while True:
        line, end, data = data.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            return None
        if not end or size < 0 or len(data) < size:
            return None
        if size == 0:
            return b"".join(parts)
        parts.append(data[:size])
        data = data[size:].removeprefix(b"\r\n")


def of_webhook_site(value: Json, secrets: Sequence[str], file_time: float | None) -> Entry:
    """A request of webhook.site's API or export.

    Raises:
        OtherMethodError: It is not a POST.
        ValueError: It cannot be used.
    """
    if not isinstance(value, dict):
        raise UnusableError("it is not a JSON object")
    method, url, content = value.get("method"), value.get("url"), value.get("content")
    if not isinstance(method, str) or method.upper() != "POST":
        raise OtherMethodError(method if isinstance(method, str) else "")
    if not isinstance(url, str):
        raise UnusableError("url is missing")
    headers, _ = headers_of(value.get("headers"))
    media_type = next((text for name, text in headers if name.lower() == "content-type"), "")
    address = value.get("ip")
    return entry_of(
        RecordedRequest(
            url=url,
            headers=headers,
            at=time_of(value.get("created_at")),
            remote_addr=address[:100] if isinstance(address, str) else "",
            readings=of_text(content, media_type) if isinstance(content, str) and content else [],
            recorded_size=size_of(value.get("size")),
        ),
        secrets=secrets,
        file_time=file_time,
    )


def of_body(
    data: bytes,
    headers: Sequence[tuple[str, str]],
    secrets: Sequence[str],
    file_time: float | None,
) -> Entry:
    """A delivery made of its body alone and the headers that the user gives."""
    return entry_of(
        RecordedRequest(url="/", headers=tuple(headers), readings=[Reading(data)] if data else []),
        secrets=secrets,
        file_time=file_time,
    )
