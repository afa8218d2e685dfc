"""Live changes, by this and other processes, as server-sent events that can be resumed.

Memory: a subscription keeps at most `MAX_NOTES` ids and small records, and at most `_BATCH` new
deliveries with their bodies, which are sent as they were stored. All other rows are read from the
history when they are written, a few at a time. A client that does not read is disconnected after
`WRITE_SECONDS`.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from tiktok_hook.bus import Bus, Handler
from tiktok_hook.delivery import (
    AppChanged,
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Delivery,
    DeliveryAnswered,
    DeliveryStored,
    QueueChanged,
    TunnelChanged,
    attempt_ended_json,
    dump,
    timestamp,
)
from tiktok_hook.errors import StoreError
from tiktok_hook.inspector.responses import queued_ids, row_json
from tiktok_hook.store import Filter, HistoryReader

HEARTBEAT_SECONDS = 15.0
POLL_SECONDS = 0.5
"""How often the history is checked for changes by other processes."""

CATCH_UP = 200
"""Number of missed deliveries that trigger a ``reset`` instead of being sent one by one."""

MAX_STREAMS = 32
MAX_NOTES = 2000
"""Maximum number of changes buffered for one client; past it, changes are dropped and the client
gets ``reset``."""

WRITE_SECONDS = 10.0
"""Write timeout in seconds; a client that does not read is disconnected after it."""

_BATCH = 8
"""Rows in memory at a time: their bodies are the memory that a stream takes."""

_REMEMBERED = 4096
_RECENT = 50
"""Number of recently sent rows that are checked for changes by other processes."""


class Stream:
    """The handler of `/api/v1/stream`.

    Args:
        feed: What this process does.
        history: What all processes did.
    """

    def __init__(self, *, feed: Bus, history: HistoryReader) -> None:
        self._feed = feed
        self._history = history
        self._open = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Send events until the client disconnects.

        ``delivery`` carries a row of the list, again when it has been answered. ``attempt`` (also
        when it begins), ``tunnel``, ``app`` and ``queue`` carry what they are named after; an
        attempt comes with ``will_retry`` and ``next_try_at``. ``reset`` means
        that changes were missed and the list has to be loaded again. The id of an event is the
        highest delivery id without gaps before it, for ``Last-Event-ID``: after a reconnect rows
        may repeat but are never lost.
        """
        if self._open >= MAX_STREAMS:
            raise web.HTTPServiceUnavailable(text=f"{MAX_STREAMS} streams are open. Close a tab.")
        given = request.headers.get("Last-Event-ID") or request.query.get("after") or ""
        known = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Content-Type-Options": "nosniff"}
        )
        transport = request.transport
        subscription = _Subscription()
        self._open += 1
        try:
            with self._feed.connect(subscription.handlers()):
                connection = _Connection(response, self._history, subscription)
                await connection.begin(known)
                await response.prepare(request)
                await connection.run(lambda: transport is None or transport.is_closing())
        except TimeoutError:
            if transport is not None:
                transport.abort()  # what is buffered for a stalled client is given up
        except (ConnectionResetError, StoreError):
            pass  # the client left, or the history was closed; a client that is there reconnects
        finally:
            self._open -= 1
        return response


@dataclass(frozen=True, slots=True)
class _Row:
    """A delivery to send; the write of its status is not awaited, so the history may lag behind.

    Attributes:
        id: Of the delivery.
        status: As published.
        stored: The delivery if it has just been stored and there was room to keep it. Its row needs
            no query then: a query on a thread takes longer than everything else until it is sent.
    """

    id: int
    status: int | None
    stored: DeliveryStored | None = None


_Note = _Row | AttemptEnded | TunnelChanged | AppChanged | QueueChanged


