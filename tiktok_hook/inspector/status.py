"""What the inspector is told of the session it belongs to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tiktok_hook.delivery import AppChanged, Summary, TunnelChanged, timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A session at one moment, read-only. All None or empty over a stored history alone.

    Attributes:
        callback_url: The public address; None when nothing listens.
        local_url: Where the receiver listens, path included; None when nothing does.
        tunnel: Where the tunnel stands; None without one.
        app: What was last seen of the first target; None before that.
        target_up: Whether the first target accepts connections; None without one.
        targets: Where deliveries go.
        ack: The ack mode.
        started_at: Unix seconds.
        counts: Of this session; None when nothing listens.
        outages: When the tunnel was lost and back, in Unix seconds; None while it is not.
        waiting: How many deliveries wait for the app.
        signed: Whether there is a client secret to sign with.
        public: Whether the Callback URL can be reached from outside.
        pooling: Whether other listeners share it.
    """

    callback_url: str | None = None
    local_url: str | None = None
    tunnel: TunnelChanged | None = None
    app: AppChanged | None = None
    target_up: bool | None = None
    targets: tuple[str, ...] = ()
    ack: str | None = None
    started_at: float = 0.0
    counts: Summary | None = None
    outages: tuple[tuple[float, float | None], ...] = ()
    waiting: int = 0
    signed: bool = False
    public: bool = False
    pooling: bool = False


Source = Callable[[], Status]
"""Asked at every look, so that what is shown is of now."""


def status_json(status: Status) -> dict[str, Any]:
    """The status as the API gives it."""
    tunnel, counts = status.tunnel, status.counts
    return {
        "callback_url": status.callback_url,
        "local_url": status.local_url,
        "tunnel": None
        if tunnel is None
        else {
            "state": tunnel.state,
            "url": tunnel.url,
            "since": timestamp(tunnel.since),
            "error": tunnel.error,
            "latency_ms": tunnel.latency_ms,
        },
        "target": status.targets[0] if status.targets else None,
        "targets": list(status.targets),
        "target_up": status.target_up,
        "ack": status.ack,
        "started_at": timestamp(status.started_at) if status.started_at else None,
        "received": 0 if counts is None else counts.received,
        "refused": 0 if counts is None else counts.refused,
        "failed_attempts": 0 if counts is None else counts.failed_attempts,
        "outages": 0 if counts is None else counts.outages,
        "offline": [
            {"since": timestamp(since), "until": None if until is None else timestamp(until)}
            for since, until in status.outages
        ],
        "waiting": status.waiting,
        "can_sign": status.signed,
    }
