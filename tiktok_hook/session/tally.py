"""Counts the events of a session, for the exit screen and the inspector's header."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import (
    Attempt,
    AttemptEnded,
    DeliveryAnswered,
    NonWebhookRequest,
    NotStored,
    SecondaryFailures,
    Source,
    Summary,
    TunnelChanged,
)
from tiktok_hook.signature import State

_DURATIONS = 10_000
_FAILED = 100
_OUTAGES = 100

_BEHIND = {"", "/", "?"}
"""Characters that may follow a target's URL when the delivery adds a path or query."""


@dataclass(slots=True)
class _Failures:
    """Failures of one target: the newest deliveries whose last attempt there failed."""

    ids: OrderedDict[int, None] = field(default_factory=OrderedDict)
    attempts: int = 0


class Tally:
    """Running counts of a session. Memory is bounded, and events are counted in constant time.

    Args:
        started_at: Unix seconds.
        targets: URLs that deliveries are forwarded to. The first one is the primary target.
        clock: Returns monotonic seconds.

    Attributes:
        summary: The counts, without those that `total` computes.
    """

    def __init__(
        self,
        *,
        started_at: float,
        targets: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.started_at = started_at
        self._clock = clock
        self._began = clock()
        self.summary = Summary(started_at=started_at)
        self._targets = tuple(targets)
        self._durations: deque[float] = deque(maxlen=_DURATIONS)
        self._failures: dict[str | None, _Failures] = {None: _Failures()}
        self._offline_since: float | None = None
        self._outages: deque[tuple[float, float]] = deque(maxlen=_OUTAGES)

    def handlers(self) -> Mapping[type[Any], Handler]:
        """The handler of each event type, for `Bus.connect`."""
        return {
            DeliveryAnswered: self._add_delivery,
            AttemptEnded: self._add_attempt,
            NonWebhookRequest: self._add_non_webhook_request,
            NotStored: self._add_not_stored,
            TunnelChanged: self._add_tunnel,
        }

    def _add_non_webhook_request(self, event: NonWebhookRequest) -> None:
        self.summary.non_webhook_requests += event.count

    def _add_not_stored(self, _event: NotStored) -> None:
        self.summary.unstored += 1

    def _add_delivery(self, event: DeliveryAnswered) -> None:
        delivery = event.delivery
        if delivery.source is Source.IMPORT:
            return
        counts = self.summary
        counts.received += 1
        state = delivery.verdict.state
        if delivery.rejected:
            counts.rejected += 1
        elif state is State.VALID:
            counts.valid += 1
        elif state is State.STALE:
            counts.stale += 1
        elif state is State.UNCHECKED:
            counts.unchecked += 1
        if delivery.redelivery_of is not None:
            counts.redeliveries += 1

    def _add_attempt(self, event: AttemptEnded) -> None:
        attempt = event.attempt
        counts = self.summary
        counts.attempts += 1
        if attempt.duration_ms is not None and attempt.status is not None:
            self._durations.append(attempt.duration_ms)
        if attempt.failed:
            if event.will_retry:
                return
            counts.failed_attempts += 1
            failures = self._failures.setdefault(self._secondary_target(attempt), _Failures())
            failures.attempts += 1
            failures.ids[attempt.delivery_id] = None
            if len(failures.ids) > _FAILED:
                failures.ids.popitem(last=False)
        elif counts.failed_attempts:
            failures = self._failures.get(self._secondary_target(attempt)) or _Failures()
            failures.ids.pop(attempt.delivery_id, None)

    def _secondary_target(self, attempt: Attempt) -> str | None:
        """The secondary target of an attempt; None for the primary target or any other URL."""
        for target in self._targets[1:]:
            base = target.partition("?")[0].removesuffix("/")
            if attempt.target.startswith(base) and attempt.target[len(base) :][:1] in _BEHIND:
                return target
        return None

    def _add_tunnel(self, state: TunnelChanged) -> None:
        if state.state == "reconnecting" and self._offline_since is None:
            self._offline_since = state.since
            self.summary.outages += 1
        elif state.state == "online" and self._offline_since is not None:
            self.summary.offline_seconds += max(0.0, state.since - self._offline_since)
            self._outages.append((self._offline_since, state.since))
            self._offline_since = None

    @property
    def outages(self) -> tuple[tuple[float, float | None], ...]:
        """Start and end of recent tunnel outages in Unix seconds; the end is None while offline."""
        now = () if self._offline_since is None else ((self._offline_since, None),)
        return (*self._outages, *now)

    def total(self) -> Summary:
        """The counts so far."""
        counts = self.summary
        counts.seconds = self._clock() - self._began
        counts.failed = tuple(self._failures[None].ids)
        counts.secondary_failures = tuple(
            SecondaryFailures(target, tuple(found.ids), found.attempts)
            for target, found in self._failures.items()
            if target is not None
        )
        counts.target = self._targets[0] if len(self._targets) > 1 else None
        if self._durations:
            ordered = sorted(self._durations)
            counts.p95_ms = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        return counts
