"""The tools that only read: the history, the catalogue and the signature check."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from tiktok_hook import archive, events, paths, signature
from tiktok_hook.delivery import Attempt, Delivery, Source, timestamp, verdict_json
from tiktok_hook.errors import NoHistoryError, UsageError
from tiktok_hook.mcp import inputs, output, shapes
from tiktok_hook.mcp.call import ToolCall
from tiktok_hook.mcp.options import McpOptions
from tiktok_hook.mcp.output import Output
from tiktok_hook.signature import State
from tiktok_hook.signature.pasted import read_pasted
from tiktok_hook.store import Counts, Filter, HistoryReader, open_history
from tiktok_hook.store.change_feed import Arrival, follow

POLL_SECONDS = 0.2
"""How often progress is reported, and looked for a history that is not there yet."""

ANSWER_SECONDS = 5.0
"""How much longer to wait for the app's answer to a delivery that was found."""

MAX_ATTEMPTS = 20
MAX_MODULE_CHARS = 200_000
_NOT_REJECTED = (State.VALID, State.STALE, State.UNCHECKED)


class ReadingTools:
    """Handlers of the tools that only read.

    Args:
        options: Of the server.
        made: Makes the results.
        own_pid: Returns the process id of the listener that this server started.
    """

    def __init__(
        self, options: McpOptions, made: Output, own_pid: Callable[[], int | None]
    ) -> None:
        self._options = options
        self._made = made
        self._own_pid = own_pid
        self._reader: HistoryReader | None = None

    def close(self) -> None:
        """Close the history."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def history(self) -> HistoryReader | None:
        """The history, opened when it is first there; None while there is none.

        Raises:
            StoreError: It cannot be read.
        """
        if self._reader is None:
            with contextlib.suppress(NoHistoryError):
                self._reader = open_history(self._options.history)
        return self._reader

    def newest_id(self) -> int:
        """The newest id; 0 without a history."""
        history = self.history()
        return 0 if history is None else history.newest_id()

    def found(self, number: int) -> Delivery:
        """One delivery.

        Raises:
            UsageError: There is none of this id.
        """
        history = self.history()
        found = None if history is None else history.get(number)
        if found is None:
            raise UsageError(f"There is no delivery {number}.", hint="list_deliveries lists them.")
        return found

    async def status(self, _: inputs.NoInput, call: ToolCall) -> shapes.Shape:
        """Listeners, history and permissions."""
        return await asyncio.to_thread(self._status, call)

    def _status(self, call: ToolCall) -> shapes.Shape:
        from importlib.metadata import version

        history = self.history()
        counts = Counts() if history is None else history.counts()
        state = call.permissions.state
        return {
            "version": version("tiktok-hook"),
            "can_sign": bool(self._options.secrets),
            "listeners": [self._listener(each) for each in paths.listeners()],
            "history": {
                "received": counts.received,
                "valid": counts.valid,
                "stale": counts.stale,
                "rejected": counts.rejected,
                "unchecked": counts.unchecked,
                "redeliveries": counts.redeliveries,
                "failed": counts.failed,
                "replayed": counts.replayed,
                "pending": counts.pending,
            },
            "cursor": self.newest_id(),
            "permissions": {
                "listen": state("listen", call.context),
                "send": state("send", call.context),
                "remote": self._options.allow_remote,
                "headers": "shown" if self._options.show_headers else "masked",
            },
        }

    def _listener(self, listener: paths.Listener) -> shapes.Shape:
        return {
            "local_url": listener.local_url,
            "callback_url": listener.callback_url,
            "inspector_url": listener.inspector_url,
            "target": listener.target,
            "started_at": timestamp(listener.started_at),
            "started_here": listener.pid == self._own_pid(),
            "same_history": listener.history is not None
            and listener.history == self._options.history.identity,
        }

    async def list_deliveries(self, asked: inputs.ListDeliveries, _: ToolCall) -> shapes.Shape:
        """A page of deliveries, newest first."""
        return await asyncio.to_thread(self._list, asked)

    def _list(self, asked: inputs.ListDeliveries) -> shapes.Shape:
        history = self.history()
        rows: list[shapes.Shape] = []
        following = None
        newest = self.newest_id()
        if history is not None:
            where = replace(conditions(asked), since=asked.since, until=asked.until)
            found = history.page(where, before=asked.before, limit=asked.limit)
            size = 0
            last = history.last_attempts([each.id for each in found])
            for delivery in found:
                row = self._row(delivery, last.get(delivery.id))
                size += _size(row)
                if rows and size > output.PAGE_CHARS:
                    break
                rows.append(row)
            if len(rows) < len(found) or len(found) == asked.limit:
                following = found[len(rows) - 1].id
        return {"deliveries": rows, "next": following, "cursor": newest, "note": output.NOTE}

    def _row(self, delivery: Delivery, last: Attempt | None) -> shapes.Shape:
        return {
            "delivery": self._made.delivery(delivery),
            "last_attempt": None if last is None else self._made.attempt(last),
        }

    async def get_delivery(self, asked: inputs.OneDelivery, _: ToolCall) -> shapes.Shape:
        """A delivery with what belongs to it."""
        return await asyncio.to_thread(self.whole, asked.id)

    def whole(self, number: int) -> shapes.Shape:
        """A delivery with what belongs to it."""
        delivery = self.found(number)
        history = self.history()
        assert history is not None
        event = delivery.event
        kind = None if event is None else event.kind
        others = [each for each in history.redeliveries(number) if each != number]
        return {
            "delivery": self._made.delivery(delivery),
            "product": None if kind is None else kind.product,
            "meaning": None if kind is None else kind.meaning,
            "documentation": None if kind is None else kind.url,
            "meanings": {} if event is None else meanings(event),
            "attempts": len(history.attempts(number)),
            "redeliveries": others[:100],
            "note": output.NOTE,
        }

    async def list_attempts(self, asked: inputs.OneDelivery, _: ToolCall) -> shapes.Shape:
        """The attempts at forwarding one delivery."""
        return await asyncio.to_thread(self._attempts, asked.id)

    def _attempts(self, number: int) -> shapes.Shape:
        self.found(number)
        history = self.history()
        assert history is not None
        every = history.attempts(number)
        shown: list[shapes.Shape] = []
        size = 0
        for attempt in reversed(every[-MAX_ATTEMPTS:]):
            shape = self._made.attempt(attempt)
            size += _size(shape)
            if shown and size > output.PAGE_CHARS:
                break
            shown.insert(0, shape)
        return {"attempts": shown, "left_out": len(every) - len(shown), "note": output.NOTE}

    async def diagnose_signature(
        self, asked: inputs.DiagnoseSignature, _: ToolCall
    ) -> shapes.Shape:
        """What the signature check found, and the mistake behind it."""
        if not self._options.secrets:
            raise UsageError(
                "The server has no client secret to check with.",
                hint="The user can set TIKTOK_CLIENT_SECRET for it, or start it with "
                "--secret-file. A secret is never given to a tool.",
            )
        if asked.id is not None:
            if asked.header is not None or asked.body is not None or asked.body_base64 is not None:
                raise UsageError("id and header or body exclude each other.")
            delivery = await asyncio.to_thread(self.found, asked.id)
            if not delivery.has_whole_body:
                raise UsageError(
                    f"Only a part of the body of delivery {delivery.id} is stored, so its "
                    "signature cannot be checked."
                )
            header, body = delivery.header(signature.HEADER), delivery.body
            headers: Sequence[tuple[str, str]] = delivery.headers
            now = delivery.received_at
            method, target = delivery.method, delivery.target
        else:
            header, headers = read_pasted(asked.header) if asked.header is not None else (None, ())
            body, now = _given_body(asked), time.time()
            method, target = "POST", ""
        known = self._options.secrets
        verdict = signature.check(header, body, known, now=now, tolerance=asked.tolerance)
        found = signature.diagnose(
            header, body, known, now=now, headers=headers, method=method, target=target
        )
        explained = verdict
        if found is not None and verdict.rejected and not verdict.hint:
            explained = replace(verdict, reason=found.reason, hint=found.hint)
        return {
            "verdict": verdict_json(explained),
            "diagnosis": None
            if found is None or verdict.ok
            else {"mistake": found.mistake, "reason": found.reason, "fix": found.hint},
        }

    async def wait_for_delivery(
        self, asked: inputs.WaitForDelivery, call: ToolCall
    ) -> shapes.Shape:
        """The next delivery that matches; a cursor to continue from if there was none."""
        deadline = time.monotonic() + asked.timeout_seconds
        start = await asyncio.to_thread(self.newest_id) if asked.cursor is None else asked.cursor
        ended = threading.Event()
        async with asyncio.TaskGroup() as group:
            reporting = group.create_task(_report(call, asked.timeout_seconds))
            try:
                found = await asyncio.to_thread(
                    self._awaited, conditions(asked), start, deadline, ended.is_set
                )
            finally:  # also when the call is cancelled: the thread notices within POLL_SECONDS
                ended.set()
                reporting.cancel()
        row: shapes.Shape = {"delivery": None, "last_attempt": None}
        if found is not None:
            row = self._row(found.delivery, await asyncio.to_thread(self._last, found))
        return {
            "found": found is not None,
            **row,
            "waiting": found is not None and found.waiting,
            "cursor": start if found is None else found.delivery.id,
            "note": output.NOTE,
        }

    def _awaited(
        self, where: Filter, after: int, deadline: float, stopped: Callable[[], bool]
    ) -> Arrival | None:
        """The first delivery after an id, at its answer if that comes soon; None if none came."""
        while (history := self.history()) is None:
            if stopped() or time.monotonic() >= deadline:
                return None
            time.sleep(POLL_SECONDS)

        def first(where: Filter, after: int, hold: float, end: float) -> Arrival | None:
            left = max(end - time.monotonic(), 0.0)
            found = follow(history, where, after, hold=hold, seconds=left, stopped=stopped)
            return next((each for each in found if isinstance(each, Arrival)), None)

        # Not held for its answer at first: its id becomes the cursor, so a later one that was
        # answered earlier must not come before it.
        found = first(where, after, 0.0, deadline)
        if found is None or not found.waiting:
            return found
        number = found.delivery.id
        end = min(deadline, time.monotonic() + ANSWER_SECONDS)
        return first(Filter(ids=(number,)), number - 1, ANSWER_SECONDS, end) or found

    def _last(self, found: Arrival) -> Attempt | None:
        """The last attempt of a delivery, also while it runs."""
        history = self.history()
        assert history is not None
        return history.last_attempts([found.delivery.id]).get(found.delivery.id)

    async def list_events(self, asked: inputs.ListEvents, _: ToolCall) -> shapes.Shape:
        """Event types of the catalogue."""
        found = catalogue(asked.event, samples=asked.samples)
        if not found:
            near = events.nearest(asked.event or "")
            raise UsageError(
                f"No event type of the catalogue matches {asked.event!r}.",
                hint=f"Nearest: {', '.join(near)}." if near else "",
            )
        return {"events": found}

    async def export_as_pytest(self, asked: inputs.ExportAsPytest, _: ToolCall) -> shapes.Shape:
        """A pytest module that sends stored deliveries to the app."""
        return await asyncio.to_thread(self._export, asked)

    def _export(self, asked: inputs.ExportAsPytest) -> shapes.Shape:
        history = self.history()
        if history is None:
            raise UsageError("There is no history yet.", hint="start_listener creates it.")
        if len(asked.ids) > inputs.MAX_EXPORTED:
            raise UsageError(f"At most {inputs.MAX_EXPORTED} deliveries can be exported at once.")
        if asked.ids:
            chosen = [self.found(number).id for number in asked.ids]
        else:
            chosen = [each.id for each in history.page(conditions(asked), limit=asked.limit)]
        if not chosen:
            raise UsageError("No delivery matches.", hint="list_deliveries lists them.")
        where = Filter(ids=tuple(sorted(chosen)))

        def again() -> Any:
            return archive.entries(history, where)

        entries = archive.redacted(again) if asked.redact else again()
        module = b"".join(archive.write(entries, "pytest")).decode()
        if len(module) > MAX_MODULE_CHARS:
            raise UsageError(
                f"The module would have {len(module):,} characters; at most "
                f"{MAX_MODULE_CHARS:,} are returned.",
                hint="Name fewer ids, or run tiktok-hook export --format pytest -o FILE.",
            )
        name = "test_tiktok_webhooks.py"
        return {
            "file_name": name,
            "module": module,
            "deliveries": len(set(chosen)),
            "run": f"TIKTOK_WEBHOOK_URL=http://127.0.0.1:3000 TIKTOK_CLIENT_SECRET=… pytest {name}",
            "note": output.NOTE,
        }


async def _report(call: ToolCall, seconds: float) -> None:
    """Report progress of a wait, until it is cancelled."""
    started = time.monotonic()
    while True:
        done = min(time.monotonic() - started, seconds)
        await call.progress(done, seconds, "waiting for a delivery")
        await asyncio.sleep(POLL_SECONDS)


def conditions(asked: inputs.DeliveryConditions) -> Filter:
    """The filter of a tool's input; rejected deliveries are left out unless they are asked for."""
    verdicts: tuple[State, ...] = tuple(map(State, asked.verdict))
    if not verdicts and not asked.include_rejected:
        verdicts = _NOT_REJECTED
    return Filter(
        match=asked.filter or None,
        verdicts=verdicts,
        failed=asked.failed,
        publish_id=asked.publish_id,
        source=None if asked.source is None else Source(asked.source),
    )


