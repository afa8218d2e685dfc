"""A request as it came in, an answer as it goes out, and the few fixed answers."""

import re
import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

from tiktok_hook.delivery import Headers

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = {"connection", "content-length", "content-type", "date", "keep-alive", "transfer-encoding"}
_REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}


class Request(NamedTuple):
    """One request, whole, before anybody has judged it.

    Attributes:
        method: Upper case, as HTTP has it.
        target: Path and query exactly as received, Latin-1; of an absolute URL only these.
        headers: In order, names as received, bytes outside ASCII kept one to one as Latin-1.
        body: Never inflated.
        http_version: ``1.1`` or ``1.0``.
        peer: Address of whoever connected, without a port.
    """

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    http_version: str = "1.1"
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered.

    Attributes:
        status: 200 to 599.
        body: Left out where HTTP has none (204, 304, HEAD).
        content_type: Empty sends none.
        headers: Further ones; those that frame the message are ours and left out.
        note: For the screen, why it is not the app's own answer; empty when it is or nobody asked.
    """

    status: int = 200
    body: bytes = b'{"ok":true}'
    content_type: str = "application/json"
    headers: Headers = ()
    note: str = ""


OK = Answer()
"""Taken, and on disk."""


def error(status: int, message: str, *, headers: Headers = ()) -> Answer:
    """A refusal with one sentence that tells a stranger nothing."""
    return Answer(status, b'{"ok":false,"error":"%s"}' % message.encode("ascii"), headers=headers)


NOT_ALLOWED = error(405, "POST here", headers=(("Allow", "GET, HEAD, POST"),))


def busy(message: str) -> Answer:
    """TikTok keeps what was answered so, and sends it again."""
    return error(503, message, headers=(("Retry-After", "5"),))


def render(answer: Answer, *, head: bool = False, close: bool = False, old: bool = False) -> bytes:
    """The bytes of an answer.

    Args:
        answer: What to say.
        head: Whether it answers a HEAD: everything but the body.
        close: Whether the connection ends with it.
        old: Whether the client speaks HTTP/1.0, which has to be told that the connection stays.
    """
    if answer is OK and not (head or close or old):
        _date()
        return _Clock.ok
    status = answer.status
    lines = [b"HTTP/1.1 %d %s" % (status, _REASONS.get(status, b"Status"))]
    bare = status in {204, 304}
    if answer.content_type and not bare:
        lines.append(b"Content-Type: " + _value(answer.content_type))
    if not bare:
        lines.append(b"Content-Length: %d" % len(answer.body))
    for name, value in answer.headers:
        if name.lower() not in _OURS and _TOKEN.fullmatch(name):
            lines.append(name.encode("ascii") + b": " + _value(value))
    lines.append(_date())
    if close:
        lines.append(b"Connection: close")
    elif old:
        lines.append(b"Connection: keep-alive")
    lines.append(b"\r\n" if head or bare else b"\r\n" + answer.body)
    return b"\r\n".join(lines)


def _value(text: str) -> bytes:
    """A header's value on the wire; whatever could end its line is a space."""
    return _CONTROL.sub(" ", text).encode("latin-1", "replace")


class _Clock:
    """The Date header, and the answer that nearly every delivery gets, made once a second."""

    second = 0
    line = b""
    ok = b""


def _date() -> bytes:
    now = int(time.time())
    if now != _Clock.second:
        _Clock.second = now
        _Clock.line = b"Date: " + formatdate(now, usegmt=True).encode("ascii")
        _Clock.ok = render(Answer())
    return _Clock.line
