"""What the receiver reports besides deliveries: non-webhook requests, failures to store, bugs."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from tiktok_hook.delivery import NonWebhookRequest
from tiktok_hook.errors import StoreError

MAX_SHOWN_CHARS = 500
"""Of the path of a non-webhook request."""

MAX_SINGLE = 5
"""Non-webhook requests that are published one by one within `_PERIOD_SECONDS`."""

MAX_GROUPS = 16
"""Different kinds of them that are counted apart in a flood; the rest is one more."""

_PERIOD_SECONDS = 1.0

Value = TypeVar("Value")


class ReceiverReports:
    """Publishes non-webhook requests and counts a flood of them; passes failures on.

    In each second the first `MAX_SINGLE` are published at once. Those that follow are counted by
    method, status and reason. `flush` publishes each group as one event with its count, so that
    output and memory are bounded whatever strangers send. The events' counts add up exactly.

    Args:
        publish: Called with each event; what it raises is reported as a bug.
        on_unstored: Called for every delivery that was answered 503 because it could not be
            stored. It counts them and must not print each.
        on_bug: Called with every exception that is not expected; the request was answered 500.
        clock: Unix seconds, for the events.
        monotonic: Seconds, for the period.
    """

    def __init__(
        self,
        publish: Callable[[NonWebhookRequest], None] | None = None,
        *,
        on_unstored: Callable[[StoreError], None] | None = None,
        on_bug: Callable[[Exception], None] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish = publish
        self._on_unstored = on_unstored
        self._on_bug = on_bug
        self._clock = clock
        self._monotonic = monotonic
        self._period_began = float("-inf")
        self._published = 0
        self._groups: dict[tuple[str, int, str], NonWebhookRequest] = {}

    def non_webhook(self, method: str, target: str, status: int, reason: str = "") -> None:
        """Report a request that is not a delivery, or that was answered before it could be one."""
        now = self._monotonic()
        if now - self._period_began >= _PERIOD_SECONDS:
            self.flush()
            self._period_began = now
            self._published = 0
        path = target.partition("?")[0][:MAX_SHOWN_CHARS]
        event = NonWebhookRequest(method, path, status, self._clock(), reason)
        if self._published < MAX_SINGLE:
            self._published += 1
            self._call(self._publish, event)
        else:
            self._count(event)

    def flush(self) -> None:
        """Publish what has been counted; called about once a second and at the end."""
        groups, self._groups = self._groups, {}
        for event in groups.values():
            self._call(self._publish, event)

    def unstored(self, error: StoreError) -> None:
        """Report a delivery that was answered 503."""
        self._call(self._on_unstored, error)

    def bug(self, bug: Exception) -> None:
        """Report an exception that must not happen."""
        self._call(self._on_bug, bug)

    def _count(self, event: NonWebhookRequest) -> None:
        key = (event.method, event.status, event.reason)
        counted = self._groups.get(key)
        if counted is None and len(self._groups) >= MAX_GROUPS:
            key = ("", 0, "")
            counted = self._groups.get(key)
            event = replace(event, method="", path="", reason="requests of many kinds")
        if counted is not None:
            path = event.path if event.path == counted.path else ""
            event = replace(event, path=path, count=counted.count + 1)
        self._groups[key] = event

    def _call(self, callback: Callable[[Value], None] | None, value: Value) -> None:
        """Call back; what the callback raises is a bug to report, never a reason to stop."""
        if callback is None:
            return
        try:
            callback(value)
        except Exception as bug:
            if self._on_bug is None or isinstance(value, Exception):
                raise
            self._on_bug(bug)
