"""Reports of the receiver other than deliveries: non-webhook requests, failures to store, bugs."""

import time
from collections.abc import Callable
from dataclasses import replace

from tiktok_hook.delivery import BugFound, NonWebhookRequest, NotStored
from tiktok_hook.errors import StoreError

MAX_SHOWN_CHARS = 500
"""Maximum length of the path of a non-webhook request."""

MAX_SINGLE = 5
"""Non-webhook requests that are published individually within `_PERIOD_SECONDS`."""

MAX_GROUPS = 16
"""Maximum number of groups that are counted separately in a flood; one more has the rest."""

_PERIOD_SECONDS = 1.0


class ReceiverReports:
    """Publishes non-webhook requests, failures to store and bugs; counts a flood of requests.

    In each second the first `MAX_SINGLE` are published at once. Those that follow are counted by
    method, status and reason. `flush` publishes each group as one event with its count, so that
    output and memory are bounded whatever strangers send. The events' counts add up exactly.

    Args:
        publish: Called with each `NonWebhookRequest`, with a `NotStored` for each delivery that was
            answered 503, and with a `BugFound` for each unexpected exception. An exception that it
            raises for the first two is published as a `BugFound`. None drops all reports.
        clock: Unix seconds, for the events.
        monotonic: Seconds, for the period.
    """

    def __init__(
        self,
        publish: Callable[[object], None] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish = publish
        self._clock = clock
        self._monotonic = monotonic
        self._period_began = float("-inf")
        self._published = 0
        self._groups: dict[tuple[str, int, str], NonWebhookRequest] = {}

    def non_webhook(self, method: str, target: str, status: int, reason: str = "") -> None:
        """Report a request that is not a delivery, or that was answered before it was complete."""
        now = self._monotonic()
        if now - self._period_began >= _PERIOD_SECONDS:
            self.flush()
            self._period_began = now
            self._published = 0
        path = target.partition("?")[0][:MAX_SHOWN_CHARS]
        event = NonWebhookRequest(method, path, status, self._clock(), reason)
        if self._published < MAX_SINGLE:
            self._published += 1
            self._emit(event)
        else:
            self._count(event)

    def flush(self) -> None:
        """Publish the counted groups; called about once a second and at the end."""
        groups, self._groups = self._groups, {}
        for event in groups.values():
            self._emit(event)

    def unstored(self, error: StoreError) -> None:
        """Report a delivery that was answered 503."""
        self._emit(NotStored(str(error), error.hint))

    def bug(self, bug: Exception) -> None:
        """Report an exception that must not happen."""
        if self._publish is not None:
            self._publish(BugFound(bug))

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

    def _emit(self, event: NonWebhookRequest | NotStored) -> None:
        """Publish; an exception of a subscriber is reported as a bug and does not propagate."""
        if self._publish is None:
            return
        try:
            self._publish(event)
        except Exception as bug:  # noqa: BLE001 - whatever a subscriber raises
            self.bug(bug)
