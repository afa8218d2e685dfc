"""Who may come in: this machine, by its own names, from our own page, with the token.

The history holds what TikTok says of people, and a replay makes this process send things. A web
page that somebody happens to have open must get at neither: not by pointing a name of its own at
127.0.0.1 (so `Host` is checked), not by posting a form (so bodies are JSON), not from another port
of this machine, which is the same *site* (so `Sec-Fetch-Site` and `Origin` are checked).
"""

import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from aiohttp import web
from yarl import URL

from tiktok_hook.delivery import dump

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN_PATHS = ("/status", "/api/status", "/api/tunnels", "/api/endpoints")
"""Readable without the token: ngrok's clients send none, and nothing of a delivery is in these."""

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]+))(?::[0-9]*)?")

_HOW_IN = (
    "The inspector needs its token. Open the address that tiktok-hook printed, which carries it, "
    "or send it as Authorization: Bearer TOKEN.\n"
)


class AccessControl:
    """The checks before every request, as an aiohttp middleware.

    Args:
        token: What has to be known; compared in constant time.
        port: Names the cookie, since cookies do not tell ports apart.
        names: Further host names and addresses to be asked by, say of a container.
        open_access: Let in who has no token; everything else is checked all the same.
    """

    def __init__(
        self, token: str, *, port: int, names: Collection[str] = (), open_access: bool = False
    ) -> None:
        self._token = token.encode()
        self.cookie = f"tiktok_hook_{port}"
        self._names = LOCAL_NAMES | {name.lower() for name in names}
        self._open = open_access

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse or pass on."""
        refusal = self._refusal(request)
        if refusal is not None:
            answer: web.StreamResponse = refusal
        elif request.path == "/" and "token" in request.query:
            answer = self._let_in(request)
        elif not self._knows_token(request):
            answer = error(401, "the token is missing or wrong", _HOW_IN, request)
        else:
            try:
                answer = await handler(request)
            except web.HTTPException as status:
                answer = error(status.status, status.reason.lower(), status.text or "", request)
        return answer

    @staticmethod
    async def label(_: web.Request, answer: web.StreamResponse) -> None:
        """Put the same headers on whatever is about to be answered, a stream included."""
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)

    def _refusal(self, request: web.Request) -> web.Response | None:
        if not self._knows_host(request.headers.get("Host", "")):
            return error(403, "this host name is not allowed", "", request)
        if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
            return error(403, "requests from other sites are refused", "", request)
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2].lower() != request.host.lower():
            return error(403, "requests from other origins are refused", "", request)
        has_body = request.body_exists or request.method in {"POST", "PUT", "PATCH"}
        if has_body and request.content_type != "application/json":
            return error(415, "the body has to be application/json", "", request)
        return None

    def _knows_host(self, host: str) -> bool:
        parts = _HOST.fullmatch(host.lower())
        if parts is None:
            return False
        name = parts[1] or parts[2]
        if name in self._names:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    def _let_in(self, request: web.Request) -> web.Response:
        """Change the token in the address for a cookie; the view it names stays in the address."""
        if not self._is_token(request.query["token"]):
            return error(401, "the token is missing or wrong", _HOW_IN, request)
        kept = [pair for pair in request.query.items() if pair[0] != "token"]
        answer = web.Response(status=303, headers={"Location": str(URL("/").with_query(kept))})
        answer.set_cookie(
            self.cookie, request.query["token"], path="/", httponly=True, samesite="Strict"
        )
        return answer

    def _knows_token(self, request: web.Request) -> bool:
        if self._open:
            return True
        if request.method in {"GET", "HEAD"} and _is_open(request.path):
            return True
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return True
        return self._is_token(request.cookies.get(self.cookie, ""))

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token)


def _is_open(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in OPEN_PATHS)


def error(status: int, message: str, detail: str, request: web.Request) -> web.Response:
    """A refusal in the shape that the asked API speaks, or as text for a person.

    Args:
        status: Of HTTP.
        message: A few words.
        detail: One sentence more; empty without.
        request: What is refused.
    """
    if request.path.startswith("/api/v1"):
        return _json({"error": message, "hint": detail.strip()}, status)
    if request.path.startswith("/api"):
        body = {
            "error_code": status,
            "status_code": status,
            "msg": message,
            "details": {"err": detail.strip() or message},
        }
        return _json(body, status)
    return web.Response(text=f"{status}: {message}\n{detail}", status=status)


def _json(body: dict[str, Any], status: int) -> web.Response:
    return web.Response(body=dump(body), status=status, content_type="application/json")
