"""A request as received, the response to it, and the fixed responses of the receiver."""

import re
import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

from tiktok_hook.delivery import Headers

SERVER = "tiktok-hook"
"""The ``Server`` header. It names neither a version nor the libraries in use."""

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = frozenset(
    {"connection", "content-length", "content-type", "date", "keep-alive", "transfer-encoding"}
)
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class IncomingRequest(NamedTuple):
    """One complete request, before any decision about it.

    Attributes:
        method: As sent; HTTP methods are upper case.
        target: Path and query exactly as received, Latin-1. An absolute URL is reduced to them.
        headers: In order, names as received; bytes outside ASCII decoded as Latin-1.
        body: As sent, never decompressed.
        http_version: ``1.1`` or ``1.0``.
        peer: Address of the other end of the connection, without a port.
    """

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    http_version: str = "1.1"
    peer: str = ""


@dataclass(frozen=True, slots=True)
class ReceiverResponse:
    """The response to a request.

    Attributes:
        status: 200 to 599.
        body: Omitted where HTTP has none (204, 304, HEAD).
        content_type: Empty sends none.
        headers: Additional headers. Those that frame the message are dropped.
        note: Why it is not the app's own response, for the screen; otherwise empty.
    """

    status: int = 200
    body: bytes = b'{"ok":true}'
    content_type: str = "application/json"
    headers: Headers = ()
    note: str = ""


OK = ReceiverResponse()
"""The delivery is on disk."""


def error(status: int, message: str, *, headers: Headers = ()) -> ReceiverResponse:
    """Create an error response; its one sentence quotes nothing of the request."""
    body = b'{"ok":false,"error":"%s"}' % message.encode("ascii")
    return ReceiverResponse(status, body, headers=headers)


def busy(message: str) -> ReceiverResponse:
    """Create a 503 response, after which TikTok sends the delivery again."""
    return error(503, message, headers=(("Retry-After", "5"),))


METHOD_NOT_ALLOWED = error(405, "POST here", headers=(("Allow", "GET, HEAD, POST"),))
FULL = busy("too many requests at once")
INTERNAL_ERROR = error(500, "internal error")
MALFORMED = error(400, "malformed request")
HEAD_TOO_LARGE = error(431, "headers too large")
BODY_TOO_LARGE = error(413, "body too large")
TOO_SLOW = error(408, "request took too long")
VERSION_NOT_SUPPORTED = error(505, "only HTTP/1.1 and HTTP/1.0 are supported")


def sendable(headers: Headers) -> Headers:
    """Drop the headers that frame a message, and replace control characters in the others."""
    return tuple(
        (name, _CONTROL.sub(" ", value))
        for name, value in headers
        if name.lower() not in _FRAMING and _TOKEN.fullmatch(name)
    )


def sendable_value(value: str) -> str:
    """Replace control characters, which would end a header's line early, with blanks."""
    return _CONTROL.sub(" ", value)


def render(response: ReceiverResponse, now: float) -> bytes:
    """Serialise one of the fixed responses above for a connection that stays open.

    Args:
        response: Which.
        now: Unix seconds, for the ``Date``.
    """
    return _render(response, now, ()) + response.body


def render_final(response: ReceiverResponse, *, head: bool = False) -> bytes:
    """Serialise an error response that ends its connection.

    Args:
        response: One of the fixed responses above.
        head: Whether it answers a HEAD request, so that the body is left out.
    """
    rendered = _render(response, time.time(), (("Connection", "close"),))
    return rendered if head else rendered + response.body


def _render(response: ReceiverResponse, now: float, more: Headers) -> bytes:
    headers: Headers = (
        ("Content-Type", response.content_type),
        ("Content-Length", str(len(response.body))),
        *response.headers,
        ("Date", formatdate(now, usegmt=True)),
        ("Server", SERVER),
        *more,
    )
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("ascii")
