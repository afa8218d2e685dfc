"""What happens, here and in other processes, as server-sent events that can be resumed."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tiktok_hook.delivery import (
    AppState,
    Attempt,
    Delivery,
    TunnelState,
    attempt_json,
    dump,
    timestamp,
)
from tiktok_hook.feed import Feed, Subscription
from tiktok_hook.inspector.api import row
from tiktok_hook.store import History

HEARTBEAT_SECONDS = 15.0
LOOK_SECONDS = 0.2
"""How often the file is looked at for what another process wrote."""

CATCH_UP = 500
"""Missed deliveries that are sent one by one; beyond it the page is told to start anew."""

MAX_STREAMS = 32
_REMEMBERED = 4096


class Stream:
    """The handler of `/api/v1/stream`.

    Args:
        feed: What this process does.
        history: What all do.
    """

    def __init__(self, *, feed: Feed, history: History) -> None:
        self._feed = feed
        self._history = history
        self._open = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Send events until the client leaves.

        ``delivery`` carries a row of the list and the delivery's id, by which `Last-Event-ID` goes
        on; ``attempt``, ``tunnel`` and ``app`` what they are called; ``reset`` says that too much
        was missed.
        """
        if self._open >= MAX_STREAMS:
            raise web.HTTPServiceUnavailable(text="Too many pages are open.")
        given = request.headers.get("Last-Event-ID") or request.query.get("after") or ""
        known = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Content-Type-Options": "nosniff"}
        )
        self._open += 1
        try:
            with self._feed.subscribe(size=2000) as arrivals:
                await response.prepare(request)
                await _Connection(response, self._history, arrivals).run(known)
        except ConnectionResetError:
            pass  # the page is gone
        finally:
            self._open -= 1
        return response


class _Connection:
    def __init__(
        self, response: web.StreamResponse, history: History, arrivals: Subscription
    ) -> None:
        self._response = response
        self._history = history
        self._arrivals = arrivals
        self._sent: OrderedDict[int, None] = OrderedDict()
        self._newest = 0
        self._dropped = 0

    async def run(self, known: int | None) -> None:
        newest = await asyncio.to_thread(self._history.newest_id)
        self._newest = newest if known is None else min(known, newest)
        await self._write(b"retry: 1000\n\n")
        await self._catch_up()
        changes = await asyncio.to_thread(self._history.changes)
        quiet = 0.0
        while True:
            items = self._arrivals.drain() or await self._next(LOOK_SECONDS)
            for item in items:
                await self._tell(item)
            if self._arrivals.dropped != self._dropped:
                self._dropped = self._arrivals.dropped
                await self._event("reset", {})
            if items:
                quiet = 0.0
                continue
            now = await asyncio.to_thread(self._history.changes)
            if now != changes:
                changes = now
                await self._catch_up()
            quiet += LOOK_SECONDS
            if quiet >= HEARTBEAT_SECONDS:
                quiet = 0.0
                await self._write(b": still here\n\n")

    async def _next(self, seconds: float) -> list[object]:
        try:
            async with asyncio.timeout(seconds):
                return [await anext(self._arrivals)]
        except TimeoutError:
            return []

    async def _catch_up(self) -> None:
        """Send what is in the history and has not been sent."""
        while True:
            found = await asyncio.to_thread(self._history.page, after=self._newest, limit=CATCH_UP)
            if not found:
                return
            last = await asyncio.to_thread(self._history.last_attempts, [each.id for each in found])
            for delivery in found:
                if delivery.id not in self._sent:
                    await self._send(delivery, last.get(delivery.id))
            if len(found) == CATCH_UP:
                self._newest = await asyncio.to_thread(self._history.newest_id)
                await self._event("reset", {})
                return

    async def _tell(self, item: object) -> None:
        if isinstance(item, Delivery):
            if item.id not in self._sent:
                await self._send(item, None)
        elif isinstance(item, Attempt):
            await self._event("attempt", attempt_json(item))
        elif isinstance(item, TunnelState):
            since = timestamp(item.since)
            await self._event(
                "tunnel",
                {"state": item.state, "url": item.url, "since": since, "error": item.error},
            )
        elif isinstance(item, AppState):
            await self._event(
                "app", {"state": item.state, "target": item.target, "exit_code": item.exit_code}
            )

    async def _send(self, delivery: Delivery, last: Attempt | None) -> None:
        self._sent[delivery.id] = None
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        self._newest = max(self._newest, delivery.id)
        await self._event("delivery", row(delivery, last), number=delivery.id)

    async def _event(
        self, name: str, value: Mapping[str, Any], *, number: int | None = None
    ) -> None:
        head = f"event: {name}\n" if number is None else f"id: {number}\nevent: {name}\n"
        await self._write(head.encode() + b"data: " + dump(value) + b"\n\n")

    async def _write(self, data: bytes) -> None:
        await self._response.write(data)
