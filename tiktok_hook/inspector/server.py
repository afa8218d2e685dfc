"""The inspector as one aiohttp application, and the server that runs it."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from tiktok_hook import ports
from tiktok_hook.bus import Bus
from tiktok_hook.inspector.access_control import HEADERS, AccessControl
from tiktok_hook.inspector.agent_api import AgentApi
from tiktok_hook.inspector.api import Api
from tiktok_hook.inspector.context import InspectorContext
from tiktok_hook.inspector.options import InspectorPageOptions
from tiktok_hook.inspector.rules_used import RulesUsed
from tiktok_hook.inspector.stream import Stream

MAX_BODY_BYTES = 8 << 20
STATIC = Path(__file__).with_name("static")
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def _is_bug(record: logging.LogRecord) -> bool:
    """Whether aiohttp logs a failure of ours, not a client that does not speak HTTP."""
    _, error, _ = record.exc_info or (None, None, None)
    return not isinstance(error, HttpProcessingError)


_LOG = logging.getLogger(__name__)
_LOG.addFilter(_is_bug)


def url(host: str, port: int, token: str) -> str:
    """The address of the page, with the token in its fragment, which browsers never send.

    Args:
        host: Address that the inspector listens on; a wildcard address becomes 127.0.0.1.
        port: Port of the inspector.
        token: Token of the inspector.
    """
    return f"{ports.local_url(host, port)}/#token={token}"


class Inspector:
    """Everything the inspector serves; `app` is the aiohttp application.

    Args:
        parts: What is shown and used.
        options: Who is let in.
        feed: What happens in this process.
        token: Returns the token that is valid now.
    """

    def __init__(
        self,
        parts: InspectorContext,
        options: InspectorPageOptions,
        *,
        feed: Bus,
        token: Callable[[], str],
    ) -> None:
        access = AccessControl(token, options)
        self._feed = feed
        self._agent = AgentApi(parts)
        self._rules = RulesUsed()
        self.app = web.Application(middlewares=[access.middleware], client_max_size=MAX_BODY_BYTES)
        self.app.on_response_prepare.append(access.add_headers)
        self.app.add_routes(Api(parts, self._rules).routes())
        self.app.router.add_get("/api/v1/stream", Stream(feed=feed, history=parts.history).handle)
        self.app.add_routes(self._agent.routes())
        self.app.router.add_get("/", _static)
        self.app.router.add_get("/static/{name:[a-z_-]+[.](?:js|css|svg)}", _static)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Keep what is remembered of the session up to date until the block ends."""
        with (
            self._feed.connect(self._agent.handlers()),
            self._feed.connect(self._rules.handlers()),
        ):
            yield


class _Connection(web.RequestHandler):
    """aiohttp's protocol handler, which also sets our headers on its own error responses.

    Those bypass the application's signals, and would disclose the version of aiohttp.
    """

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        response = super().handle_error(request, status, exc, message)
        response.headers.update(HEADERS)
        return response


@asynccontextmanager
async def serving(inspector: Inspector, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Serve on bound sockets until the block ends, then close open streams.

    Exported by aiohttp, but not described in its docs: `web.RequestHandler` as a base class with
    these arguments, and `AppRunner.server`, which is what such a handler belongs to.
    """
    runner = web.AppRunner(inspector.app, shutdown_timeout=0.1, handle_signals=False)
    loop = asyncio.get_running_loop()
    with inspector.following(), ExitStack() as servers:
        try:
            await runner.setup()
            for each in sockets:
                server = await loop.create_server(partial(_connect, runner.server), sock=each)
                servers.callback(server.close)
            yield
        finally:
            servers.close()
            await runner.cleanup()


def _connect(server: web.Server | None) -> _Connection:
    assert server is not None  # it is there once the runner is set up
    return _Connection(
        server,
        loop=asyncio.get_running_loop(),
        access_log=None,  # type: ignore[arg-type] # documented: no access log
        logger=_LOG,
    )


async def _static(request: web.Request) -> web.Response:
    """A file of the page."""
    file = STATIC / request.match_info.get("name", "index.html")
    try:
        data = await asyncio.to_thread(file.read_bytes)
    except FileNotFoundError:
        raise web.HTTPNotFound(text="There is no such file.") from None
    return web.Response(body=data, content_type=_TYPES[file.suffix], charset="utf-8")
