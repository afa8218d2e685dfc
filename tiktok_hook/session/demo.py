"""The demo: a session without tunnel or account, with sample deliveries and a sample app."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tiktok_hook import events, ports, signature, trigger
from tiktok_hook.delivery import Notice
from tiktok_hook.forward import ForwardRequest
from tiktok_hook.receiver import IncomingRequest, ReceiverResponse, serve
from tiktok_hook.session.state import Session
from tiktok_hook.session.wiring import background_task
from tiktok_hook.signature import State

SECRET = "demo-client-secret"  # noqa: S105 - protects nothing
_FAILS_ON = b"portability.download.ready"
_TROUBLE = b"KeyError: 'user_openid'\n  at demo_app.py, line 12\n"
_PACE_SECONDS = 0.25


def script(
    *, stays: bool, keys: bool = True
) -> Callable[[Session], AbstractAsyncContextManager[None]]:
    """Return the script that sends sample deliveries to the demo's session.

    Args:
        stays: Whether the session runs on a terminal. If so, deliveries are sent at a readable
            pace and the session runs until the user quits. Otherwise it ends after the last
            delivery.
        keys: Whether single keys work.
    """
    return lambda session: background_task(_feed(session, stays=stays, keys=keys))


async def _feed(session: Session, *, stays: bool, keys: bool) -> None:
    for request in _deliveries(session.local_url):
        await session.forwarder.send(request)
        if stays:
            await asyncio.sleep(_PACE_SECONDS)
    if not stays:
        session.ended.set()
        return
    ways = "Press r to replay the last one, ? for help, q to quit." if keys else "Ctrl-C stops."
    words = f"All samples were sent. {ways}"
    session.bus.publish(Notice(words, level="info"))


def _deliveries(url: str) -> list[ForwardRequest]:
    """One delivery of each documented event, one with a forged signature, and a redelivery."""
    documented = [
        kind.name
        for kind in events.CATALOGUE.values()
        if not kind.business and (kind.mark == "documented" or kind.name == "tiktok.ping")
    ]
    bodies = {name: trigger.body_of(name) for name in documented}
    requests = [trigger.request(url, body, secret=SECRET) for body in bodies.values()]
    removed = bodies["authorization.removed"]
    forged = trigger.request(url, removed, secret="somebody-elses-secret")  # noqa: S106 - as above
    repeated = trigger.request(url, removed, secret=SECRET)
    return [*requests, forged, repeated]


@asynccontextmanager
async def app() -> AsyncIterator[str]:
    """Run a sample app that verifies signatures, answers 200, and fails on one event.

    Yields:
        The URL of the app.
    """
    sockets = ports.bind(0, preferred=0)
    host, port = sockets[0].getsockname()[:2]
    async with serve(_respond, sockets, drain_seconds=0):
        yield f"http://{host}:{port}/webhook"


async def _respond(request: IncomingRequest) -> ReceiverResponse:
    """The webhook handler of the sample app."""
    headers = {name.lower(): value for name, value in request.headers}
    header = headers.get(signature.HEADER.lower())
    verdict = signature.check(header, request.body, SECRET, now=time.time())
    if verdict.state is not State.VALID:
        return ReceiverResponse(403, b"the signature does not match\n", "text/plain")
    if _FAILS_ON in request.body:
        return ReceiverResponse(500, _TROUBLE, "text/plain")
    return ReceiverResponse(200, b"ok\n", "text/plain")
