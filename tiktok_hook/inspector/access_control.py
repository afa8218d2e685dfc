"""Access control of the inspector: Host allow-list, origin check, JSON bodies, token.

The history holds what TikTok reports about people, and a replay makes this process send requests.
A web page open in the user's browser must reach neither: not by pointing its own host name at
127.0.0.1 (``Host`` is checked), not by posting a form (bodies must be JSON), not from another port
of this machine, which is the same *site* (``Sec-Fetch-Site`` and ``Origin`` are checked).

No cookie is used: cookies ignore ports, so every other server on 127.0.0.1 would receive it.
"""

import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import web

from tiktok_hook.delivery import dump
from tiktok_hook.inspector.options import InspectorPageOptions
from tiktok_hook.sanitize import visible

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

AGENT_PATHS = ("/status", "/api/status", "/api/tunnels", "/api/endpoints")
"""Readable without the token: ngrok's clients send none, and these expose no delivery data."""

AGENT_UNSUPPORTED = ("/api/tunnels", "/api/endpoints")
"""Writes to these are answered 501 with or without a token."""

AGENT_PAGES = ("/inspect", "/inspect/http", "/inspect/http/")
"""Addresses of the agent's own page, which lead to ours."""

PAGE = "/"
"""The page holds no data, so it needs no token and may be navigated to from any site."""

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Server": "tiktok-hook",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]+))(?::([0-9]*))?")

_UNAUTHORIZED_HINT = (
    "Send it as Authorization: Bearer TOKEN. It is in the address that tiktok-hook printed; "
    "--inspect-open lets programs of this machine in without it."
)
_SITE_HINT = (
    "No option allows other sites. Open the printed address in a tab, or send the request from a "
    "program, with the token."
)


class AccessControl:
    """The checks before every request, as an aiohttp middleware.

    Args:
        token: Returns the token that is valid now; compared in constant time.
        options: The host names, as ``NAME`` or ``NAME:PORT``, that requests may be addressed to,
            and whether requests without a token are accepted; every other check stays.
    """

    def __init__(self, token: Callable[[], str], options: InspectorPageOptions) -> None:
        self._token = token
        names = [options.inspect_host.lower(), *map(str.lower, options.inspect_allow_hosts)]
        self._names = {name for name in names if not _is_local(name)}
        self._open = options.inspect_open

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Reject the request or let the handler respond."""
        rejection = self._rejection(request)
        if rejection is not None:
            return rejection
        try:
            return await handler(request)
        except web.HTTPException as status:
            return error(status.status, status.reason.lower(), status.text or "", request)

    @staticmethod
    async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
        """Put the same headers on every response, streams included."""
        response.headers.update(HEADERS)

    def _rejection(self, request: web.Request) -> web.Response | None:
        host = request.headers.get("Host", "")
        if not self._allows_host(host):
            name = visible((_HOST.match(host.lower()) or [""])[0][:80]) or "NAME"
            hint = f"--inspect-allow-host {name} allows it."
            return error(403, "this host name is not allowed", hint, request)
        reads = request.method in {"GET", "HEAD"}
        is_page = reads and request.path in {PAGE, *AGENT_PAGES}
        site = request.headers.get("Sec-Fetch-Site", "none")
        if not is_page and site not in {"none", "same-origin"}:
            return error(403, "requests from other sites are rejected", _SITE_HINT, request)
        origin = request.headers.get("Origin")
        if origin is not None and not self._allows_origin(origin.lower(), request):
            hint = "--inspect-allow-host NAME allows the page of a proxy or container at NAME."
            return error(403, "requests from other origins are rejected", hint, request)
        if not reads and _is_under(request.path, AGENT_UNSUPPORTED):
            return None
        has_body = request.body_exists or request.method in {"POST", "PUT", "PATCH"}
        if has_body and request.content_type != "application/json":
            hint = "Send Content-Type: application/json."
            return error(415, "the body must be application/json", hint, request)
        is_open = is_page or (reads and _needs_no_token(request.path))
        if not (is_open or self._open or self._has_token(request)):
            return error(401, "the token is missing or wrong", _UNAUTHORIZED_HINT, request)
        return None

    def _allows_host(self, host: str) -> bool:
        name, port = _split(host.lower())
        return _is_local(name) or name in self._names or f"{name}:{port}" in self._names

    def _allows_origin(self, origin: str, request: web.Request) -> bool:
        """Whether an origin is the inspector itself, or one that the user named.

        A proxy may terminate TLS and may rewrite ``Host``, so for named hosts the scheme is free
        and the port has to be the default one, the one of ``Host``, or a named one.
        """
        scheme, _, address = origin.partition("://")
        host = request.headers.get("Host", "").lower()
        if scheme == request.scheme and address == host:
            return True
        name, port = _split(address)
        if scheme not in {"http", "https"}:
            return False
        if f"{name}:{port}" in self._names:
            return True
        return name in self._names and (not port or address == host)

    def _has_token(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token().encode())


def _split(host: str) -> tuple[str, str]:
    """Name and port of a ``Host`` value; both empty when it is not one."""
    parts = _HOST.fullmatch(host)
    return ("", "") if parts is None else (parts[1] or parts[2], parts[3] or "")


def _is_local(name: str) -> bool:
    if name in LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _needs_no_token(path: str) -> bool:
    """Whether a path shows nothing private: the page's own files, and what ngrok's clients read."""
    if path.startswith("/static/"):
        return True
    return _is_under(path, AGENT_PATHS)


def _is_under(path: str, places: Iterable[str]) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in places)


def error(status: int, message: str, hint: str, request: web.Request) -> web.Response:
    """A response that rejects a request, in the shape of the API that was asked.

    Args:
        status: HTTP status.
        message: A few words.
        hint: What to do about it, in one or two sentences; may be empty.
        request: The request; its path decides the shape. Outside the APIs it is plain text.
    """
    if request.path.startswith("/api/v1"):
        return _json({"error": message, "hint": hint.strip()}, status)
    if request.path.startswith("/api"):
        body = {
            "error_code": status,
            "status_code": status,
            "msg": message,
            "details": {"err": hint.strip() or message},
        }
        return _json(body, status)
    return web.Response(text=f"{status}: {message}\n{hint}\n", status=status)


def _json(body: dict[str, Any], status: int) -> web.Response:
    return web.Response(body=dump(body), status=status, content_type="application/json")
