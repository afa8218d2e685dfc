"""Decides what a request is and how it is answered. Pure."""

import hmac
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import unquote

from tiktok_hook import signature
from tiktok_hook.delivery import (
    FORWARDED_HEADER,
    SELF_CHECK_BODY,
    SELF_CHECK_HEADER,
    SELF_CHECKED_BY_ANOTHER,
    SOURCE_HEADER,
    Delivery,
    Source,
    without_own_cookies,
)
from tiktok_hook.receiver.messages import (
    METHOD_NOT_ALLOWED,
    IncomingRequest,
    ReceiverResponse,
    error,
)
from tiktok_hook.receiver.options import ReceiverOptions
from tiktok_hook.signature import State, Verdict

MAX_DIAGNOSED_BYTES = 64 * 1024
"""Longer bodies get no diagnosis, which hashes a body many times."""

_LISTENING = ReceiverResponse(200, b'{"ok":true,"message":"tiktok-hook is listening, POST here"}')
_LISTENING_PAGE = ReceiverResponse(
    200,
    b'<!doctype html><html lang="en"><meta charset="utf-8"><title>tiktok-hook</title>'
    b"<p>tiktok-hook is listening. POST here.</p></html>\n",
    "text/html; charset=utf-8",
)
_LOOP = error(508, "this request was forwarded by tiktok-hook itself")

_SOURCE = SOURCE_HEADER.lower()
_FORWARDED = FORWARDED_HEADER.lower()
_SELF_CHECK = SELF_CHECK_HEADER.lower()
_SIGNATURE = signature.HEADER.lower()
_COOKIES = "cookie"
_WATCHED = frozenset({_SOURCE, _FORWARDED, _SELF_CHECK, _SIGNATURE, "x-forwarded-for"})


class Accept(NamedTuple):
    """A delivery to store and forward."""

    delivery: Delivery


class Reject(NamedTuple):
    """A delivery to store without forwarding it.

    Attributes:
        delivery: As received, its verdict included.
        status: What the sender is answered: 403, or 200 for TikTok's ping.
    """

    delivery: Delivery
    status: Literal[200, 403]


class Respond(NamedTuple):
    """A request that is not a delivery, and its response.

    Attributes:
        response: To send as it is.
        reason: Why, for the screen; empty when the status is enough.
        reported: False for a self-check, which is not shown or counted.
    """

    response: ReceiverResponse
    reason: str = ""
    reported: bool = True


class ServeFile(NamedTuple):
    """A request for the file of ``--serve-file``, which the handler reads."""


class PassThrough(NamedTuple):
    """A non-webhook request that ``--pass`` forwards to the app."""


Decision: TypeAlias = Accept | Reject | Respond | ServeFile | PassThrough

_DEFAULTS = ReceiverOptions()

# Members of an enum are looked up by a function of its module in Python 3.11.
_TRIGGER, _TIKTOK, _STALE = Source.TRIGGER, Source.TIKTOK, State.STALE

