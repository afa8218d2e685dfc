"""The webhook handler: decide, store, forward, respond."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from tiktok_hook.delivery import Delivery
from tiktok_hook.delivery.bounded import MAX_BODY_BYTES
from tiktok_hook.errors import StoreError
from tiktok_hook.hints import LISTENER_REJECTION
from tiktok_hook.receiver.messages import (
    INTERNAL_ERROR,
    OK,
    IncomingRequest,
    ReceiverResponse,
    busy,
    error,
)
from tiktok_hook.receiver.policy import (
    Accept,
    Decision,
    PassThrough,
    Policy,
    Reject,
    Respond,
)
from tiktok_hook.receiver.reports import ReceiverReports

MAX_FILE_BYTES = 1 << 20
"""Maximum size of the file of ``--serve-file``."""

DIAGNOSES_PER_SECOND = 10
"""Rejected deliveries beyond that get no diagnosis, which takes up to 20 ms."""

LARGE_BODY_BYTES = 64 << 10
"""Requests with larger bodies are decided one at a time: verifying 1 MiB takes 3 ms."""

_FORGED = ReceiverResponse(403, LISTENER_REJECTION)
_NOT_STORED = busy("cannot be stored now")
_NO_FILE = error(404, "not here")

_CONTENT_TYPES = {".txt": "text/plain; charset=utf-8", ".html": "text/html; charset=utf-8"}


class DeliveryHandler(Protocol):
    """Stores and forwards deliveries, and forwards the requests of ``--pass``: the relay."""

    def handle(self, delivery: Delivery) -> Awaitable[ReceiverResponse]:
        """Store an accepted delivery, forward it, and return the response to its sender."""

    def reject(self, delivery: Delivery, status: int) -> Awaitable[ReceiverResponse]:
        """Store a delivery that is answered `status` and not forwarded."""

    def pass_through(self, request: IncomingRequest) -> Awaitable[ReceiverResponse]:
        """Forward a non-webhook request, unstored, and return the response to it."""


class WebhookHandler:
    """Answers the requests to the receiver.

    Args:
        policy: Decides what a request is.
        deliveries: Gets every delivery, and what `Policy.passes`. Its `StoreError` is answered
            503, so that TikTok sends the delivery again; any other exception 500.
        reports: Gets non-webhook requests, failures to store, and bugs.
        clock: Unix seconds.
    """

    def __init__(
        self,
        policy: Policy,
        deliveries: DeliveryHandler,
        reports: ReceiverReports,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._policy = policy
        self._deliveries = deliveries
        self._reports = reports
        self._file = policy.options.serve_file
        self._clock = clock
        self._diagnoses_left = float(DIAGNOSES_PER_SECOND)
        self._diagnosed_at = 0.0
        # Held while something takes milliseconds, and for one turn of the event loop before that,
        # so that other requests are handled in between. Waiters acquire it in their order.
        self._costly = asyncio.Lock()

    async def __call__(self, request: IncomingRequest) -> ReceiverResponse:
        """Return the response to a request; no input of a stranger makes it raise."""
        now = self._clock()
        try:
            if len(request.body) <= LARGE_BODY_BYTES:
                decision = self._policy.decide(request, now)
            else:
                decision = await self._decide_in_turn(request, now)
            if isinstance(decision, Accept):
                return await self._deliveries.handle(decision.delivery)
            if isinstance(decision, Reject):
                return await self._reject(decision, now)
            if isinstance(decision, Respond):
                response, reason, reported = decision
            else:
                passes = isinstance(decision, PassThrough)
                response, reason = await (self._pass(request) if passes else self._read_file())
                reported = True
        except StoreError as failure:
            self._reports.unstored(failure)
            return _NOT_STORED
        except Exception as bug:  # noqa: BLE001 - one bad request must not end the receiver
            self._reports.bug(bug)
            return INTERNAL_ERROR
        if reported:
            self._reports.non_webhook(request.method, request.target, response.status, reason)
        return response

    async def _decide_in_turn(self, request: IncomingRequest, now: float) -> Decision:
        async with self._costly:
            await asyncio.sleep(0)
            return self._policy.decide(request, now)

    async def _reject(self, decision: Reject, now: float) -> ReceiverResponse:
        delivery, status = decision
        if delivery.verdict.rejected and self._may_diagnose(now):
            async with self._costly:
                await asyncio.sleep(0)
                delivery = self._policy.diagnose(delivery, now)
        if len(delivery.body) > MAX_BODY_BYTES:
            # A rejected body is cut before the delivery is queued, published or stored.
            delivery = delivery.replace(
                body=delivery.body[:MAX_BODY_BYTES], body_bytes=len(delivery.body)
            )
        await self._deliveries.reject(delivery, status)
        return OK if status == 200 else _FORGED

    def _may_diagnose(self, now: float) -> bool:
        """Use one of `DIAGNOSES_PER_SECOND`, if one is left of the last second."""
        passed = max(0.0, now - self._diagnosed_at)
        self._diagnosed_at = now
        budget = self._diagnoses_left + passed * DIAGNOSES_PER_SECOND
        self._diagnoses_left = min(budget, float(DIAGNOSES_PER_SECOND))
        if self._diagnoses_left < 1:
            return False
        self._diagnoses_left -= 1
        return True

    async def _pass(self, request: IncomingRequest) -> tuple[ReceiverResponse, str]:
        response = await self._deliveries.pass_through(request)
        note = f"forwarded to the app: {response.note}" if response.note else "forwarded to the app"
        return response, note

    async def _read_file(self) -> tuple[ReceiverResponse, str]:
        assert self._file is not None
        try:
            body = await asyncio.to_thread(_read, self._file)
        except OSError as failure:
            return _NO_FILE, f"cannot read {self._file}: {failure.strerror or failure}"
        suffix = self._file.suffix.lower()
        content_type = _CONTENT_TYPES.get(suffix, "application/octet-stream")
        return ReceiverResponse(200, body, content_type), "the file"


def _read(file: Path) -> bytes:
    if not file.is_file() and file.exists():
        raise OSError("not a regular file")  # opening a named pipe would wait
    with file.open("rb") as opened:
        body = opened.read(MAX_FILE_BYTES + 1)
    if len(body) > MAX_FILE_BYTES:
        raise OSError(f"longer than {MAX_FILE_BYTES} bytes")
    return body
