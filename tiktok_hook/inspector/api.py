"""Our own API, `/api/v1`: the history read, replayed, fed with samples, exported and cleared."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from tiktok_hook import archive, events, trigger
from tiktok_hook.delivery import (
    Attempt,
    AttemptEnded,
    Delivery,
    attempt_json,
    delivery_json,
    dump,
)
from tiktok_hook.errors import HookError, StoreError, UsageError
from tiktok_hook.forward import ForwardRequest, parse_header
from tiktok_hook.inspector import query
from tiktok_hook.inspector.context import InspectorContext
from tiktok_hook.inspector.request_body import REPLAY, SAMPLE, wish_of
from tiktok_hook.inspector.status import status_json
from tiktok_hook.replayer import ReplayOptions, recorded_target
from tiktok_hook.store import Filter

PAGE = 50
MAX_PAGE = 200
PAGE_BYTES = 4 << 20
"""Bodies in one page, about; a page of long ones is shorter and goes on behind its last."""

_BATCH = 20

SEARCH_SECONDS = 0.5
"""How long a search for a text goes on without a find before it tells how far it has looked."""

MAX_EXPORT = 10_000
MAX_BUCKETS = 300

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """The handlers of `/api/v1`, all but the stream."""

    def __init__(self, parts: InspectorContext) -> None:
        self._parts = parts
        self._history = parts.history

    def routes(self) -> list[web.RouteDef]:
        """Paths and what answers them."""
        pairs: list[tuple[str, str, Handler]] = [
            ("GET", "/deliveries", self.page),
            ("DELETE", "/deliveries", self.clear),
            ("GET", "/deliveries/{id}", self.one),
            ("GET", "/deliveries/{id}/body", self.body),
            ("POST", "/deliveries/{id}/replay", self.replay),
            ("GET", "/samples", self.samples),
            ("POST", "/samples/{event}", self.send_sample),
            ("GET", "/status", self.status),
            ("GET", "/timeline", self.timeline),
            ("GET", "/export", self.export),
        ]
        return [
            web.route(method, f"/api/v1{path}", _told(handler)) for method, path, handler in pairs
        ]

    async def page(self, request: web.Request) -> web.Response:
        """One page of the list, newest first, by key."""
        where = query.where(request.query)
        before = query.optional_id(request.query, "before")
        after = query.optional_id(request.query, "after")
        limit = query.integer("limit", request.query.get("limit", str(PAGE)), 1, MAX_PAGE)
        found, following = await asyncio.to_thread(self._page, where, before, after, limit)
        return _answer({"deliveries": found, "next": following})

    def _page(
        self, where: Filter, before: int | None, after: int | None, limit: int
    ) -> tuple[list[dict[str, Any]], int | None]:
        following: int | None = None
        if where.text and after is None:
            found, following = self._search(where, before, limit)
        else:
            found, following = self._by_key(where, before, after, limit)
        last = self._history.last_attempts([delivery.id for delivery in found])
        return [row(delivery, last.get(delivery.id)) for delivery in found], following

    def _by_key(
        self, where: Filter, before: int | None, after: int | None, limit: int
    ) -> tuple[list[Delivery], int | None]:
        """Up to `limit` deliveries and `PAGE_BYTES`, and the id that the next page continues at."""
        found: list[Delivery] = []
        size = 0
        while len(found) < limit:
            # A few at a time, so that a page of long bodies never takes more memory than it sends.
            count = min(_BATCH, limit - len(found))
            some = self._history.page(where, before=before, after=after, limit=count)
            for delivery in some:
                size += len(delivery.body)
                if size > PAGE_BYTES and found:
                    return found, found[-1].id
                found.append(delivery)
            if len(some) < count:
                return found, None
            before, after = (some[-1].id, None) if after is None else (None, some[-1].id)
        return found, found[-1].id

    def _search(
        self, where: Filter, before: int | None, limit: int
    ) -> tuple[list[Delivery], int | None]:
        """The newest finds, window by window until there is one or the time is up."""
        deadline = time.monotonic() + SEARCH_SECONDS
        while True:
            found, before = self._history.search(where, before=before, limit=limit)
            if found or before is None or time.monotonic() >= deadline:
                return found, before

    async def one(self, request: web.Request) -> web.Response:
        """A delivery whole: with its attempts, its redeliveries and what its values mean."""
        return await asyncio.to_thread(self._one, self._id(request))

    def _one(self, number: int) -> web.Response:
        delivery = self._found(number)
        event = delivery.event
        kind = None if event is None else event.kind
        return _answer(
            {
                "delivery": delivery_json(delivery),
                "attempts": [attempt_json(each) for each in self._history.attempts(number)],
                "redeliveries": self._history.redeliveries(number),
                "product": None if kind is None else kind.product,
                "meaning": None if kind is None else kind.meaning,
                "documentation": None if kind is None else kind.url,
                "meanings": {} if event is None else _meanings(event),
                "recorded_target": recorded_target(self._history, delivery),
            }
        )

    async def body(self, request: web.Request) -> web.Response:
        """The body's exact bytes, as a download."""
        number = self._id(request)
        delivery = await asyncio.to_thread(self._found, number)
        return _download(delivery.body, f"delivery-{number}.bin", "application/octet-stream")

    async def replay(self, request: web.Request) -> web.Response:
        """Send a delivery again, changed and signed as asked; or show what would be sent."""
        number = self._id(request)
        wish = await wish_of(request, REPLAY)
        delivery = await asyncio.to_thread(self._found, number)
        own = None if request.transport is None else request.transport.get_extra_info("sockname")
        replayer = self._parts.replayer(own[1] if own else None)
        prepared = await replayer.prepare(
            delivery,
            ReplayOptions(
                to=wish.text("target") or None,
                signing=wish.signing(signed=bool(self._parts.secrets)),
                sets=wish.texts("set"),
                unsets=wish.texts("unset"),
                body=wish.body(),
                headers=[parse_header(text) for text in wish.texts("headers")],
                method=wish.text("method"),
                path=wish.text("path"),
                with_id=wish.flag("with_id"),
            ),
        )
        if wish.flag("dry_run"):
            return _answer({"request": _request_json(prepared.request)})
        attempt = await replayer.send(prepared)
        self._parts.publish(AttemptEnded(attempt))
        return _answer({"attempt": attempt_json(attempt)})

    async def samples(self, _: web.Request) -> web.Response:
        """The catalogue of events."""
        return _answer(
            {
                "samples": [
                    {
                        "event": kind.name,
                        "product": kind.product,
                        "meaning": kind.meaning,
                        "mark": kind.mark,
                        "documentation": kind.url,
                        "sample": kind.sample,
                    }
                    for kind in events.CATALOGUE.values()
                ]
            }
        )

    async def send_sample(self, request: web.Request) -> web.Response:
        """Send a signed sample to the receiver of this session."""
        wish = await wish_of(request, SAMPLE)
        url = self._parts.status().local_url
        if url is None:
            raise UsageError(
                "Nothing listens, so there is nowhere to send a sample to.",
                hint="Start `tiktok-hook listen`.",
            )
        body = trigger.body_of(request.match_info["event"], sets=wish.texts("set"))
        secret = self._parts.secrets[0] if self._parts.secrets else None
        reply = await self._parts.forwarder.send(trigger.request(url, body, secret=secret))
        return _answer({"status": reply.status, "error": reply.error})

    async def status(self, _: web.Request) -> web.Response:
        """The session and the history in numbers."""
        counts = await asyncio.to_thread(self._history.counts)
        return _answer(
            status_json(self._parts.status())
            | {
                "history": {
                    "received": counts.received,
                    "valid": counts.valid,
                    "stale": counts.stale,
                    "refused": counts.refused,
                    "unchecked": counts.unchecked,
                    "redeliveries": counts.redeliveries,
                    "failed": counts.failed,
                    "replayed": counts.replayed,
                    "pending": counts.pending,
                }
            }
        )

    async def timeline(self, request: web.Request) -> web.Response:
        """Deliveries by verdict and the app's answers over time, for the strip."""
        now = time.time()
        filters = query.where(request.query)
        until = filters.until or now
        since = filters.since if filters.since is not None else until - 6 * 3600
        if since >= until:
            raise UsageError("since has to be before until.")
        count = query.integer("buckets", request.query.get("buckets", "72"), 1, MAX_BUCKETS)
        buckets = await asyncio.to_thread(self._history.timeline, since, until, buckets=count)
        return _answer(
            {
                "since": since,
                "until": until,
                "buckets": [
                    {
                        "since": each.since,
                        "verdicts": {state.value: n for state, n in each.verdicts.items()},
                        "attempts": each.attempts,
                        "failed": each.failed,
                        "mean_ms": each.mean_ms,
                    }
                    for each in buckets
                ],
            }
        )

    async def export(self, request: web.Request) -> web.Response:
        """A file of deliveries: the named ones, else those that the filters let pass."""
        form = request.query.get("format", "jsonl")
        if form not in archive.FORMATS:
            raise UsageError(f"format has to be one of {', '.join(archive.FORMATS)}.")
        ids = tuple(
            query.integer("ids", text, 1, query.MAX_ID)
            for text in request.query.get("ids", "").split(",")
            if text
        )
        where = query.where(request.query)
        data = await asyncio.to_thread(self._export, where, ids, form)
        name = {"jsonl": "deliveries.jsonl", "har": "deliveries.har"}.get(
            form, "send-deliveries.sh" if form == "curl" else "test_tiktok_webhooks.py"
        )
        return _download(data, name, "application/octet-stream")

    def _export(self, where: Filter, ids: tuple[int, ...], form: archive.Format) -> bytes:
        found: list[Delivery] = []
        if ids:
            found = [each for number in ids if (each := self._history.get(number)) is not None]
        else:
            for delivery in self._history.walk(where):
                found.append(delivery)
                if len(found) > MAX_EXPORT:
                    raise UsageError(
                        f"That is more than {MAX_EXPORT} deliveries.",
                        hint="Narrow it down, or use `tiktok-hook export`.",
                    )
        entries = [
            archive.Entry(delivery, tuple(self._history.attempts(delivery.id)))
            for delivery in found
        ]
        return b"".join(archive.write(entries, form))

    async def clear(self, request: web.Request) -> web.Response:
        """Empty the history, or what was received before a time."""
        if self._parts.store is None:
            raise UsageError(
                "This history is only looked at.", hint="`tiktok-hook clear` empties it."
            )
        before = query.where(request.query).until
        removed = await self._parts.store.clear(before=before)
        return _answer({"removed": removed})

    def _id(self, request: web.Request) -> int:
        return query.integer("the id", request.match_info["id"], 1, query.MAX_ID)

    def _found(self, number: int) -> Delivery:
        delivery = self._history.get(number)
        if delivery is None:
            raise web.HTTPNotFound(text=f"There is no delivery {number}.")
        return delivery


