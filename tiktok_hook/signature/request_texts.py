"""Signed texts that contain the method, the path or the URL of the request.

Other services sign them (Square, Twilio, HubSpot, AWS, TikTok Shop's API), so their code does too.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations

from tiktok_hook.signature.parts import SIGNED_TEXT, Part

_PART = Part(
    "url-in-text",
    "with the URL, path, host or method of the request in the signed text",
    f"{SIGNED_TEXT} Nothing else of the request is part of it.",
)
_MAX_CHARS = 2048
_LOCAL = ("localhost", "127.", "[::1]")


@dataclass(frozen=True, slots=True)
class RequestParts:
    """What a request line and the Host header contain.

    Attributes:
        method: In upper case.
        path: As sent, without the query.
        query: Without the question mark; empty without one.
        hosts: As the headers name them, the public one first.
        scheme: ``https``, or ``http`` for a request without a tunnel.
    """

    method: str
    path: str
    query: str = ""
    hosts: tuple[str, ...] = ()
    scheme: str = "https"


def of_request(
    method: str, path: str, query: str, headers: Iterable[tuple[str, str]]
) -> RequestParts | None:
    """The parts of a request; None if they are too long to try."""
    named = {name.lower(): value.strip() for name, value in headers}
    hosts = [named[name] for name in ("x-forwarded-host", "host") if named.get(name)]
    if len(path) + len(query) > _MAX_CHARS or any(len(host) > 255 for host in hosts):
        return None
    is_local = any(hosts[0].startswith(each) for each in _LOCAL) if hosts else False
    scheme = named.get("x-forwarded-proto", "http" if is_local else "https")
    return RequestParts(
        method.upper(),
        path,
        query,
        tuple(dict.fromkeys(hosts)),
        scheme.rpartition(",")[2].strip()[:10],
    )


def messages(
    request: RequestParts | None, t: bytes | None, body: bytes
) -> Iterator[tuple[Part, bytes]]:
    """Everything that is signed with a part of the request in it.

    Args:
        request: None if it is unknown: then there is nothing.
        t: The timestamp as its text; None without one.
        body: As received.
    """
    if request is None:
        return
    method = request.method.encode("utf-8", "replace")
    tried: set[bytes] = set()
    hashed = hashlib.sha256(body).hexdigest().encode()
    for place in _places(request):
        for message in (
            *_with_place(place, method, t, body),
            *_canonical(place, method, t, hashed),
        ):
            if message not in tried:
                tried.add(message)
                yield _PART, message


def _places(request: RequestParts) -> Iterator[bytes]:
    """The URL as the sender knows it, and the path, with and without the query; then the host."""
    target = f"{request.path}?{request.query}" if request.query else request.path
    urls = [f"{request.scheme}://{host}" for host in request.hosts]
    found = dict.fromkeys(
        (*(url + target for url in urls), target, *(url + request.path for url in urls))
    )
    found[request.path] = None
    if request.query:
        found[request.query] = None
    if request.path == "/":
        found.update(dict.fromkeys(urls))
    found.update(dict.fromkeys(request.hosts[:1]))
    for place in found:
        yield place.encode("utf-8", "replace")


_SEPARATORS = (b"", b".", b"\n", b":")


def _with_place(place: bytes, method: bytes, t: bytes | None, body: bytes) -> Iterator[bytes]:
    for mark in _SEPARATORS:
        line = method + mark + place
        yield place + mark + body
        yield body + mark + place
        yield line + mark + body
        if t is None:
            continue
        for order in permutations((place, t, body)):
            yield mark.join(order)
        yield mark.join((line, t, body))
        yield mark.join((line, body, t))
        yield mark.join((t, line, body))
        yield mark.join((method, t, place, body))
    if t is None:
        return
    stamp = t + b"."
    for before in (
        *(place + mark for mark in (b"", b"\n", b"|")),
        *(
            method + between + place + mark
            for between in (b"", b" ")
            for mark in (b"", b".", b"\n")
        ),
        method.lower() + place,
        method + b" " + place + b" HTTP/1.1\n",
    ):
        yield before + stamp + body
        yield stamp + before + body
    yield from (place, place + t, t + place, place + b"|" + t + b"|" + body)
    yield method + place + body + t + b"000"
    yield method.lower() + b"\n" + place + b"\n" + t + b"\n" + body


def _canonical(place: bytes, method: bytes, t: bytes | None, hashed: bytes) -> Iterator[bytes]:
    """As AWS and others have it: the parts in lines, with a hash in place of the body."""
    for mark in (b"\n", b"."):
        yield mark.join((method, place, hashed))
        if t is not None:
            yield mark.join((method, place, t, hashed))
            yield mark.join((t, method, place, hashed))
            yield mark.join((method, t, place, hashed))
            yield mark.join((place, t, hashed))
            yield mark.join((t, place, hashed))
