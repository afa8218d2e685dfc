"""HAR read: our own back to what it was, those of other tools as well as they tell."""

import re
from collections.abc import Callable
from urllib.parse import urlencode

from tiktok_hook.archive.fields import Fields
from tiktok_hook.archive.har import EXTENSION
from tiktok_hook.archive.shapes import attempt_from, delivery_from
from tiktok_hook.delivery import Attempt, Delivery, Headers, Source, without_own_cookies
from tiktok_hook.exact_json import Json

_UP_TO_PATH = re.compile("[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")

Found = Delivery | Attempt | None


def read(document: Json, fail: Callable[[int, str], Exception]) -> list[Found]:
    """What each entry of a HAR holds; None for a request that is no POST.

    Args:
        document: The whole of it, parsed.
        fail: Makes the error for an entry, counted from 1, and a reason; 0 is the whole.
    """
    try:
        entries = Fields(document).object("log").list("entries")
    except ValueError as error:
        raise fail(0, str(error)) from None
    found: list[Found] = []
    for number, entry in enumerate(entries, 1):
        try:
            found.append(entry_of(Fields(entry)))
        except ValueError as error:
            raise fail(number, str(error)) from None
    return found


def entry_of(entry: Fields) -> Found:
    """What one entry holds; None for a request that is no POST.

    Raises:
        ValueError: It cannot be used; the text tells why.
    """
    request = entry.object("request")
    if EXTENSION not in entry:
        return _foreign(entry, request)
    ours = entry.object(EXTENSION)
    headers = _headers(request, decoded=False)
    body = _posted(request)
    if ours.text("type") == "delivery":
        return delivery_from(ours, headers=headers, body=body)
    response = entry.object("response")
    return attempt_from(
        ours,
        request=request,
        request_headers=headers,
        request_body=body if ours.flag("request_body_changed") else None,
        headers=_headers(response, decoded=False),
        body=_answered(response),
    )


def _foreign(entry: Fields, request: Fields) -> Delivery | None:
    """A POST that some other tool recorded; None for any other request."""
    method = request.method("method")
    if method != "POST":
        return None
    path, query = _path_and_query(request.text("url"))
    return Delivery(
        received_at=entry.time("startedDateTime"),
        source=Source.IMPORT,
        method=method,
        path=path,
        query=query,
        headers=_headers(request, decoded=True),
        body=_posted(request),
        status=entry.object("response").status("status") if "response" in entry else None,
    )


def _path_and_query(url: str) -> tuple[str, str]:
    """As they stand in the request line, still percent-encoded."""
    after_host = _UP_TO_PATH.sub("", url, count=1)
    path, _, query = after_host.partition("#")[0].partition("?")
    unfit = {ord(each): f"%{ord(each):02X}" for each in map(chr, (*range(33), 127))}
    return path.translate(unfit) or "/", query.translate(unfit)


def _headers(message: Fields, *, decoded: bool) -> Headers:
    """In order; what HTTP/2 has beside them, with names like ``:path``, is left out.

    Args:
        message: The request or response.
        decoded: Whether the values may be text rather than one character for each byte.
    """
    found = []
    for each in message.list("headers"):
        header = Fields(each, "headers")
        name, value = header.text("name"), header.text("value", "")
        if name.startswith(":"):
            continue
        if not (name + value).isascii() and (decoded or max(name + value) > "\xff"):
            name, value = (_as_bytes(part) for part in (name, value))
        found.append((name, value))
    return without_own_cookies(tuple(found))


def _as_bytes(text: str) -> str:
    return text.encode("utf-8", "replace").decode("latin-1")


def _posted(request: Fields) -> bytes:
    """The body of a request, in any of the ways tools write it."""
    if "postData" not in request:
        return b""
    data = request.object("postData")
    if "text" in data:
        if "base64" in {data.get("_encoding"), data.get("encoding")}:
            return data.base64("text")
        return data.encoded("text")
    pairs = []
    for each in data.list("params"):
        parameter = Fields(each, "postData.params")
        pairs.append((parameter.text("name"), parameter.text("value", "")))
    return urlencode(pairs).encode()


def _answered(response: Fields) -> bytes:
    if "content" not in response:
        return b""
    content = response.object("content")
    if "text" not in content:
        return b""
    return (content.base64 if content.get("encoding") == "base64" else content.encoded)("text")
