"""How many sockets a process may have, by the limit on its open files."""

from dataclasses import dataclass

CONNECTIONS = 256
"""Connections that a receiver accepts at a time. ngrok's SDK drops its session at 513 streams."""

_RESERVED = 64
"""Files for everything else: the history and its readers, the inspector, the tunnel, a page."""

_FORWARDED_SHARE = 5
"""Where sockets are few, a fifth of them is for forwarding: a delivery that waits for its turn
keeps a socket and is answered in the end, and one that gets no socket fails."""


@dataclass(frozen=True, slots=True)
class SocketShares:
    """How a session divides the sockets that it may have.

    Attributes:
        connections: Connections that the receiver accepts at a time.
        attempts: Requests that are forwarded at a time; None if there are enough for all.
    """

    connections: int
    attempts: int | None


def open_files_limit() -> int | None:
    """The most files that this process may have open; None if there is no limit."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def sockets(limit: int | None) -> int | None:
    """How many sockets a limit on open files allows; None if there are enough for all uses."""
    if limit is None or limit - _RESERVED >= 2 * CONNECTIONS:
        return None
    return max(limit - _RESERVED, 4)


def shares(limit: int | None) -> SocketShares:
    """Divide the sockets that a limit on open files allows between receiving and forwarding."""
    some = sockets(limit)
    if some is None:
        return SocketShares(CONNECTIONS, None)
    attempts = max(some // _FORWARDED_SHARE, 1)
    return SocketShares(min(some - attempts, CONNECTIONS), attempts)
