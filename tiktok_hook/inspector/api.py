"""Our own API, `/api/v1`: read, replay, send samples, export and clear."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from tiktok_hook import events, filters, trigger
from tiktok_hook.delivery import AttemptEnded, Delivery, attempt_json, dump
from tiktok_hook.errors import HookError, StoreError, UsageError
from tiktok_hook.forward import EXAMPLE_TARGET, ForwardRequest, parse_header
from tiktok_hook.inspector import openapi
from tiktok_hook.inspector.context import InspectorContext
from tiktok_hook.inspector.decoding import decode_base64, decode_body, decode_query
from tiktok_hook.inspector.openapi import Operation
from tiktok_hook.inspector.requests import (
    MAX_ID,
    CheckQuery,
    ClearQuery,
    ExportQuery,
    FilterQuery,
    PageQuery,
    ReplayRequest,
    SampleRequest,
    ScenarioRequest,
    SendRequest,
    TimelineQuery,
)
from tiktok_hook.inspector.responses import (
    CheckedFilterShape,
    CountShape,
    PageShape,
    RemovedShape,
    ReplayedShape,
    SamplesShape,
    SentBodyShape,
    SentScenarioShape,
    SentShape,
    StatusShape,
    TimelineShape,
    WholeShape,
    counts_json,
    queued_ids,
    request_json,
    row_json,
    session_json,
    target_queue_json,
    timeline_json,
    whole_json,
)
from tiktok_hook.inspector.rules_used import RulesUsed
from tiktok_hook.replayer import Mode, NoTargetError, ReplayOptions, Signing, recorded_target
from tiktok_hook.store import QUEUE_MODES, Filter, QueueMode

PAGE_BYTES = 4 << 20
"""Approximate maximum size of the bodies in one page; large bodies make a page shorter."""

_BATCH = 20
"""Rows read from the history at a time, so that a page never takes more memory than it sends."""

SEARCH_SECONDS = 0.5
"""How long a text search without a match continues before it returns how far it has looked."""

MAX_EXPORT = 10_000
_SENT_BODY_BYTES = 16 * 1024
DAY_SECONDS = 86_400.0
_NAMES = {
    "jsonl": "deliveries.jsonl",
    "har": "deliveries.har",
    "curl": "send-deliveries.sh",
    "pytest": "test_tiktok_webhooks.py",
}

Result = Mapping[str, Any] | web.Response
Handler = Callable[[web.Request, Any], Awaitable[Result]]


class Api:
    """The handlers of `/api/v1`, all but the stream."""

    def __init__(self, parts: InspectorContext, rules: RulesUsed) -> None:
        self._parts = parts
        self._rules = rules
        self._history = parts.history

    def routes(self) -> list[web.RouteDef]:
        """Routes of this API."""
        return [
            web.route(
                each.method,
                openapi.PREFIX + each.path,
                _answering(each, getattr(self, each.handler)),
            )
            for each in openapi.OPERATIONS
            if each.handler is not None
        ]

    async def page(self, _: web.Request, query: PageQuery) -> PageShape:
        """One page of the list, newest first, by key."""
        return await asyncio.to_thread(self._page, query)

    def _page(self, query: PageQuery) -> PageShape:
        where, limit = query.conditions(), query.limit
        if (where.text or where.body_terms) and query.after is None:
            found, following = self._search(where, query.before, limit)
        else:
            found, following = self._by_key(where, query.before, query.after, limit)
        ids = tuple(delivery.id for delivery in found)
        last = self._history.last_attempts(ids, app=where.app)
        queued = queued_ids(self._history, ids)
        apps = self._history.apps_of(ids)
        rows = [
            row_json(each, last.get(each.id), queued=each.id in queued, apps=apps.get(each.id, ()))
            for each in found
        ]
        return {"deliveries": rows, "next": following}

    def _by_key(
        self, where: Filter, before: int | None, after: int | None, limit: int
    ) -> tuple[list[Delivery], int | None]:
        """Up to `limit` deliveries and `PAGE_BYTES`, and the id that the next page continues at."""
        found: list[Delivery] = []
        size = 0
        while len(found) < limit:
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
        """The newest matches, window by window until there is one or the time is up."""
        deadline = time.monotonic() + SEARCH_SECONDS
        while True:
            found, before = self._history.search(where, before=before, limit=limit)
            if found or before is None or time.monotonic() >= deadline:
                return _cut_to_page(found, before)

    async def count(self, _: web.Request, query: FilterQuery) -> CountShape:
        """How many deliveries match."""
        return await asyncio.to_thread(self._count, query.conditions())

    def _count(self, where: Filter) -> CountShape:
        newest = self._history.newest_id()  # first: what arrives while it counts is not cleared
        return {"matching": self._history.count(where), "newest": newest}

    async def check_filter(self, _: web.Request, query: CheckQuery) -> CheckedFilterShape:
        """A filter as it was understood, or why it cannot be read."""
        try:
            found = filters.parse(query.filter)
        except UsageError as error:
            return {
                "filter": None,
                "error": {"message": str(error), "hint": error.hint},
                "doubts": [],
            }
        doubts = filters.doubts(found)
        return {
            "filter": str(found),
            "error": None,
            "doubts": [{"message": message, "hint": hint} for message, hint in doubts],
        }

    async def one(self, request: web.Request, _: None) -> WholeShape:
        """A delivery with its attempts, its redeliveries and what its values mean."""
        number = _id(request)
        return await asyncio.to_thread(self._one, number, self._rules.of(number))

    def _one(self, number: int, rule: tuple[str, str] | None) -> WholeShape:
        delivery = self._delivery(number)
        return whole_json(
            delivery,
            self._history.attempts(number),
            self._history.redeliveries(number),
            recorded_target(self._history, delivery),
            self._history.queues_of(number),
            rule,
        )

    async def body(self, request: web.Request, _: None) -> web.Response:
        """The body's exact bytes, as a download."""
        number = _id(request)
        delivery = await asyncio.to_thread(self._delivery, number)
        return _download(delivery.body, f"delivery-{number}.bin")

    async def curl(self, request: web.Request, _: None) -> web.Response:
        """One command to paste, to the target of a replay, signed if there is a secret."""
        number = _id(request)
        delivery = await asyncio.to_thread(self._delivery, number)
        mode = Mode.FRESH if self._parts.secrets else Mode.AS_IS
        options = ReplayOptions(signing=Signing(mode))
        replayer = self._parts.replayer(_own_port(request))
        try:
            prepared = await replayer.prepare(delivery, options)
        except NoTargetError:
            prepared = await replayer.prepare(delivery, replace(options, to=EXAMPLE_TARGET))
        command = await asyncio.to_thread(_curl_command, prepared.request)
        return _download(command, f"delivery-{number}.sh")

    async def replay(self, request: web.Request, asked: ReplayRequest) -> ReplayedShape:
        """Send a delivery again, edited and signed as asked; or return what would be sent."""
        delivery = await asyncio.to_thread(self._delivery, _id(request))
        replayer = self._parts.replayer(_own_port(request))
        default = Mode.FRESH if self._parts.secrets else Mode.AS_IS
        body = asked.body
        prepared = await replayer.prepare(
            delivery,
            ReplayOptions(
                to=asked.target or None,
                signing=Signing(asked.signing or default, asked.age_seconds),
                sets=asked.set,
                unsets=asked.unset,
                body=None if body is None else body.encode("utf-8", "surrogatepass"),
                headers=[parse_header(text) for text in asked.headers],
                method=asked.method,
                path=asked.path,
                with_id=asked.with_id,
            ),
        )
        if asked.dry_run:
            return {"request": request_json(prepared.request)}
        attempt = await replayer.send(prepared)
        self._parts.publish(AttemptEnded(attempt))
        return {"attempt": attempt_json(attempt)}

    async def samples(self, _: web.Request, __: None) -> SamplesShape:
        """The catalogue of events, and the scenarios."""
        return {
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
            ],
            "scenarios": [
                {
                    "name": name,
                    "meaning": scenario.meaning,
                    "events": [event for event, _, _ in scenario.steps],
                }
                for name, scenario in trigger.SCENARIOS.items()
            ],
        }

    async def send_sample(self, request: web.Request, asked: SampleRequest) -> SentShape:
        """Send a sample to the receiver of this session, signed as asked."""
        event = request.match_info["event"]
        body = trigger.body_of(event, sets=asked.set)
        if asked.body is not None:
            body = asked.body.encode("utf-8", "surrogatepass")
        if asked.dry_run:
            return {"status": None, "error": None, "body": body.decode("utf-8", "replace")}
        return await self._send(body, asked)

    async def send_scenario(
        self, request: web.Request, asked: ScenarioRequest
    ) -> SentScenarioShape:
        """Send the events of a scenario to the receiver, in order."""
        name = request.match_info["name"]
        bodies = trigger.scenario(name, sets=asked.set, now=time.time())
        return {"sent": [await self._send(body, SampleRequest()) for body in bodies]}

    async def _send(self, body: bytes, asked: SampleRequest) -> SentShape:
        url = self._parts.status().local_url
        if url is None:
            raise UsageError(
                "There is no receiver to send a sample to.", hint="Start `tiktok-hook listen`."
            )
        signed = self._parts.secrets and asked.signing != "none"
        sent = trigger.request(
            url,
            body,
            secret=self._parts.secrets[0] if signed else None,
            age=asked.age_seconds if asked.signing == "age" else 0.0,
            bad_signature=asked.signing == "bad",
        )
        reply = await self._parts.forwarder.send(sent)
        return {"status": reply.status, "error": reply.error}

    async def send(self, _: web.Request, asked: SendRequest) -> SentBodyShape:
        """Sign a body and send it to the receiver of this session, and nowhere else.

        `trigger` uses it where no client secret is given. The signature is in no response, so
        that the secret signs for this session's receiver only.
        """
        status, secrets = self._parts.status(), self._parts.secrets
        url = status.local_url
        if asked.through_tunnel:
            url = status.callback_url if status.public else None
        if url is None or not secrets:
            raise UsageError(
                "This session has no receiver to send to, or no client secret to sign with.",
                hint="Start `tiktok-hook listen` with --secret.",
            )
        sent = trigger.request(
            url,
            decode_base64(asked.body_base64, name="body_base64"),
            secret=secrets[0],
            age=asked.age_seconds if asked.signing == "age" else 0.0,
            bad_signature=asked.signing == "bad",
        )
        reply = await self._parts.forwarder.send(sent, timeout=asked.timeout_seconds)
        return {
            "status": reply.status,
            "error": reply.error,
            "detail": reply.detail,
            "duration_ms": reply.duration_ms,
            "headers": [[name, value] for name, value in reply.headers],
            "body_base64": base64.b64encode(reply.body[:_SENT_BODY_BYTES]).decode(),
        }

    async def status(self, _: web.Request, __: None) -> StatusShape:
        """The session and the history in numbers."""
        return await asyncio.to_thread(self._status)

    def _status(self) -> StatusShape:
        history = self._history
        every: dict[QueueMode, int | None] = dict.fromkeys(QUEUE_MODES)
        queues = [
            target_queue_json(
                target, history.pending_count(target), history.next_due_at(target, every)
            )
            for target in history.queue_targets()
        ]
        names = history.names()
        return {
            **session_json(self._parts.status()),
            "history": counts_json(history.counts()),
            "queues": queues,
            "listeners": list(names.listeners),
            "apps": list(names.apps),
        }

    async def timeline(self, _: web.Request, query: TimelineQuery) -> TimelineShape:
        """Deliveries by verdict and the app's responses over time."""
        if query.since is not None and query.since >= (query.until or time.time()):
            raise UsageError("since must be before until.")
        return await asyncio.to_thread(self._timeline, query)

    def _timeline(self, query: TimelineQuery) -> TimelineShape:
        until = query.until or self._end_of_timeline()
        since = query.since
        if since is None:
            day = Filter(since=until - DAY_SECONDS, until=until)
            first = self._history.page(day, after=0, limit=1)
            since = min(first[0].received_at, until - 1) if first else until - 3600
        buckets = self._history.timeline(since, until, buckets=query.buckets)
        return timeline_json(since, until, buckets)

    def _end_of_timeline(self) -> float:
        """Now; for a stored history, one second after its newest delivery."""
        now = time.time()
        newest = self._history.page(limit=1)
        if self._parts.status().local_url is not None or not newest:
            return now
        return min(now, newest[0].received_at + 1)

    async def export(self, _: web.Request, query: ExportQuery) -> web.Response:
        """A file of deliveries: the named ones, or those that match the filters."""
        ids = [_number(text) for text in (query.ids or "").split(",") if text]
        data = await asyncio.to_thread(self._export, query, ids)
        return _download(data, _NAMES[query.format])

    def _export(self, query: ExportQuery, ids: list[int]) -> bytes:
        found: list[Delivery] = []
        if ids:
            found = [each for number in ids if (each := self._history.get(number)) is not None]
        else:
            for delivery in self._history.walk(query.conditions()):
                found.append(delivery)
                if len(found) > MAX_EXPORT:
                    raise UsageError(
                        f"That is more than {MAX_EXPORT} deliveries.",
                        hint="Narrow the filters, or use `tiktok-hook export`.",
                    )
        from tiktok_hook import archive  # importing it takes 20 ms of the start

        entries = [archive.Entry.read(self._history, delivery) for delivery in found]
        return b"".join(archive.write(entries, query.format))

    async def clear(self, _: web.Request, query: ClearQuery) -> RemovedShape:
        """Delete the matching deliveries; without a filter all of them."""
        return {"removed": await self._parts.store.clear(query.conditions(), up_to=query.up_to)}

    async def document(self, _: web.Request, __: None) -> Mapping[str, Any]:
        """The OpenAPI document."""
        return openapi.document()

    def _delivery(self, number: int) -> Delivery:
        delivery = self._history.get(number)
        if delivery is None:
            raise web.HTTPNotFound(text=f"There is no delivery {number}.")
        return delivery


