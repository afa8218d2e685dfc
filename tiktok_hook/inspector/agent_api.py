"""A copy of the ngrok agent's local API, so that scripts written for it work unchanged.

It has the fields of https://ngrok.com/docs/agent/api/: compact JSON, ids that sort by time, `raw`
in base64, 204 where clients expect it. It lists the requests captured since the start. Unsupported
operations (opening and closing tunnels) return 501 in the agent's error format.
"""

import asyncio
import base64
import html
import json
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from aiohttp import web

from tiktok_hook.addresses import valid_url
from tiktok_hook.bus import Handler
from tiktok_hook.delivery import (
    Attempt,
    AttemptEnded,
    DeliveryAnswered,
    Headers,
    dump,
    timestamp,
)
from tiktok_hook.errors import HookError
from tiktok_hook.forward import local_port
from tiktok_hook.inspector.access_control import AGENT_PAGES, PAGE
from tiktok_hook.inspector.context import InspectorContext
from tiktok_hook.inspector.status import Status
from tiktok_hook.replayer import NoTargetError

NAME = "command_line"
AGENT_VERSION = "3.30.0"
"""Version of the emulated agent: the first one with endpoints."""

KEPT = 500
"""Maximum number of captured requests that are listed."""

LIST_BYTES = 16 << 20
"""Maximum size of the bodies in a list of captured requests; older requests are omitted."""

_SPANS = (60, 300, 900)


class Captured(NamedTuple):
    """Reference to one captured request or replay; its contents are stored in the history."""

    noted_at: float
    place: int
    delivery_id: int
    attempt_number: int | None
    started_at: float
    duration_ms: float
    status: int | None

    @property
    def id(self) -> str:
        """Id whose alphabetical order is the order in time."""
        return f"{int(self.noted_at):08x}{self.place:08x}"


