"""Resource limits of the receiver, and how much of them is in use."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol, Self

from tiktok_hook.descriptors import CONNECTIONS, open_files_limit, shares
from tiktok_hook.receiver.options import ReceiverOptions


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits for incoming connections.

    Attributes:
        connections: Open connections. ngrok's SDK drops its session at 513 streams.
        in_flight: Requests that are handled at the same time.
        body_bytes: Size of one request's body.
        head_bytes: Size of one request's line and headers together.
        held_bytes: Bytes received for requests that are not answered yet, over all connections.
        request_seconds: Time for receiving one request, and for the client to read the response.
        unused_seconds: Until a connection that never sent anything is closed.
        idle_seconds: Until a connection that was answered is closed.
        drain_seconds: How long input is discarded after the last response, so that the client
            can read it: closing while input is unread resets the connection.
        evict_after_seconds: Age of an incomplete request, or of a connection that never sent
            anything, from which it may be evicted when all places are taken.
        evict_idle_after_seconds: The same for a connection that was answered and is idle.
    """

    connections: int = CONNECTIONS
    in_flight: int = CONNECTIONS
    body_bytes: int = 1 << 20
    head_bytes: int = 64 << 10
    held_bytes: int = 64 << 20
    request_seconds: float = 10.0
    unused_seconds: float = 10.0
    idle_seconds: float = 75.0
    drain_seconds: float = 2.0
    evict_after_seconds: float = 0.05
    evict_idle_after_seconds: float = 1.0

    @classmethod
    def of(cls, options: ReceiverOptions) -> Self:
        """The limits that follow from the options, and from how many files may be open."""
        places = shares(open_files_limit()).connections
        return cls(connections=places, in_flight=places, body_bytes=options.max_body_bytes)

    @property
    def request_bytes(self) -> int:
        """Raw bytes of one request; chunks of one byte take six bytes each."""
        return 4 * self.body_bytes + self.head_bytes


class GuardedConnection(Protocol):
    """A connection as `Capacity` and the server see it."""

    @property
    def since(self) -> float:
        """Loop time at which its current state began."""

    def check(self, now: float) -> None:
        """Enforce the deadline of its current state."""

    def evict(self) -> None:
        """End it in favour of a new connection."""

    def close_if_idle(self) -> None:
        """Close it unless a request is being received or handled."""

    def abort(self) -> None:
        """Close it at once in every state."""

    def cancel(self) -> None:
        """Cancel the handling of its request."""


Connections = dict[GuardedConnection, None]
"""An ordered set: the connection that has been in this state for longest comes first."""


@dataclass(slots=True)
class Capacity:
    """How much of the limits is in use. A passive record: guards and the server update it.

    Invariants:
        - A connection is in exactly one of the six sets while it is open.
        - A connection whose client disconnected stays in `handling` until its handler returns, so
          that `in_flight` counts handlers and not sockets. It does not count as a place then.
        - `places` = `unused` + `idle` + `receiving` + those in `handling` that are still open.
        - `held_bytes` is the sum over all connections of the bytes that were received and not
          answered yet. It is 0 when nothing is being received or handled.

    Attributes:
        unused: Nothing was received on it.
        idle: Its last request was answered, and nothing of another one was received.
        receiving: A part of a request was received.
        handling: A complete request was received, and its handler has not returned.
        draining: The last response is written; input is discarded.
        turned_away: Accepted beyond `Limits.connections`; answered 503.
        places: Connections that count against `Limits.connections`.
        held_bytes: See the invariants.
        leaving: Whether the server is stopping: responses end their connections.
        changed: Set when a connection or a request ended.
    """

    limits: Limits
    unused: Connections = field(default_factory=dict)
    idle: Connections = field(default_factory=dict)
    receiving: Connections = field(default_factory=dict)
    handling: Connections = field(default_factory=dict)
    draining: Connections = field(default_factory=dict)
    turned_away: Connections = field(default_factory=dict)
    places: int = 0
    held_bytes: int = 0
    leaving: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def all(self) -> list[GuardedConnection]:
        """All connections, including those whose client disconnected."""
        return [
            *self.unused,
            *self.idle,
            *self.receiving,
            *self.handling,
            *self.draining,
            *self.turned_away,
        ]

    def evictable(self, now: float) -> GuardedConnection | None:
        """The connection to end in favour of a new one; None while all are too young.

        Connections without a request come first, then the oldest incomplete request: a stranger
        who opens requests and never completes them loses them one by one, and a real delivery,
        which is complete within milliseconds, is never the oldest.
        """
        limits = self.limits
        for group, age in (
            (self.unused, limits.evict_after_seconds),
            (self.idle, limits.evict_idle_after_seconds),
            (self.receiving, limits.evict_after_seconds),
        ):
            oldest = next(iter(group), None)
            if oldest is not None and now - oldest.since > age:
                return oldest
        return None