_RECEIVED = Delivery(received_at=0.0)
"""Deliveries are copied from this, which is twice as fast as calling the constructor."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides what a request is and how it is answered.

    Attributes:
        options: What is accepted.
        secrets: Client secrets to check against, in order; without any, signatures are not checked.
        self_check_token: One-time token of the session's own check; empty turns it off.
        passes: Whether non-webhook requests are forwarded to the app instead of answered here.
    """

    options: ReceiverOptions = _DEFAULTS
    secrets: tuple[str, ...] = ()
    self_check_token: str = ""
    passes: bool = False

    def decide(self, request: IncomingRequest, now: float) -> Decision:
        """Decide what to do with a request.

        Args:
            request: Complete. Every path is accepted.
            now: Unix seconds; the signature's age is measured against it.
        """
        watched = _watched(request)
        if request.method == "POST":
            response = self._self_check(watched.get(_SELF_CHECK), request.body)
            if response is not None:
                return Respond(response, reported=False)
        if _FORWARDED in watched:
            return Respond(_LOOP, "returned by the app: a loop")
        if request.method == "POST":
            return self._decide_on_delivery(request, watched, now)
        # RFC 9110 forbids a proxy to reveal what TRACE echoes: cookies and credentials.
        if request.method == "TRACE":
            return Respond(METHOD_NOT_ALLOWED)
        if self._is_for_file(unquote(request.target.partition("?")[0])):
            return ServeFile() if request.method in {"GET", "HEAD"} else Respond(METHOD_NOT_ALLOWED)
        if self.passes:
            return PassThrough()
        return Respond(_plain_response(request))

    def diagnose(self, delivery: Delivery, now: float) -> Delivery:
        """Add the reason why its signature does not match to a rejected delivery, if it is found.

        This takes up to 20 ms, so the caller limits how often it is done.
        """
        body = delivery.body
        if not delivery.verdict.rejected or len(body) > MAX_DIAGNOSED_BYTES:
            return delivery
        values = [value for name, value in delivery.headers if name.lower() == _SIGNATURE]
        header = ",".join(values) if values else None
        verdict = signature.explain(
            delivery.verdict,
            header,
            body,
            self.secrets,
            now=now,
            headers=delivery.headers,
            method=delivery.method,
            target=delivery.target,
        )
        return delivery.replace(verdict=verdict)

    def _decide_on_delivery(
        self, request: IncomingRequest, watched: dict[str, str], now: float
    ) -> Decision:
        path, _, query = request.target.partition("?")
        verdict = self._check(watched.get(_SIGNATURE), request.body, now)
        delivery = _RECEIVED.replace(
            received_at=now,
            source=_TRIGGER if watched.get(_SOURCE) == "trigger" else _TIKTOK,
            remote_addr=_remote_address(request.peer, watched),
            method=request.method,
            path=path,
            query=query,
            http_version=request.http_version,
            headers=(
                without_own_cookies(request.headers) if _COOKIES in watched else request.headers
            ),
            body=request.body,
            verdict=verdict,
        )
        stale = verdict.state is _STALE and self.options.tolerance is not None
        if not (verdict.rejected or stale):
            return Accept(delivery)
        if b"tiktok.ping" in request.body:  # a flood of forgeries must not cost parsing
            event = delivery.event
            if event is not None and event.name == "tiktok.ping":
                return Reject(delivery, 200)
        return Reject(delivery, 403)

    def _is_for_file(self, path: str) -> bool:
        """Whether a decoded path is ``/NAME``, or the same below the Callback URL's path."""
        file = self.options.serve_file
        if file is None:
            return False
        return path in {f"/{file.name}", f"{self.options.path.rstrip('/')}/{file.name}"}

    def _check(self, header: str | None, body: bytes, now: float) -> Verdict:
        tolerance = 300.0 if self.options.tolerance is None else self.options.tolerance
        return signature.check(header, body, self.secrets, now=now, tolerance=tolerance)

    def _self_check(self, given: str | None, body: bytes) -> ReceiverResponse | None:
        """The response to a self-check, this session's or another's; None when it is not one.

        Listeners that pool their URL get each other's. With a token of another listener, only the
        fixed body of a self-check is answered unstored, so that no delivery can be hidden that way.
        """
        if given is None:
            return None
        token = self.self_check_token.encode()
        if token and hmac.compare_digest(given.encode("latin-1"), token):
            return ReceiverResponse(200, b'{"ok":true,"self_check":"%s"}' % token)
        return ReceiverResponse(200, SELF_CHECKED_BY_ANOTHER) if body == SELF_CHECK_BODY else None


def _watched(request: IncomingRequest) -> dict[str, str]:
    """The headers in `_WATCHED`, by lower-case name; repeated ones joined by a comma.

    The key `_COOKIES` is present, without a value, if some header may contain cookies.
    """
    found: dict[str, str] = {}
    for name, value in request.headers:
        key = name.lower()
        if key in _WATCHED:
            found[key] = f"{found[key]},{value}" if key in found else value
        elif _COOKIES in key:
            found[_COOKIES] = ""
    return found


def _remote_address(peer: str, watched: dict[str, str]) -> str:
    """The client's address: from the tunnel's header on this machine, otherwise the peer's."""
    forwarded = watched.get("x-forwarded-for")
    if forwarded is None or not (peer == "::1" or peer.startswith(("127.", "::ffff:127."))):
        return peer
    return forwarded.rpartition(",")[2].strip()[:64] or peer


def _plain_response(request: IncomingRequest) -> ReceiverResponse:
    if request.method not in {"GET", "HEAD"}:
        return METHOD_NOT_ALLOWED
    accepts_html = any(
        name.lower() == "accept" and "text/html" in value.lower() for name, value in request.headers
    )
    return _LISTENING_PAGE if accepts_html else _LISTENING
