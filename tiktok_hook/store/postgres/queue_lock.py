"""Queue locks, which depend on the lease of their process."""

import asyncio
import time
from contextlib import suppress
from typing import Any, Self

from tiktok_hook.errors import StoreError
from tiktok_hook.store.postgres.connections import QueryConnections
from tiktok_hook.store.postgres.presence import ACQUIRE, Presence


class LeaseQueueLock:
    """The lock of one queue; see `api.QueueLock`.

    It is a row that names its holder, which counts as long as that process renews its lease. Not a
    session lock of the server's: a pooler gives such a lock to two clients at once.

    Args:
        connections: To ask the server with.
        presence: This process.
        target: The address that the queue is for.

    Attributes:
        lost: Whether another process has had it since we acquired it.
    """

    def __init__(self, connections: QueryConnections, presence: Presence, target: str) -> None:
        self.target = target
        self._connections = connections
        self._presence = presence
        self._held = False
        self.lost = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def held(self) -> bool:
        """Whether this process has the lock for certain; no query."""
        return self._held and self._presence.is_valid

    async def acquire(self) -> bool:
        """Try to acquire the lock; returns the success."""
        if self.held:
            return True
        self._held = False
        since = time.monotonic()
        values = {"app": self._presence.app, "target": self.target, "id": self._presence.id}
        ((acquired,),) = await asyncio.to_thread(self._ask, ACQUIRE, values)
        if acquired:
            self._held, self.lost = True, False
            self._presence.hold(self, since)
        return self._held

    async def release(self) -> None:
        """Release the lock."""
        if self._held:
            self._held = False
            self._presence.drop(self)
            values = {"app": self._presence.app, "target": self.target, "id": self._presence.id}
            with suppress(StoreError):  # then the lease ends by itself
                await asyncio.to_thread(self._ask, _RELEASE, values)

    async def close(self) -> None:
        """Release the lock."""
        await self.release()

    def lose(self) -> None:
        """Record that another process acquired the lock after the lease had ended."""
        self._held, self.lost = False, True

    def _ask(self, query: str, values: dict[str, Any]) -> list[Any]:
        return self._connections.all(query, values)


_RELEASE = "SELECT tiktok_hook.release_1(%(id)s::uuid, %(app)s::text, %(target)s::text)"
