"""Serves a handler on bound sockets: accepts connections, enforces deadlines, drains."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from tiktok_hook.receiver.guard import ConnectionGuard
from tiktok_hook.receiver.input_queue import InputQueue
from tiktok_hook.receiver.limits import Capacity, Limits
from tiktok_hook.receiver.messages import IncomingRequest, ReceiverResponse
from tiktok_hook.receiver.reports import ReceiverReports

_BACKLOG = 1024

_COMPLETION_SECONDS = 1.0
"""How long a request that is being received at the end may take to be complete."""

_CANCEL_SECONDS = 1.0
"""How long a cancelled handler may take to end."""


@asynccontextmanager
async def serve(
    handler: Callable[[IncomingRequest], Awaitable[ReceiverResponse]],
    sockets: Sequence[socket.socket],
    limits: Limits | None = None,
    *,
    reports: ReceiverReports | None = None,
    drain_seconds: float = 5.0,
) -> AsyncIterator[None]:
    """Serve HTTP/1.1 on bound sockets until the block ends.

    On the way out no new connection is accepted, requests that are being handled get
    `drain_seconds`, and then every connection is closed and its handler cancelled. The sockets
    are closed too.

    Args:
        handler: Called with each complete request, by many tasks at once. An exception of it is
            reported as a bug and answered 500.
        sockets: Bound, TCP.
        limits: Of connections, bytes and seconds; None takes the defaults.
        reports: Gets the requests that are answered before they reach the handler; None drops them.
        drain_seconds: How long handlers that still run at the end get.

    Raises:
        ExceptionGroup: Contains the exception of the block, as from every `asyncio.TaskGroup`.
    """
    from tiktok_hook.receiver.exchange import HttpExchange  # brings aiohttp: 250 ms

    capacity = Capacity(limits or Limits())
    reports = reports or ReceiverReports()
    exchange = HttpExchange(handler, capacity, reports)
    loop = asyncio.get_running_loop()
    input_queue = InputQueue()

    def connection() -> ConnectionGuard:
        return ConnectionGuard(exchange.connect, capacity, reports, input_queue)

    async with asyncio.TaskGroup() as tasks:
        sweeping = tasks.create_task(_sweep(capacity, reports))
        servers = [
            await loop.create_server(connection, sock=each, backlog=_BACKLOG) for each in sockets
        ]
        try:
            yield
        finally:
            for server in servers:
                server.close()
            try:
                await _drain(capacity, drain_seconds)
            finally:
                sweeping.cancel()
                await _end(capacity)
                reports.flush()


async def _sweep(capacity: Capacity, reports: ReceiverReports) -> None:
    """Enforce the deadlines of all connections, and publish counted requests; does not return."""
    limits = capacity.limits
    shortest = min(
        limits.request_seconds,
        limits.unused_seconds,
        limits.idle_seconds,
        limits.drain_seconds,
    )
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(min(1.0, shortest / 4))
        now = loop.time()
        for connection in capacity.all():
            try:
                connection.check(now)
            except Exception as bug:  # noqa: BLE001 - the others have deadlines too
                reports.bug(bug)
        reports.flush()


async def _drain(capacity: Capacity, seconds: float) -> None:
    """Close idle connections, and wait for requests that are being received or handled."""
    capacity.leaving = True
    began = asyncio.get_running_loop().time()
    for connection in capacity.all():
        connection.close_if_idle()
    await _wait_for_end(capacity, until=began + min(seconds, _COMPLETION_SECONDS))
    for connection in [*capacity.receiving]:
        connection.abort()
    await _wait_for_end(capacity, until=began + seconds)


async def _wait_for_end(capacity: Capacity, *, until: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            while capacity.places or capacity.handling:
                capacity.changed.clear()
                await capacity.changed.wait()


async def _end(capacity: Capacity) -> None:
    """Cancel every handler, close every connection, and wait for the handlers to end."""
    handling = [*capacity.handling]
    for connection in handling:
        connection.cancel()
    for connection in capacity.all():
        connection.abort()
    with suppress(TimeoutError):
        async with asyncio.timeout(_CANCEL_SECONDS):
            while capacity.handling:
                capacity.changed.clear()
                await capacity.changed.wait()
