"""Builds the request for an app from a received one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tiktok_hook.delivery import (
    FORWARDED_HEADER,
    SELF_CHECK_HEADER,
    SOURCE_HEADER,
    Delivery,
    Headers,
    without_own_cookies,
)
from tiktok_hook.errors import UsageError
from tiktok_hook.forward.target import join, split
from tiktok_hook.signature import HEADER as SIGNATURE_HEADER

# RFC 9110, 7.6.1, and the names that older proxies use the same way.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy",  # in no standard; a CGI program takes it for the variable HTTP_PROXY
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})

# Headers that decide framing, routing, verification or access: no other name may pass as one.
_PROTECTED = (
    _HOP_BY_HOP
    | _FRAMING
    | {"content-encoding", "content-type", "expect", "host"}
    | {SIGNATURE_HEADER.lower(), FORWARDED_HEADER.lower()}
    | {SOURCE_HEADER.lower(), SELF_CHECK_HEADER.lower()}
    | {"authorization", "cookie", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
    | {"x-forwarded-port", "x-real-ip"}
)
_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-z]")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN_IN_VALUE = re.compile("[\r\n\x00]")


@dataclass(frozen=True, slots=True)
class ForwardRequest:
    """One request, ready to be sent.

    Attributes:
        method: As in the request line.
        url: Full URL; path and query are sent unchanged.
        headers: In order; bytes outside ASCII as Latin-1.
        body: Exactly the bytes to send.
    """

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""


def build(
    delivery: Delivery,
    target: str,
    *,
    extra_headers: Sequence[tuple[str, str]] = (),
    mark: str = "1",
) -> ForwardRequest:
    """The request that carries a delivery to a target: same body, same headers in the same order.

    Args:
        delivery: As received.
        target: As `parse_target` returned it.
        extra_headers: From ``--header``; each replaces every header of its name.
        mark: Value of our forwarding header, by which a loop is detected.
    """
    url = join(target, delivery.path, delivery.query)
    return compose(
        delivery.method,
        url,
        delivery.headers,
        delivery.body,
        extra_headers=extra_headers,
        mark=mark,
    )


def compose(
    method: str,
    url: str,
    headers: Headers,
    body: bytes,
    *,
    extra_headers: Sequence[tuple[str, str]] = (),
    mark: str = "1",
) -> ForwardRequest:
    """Build a request from received headers, for another connection.

    Hop-by-hop headers are left out, and names that a server would confuse with another header
    (`is_look_alike`). ``Host`` and ``Content-Length`` are rewritten in place; our forwarding mark
    is the only header added.
    """
    headers = without_own_cookies(headers)
    listed = {
        part.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for part in value.split(",")
    }
    # `Connection: host` must not remove a header that every request needs.
    listed -= {"host", "content-length"}
    kept: list[tuple[str, str]] = []
    made = {"host": split(url).authority, "content-length": str(len(body))}
    for name, value in headers:
        key = _forwarded_key(name)
        if key is None or key in listed:
            continue
        if key in {"host", "content-length"}:
            if key in made:
                kept.append((name, made.pop(key)))
            continue
        # What is printable has no such character; asking is quicker than searching.
        safe = value if value.isprintable() else _FORBIDDEN_IN_VALUE.sub(" ", value)
        kept.append((name, safe))
    if "host" in made:
        kept.insert(0, ("Host", made["host"]))
    if "content-length" in made and (body or method not in {"GET", "HEAD"}):
        kept.append(("Content-Length", made["content-length"]))
    result = tuple(kept)
    for name, value in extra_headers:
        result = with_header(result, name, value)
    return ForwardRequest(method, url, with_header(result, FORWARDED_HEADER, mark), body)


@lru_cache(maxsize=256)
def _forwarded_key(name: str) -> str | None:
    """The name in lower case; None if no header of that name is forwarded.

    Cached, since nearly all requests have the same few names, and each took 1 µs. Invariant: the
    result depends on the name alone, so what a ``Connection`` header lists is not part of it.
    """
    key = name.lower()
    # An imported HTTP/2 request has names like `:authority`.
    if key in _HOP_BY_HOP or not _TOKEN.fullmatch(name) or is_look_alike(name):
        return None
    return key


def is_look_alike(name: str) -> bool:
    """True for a name that some servers read as a framing or signature header.

    CGI and WSGI servers pass headers on as ``HTTP_TIKTOK_SIGNATURE``: ``-`` and ``_`` become one
    character there, and in Apache and PHP every other character that is not a letter or digit too.
    ``Tiktok_Signature`` or ``Transfer.Encoding`` would then replace or extend the real header.

    Source: RFC 3875, 4.1.18.
    """
    key = name.lower()
    canonical = _NOT_ALPHANUMERIC.sub("-", key)
    return canonical != key and canonical in _PROTECTED


def with_header(headers: Headers, name: str, value: str | None) -> Headers:
    """The headers with one set in place, or appended.

    Args:
        headers: In order.
        name: Compared case-insensitively; the present spelling is kept.
        value: None removes all headers of that name.
    """
    key = name.lower()
    result: list[tuple[str, str]] = []
    for old_name, old_value in headers:
        if old_name.lower() != key:
            result.append((old_name, old_value))
        elif value is not None:
            result.append((old_name, value))
            value = None
    if value is not None:
        result.append((name, value))
    return tuple(result)


def parse_header(text: str) -> tuple[str, str]:
    """Name and value of a ``--header`` option.

    Args:
        text: ``NAME: VALUE`` or ``NAME:VALUE``. The value may be empty; text outside ASCII is
            sent as UTF-8.

    Raises:
        UsageError: There is no colon, the name is not a header name, the value contains a line
            break, a NUL or a lone surrogate, or the header is a framing header.
    """
    name, colon, value = text.partition(":")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not colon or not _TOKEN.fullmatch(name):
        raise UsageError(
            f"The header {text!r} is not NAME: VALUE.", hint="For instance --header 'X-Debug: 1'."
        )
    if _FORBIDDEN_IN_VALUE.search(value):
        raise UsageError(
            f"The value of the header {name} contains a line break or a NUL.",
            hint="Give each header its own --header option.",
        )
    if _NOT_ALPHANUMERIC.sub("-", name.lower()) in _FRAMING:
        raise UsageError(
            f"The header {name} belongs to the connection and cannot be set.",
            hint="Leave it out: its value follows from what is sent.",
        )
    try:
        return name, value.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The value of the header {name} contains a lone surrogate.",
            hint="Use valid Unicode text.",
        ) from error