class AgentApi:
    """The handlers of `/api` and `/status`.

    The bus and the handlers run on one event loop, so the records need no lock; a query gets a
    copy of them and runs on a thread. All three are bounded, and no body is kept.
    """

    def __init__(self, parts: InspectorContext) -> None:
        self._parts = parts
        self._history = parts.history
        self._captured: deque[Captured] = deque(maxlen=KEPT)
        self._times: deque[float] = deque(maxlen=10_000)
        self._durations: deque[float] = deque(maxlen=1_000)
        self._count = 0

    def handlers(self) -> Mapping[type[Any], Handler]:
        """Handlers by event class, for `Bus.connect`."""
        return {DeliveryAnswered: self._delivery_answered, AttemptEnded: self._attempt_ended}

    def _delivery_answered(self, event: DeliveryAnswered) -> None:
        now, delivery = time.time(), event.delivery
        took = max(0.0, now - delivery.received_at) * 1000
        self._add(now, delivery.id, None, delivery.received_at, took, delivery.status)

    def _attempt_ended(self, event: AttemptEnded) -> None:
        attempt = event.attempt
        if attempt.replay:
            took = attempt.duration_ms or 0.0
            number, at = attempt.number, attempt.started_at
            self._add(time.time(), attempt.delivery_id, number, at, took, attempt.status)

    def _add(
        self,
        now: float,
        number: int,
        attempt: int | None,
        at: float,
        took: float,
        status: int | None,
    ) -> None:
        self._count += 1
        self._captured.append(Captured(now, self._count, number, attempt, at, took, status))
        self._times.append(at)
        self._durations.append(took)

    def routes(self) -> list[web.RouteDef]:
        """Routes of this API."""
        pairs: list[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]] = [
            ("GET", "/status", self.page),
            *(("GET", path, self.to_page) for path in AGENT_PAGES),
            ("GET", "/api", self.root),
            ("GET", "/api/", self.root),
            ("GET", "/api/status", self.status),
            ("GET", "/api/tunnels", self.tunnels),
            ("POST", "/api/tunnels", self.cannot),
            ("GET", "/api/tunnels/{name}", self.tunnel),
            ("DELETE", "/api/tunnels/{name}", self.cannot),
            ("GET", "/api/endpoints", self.endpoints),
            ("POST", "/api/endpoints", self.cannot),
            ("GET", "/api/endpoints/{name}", self.endpoint),
            ("PUT", "/api/endpoints/{name}", self.cannot),
            ("DELETE", "/api/endpoints/{name}", self.cannot),
            ("GET", "/api/requests/http", self.requests),
            ("POST", "/api/requests/http", self.replay),
            ("DELETE", "/api/requests/http", self.hide),
            ("GET", "/api/requests/http/{id}", self.request),
        ]
        return [web.route(method, path, handler) for method, path, handler in pairs]

    async def page(self, _: web.Request) -> web.Response:
        """Page that some clients request to detect a running agent."""
        status = self._parts.status()
        words = html.escape(status.callback_url or "no public URL")
        return web.Response(
            text=f"<!doctype html><title>tiktok-hook</title><p>online: {words}</p>\n",
            content_type="text/html",
        )

    async def to_page(self, _: web.Request) -> web.Response:
        """Send the browser to our page: READMEs link to the agent's."""
        return web.Response(status=302, headers={"Location": PAGE})

    async def root(self, _: web.Request) -> web.Response:
        """Addresses of the other resources."""
        return _answer(
            {
                "uri": "/api",
                "status_uri": "/api/status",
                "tunnels_uri": "/api/tunnels",
                "endpoints_uri": "/api/endpoints",
                "requests_uri": "/api/requests/http",
            }
        )

    async def status(self, _: web.Request) -> web.Response:
        """Whether the tunnel is online, and its latency."""
        tunnel = self._parts.status().tunnel
        latency = 0 if tunnel is None or tunnel.latency_ms is None else tunnel.latency_ms
        online = tunnel is None or tunnel.state == "online"
        return _answer(
            {
                "status": "online" if online else "connecting",
                "agent_version": AGENT_VERSION,
                "session": {"legs": [{"region": "", "latency": f"{latency}ms"}]},
                "uri": "/api/status",
            }
        )

    async def tunnels(self, _: web.Request) -> web.Response:
        """The one tunnel, or none."""
        tunnel = self._tunnel()
        return _answer({"tunnels": [tunnel] if tunnel else [], "uri": "/api/tunnels"})

    async def tunnel(self, request: web.Request) -> web.Response:
        """A tunnel by its name."""
        tunnel = self._tunnel()
        if tunnel is None or request.match_info["name"] != NAME:
            return _error(404, "no such tunnel", _what_there_is(tunnel))
        return _answer(tunnel)

    async def endpoints(self, _: web.Request) -> web.Response:
        """The same in the newer shape."""
        endpoint = self._endpoint()
        return _answer({"endpoints": [endpoint] if endpoint else [], "uri": "/api/endpoints"})

    async def endpoint(self, request: web.Request) -> web.Response:
        """An endpoint by its name."""
        endpoint = self._endpoint()
        if endpoint is None or request.match_info["name"] != NAME:
            return _error(404, "no such endpoint", _what_there_is(endpoint))
        return _answer(endpoint | {"metrics": self._metrics()})

    async def cannot(self, _: web.Request) -> web.Response:
        """Reject an operation that only the agent supports."""
        return _error(
            501,
            "not supported",
            "tiktok-hook opens its one endpoint at the start and closes it at the end",
        )

    async def requests(self, request: web.Request) -> web.Response:
        """Captured requests, newest first."""
        limit = request.query.get("limit", "")
        most = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 9 else KEPT
        found = list(self._captured)[::-1][:most]
        if request.query.get("tunnel_name", NAME) != NAME:
            found = []
        shapes = await asyncio.to_thread(self._shapes, found)
        return _answer({"uri": "/api/requests/http", "requests": shapes})

    def _shapes(self, captured: Sequence[Captured]) -> list[dict[str, Any]]:
        """The newest captured requests, up to `LIST_BYTES` of bodies."""
        shapes: list[dict[str, Any]] = []
        size = 0
        for each in captured:
            shape = self._shape(each)
            if shape is not None:
                response = shape["response"] or {"raw": ""}
                size += len(shape["request"]["raw"]) + len(response["raw"])
                if size > LIST_BYTES and shapes:
                    break
                shapes.append(shape)
        return shapes

    async def request(self, request: web.Request) -> web.Response:
        """One captured request."""
        found = self._by_id(request.match_info["id"])
        shape = None if found is None else await asyncio.to_thread(self._shape, found)
        if shape is None:
            return _error(404, "no such request", "it is not among the listed requests")
        return _answer(shape)

    async def replay(self, request: web.Request) -> web.Response:
        """Re-sign a captured request and send it again to the forwarding target."""
        try:
            body = json.loads((await request.read()).decode("utf-8"))
        except (ValueError, RecursionError):
            return _error(400, "invalid request", "the body is not valid JSON")
        name = body.get("id") if isinstance(body, dict) else None
        found = self._by_id(name) if isinstance(name, str) else None
        delivery = (
            None if found is None else await asyncio.to_thread(self._history.get, found.delivery_id)
        )
        if delivery is None:
            return _error(404, "no such request", "it is not among the listed requests")
        own = None if request.transport is None else request.transport.get_extra_info("sockname")
        try:
            replayer = self._parts.replayer(own[1] if own else None)
            attempt = await replayer.send(await replayer.prepare(delivery))
        except NoTargetError:
            return _error(502, "no upstream", "start with --forward-to to replay to your app")
        except HookError as error:
            return _error(502, "the replay failed", str(error))
        self._parts.publish(AttemptEnded(attempt))
        return web.Response(status=204)

    async def hide(self, _: web.Request) -> web.Response:
        """Clear the list of captured requests; the history is unchanged."""
        self._captured.clear()
        return web.Response(status=204)

    def _by_id(self, name: str) -> Captured | None:
        return next((each for each in self._captured if each.id == name), None)

    def _tunnel(self) -> dict[str, Any] | None:
        status = self._parts.status()
        if status.callback_url is None or not status.public:
            return None
        parts = urlsplit(status.callback_url)
        return {
            "name": NAME,
            "ID": f"{int(status.started_at):024x}",
            "uri": f"/api/tunnels/{NAME}",
            "public_url": f"{parts.scheme}://{parts.netloc}",
            "proto": parts.scheme,
            "config": {"addr": _upstream(status), "inspect": True},
            "metrics": self._metrics(),
        }

    def _endpoint(self) -> dict[str, Any] | None:
        tunnel = self._tunnel()
        if tunnel is None:
            return None
        return {
            "name": NAME,
            "uri": f"/api/endpoints/{NAME}",
            "url": tunnel["public_url"],
            "upstream": {"url": tunnel["config"]["addr"], "protocol": "http1"},
            "inspect": True,
            "traffic_policy": "",
            "pooling_enabled": self._parts.status().pooling,
        }

    def _metrics(self) -> dict[str, Any]:
        now = time.time()
        rates = {
            f"rate{span // 60}": round(sum(at > now - span for at in self._times) / span, 6)
            for span in _SPANS
        }
        took = [int(each * 1e6) for each in self._durations]
        shares = statistics.quantiles(took, n=100) if len(took) > 1 else (took or [0]) * 99
        spread = {f"p{share}": int(shares[share - 1]) for share in (50, 90, 95, 99)}
        # Some clients read the rates of connections as whole numbers.
        whole = {name: int(rate) for name, rate in rates.items()}
        return {
            "conns": {"count": self._count, "gauge": 0, **whole, **spread},
            "http": {"count": self._count, **rates, **spread},
        }

    def _shape(self, captured: Captured) -> dict[str, Any] | None:
        delivery = self._history.get(captured.delivery_id)
        if delivery is None:
            return None
        attempts = self._history.attempts(captured.delivery_id)
        if captured.attempt_number is None:
            method, uri, headers, body = (
                delivery.method, delivery.target, delivery.headers, delivery.body,
            )  # fmt: skip
            own = next((each for each in attempts if not each.replay), None)
            response = _response(delivery.status, own)
        else:
            attempt = next(
                (each for each in attempts if each.number == captured.attempt_number), None
            )
            if attempt is None:
                return None
            parts = urlsplit(valid_url(attempt.target))
            uri = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            method, headers = attempt.request_method, attempt.request_headers
            body = delivery.body if attempt.request_body is None else attempt.request_body
            response = None if attempt.status is None else _response(attempt.status, attempt)
        return {
            "uri": f"/api/requests/http/{quote(captured.id)}",
            "id": captured.id,
            "tunnel_name": NAME,
            "remote_addr": delivery.remote_addr,
            "start": timestamp(captured.started_at),
            "duration": int(captured.duration_ms * 1e6),
            "request": {
                "method": method,
                "proto": f"HTTP/{delivery.http_version}",
                "headers": _canonical(headers),
                "uri": uri,
                "raw": _raw(f"{method} {uri} HTTP/{delivery.http_version}", headers, body),
            },
            "response": response,
        }


