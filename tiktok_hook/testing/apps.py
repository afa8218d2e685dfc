"""The kinds of app that a delivery can be posted at, each called in its own way.

The callers of ASGI and WSGI applications (`asgi`, `wsgi`) are our own. httpx's transports with
asgi-lifespan were tried in their place: `ASGITransport` applies no timeout (an app that hung for
3 s was waited for with a timeout of 0.5 s), an app without a complete response ends in a bare
`AssertionError`, four headers are added that TikTok does not send, and the fixture would need an
extra with eight more packages.
"""

import inspect
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeAlias, cast

from tiktok_hook.background import Background
from tiktok_hook.errors import AppError, UsageError
from tiktok_hook.forward import Forwarder, ForwardRequest, explain, join, parse_target
from tiktok_hook.testing.asgi import AsgiApp, call_asgi, lifespan
from tiktok_hook.testing.exchange import Posted, Response, ResponseHeaders
from tiktok_hook.testing.wsgi import WsgiApp, call_wsgi

if TYPE_CHECKING:
    from aiohttp import web

KEPT_BYTES = 16 << 20
"""How much of an answer's body is kept."""

Call: TypeAlias = Callable[[Posted, float], Response]
"""Posts something and waits for the response, with a timeout in seconds."""


@contextmanager
def opened(app: object, background: Background) -> Iterator[Call]:
    """An app that is ready to be posted at, until the block ends.

    Args:
        app: An aiohttp, ASGI or WSGI application, or where one listens.
        background: Where it runs, if it needs an event loop.

    Raises:
        UsageError: It is none of these.
        AppError: It did not start.
    """
    if isinstance(app, str | int):
        target = parse_target(str(app))
        with background.entered(Forwarder()) as forwarder:
            yield _at(target, forwarder, background)
    elif _is_aiohttp(app):
        with (
            background.entered(_served(cast("web.Application", app))) as url,
            background.entered(Forwarder()) as forwarder,
        ):
            yield _at(url, forwarder, background)
    elif _is_asgi(app):
        asgi = cast("AsgiApp", app)
        with background.entered(lifespan(asgi)) as state:
            yield lambda posted, timeout: background.run(
                call_asgi(asgi, posted, state=state, timeout=timeout)
            )
    elif _takes(app, 2):
        wsgi = cast("WsgiApp", app)
        yield lambda posted, _timeout: call_wsgi(wsgi, posted)
    else:
        raise UsageError(
            f"A {type(app).__qualname__} is not an app that deliveries can be posted to.",
            hint="Give an aiohttp, ASGI or WSGI application, or its URL.",
        )


def _is_aiohttp(app: object) -> bool:
    # An aiohttp app's own code has imported aiohttp; other apps do not wait for it.
    return "aiohttp.web" in sys.modules and isinstance(app, sys.modules["aiohttp.web"].Application)


def _is_asgi(app: object) -> bool:
    call = getattr(app, "__call__", app)  # noqa: B004 - an object's own may be the async one
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(call):
        return True
    return _takes(app, 3) and not _takes(app, 2)


def _takes(app: object, count: int) -> bool:
    """Whether it can be called with this number of arguments."""
    if not callable(app):
        return False
    try:
        inspect.signature(app).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


@asynccontextmanager
async def _served(app: "web.Application") -> AsyncIterator[str]:
    """An aiohttp application on the loopback, and where."""
    from aiohttp import web

    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _at(target: str, forwarder: Forwarder, background: Background) -> Call:
    """Posts at an address."""

    def call(posted: Posted, timeout: float) -> Response:
        path, _, query = posted.path.partition("?")
        url = join(target, path, query)
        request = ForwardRequest("POST", url, tuple(posted.headers.items()), posted.body)
        reply = background.run(forwarder.send(request, timeout=timeout, keep_bytes=KEPT_BYTES))
        if reply.status is None:
            hint = explain(reply, target=url, verdict=None)
            raise AppError(f"{url} did not answer: {reply.detail}.", hint=hint)
        return Response(reply.status, ResponseHeaders(reply.headers), reply.body)

    return call
