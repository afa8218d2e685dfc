"""aiohttp's request parser, which is llhttp: how it is made here, and what its findings mean."""

import asyncio

from aiohttp.http import HttpRequestParser, HttpVersion10, HttpVersion11
from aiohttp.http_exceptions import (
    BadStatusLine,
    InvalidHeader,
    InvalidURLError,
    LineTooLong,
    TransferEncodingError,
)

VERSIONS = {HttpVersion11: "1.1", HttpVersion10: "1.0"}
"""What is spoken here; llhttp takes 2.0 in a request line too."""

TOO_LONG = "headers too large"

MAX_LINE_CHARS = 8190
MAX_HEADERS = 128

_NEVER = 1 << 30
"""Above any size here: the parser's own flow control stays out of it."""


def parser_for(protocol: asyncio.Protocol, loop: asyncio.AbstractEventLoop) -> HttpRequestParser:
    """A parser for one connection, whose `pause_reading` is there to be asked but never needed."""
    return HttpRequestParser(
        protocol,  # type: ignore[arg-type] # it needs only pause_reading and resume_reading
        loop,
        _NEVER,
        max_line_size=MAX_LINE_CHARS,
        max_headers=MAX_HEADERS,
        max_field_size=MAX_LINE_CHARS,
        auto_decompress=False,
    )


def target_of(target: str) -> str:
    """Path and query of a request's target as Latin-1 text; an absolute URL's host is left out."""
    if not target:  # a CONNECT to nowhere
        return ""
    if not target.isascii():
        target = target.encode("utf-8", "surrogateescape").decode("latin-1")
    if target.startswith("/"):
        return target
    scheme, mark, rest = target.partition("://")
    if not mark or not scheme.isalnum():
        return target
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    rest = rest[cut:]
    return rest if rest.startswith("/") else f"/{rest}"


def reason_for(problem: Exception, data: bytes) -> str:
    """What is wrong with a request, in words that quote nothing of it."""
    if data[:2] == b"\x16\x03":
        return "TLS spoken to a plain HTTP port"
    if "Too many headers" in str(problem):  # has no class of its own
        return TOO_LONG
    for kind, words in (
        (LineTooLong, TOO_LONG),
        (InvalidURLError, "target is no path"),
        (InvalidHeader, "malformed header"),
        (BadStatusLine, "not HTTP"),
        (TransferEncodingError, "malformed chunks"),
    ):
        if isinstance(problem, kind):
            return words
    return "malformed request"