class _Subscription:
    """Buffer of events that have not been written yet, without bodies.

    The bus fills it and one `_Connection` empties it, both on the event loop, so it needs no lock.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._notes: deque[_Note] = deque()
        self._kept = 0  # deliveries in `_notes`
        self._tunnel: tuple[str, str | None, str | None] | None = None
        self._arrived = asyncio.Event()

    def handlers(self) -> Mapping[type[Any], Handler]:
        """Handlers by event class, for `Bus.connect`."""
        return {
            DeliveryStored: self._stored,
            DeliveryAnswered: self._answered,
            AttemptStarted: self._attempt,
            AttemptEnded: self._attempt,
            TunnelChanged: self._tunnel_changed,
            AppChanged: self._keep,
            QueueChanged: self._keep,
        }

    def _stored(self, event: DeliveryStored) -> None:
        delivery = event.delivery
        if event.queued is None or self._kept == _BATCH:
            self._keep(_Row(delivery.id, delivery.status))
        else:
            self._kept += 1
            self._keep(_Row(delivery.id, delivery.status, event))

    def _answered(self, event: DeliveryAnswered) -> None:
        self._keep(_Row(event.delivery.id, event.delivery.status))

    def _attempt(self, event: AttemptStarted | AttemptEnded) -> None:
        attempt = event.attempt.replace(body=b"", headers=(), request_body=None, request_headers=())
        if isinstance(event, AttemptEnded):
            self._keep(replace(event, attempt=attempt))
        else:
            self._keep(AttemptEnded(attempt))

    def _tunnel_changed(self, event: TunnelChanged) -> None:
        state = (event.state, event.url, event.error)
        if state != self._tunnel:  # each heartbeat repeats it
            self._tunnel = state
            self._keep(event)

    def _keep(self, note: _Note) -> None:
        if len(self._notes) < MAX_NOTES:
            self._notes.append(note)
        else:
            self.dropped += 1
        self._arrived.set()

    async def take(self, seconds: float) -> list[_Note]:
        """Return all buffered notes, waiting up to `seconds` for the first one; may be empty."""
        if not self._notes:
            self._arrived.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()
            except TimeoutError:
                return []
            await asyncio.sleep(0)  # the response to TikTok is written first: it is due as well
        notes = list(self._notes)
        self._notes.clear()
        self._kept = 0
        return notes


@dataclass(slots=True)
class _Sent:
    """The state of a delivery that was last sent to the client."""

    answered: bool
    attempt: tuple[int, bool, bool] | None
    """Number, whether it ended, whether a retry was announced; a greater one is news."""

    apps: tuple[str, ...]


@dataclass(slots=True)
class _StoredRow:
    """What a row of the list shows, as it was read from the history."""

    delivery: Delivery
    last_attempt: Attempt | None
    queued: bool
    apps: tuple[str, ...]

    @property
    def state(self) -> _Sent:
        attempt = self.last_attempt
        state = None if attempt is None else (attempt.number, attempt.ended, False)
        return _Sent(self.delivery.status is not None, state, self.apps)


def _new_row(event: DeliveryStored, status: int | None) -> _StoredRow:
    """The row of a delivery that has just been stored; attempts come as events of their own.

    Args:
        event: Its `queued` is known.
        status: The newest one published; None while it depends on the app.
    """
    delivery = event.delivery
    if delivery.status is None:
        delivery = delivery.replace(status=status)
    return _StoredRow(delivery, None, bool(event.queued), ())


class _Connection:
    """Writes what a client has not got yet.

    One task runs it; queries go to threads, and their results come back to this task. Invariants:
    every delivery up to `_complete` has been sent, was deleted before that, or is covered by a
    ``reset``; `_sent` has what was last sent of the newest rows, so a row is sent again only when
    it differs. Each write has a deadline, so a client that does not read holds one buffer only.
    """

    def __init__(
        self, response: web.StreamResponse, history: HistoryReader, subscription: _Subscription
    ) -> None:
        self._response = response
        self._history = history
        self._subscription = subscription
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self._complete = 0  # every delivery up to this id has been sent
        self._changes = 0
        self._restored = history.restored()
        self._dropped = 0

    async def begin(self, known: int | None) -> None:
        """Note what there is already. The client loads the list after this, so it has as much.

        Args:
            known: The last id that the client received; None for a new client.
        """
        # Read before the rows: a change between the two is then seen by the next poll.
        self._changes = self._history.changes()
        newest = await asyncio.to_thread(self._history.newest_id)
        self._complete = newest if known is None else min(known, newest)
        recent: list[tuple[int, _Sent]] = []
        before = self._complete + 1
        while len(recent) < _RECENT and (
            found := await asyncio.to_thread(self._page_before, before)
        ):
            recent += [(each.delivery.id, each.state) for each in found]
            before = found[-1].delivery.id
        self._sent.update(reversed(recent))

    async def run(self, gone: Callable[[], bool]) -> None:
        """Send events until the client disconnects.

        Args:
            gone: Returns whether the client has disconnected.

        Raises:
            TimeoutError: The client does not read.
        """
        await self._write(b"retry: 1000\n\n")
        await self._catch_up()
        polled = wrote = time.monotonic()
        while not gone():
            notes = await self._subscription.take(POLL_SECONDS)
            if notes:
                await self._send_notes(notes)
                wrote = time.monotonic()
            if self._subscription.dropped != self._dropped:
                self._dropped = self._subscription.dropped
                await self._event("reset", {})
            if time.monotonic() - polled >= POLL_SECONDS:
                polled = time.monotonic()
                now = self._history.changes()
                if now != self._changes:
                    self._changes = now
                    if self._history.restored() != self._restored:
                        await self._begin_again()
                    await self._send_changes_of_recent_rows()
                    await self._catch_up()
            if time.monotonic() - wrote >= HEARTBEAT_SECONDS:
                wrote = time.monotonic()
                await self._write(b": connected\n\n")

    async def _begin_again(self) -> None:
        """Let the client load the list again: a dump was restored, so ids may mean others now."""
        self._restored = self._history.restored()
        self._sent.clear()
        self._complete = await asyncio.to_thread(self._history.newest_id)
        await self._event("reset", {})

    async def _catch_up(self) -> None:
        """Send stored deliveries that were not sent yet. Ids are committed in ascending order."""
        newest = await asyncio.to_thread(self._history.newest_id)
        if newest - self._complete >= CATCH_UP:
            self._complete = newest
            await self._event("reset", {})
            return
        after = self._complete
        while found := await asyncio.to_thread(self._page_after, after):
            await self._send([each for each in found if each.delivery.id not in self._sent])
            after = found[-1].delivery.id
        if after != self._complete:
            self._complete = after
            await self._write(f"id: {after}\n\n".encode())

    async def _send_changes_of_recent_rows(self) -> None:
        """Send changes that another process made to recently sent rows."""
        recent = list(self._sent)[-_RECENT:]
        waiting = [number for number in recent if not self._sent[number].answered]
        async for found in self._read(waiting):
            await self._send([each for each in found if each.delivery.status is not None])
        apps = await asyncio.to_thread(self._history.apps_of, recent)
        async for found in self._read(
            [each for each in apps if apps[each] != self._sent[each].apps]
        ):
            await self._send(found)
        for attempt in await asyncio.to_thread(self._last_attempts, recent):
            await self._send_attempt(attempt)

    async def _read(self, ids: Sequence[int]) -> AsyncIterator[list[_StoredRow]]:
        """The rows of these deliveries that still exist, a few at a time, oldest first."""
        for at in range(0, len(ids), _BATCH):
            yield await asyncio.to_thread(self._page_of, ids[at : at + _BATCH])

    # Each of the following is one call in a thread for all that is needed: with a call for each
    # query, the changes of thread took longer than the queries.

    def _page_of(self, ids: Sequence[int]) -> list[_StoredRow]:
        return self._rows(self._history.page(Filter(ids=tuple(ids)), limit=_BATCH)[::-1])

    def _page_after(self, after: int) -> list[_StoredRow]:
        return self._rows(self._history.page(after=after, limit=_BATCH))

    def _page_before(self, before: int) -> list[_StoredRow]:
        return self._rows(self._history.page(before=before, limit=_BATCH))

    def _rows(self, deliveries: Sequence[Delivery]) -> list[_StoredRow]:
        ids = [each.id for each in deliveries]
        last = self._history.last_attempts(ids) if ids else {}
        queued = queued_ids(self._history, ids)
        apps = self._history.apps_of(ids)
        return [
            _StoredRow(each, last.get(each.id), each.id in queued, apps.get(each.id, ()))
            for each in deliveries
        ]

    async def _send_notes(self, notes: Sequence[_Note]) -> None:
        rows = [note for note in notes if isinstance(note, _Row)]
        await self._send_published(rows)
        for note in notes:
            if isinstance(note, AttemptEnded):
                attempt = await asyncio.to_thread(self._complete_attempt, note.attempt)
                if attempt.ended and not note.attempt.ended:
                    continue  # its end comes as an event of its own, which knows of the retry
                await self._send_attempt(replace(note, attempt=attempt))
            elif isinstance(note, TunnelChanged):
                since = timestamp(note.since)
                await self._event(
                    "tunnel",
                    {"state": note.state, "url": note.url, "since": since, "error": note.error},
                )
            elif isinstance(note, QueueChanged):
                await self._event("queue", {"paused": note.paused, "waiting": note.waiting})
            elif isinstance(note, AppChanged):
                await self._event(
                    "app",
                    {"state": note.state, "target": note.target, "exit_code": note.exit_code},
                )

    async def _send_published(self, rows: Iterable[_Row]) -> None:
        """Send the rows of deliveries that were published, each once with its newest status."""
        statuses: dict[int, int | None] = {}
        stored: dict[int, DeliveryStored] = {}
        for row in rows:
            statuses[row.id] = statuses.get(row.id) or row.status
            if row.stored is not None:
                stored[row.id] = row.stored
        ids = [number for number, status in statuses.items() if not self._is_known(number, status)]
        if stored.keys() >= set(ids):
            await self._send([_new_row(stored[each], statuses[each]) for each in ids])
            return
        async for found in self._read(ids):
            for each in found:
                if each.delivery.status is None:
                    each.delivery = each.delivery.replace(status=statuses[each.delivery.id])
            await self._send(found)

    def _is_known(self, number: int, status: int | None) -> bool:
        sent = self._sent.get(number)
        return sent is not None and (sent.answered or status is None)

    def _complete_attempt(self, note: Attempt) -> Attempt:
        """The attempt as stored, with the outcome that may not be in the history yet."""
        stored = self._history.last_attempts([note.delivery_id]).get(note.delivery_id)
        if stored is None or stored.number != note.number:
            every = self._history.attempts(note.delivery_id)
            stored = next((each for each in every if each.number == note.number), None)
        if stored is None:
            return note
        if stored.ended or not note.ended:
            return stored
        return stored.replace(
            status=note.status,
            duration_ms=note.duration_ms,
            error=note.error,
            hint=note.hint,
            truncated=note.truncated,
        )

    def _last_attempts(self, ids: Sequence[int]) -> list[AttemptEnded]:
        found = self._history.last_attempts(ids)
        queued = queued_ids(self._history, tuple(found))
        return [
            self._with_retry(each) if each.delivery_id in queued else AttemptEnded(each)
            for each in found.values()
        ]

    def _with_retry(self, attempt: Attempt) -> AttemptEnded:
        """An attempt of another process, with what its queue holds."""
        entries = self._history.queues_of(attempt.delivery_id) if attempt.ended else []
        own = next((each for each in entries if attempt.target.startswith(each.target)), None)
        next_try_at = None if own is None else own.next_try_at
        return AttemptEnded(attempt, will_retry=own is not None, next_try_at=next_try_at)

    async def _send_attempt(self, ended: AttemptEnded) -> None:
        attempt = ended.attempt
        sent = self._sent.get(attempt.delivery_id)
        state = (attempt.number, attempt.ended, ended.will_retry)
        if sent is not None:
            if sent.attempt is not None and sent.attempt >= state:
                return
            sent.attempt = state
            if attempt.app is not None and attempt.app not in sent.apps:
                sent.apps = tuple(sorted((*sent.apps, attempt.app)))
        await self._event("attempt", attempt_ended_json(ended))

    async def _send(self, rows: Iterable[_StoredRow]) -> None:
        for row in rows:
            delivery = row.delivery
            self._sent[delivery.id] = row.state
            if len(self._sent) > _REMEMBERED:
                self._sent.popitem(last=False)
            if delivery.id == self._complete + 1:
                self._complete = delivery.id
            shape = row_json(delivery, row.last_attempt, queued=row.queued, apps=row.apps)
            await self._event("delivery", shape)

    async def _event(self, name: str, value: Mapping[str, Any]) -> None:
        head = f"id: {self._complete}\nevent: {name}\n".encode()
        await self._write(head + b"data: " + dump(value) + b"\n\n")

    async def _write(self, data: bytes) -> None:
        async with asyncio.timeout(WRITE_SECONDS):
            await self._response.write(data)