def catalogue(glob: str | None, *, samples: bool) -> list[shapes.Shape]:
    """Event types whose names match."""
    if glob is not None and len(glob) > inputs.MAX_GLOB_CHARS:
        return []
    return [
        {
            "event": each.name,
            "product": each.product,
            "meaning": each.meaning,
            "mark": each.mark,
            "documentation": each.url,
            "fields": [
                {
                    "name": field.name,
                    "type": field.type,
                    "meaning": field.meaning,
                    "optional": field.optional,
                    "values": {text: value.meaning for text, value in field.values.items()},
                }
                for field in each.fields
            ],
            "quirks": [fact.text for fact in each.quirks],
            **({"sample": each.sample} if samples else {}),
        }
        for each in events.CATALOGUE.values()
        if glob is None or fnmatchcase(each.name, glob)
    ]


def meanings(event: events.Event) -> dict[str, str]:
    """Meanings of the values of an event, by their path; at most 50."""
    found = ["client_key", "event", "create_time", "user_openid", "content"]
    if isinstance(event.content, dict):
        found += [f"content.{key}" for key in list(event.content)[:50]]
    return {path: words for path in found if (words := events.meaning(event, path))}


def _given_body(asked: inputs.DiagnoseSignature) -> bytes:
    if (asked.body is None) == (asked.body_base64 is None):
        raise UsageError("Give id, or header with either body or body_base64.")
    if asked.body is not None:
        return asked.body.encode("utf-8", "surrogatepass")
    found = output.decoded_base64(asked.body_base64 or "")
    if found is None:
        raise UsageError("body_base64 is not base64.")
    return found


def _size(value: Any) -> int:
    """About how many characters a JSON value takes."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(key) + 4 + _size(each) for key, each in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_size, value)) + 2 * len(value)
    return 8