def _response(status: int | None, attempt: Attempt | None) -> dict[str, Any] | None:
    if status is None:
        return None
    answered = attempt is not None and attempt.status == status
    headers: Headers = attempt.headers if attempt is not None and answered else ()
    body = attempt.body if attempt is not None and answered else b""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    line = f"{status} {phrase}".rstrip()
    return {
        "status": line,
        "status_code": status,
        "proto": "HTTP/1.1",
        "headers": _canonical(headers),
        "raw": _raw(f"HTTP/1.1 {line}", headers, body),
    }


def _canonical(headers: Headers) -> dict[str, list[str]]:
    """Header names as Go writes them, each with all its values."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        key = "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))
        found.setdefault(key, []).append(value)
    return found


def _raw(line: str, headers: Headers, body: bytes) -> str:
    framed = _framed(headers, body)
    head = "\r\n".join([line, *(f"{name}: {value}" for name, value in framed), "", ""])
    return base64.b64encode(head.encode("latin-1", "replace") + body).decode("ascii")


_FRAMING = {"content-length", "transfer-encoding"}


def _framed(headers: Headers, body: bytes) -> Headers:
    """The headers with the length of the body that follows, so that the message can be parsed.

    A body is stored without the chunks that it came in, and a long one is cut.
    """
    came = [(name.lower(), value) for name, value in headers if name.lower() in _FRAMING]
    right = ("content-length", str(len(body)))
    if came == [right] or not (came or body):
        return headers
    place = next((n for n, (name, _) in enumerate(headers) if name.lower() in _FRAMING), None)
    kept = [pair for pair in headers if pair[0].lower() not in _FRAMING]
    kept.insert(len(kept) if place is None else place, ("Content-Length", right[1]))
    return tuple(kept)


def _upstream(status: Status) -> str:
    """The first target on this machine, otherwise the receiver, as the agent writes an address.

    Scripts find the tunnel of their app by its port.
    """
    for target in status.targets:
        if port := local_port(target):
            return f"{urlsplit(target).scheme}://localhost:{port}"
    parts = urlsplit(status.local_url or "")
    return f"{parts.scheme}://localhost:{parts.port}" if parts.port else ""


def _error(status: int, message: str, reason: str) -> web.Response:
    body = {
        "error_code": status,
        "status_code": status,
        "msg": message,
        "details": {"err": reason},
    }
    return _answer(body, status=status)


def _answer(value: dict[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(body=dump(value), status=status, content_type="application/json")


def _what_there_is(one: object | None) -> str:
    return "there is no tunnel now" if one is None else f"there is only {NAME}"
