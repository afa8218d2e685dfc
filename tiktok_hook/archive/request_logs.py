"""Recorded requests in other formats than HAR: ngrok's, webhook.site's, and a body alone."""

import base64
import binascii
import re
from collections.abc import Sequence

from tiktok_hook.archive.entry import Entry
from tiktok_hook.archive.foreign import (
    RecordedRequest,
    RecordedResponse,
    UnusableError,
    content_length,
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
    line, headers, body, is_whole = _raw(value["request"], "request")
    method, _, rest = line.partition(" ")
    target, _, version = rest.rpartition(" ")
    if method.upper() != "POST":
        raise OtherMethodError(method)
    length = content_length(headers)
    note = ""
    if length is not None and length > len(body):
        note = f"ngrok recorded {len(body)} of {length} bytes"
    elif not is_whole:
        note = f"ngrok recorded {len(body)} bytes, and its chunked body ends early"
    duration = value.get("duration")
    response = None
    answer = value.get("response")
    if isinstance(answer, dict):
        try:
            _, answer_headers, answer_body, _ = _raw(answer, "response")
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


def _raw(message: Json, name: str) -> tuple[str, Headers, bytes, bool]:
    """First line, headers and body of a message in base64; and whether a chunked body ends."""
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
    is_whole = True
    if any(key.lower() == "transfer-encoding" and "chunked" in text.lower()
           for key, text in headers) and _CHUNK.match(body):  # fmt: skip
        body, is_whole = _dechunked(body)
    return first, tuple(headers), body, is_whole


_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;[^\r\n]*)?\r\n")


def _dechunked(data: bytes) -> tuple[bytes, bool]:
    """The content of a chunked body as far as it is there, and whether it ends."""
    parts: list[bytes] = []
    at = 0
    while chunk := _CHUNK.match(data, at):
        size = int(chunk[1], 16)
        if size == 0:
            return b"".join(parts), True
        part = data[chunk.end() : chunk.end() + size]
        parts.append(part)
        at = chunk.end() + size
        if data[at : at + 2] == b"\r\n":
            at += 2
        elif len(part) < size:
            break
    return b"".join(parts), False


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
