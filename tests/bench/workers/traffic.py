"""Sends deliveries to several listeners at a steady rate, whatever they answer.

``python -m tests.bench.workers.traffic PORT... --rate 1000 --seconds 20``: prints which were
answered 200, how often each other status came, and the longest time without a 200.
"""

import argparse
import json
import select
import time
from collections import Counter, deque
from contextlib import suppress
from itertools import cycle

from tests.bench.load import USER, Connection, request
from tests.bench.workers.steps import ready

_HOST = "127.0.0.1"


def users(number: int) -> list[str]:
    """The ``user_openid`` of N test users."""
    return [f"-000ExampleOpenIdExampleOpenIdUser{each:04d}" for each in range(number)] or [USER]


class Traffic:
    """Connections to some ports.

    Args:
        ports: Of the listeners; each gets the same share.
        connections: To each of them.
        names: Of the users whose deliveries take turns.
    """

    def __init__(self, ports: list[int], connections: int, names: list[str]) -> None:
        self.answered: list[tuple[int, str]] = []
        self.statuses: Counter[int] = Counter()
        self.longest_gap = 0.0
        self._last_at = 0.0
        self._ports = cycle(ports)
        self._names = cycle(names)
        self._poll = select.epoll()
        self._busy: dict[int, tuple[int, Connection, int, str]] = {}  # by file
        self._idle = {port: deque[Connection]() for port in ports}
        self._connections = connections

    def run(self, rate: float, seconds: float) -> None:
        """Send for some time; returns when everything was answered, or after 30 s more."""
        # Only now: a listener closes connections on which nothing arrives.
        for port in self._idle:
            for _ in range(self._connections):
                self._connect(port)
        began = self._last_at = time.monotonic()
        sent = 0
        numbers = time.time_ns()
        while (now := time.monotonic()) < began + seconds:
            while sent < (now - began) * rate and any(self._idle.values()):
                self._send(numbers + sent)
                sent += 1
            self._take(min(1 / rate, 0.002))
        deadline = time.monotonic() + 30
        while self._busy and time.monotonic() < deadline:
            self._take(0.1)
        self.longest_gap = max(self.longest_gap, time.monotonic() - self._last_at)

    def _send(self, number: int) -> None:
        port = next(each for each in self._ports if self._idle[each])
        connection, user = self._idle[port].popleft(), next(self._names)
        try:
            connection.send(request(_HOST, port, number, user))
        except OSError:
            self._replace(port, connection)
            return
        file = connection.socket.fileno()
        self._busy[file] = (port, connection, number, user)
        self._poll.register(file, select.EPOLLIN)

    def _take(self, seconds: float) -> None:
        for file, _ in self._poll.poll(seconds):
            port, connection, number, user = self._busy[file]
            try:
                status = connection.status()
            except OSError:
                status = -1
            if not status:
                continue
            del self._busy[file]
            self._poll.unregister(file)
            self.statuses[status] += 1
            if status == 200:
                now = time.monotonic()
                self.longest_gap = max(self.longest_gap, now - self._last_at)
                self._last_at = now
                self.answered.append((number, user))
            if status < 0:
                self._replace(port, connection)
            else:
                self._idle[port].append(connection)

    def _replace(self, port: int, connection: Connection) -> None:
        connection.socket.close()
        self._connect(port)

    def _connect(self, port: int) -> None:
        with suppress(OSError):
            self._idle[port].append(Connection(_HOST, port))


def main() -> None:
    """Send, and print what was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("ports", type=int, nargs="+")
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--users", type=int, default=0)
    parser.add_argument("--numbers", action="store_true", help="print users of what was answered")
    chosen = parser.parse_args()
    traffic = Traffic(chosen.ports, chosen.connections, users(chosen.users))
    ready()
    traffic.run(chosen.rate, chosen.seconds)
    print(
        json.dumps(
            {
                "answered": traffic.answered
                if chosen.numbers
                else [number for number, _ in traffic.answered],
                "statuses": traffic.statuses,
                "longest_gap": traffic.longest_gap,
            }
        )
    )


if __name__ == "__main__":
    main()
