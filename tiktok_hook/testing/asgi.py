"""Calls an ASGI application in this process, as a server would.

Source: https://asgi.readthedocs.io/en/latest/specs/
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from tiktok_hook.errors import AppError
from tiktok_hook.testing.exchange import HOST, Posted, Response, ResponseHeaders

Message: TypeAlias = MutableMapping[str, Any]
AsgiApp: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]

_ASGI = {"version": "3.0", "spec_version": "2.3"}
_PATIENCE_SECONDS = 10.0
"""What an app may take to start or to end."""


async def call_asgi(
    app: AsgiApp, posted: Posted, *, state: dict[str, Any], timeout: float
) -> Response:
    """Post something and wait until the app is done with it, its background tasks included.

    Args:
        app: The application.
        posted: What to post.
        state: What its start-up left for its requests.
        timeout: Seconds that it may take.

    Raises:
        AppError: It took longer, or ended without an answer.
        Exception: Whatever it lets out.
    """
    exchange = _Exchange(posted.body)
    try:
        async with asyncio.timeout(timeout) as deadline:
            await app(_scope(posted, state), exchange.receive, exchange.send)
    except TimeoutError:
        if not deadline.expired():
            raise  # the app's own
        raise AppError(
            f"The app did not end its answer to {posted.path} within {timeout:g} s.",
            hint="Does it wait for something? Give tiktok_webhook a longer timeout.",
        ) from None
    return exchange.response()


class _Exchange:
    """The server's end of one request."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._start: Message | None = None
        self._parts: list[bytes] = []
        self._complete = asyncio.Event()

    async def receive(self) -> Message:
        if self._body is None:
            await self._complete.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._parts.append(bytes(message.get("body", b"")))
            if not message.get("more_body", False):
                self._complete.set()

    def response(self) -> Response:
        if self._start is None or not self._complete.is_set():
            raise AppError("The app ended without a complete answer.")
        headers = self._start.get("headers", ())
        found = ResponseHeaders(
            (bytes(name).decode("latin-1"), bytes(value).decode("latin-1"))
            for name, value in headers
        )
        return Response(int(self._start["status"]), found, b"".join(self._parts))


def _scope(posted: Posted, state: dict[str, Any]) -> Message:
    path, _, query = posted.path.partition("?")
    headers = {"host": HOST} | {name.lower(): value for name, value in posted.headers.items()}
    headers["content-length"] = str(len(posted.body))
    return {
        "type": "http",
        "asgi": dict(_ASGI),
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
        ],
        "client": ("127.0.0.1", 50_000),
        "server": (HOST, 80),
        "state": dict(state),
    }


@asynccontextmanager
async def lifespan(app: AsgiApp) -> AsyncIterator[dict[str, Any]]:
    """Run an app's start-up, and its shutdown at the end of the block; many have neither.

    Yields:
        What its start-up left for its requests.

    Raises:
        AppError: It could not start, or failed at its end.
    """
    state: dict[str, Any] = {}
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    heard: asyncio.Queue[Message] = asyncio.Queue()

    async def live() -> None:
        try:
            scope = {"type": "lifespan", "asgi": dict(_ASGI), "state": state}
            await app(scope, to_app.get, heard.put)
        except Exception as error:  # noqa: BLE001 - an app may fail in any way
            await heard.put({"type": "raised", "message": repr(error)})
        else:
            await heard.put({"type": "ended"})

    async def send_lifespan(word: str) -> Message:
        await to_app.put({"type": f"lifespan.{word}"})
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await heard.get()
        except TimeoutError:
            words = f"it did not within {_PATIENCE_SECONDS:g} s"
            return {"type": f"lifespan.{word}.failed", "message": words}

    failure = ""
    async with asyncio.TaskGroup() as group:
        living = group.create_task(live())
        answer = await send_lifespan("startup")
        if answer["type"] == "lifespan.startup.failed":
            failure = f"The app could not start: {_reason(answer)}"
        else:
            yield state
        if answer["type"] == "lifespan.startup.complete":
            answer = await send_lifespan("shutdown")
            if answer["type"] in {"lifespan.shutdown.failed", "raised"}:
                failure = f"The app could not shut down: {_reason(answer)}"
        living.cancel()
    # Raised out here, since the group would wrap it.
    if failure:
        raise AppError(failure)


def _reason(answer: Message) -> str:
    return str(answer.get("message") or "no reason given").strip()
