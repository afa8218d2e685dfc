"""HAR: entries of our own exports back to what they were, entries of other programs leniently."""

import re
from collections.abc import Callable, Sequence

from tiktok_hook.archive.entry import Entry
from tiktok_hook.archive.fields import Fields
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
from tiktok_hook.archive.har import EXTENSION
from tiktok_hook.archive.recorded_body import Reading, of_base64, of_parameters, of_parsed, of_text
from tiktok_hook.archive.shapes import attempt_from, delivery_from
from tiktok_hook.delivery import Attempt, Headers
from tiktok_hook.exact_json import Json

_NOT_HTTP = re.compile(
    r"(?!https?:)([a-z][a-z0-9+.-]*://|(data|blob|about|javascript|file):)", re.I
)

Sibling = Callable[[str], bytes | None]
"""Reads a file of the HAR's folder, by the name that the HAR gives; None when it cannot be read."""


class OtherMethodError(ValueError):
    """The entry is a request that is not a POST; its text is the method."""


def entry(
    value: Json,
    *,
    secrets: Sequence[str] = (),
    sibling: Sibling = lambda _: None,
    file_time: float | None = None,
) -> Entry | Attempt:
    """What one entry of a HAR is: a delivery, or an attempt of an earlier one.

    Args:
        value: The entry, parsed.
        secrets: Client secrets, to find out which reading of a body was signed.
        sibling: Reads bodies that are stored in files next to the HAR.
        file_time: When the file was written, in Unix seconds.

    Raises:
        OtherMethodError: It is not a POST.
        ValueError: It cannot be used; the text is the reason.
    """
    if not isinstance(value, dict):
        raise UnusableError("it is not a JSON object")
    if isinstance(value.get(EXTENSION), dict):
        return _own(Fields(value))
    request = value.get("request")
    if not isinstance(request, dict):
        raise UnusableError("request is not a JSON object")
    method = request.get("method")
    if not isinstance(method, str) or method.upper() != "POST":
        raise OtherMethodError(method if isinstance(method, str) else "")
    url = request.get("url")
    if not isinstance(url, str) or not url:
        raise UnusableError("request.url is missing")
    if _NOT_HTTP.match(url):
        raise UnusableError("request.url is not http or https")
    headers, authority = headers_of(request.get("headers"))
    readings, note = _posted(request, sibling)
    return entry_of(
        RecordedRequest(
            url=url,
            headers=headers,
            authority=authority,
            http_version=_text(request.get("httpVersion")),
            at=time_of(value.get("startedDateTime")),
            readings=readings,
            body_note=note,
            recorded_size=size_of(request.get("bodySize")),
            response=_response(value, sibling),
        ),
        secrets=secrets,
        file_time=file_time,
    )


def _own(value: Fields) -> Entry | Attempt:
    request = value.object("request")
    ours = value.object(EXTENSION)
    headers = _own_headers(request)
    body = _own_body(request, "postData", "_encoding")
    if ours.text("type") == "delivery":
        return Entry(delivery_from(ours, headers=headers, body=body))
    response = value.object("response")
    return attempt_from(
        ours,
        request=request,
        request_headers=headers,
        request_body=body if ours.flag("request_body_changed") else None,
        headers=_own_headers(response),
        body=_own_body(response, "content", "encoding"),
    )


def _own_headers(message: Fields) -> Headers:
    found = []
    for each in message.list("headers"):
        header = Fields(each, "headers")
        name, value = header.text("name"), header.text("value", "")
        if not (name + value).isascii() and max(name + value) > "\xff":
            name, value = (part.encode("utf-8", "replace").decode("latin-1") for part in
                           (name, value))  # fmt: skip
        found.append((name, value))
    return tuple(found)


def _own_body(message: Fields, place: str, encoding: str) -> bytes:
    if place not in message:
        return b""
    data = message.object(place)
    if "text" not in data:
        return b""
    return data.base64("text") if data.get(encoding) == "base64" else data.encoded("text")


_PLAIN = {"", "utf-8", "utf8", "text", "plain", "identity", "none"}
"""Words in the place of an encoding for a text that is as it was sent."""

_NOT_BASE64 = "the file gives base64 as its encoding, and it is not"


def _posted(request: dict[str, Json], sibling: Sibling) -> tuple[Sequence[Reading], str]:
    """The readings of a request body, and a note on why it may be missing or different."""
    note = ""
    data = request.get("postData")
    if isinstance(data, str):
        return of_text(data, _content_type(request)), ""
    # HTTP Toolkit keeps bodies that are not text in a place of its own.
    for place in (data, request.get("_content"), request.get("content")):
        if not isinstance(place, dict):
            continue
        media_type = _text(place.get("mimeType")) or _content_type(request)
        text = place.get("text")
        if isinstance(text, str) and text:
            encoding = _text(place.get("_encoding")) or _text(place.get("encoding"))
            if encoding.lower() != "base64":
                note = "" if encoding.lower() in _PLAIN else f"its encoding is {encoding[:20]}"
                return of_text(text, media_type), note
            found = of_base64(text)
            return (found, "") if found else (of_text(text, media_type), _NOT_BASE64)
        if text is not None and not isinstance(text, str):
            return of_parsed(text), "the file has the parsed body, not its bytes"
        # Playwright and Chrome's tools store large bodies in files of their own.
        file = place.get("_file")
        if isinstance(file, str) and file:
            stored = sibling(file)
            if stored is not None:
                return [Reading(stored)], ""
            note = f"it is in {file[:80]}, which cannot be read"
        pairs = _parameters(place.get("params"))
        if pairs and "multipart" in media_type.lower():
            return [], "the file has the parts of a multipart form, not its bytes"
        if pairs:
            return of_parameters(pairs), "the file has the parameters of a form, not its bytes"
    return [], note


def _parameters(value: Json) -> list[tuple[str, str]]:
    if not isinstance(value, list):
        return []
    return [
        (_text(each.get("name")), _text(each.get("value")))
        for each in value
        if isinstance(each, dict) and isinstance(each.get("name"), str)
    ]


def _response(value: dict[str, Json], sibling: Sibling) -> RecordedResponse | None:
    response = value.get("response")
    if not isinstance(response, dict):
        return None
    headers, _ = headers_of(response.get("headers"))
    content = response.get("content")
    body = b""
    if isinstance(content, dict):
        text, file = content.get("text"), content.get("_file")
        if isinstance(text, str) and text:
            is_base64 = _text(content.get("encoding")).lower() == "base64"
            found = of_base64(text) if is_base64 else []
            body = (found or of_text(text, _text(content.get("mimeType"))))[0].data
        elif isinstance(file, str) and file:
            body = sibling(file) or b""
    took = value.get("time")
    is_time = isinstance(took, int | float) and not isinstance(took, bool) and 0 <= took < 1e9
    return RecordedResponse(
        status=status_of(response.get("status")),
        headers=headers,
        body=body,
        duration_ms=float(took) if is_time and isinstance(took, int | float) else None,
    )


def _content_type(request: dict[str, Json]) -> str:
    headers, _ = headers_of(request.get("headers"))
    return next((value for name, value in headers if name.lower() == "content-type"), "")


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