def _cut_to_page(found: list[Delivery], following: int | None) -> tuple[list[Delivery], int | None]:
    size = 0
    for number, delivery in enumerate(found):
        size += len(delivery.body)
        if size > PAGE_BYTES and number:
            return found[:number], found[number - 1].id
    return found, following


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= MAX_ID:
        return int(text)
    raise UsageError(f"{text[:40]!r} is not a delivery id.")


def _id(request: web.Request) -> int:
    return _number(request.match_info["id"])


def _answering(
    operation: Operation, handler: Handler
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler behind its decoder; errors become one sentence and one hint."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            given: Any = None
            if operation.query is not None:
                given = decode_query(request.query, operation.query)
            elif operation.body is not None:
                given = decode_body(await request.read(), operation.body)
            result = await handler(request, given)
        except web.HTTPNotFound as missing:
            return _json({"error": missing.text, "hint": ""}, status=404)
        except StoreError as error:
            return _json({"error": str(error), "hint": error.hint}, status=503)
        except HookError as error:
            return _json({"error": str(error), "hint": error.hint}, status=400)
        return result if isinstance(result, web.Response) else _json(result)

    return answer


def _json(value: Mapping[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(body=dump(value), status=status, content_type=openapi.JSON)


def _own_port(request: web.Request) -> int | None:
    """The port of the inspector itself, which is never a target."""
    own = None if request.transport is None else request.transport.get_extra_info("sockname")
    return own[1] if own else None


def _curl_command(request: ForwardRequest) -> bytes:
    from tiktok_hook.archive import curl  # importing it takes 20 ms of the start

    return curl.command(request).encode()


def _download(data: bytes, name: str) -> web.Response:
    return web.Response(
        body=data,
        content_type=openapi.FILE,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
