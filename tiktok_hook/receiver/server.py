"""All connections to the receiver: how many there may be, their deadlines, their end."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from tiktok_hook.receiver.connection import Connection
from tiktok_hook.receiver.rules import Limits, Receiver

_YIELDS_AFTER_SECONDS = 1.0
"""A connection idle for longer makes room for a new one."""

_WHOLE_SECONDS = 1.0
"""How long a request that is being received at the end may take to become whole."""


class Server:
    """Takes connections for a `Receiver`."""

    def __init__(self, rules: Receiver, limits: Limits) -> None:
        self.rules = rules
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.bodies_bytes = 0
        self.leaving = False
        # Dictionaries for their order: the oldest first.
        self._connections: dict[Connection, None] = {}
        self._refused: dict[Connection, None] = {}
        self._in_flight = 0
        self._work: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def running(
        self, sockets: Sequence[socket.socket], *, drain_seconds: float
    ) -> AsyncIterator[None]:
        """Serve on bound sockets until the block ends, and `drain_seconds` longer at most."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            sweeping = tasks.create_task(self._sweep())
            servers = [
                await self.loop.create_server(lambda: Connection(self), sock=each, backlog=1024)
                for each in sockets
            ]
            try:
                yield
            finally:
                for server in servers:
                    server.close()
                try:
                    await self._drain(drain_seconds)
                finally:
                    sweeping.cancel()
                    for work in self._work:
                        work.cancel()
                    for connection in [*self._connections, *self._refused]:
                        connection.leave(now=True)

    def opened(self, connection: Connection) -> bool:
        """Take in a connection; False when there are too many."""
        if len(self._connections) >= self.limits.connections:
            self._make_room()
        if len(self._connections) < self.limits.connections:
            self._connections[connection] = None
            return True
        self.refused(connection)
        return False

    def refused(self, connection: Connection) -> None:
        """Give a connection's place to another; beyond as many again they are cut off at once."""
        self._connections.pop(connection, None)
        self._refused[connection] = None
        self._changed.set()
        if len(self._refused) > self.limits.connections:
            connection.leave(now=True)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.pop(connection, None)
        self._refused.pop(connection, None)
        self._changed.set()

    def begin(self) -> bool:
        """Count a request that is going to be answered; False when too many are already.

        They are counted apart from connections: one whose client has gone is handled to its end.
        """
        if self._in_flight >= self.limits.in_flight:
            return False
        self._in_flight += 1
        return True

    def end(self) -> None:
        """Count one that was answered."""
        self._in_flight -= 1
        if self.leaving:
            self._changed.set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what answers a request and needs a task for it."""
        assert self._tasks is not None
        task = self._tasks.create_task(self._run(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as bug:  # noqa: BLE001 - one bad request must not end the receiver
            self.rules.bug(bug)

    def _make_room(self) -> None:
        """Close the connection that has been idle for longest, if any has for a while."""
        idle = [connection for connection in self._connections if connection.idle]
        oldest = min(idle, key=lambda connection: connection.idle_since, default=None)
        if oldest and self.loop.time() - oldest.idle_since > _YIELDS_AFTER_SECONDS:
            self._connections.pop(oldest, None)
            oldest.leave()

    async def _sweep(self) -> None:
        limits = self.limits
        shortest = min(
            limits.request_seconds,
            limits.unused_seconds,
            limits.idle_seconds,
            limits.linger_seconds,
        )
        while True:
            await asyncio.sleep(min(1.0, shortest / 4))
            now = self.loop.time()
            for connection in [*self._connections, *self._refused]:
                try:
                    connection.check(now)
                except Exception as bug:  # noqa: BLE001 - the others have deadlines too
                    self.rules.bug(bug)

    async def _drain(self, seconds: float) -> None:
        self.leaving = True
        now = self.loop.time()
        for connection in [*self._connections, *self._refused]:
            connection.leave()
        await self._wait_for_end(until=now + min(seconds, _WHOLE_SECONDS))
        for connection in [*self._connections]:
            if not connection.busy:
                connection.leave(now=True)
        await self._wait_for_end(until=now + seconds)

    async def _wait_for_end(self, *, until: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while self._in_flight or self._connections:
                    self._changed.clear()
                    await self._changed.wait()