def row(delivery: Delivery, last: Attempt | None) -> dict[str, Any]:
    """A delivery in the list, with how its last attempt ended."""
    event = delivery.event
    kind = None if event is None else event.kind
    return {
        "delivery": delivery_json(delivery),
        "product": None if kind is None else kind.product,
        "last_attempt": None if last is None else attempt_json(last),
    }


def _meanings(event: events.Event) -> dict[str, str]:
    """Words for the values that have some, by their path."""
    paths = ["client_key", "event", "create_time", "user_openid", "content"]
    if isinstance(event.content, dict):
        paths += [f"content.{key}" for key in event.content]
    return {path: words for path in paths if (words := events.meaning(event, path))}


def _request_json(request: ForwardRequest) -> dict[str, Any]:
    sent = Attempt(
        delivery_id=0,
        started_at=0.0,
        target=request.url,
        request_method=request.method,
        request_headers=request.headers,
        request_body=request.body,
    )
    shape: dict[str, Any] = attempt_json(sent)["request"]
    return {"url": request.url, **shape}


def _told(handler: Handler) -> Handler:
    """What goes wrong as one sentence and one hint."""

    async def told(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except StoreError as error:
            return _failure(503, error)
        except HookError as error:
            return _failure(400, error)

    return told


def _failure(status: int, error: HookError) -> web.Response:
    return _answer({"error": str(error), "hint": error.hint}, status=status)


def _answer(value: Mapping[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(body=dump(value), status=status, content_type="application/json")


def _download(data: bytes, name: str, content_type: str) -> web.Response:
    return web.Response(
        body=data,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
