"""The demo: a session without tunnel or account, its own app, and something of everything."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tiktok_hook import events, signature, trigger
from tiktok_hook.delivery import Notice
from tiktok_hook.forward import ForwardRequest
from tiktok_hook.session.state import Session
from tiktok_hook.signature import State

SECRET = "demo-client-secret"  # noqa: S105 - there is nothing behind it
_FAILS_ON = b"portability.download.ready"
_TROUBLE = b"KeyError: 'user_openid'\n  at demo_app.py, line 12\n"
_PACE_SECONDS = 0.25


def script(*, stays: bool) -> Callable[[Session], AbstractAsyncContextManager[None]]:
    """What feeds the demo's session.

    Args:
        stays: Whether somebody sits at a terminal: deliveries then come at a pace that can be
            read, and the session goes on until it is ended; else it ends by itself.
    """

    @asynccontextmanager
    async def beside(session: Session) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            feeding = group.create_task(_feed(session, stays=stays))
            try:
                yield
            finally:
                feeding.cancel()

    return beside


async def _feed(session: Session, *, stays: bool) -> None:
    for request in _deliveries(session.local_url):
        await session.forwarder.send(request)
        if stays:
            await asyncio.sleep(_PACE_SECONDS)
    if not stays:
        session.ended.set()
        return
    words = "That was one of each. Press r to send the last one again, ? for more, q to leave."
    session.bus.publish(Notice(words, level="info"))


def _deliveries(url: str) -> list[ForwardRequest]:
    """One of each documented event, then a forged one, then a redelivery."""
    documented = [
        kind.name
        for kind in events.CATALOGUE.values()
        if kind.mark == "documented" or kind.name == "tiktok.ping"
    ]
    bodies = {name: trigger.body_of(name) for name in documented}
    requests = [trigger.request(url, body, secret=SECRET) for body in bodies.values()]
    removed = bodies["authorization.removed"]
    forged = trigger.request(url, removed, secret="somebody-elses-secret")  # noqa: S106 - as above
    repeated = trigger.request(url, removed, secret=SECRET)
    return [*requests, forged, repeated]


@asynccontextmanager
async def app() -> AsyncIterator[str]:
    """A small app as its developer might write it: verifies, answers 200, and has one bug.

    Yields:
        Its address.
    """
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}/webhook"
    finally:
        server.close()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            headers = dict(_headers(head))
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            status, text = _answer(headers.get("tiktok-signature"), body)
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n"
                f"Content-Length: {len(text)}\r\n\r\n".encode()
                + text
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the other side has closed
    finally:
        writer.close()


def _headers(head: bytes) -> list[tuple[str, str]]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return [(name.strip().lower(), value.strip()) for name, _, value in pairs]


def _answer(header: str | None, body: bytes) -> tuple[str, bytes]:
    verdict = signature.check(header, body, SECRET, now=time.time())
    if verdict.state is not State.VALID:
        return "403 Forbidden", b"the signature does not match\n"
    if _FAILS_ON in body:
        return "500 Internal Server Error", _TROUBLE
    return "200 OK", b"ok\n"
