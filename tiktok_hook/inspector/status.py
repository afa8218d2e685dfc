"""The state of the session that the inspector belongs to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tiktok_hook.delivery import AppChanged, Summary, TunnelChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A session at one moment. All fields are None or empty where only a stored history is shown.

    Attributes:
        callback_url: The public address; None without a receiver.
        local_url: Address of the receiver, path included; None without one.
        tunnel: The tunnel's state; None without one.
        app: The last known state of the first target; None before it was checked.
        target_up: Whether the first target accepts connections; None without one.
        targets: Where deliveries are forwarded to.
        routes: The filter and the target of each route; the filter is None if it takes everything.
        answers: The filter of each answer rule, and its answer in words.
        up: Whether each target accepts connections, where that is known.
        ack: The ack mode.
        started_at: Unix seconds.
        counts: Of this session; None without a receiver.
        outages: Start and end of each tunnel outage, in Unix seconds; the end is None during one.
        waiting: Number of deliveries that wait for the app.
        paused: Whether the user paused forwarding.
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
    routes: tuple[tuple[str | None, str], ...] = ()
    answers: tuple[tuple[str, str], ...] = ()
    up: Mapping[str, bool] = field(default_factory=dict)
    ack: str | None = None
    started_at: float = 0.0
    counts: Summary | None = None
    outages: tuple[tuple[float, float | None], ...] = ()
    waiting: int = 0
    paused: bool = False
    signed: bool = False
    public: bool = False
    pooling: bool = False


StatusProvider = Callable[[], Status]
"""Called for every response, so that the response shows the current state."""
