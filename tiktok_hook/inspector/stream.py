"""What happens, here and in other processes, as server-sent events that can be resumed."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tiktok_hook.bus import Bus, Subscription
from tiktok_hook.delivery import (
    AppState,
    Attempt,
    Delivery,
    TunnelState,
    attempt_json,
    dump,
    timestamp,
)
from tiktok_hook.errors import StoreError
from tiktok_hook.inspector.api import row
from tiktok_hook.store import Filter, History

HEARTBEAT_SECONDS = 15.0
LOOK_SECONDS = 0.2
"""How often the file is looked at for what another process wrote."""

CATCH_UP = 200
"""Missed deliveries that are sent one by one; beyond it the page is told to start anew."""

MAX_STREAMS = 32
_REMEMBERED = 4096

_RECENT = 50
"""Of so many rows sent last, what another process does with them is told too."""


class Stream:
    """The handler of `/api/v1/stream`.

    Args:
        feed: What this process does.
        history: What all do.
    """

    def __init__(self, *, feed: Bus, history: History) -> None:
        self._feed = feed
        self._history = history
        self._open = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Send events until the client leaves.

        ``delivery`` carries a row of the list, again when it has been answered; ``attempt``,
        ``tunnel`` and ``app`` what they are called; ``reset`` says that too much was missed. The
        id of an event is the one up to which no delivery is missing, for `Last-Event-ID`: after a
        break a row may come twice, never not at all.
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
                transport = request.transport
                connection = _Connection(response, self._history, arrivals)
                await connection.run(known, lambda: transport is None or transport.is_closing())
        except (ConnectionResetError, StoreError):
            pass  # the page is gone, or the history; a page that is there comes back and asks
        finally:
            self._open -= 1
        return response


@dataclass(slots=True)
class _Sent:
    """What the client knows of a delivery."""

    answered: bool
    attempt: tuple[int, bool] | None


class _Connection:
    def __init__(
        self, response: web.StreamResponse, history: History, arrivals: Subscription
    ) -> None:
        self._response = response
        self._history = history
        self._arrivals = arrivals
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self._whole = 0  # every delivery up to this id has been sent
        self._dropped = 0

    async def run(self, known: int | None, gone: Callable[[], bool]) -> None:
        """Send until the client is gone.

        Args:
            known: The last id that the client has; None for one that has just come.
            gone: Whether it left.
        """
        newest = await asyncio.to_thread(self._history.newest_id)
        self._whole = newest if known is None else min(known, newest)
        await self._write(b"retry: 1000\n\n")
        changes = await asyncio.to_thread(self._history.changes)  # before looking, or one is missed
        await self._catch_up()
        looked = spoke = time.monotonic()
        while not gone():
            items = self._arrivals.drain() or await self._next(LOOK_SECONDS)
            if items:
                await self._tell_all(items)
                spoke = time.monotonic()
            if self._arrivals.dropped != self._dropped:
                self._dropped = self._arrivals.dropped
                await self._event("reset", {})
            if time.monotonic() - looked >= LOOK_SECONDS:
                looked = time.monotonic()
                now = await asyncio.to_thread(self._history.changes)
                if now != changes:
                    changes = now
                    await self._look_again()
                    await self._catch_up()
            if time.monotonic() - spoke >= HEARTBEAT_SECONDS:
                spoke = time.monotonic()
                await self._write(b": still here\n\n")

    async def _next(self, seconds: float) -> list[object]:
        try:
            async with asyncio.timeout(seconds):
                return [await anext(self._arrivals)]
        except TimeoutError:
            return []

    async def _catch_up(self) -> None:
        """Send what is in the history and has not been sent; ids are committed in their order."""
        found = await asyncio.to_thread(self._history.page, after=self._whole, limit=CATCH_UP)
        if not found:
            return
        if len(found) == CATCH_UP:
            self._whole = await asyncio.to_thread(self._history.newest_id)
            await self._event("reset", {})
            return
        await self._send([each for each in found if each.id not in self._sent])
        self._whole = found[-1].id
        await self._write(f"id: {self._whole}\n\n".encode())

    async def _look_again(self) -> None:
        """Tell what happened to rows sent lately, for what this process is not told itself."""
        recent = list(self._sent)[-_RECENT:]
        waiting = tuple(number for number in recent if not self._sent[number].answered)
        if waiting:
            found = await asyncio.to_thread(
                self._history.page, Filter(ids=waiting), limit=len(waiting)
            )
            await self._send([each for each in found if each.status is not None])
        for attempt in (await asyncio.to_thread(self._history.last_attempts, recent)).values():
            await self._tell_attempt(attempt)

    async def _tell_all(self, items: Sequence[object]) -> None:
        deliveries = [item for item in items if isinstance(item, Delivery)]
        await self._send([each for each in deliveries if not self._is_known(each)])
        for item in items:
            if isinstance(item, Attempt):
                await self._tell_attempt(item)
            elif isinstance(item, TunnelState):
                since = timestamp(item.since)
                await self._event(
                    "tunnel",
                    {"state": item.state, "url": item.url, "since": since, "error": item.error},
                )
            elif isinstance(item, AppState):
                await self._event(
                    "app",
                    {"state": item.state, "target": item.target, "exit_code": item.exit_code},
                )

    def _is_known(self, delivery: Delivery) -> bool:
        sent = self._sent.get(delivery.id)
        return sent is not None and (sent.answered or delivery.status is None)

    async def _tell_attempt(self, attempt: Attempt) -> None:
        sent = self._sent.get(attempt.delivery_id)
        state = (attempt.number, attempt.ended)
        if sent is not None:
            if sent.attempt is not None and sent.attempt >= state:
                return
            sent.attempt = state
        await self._event("attempt", attempt_json(attempt))

    async def _send(self, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        ids = [each.id for each in deliveries]
        last = await asyncio.to_thread(self._history.last_attempts, ids)
        for delivery in deliveries:
            attempt = last.get(delivery.id)
            state = None if attempt is None else (attempt.number, attempt.ended)
            self._sent[delivery.id] = _Sent(delivery.status is not None, state)
            if len(self._sent) > _REMEMBERED:
                self._sent.popitem(last=False)
            if delivery.id == self._whole + 1:
                self._whole = delivery.id
            await self._event("delivery", row(delivery, attempt))

    async def _event(self, name: str, value: Mapping[str, Any]) -> None:
        head = f"id: {self._whole}\nevent: {name}\n".encode()
        await self._write(head + b"data: " + dump(value) + b"\n\n")

    async def _write(self, data: bytes) -> None:
        await self._response.write(data)
