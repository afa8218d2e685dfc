"""Puts the inspector together and serves it."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from tiktok_hook.bus import Bus
from tiktok_hook.inspector import openapi
from tiktok_hook.inspector.access_control import AccessControl
from tiktok_hook.inspector.agent_api import AgentApi
from tiktok_hook.inspector.api import Api
from tiktok_hook.inspector.context import InspectorContext
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
    """Whether aiohttp logs a failure of ours, not a client that speaks no HTTP and is told so."""
    _, error, _ = record.exc_info or (None, None, None)
    return not isinstance(error, HttpProcessingError)


_LOG = logging.getLogger(__name__)
_LOG.addFilter(_is_bug)


def url(host: str, port: int, token: str) -> str:
    """The address that lets its reader in.

    Args:
        host: Where it listens; one that means every address is shown as the loopback.
        port: Its port.
        token: The user's.
    """
    name = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
    if ":" in name:
        name = f"[{name}]"
    return f"http://{name}:{port}/?token={token}"


class Inspector:
    """Everything the inspector serves; `app` is one for aiohttp.

    Args:
        parts: What is shown and used.
        feed: What happens in this process.
        token: Has to be known.
        port: Where it listens.
        names: Further names it may be asked by.
        open_access: Let in who has no token.
    """

    def __init__(
        self,
        parts: InspectorContext,
        *,
        feed: Bus,
        token: str,
        port: int,
        names: Collection[str] = (),
        open_access: bool = False,
    ) -> None:
        doors = AccessControl(token, port=port, names=names, open_access=open_access)
        self._feed = feed
        self._agent = AgentApi(parts)
        self.app = web.Application(middlewares=[doors.middleware], client_max_size=MAX_BODY_BYTES)
        self.app.on_response_prepare.append(doors.label)
        self.app.add_routes(Api(parts).routes())
        self.app.router.add_get("/api/v1/stream", Stream(feed=feed, history=parts.history).handle)
        self.app.router.add_get("/api/v1/openapi.json", openapi.handle)
        self.app.add_routes(self._agent.routes())
        self.app.router.add_get("/", _static)
        self.app.router.add_get("/static/{name:[a-z_-]+[.](?:js|css|svg)}", _static)

    def following(self) -> AbstractContextManager[None]:
        """Keep the look-alike's list up to date until the block ends."""
        return self._feed.calling(self._agent.note)


@asynccontextmanager
async def serving(inspector: Inspector, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Serve on bound sockets until the block ends; open streams are cut off then."""
    runner = web.AppRunner(
        inspector.app, access_log=None, logger=_LOG, shutdown_timeout=0.1, handle_signals=False
    )
    with inspector.following():
        try:
            await runner.setup()
            for each in sockets:
                await web.SockSite(runner, each).start()
            yield
        finally:
            await runner.cleanup()


async def _static(request: web.Request) -> web.Response:
    """A file of the page."""
    file = STATIC / request.match_info.get("name", "index.html")
    try:
        data = await asyncio.to_thread(file.read_bytes)
    except FileNotFoundError:
        raise web.HTTPNotFound(text="There is no such file.") from None
    return web.Response(body=data, content_type=_TYPES[file.suffix], charset="utf-8")
