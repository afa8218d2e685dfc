"""The load: N connections, each sending the next delivery once the last was answered.

``python tests/bench/load.py PORT`` prints one JSON object; see `Load`. A program of its own, so
that it can have a core of its own; on bare sockets, so that the core is idle most of the time.
"""

import argparse
import hashlib
import hmac
import json
import os
import select
import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

SECRET = "tiktok-client-secret"

BODY = (
    b'{"client_key":"awexampleclient1","event":"post.publish.complete","create_time":%d,'
    b'"user_openid":"%s","content":"{\\"publish_id\\":'
    b'\\"v_pub_file~v2-1.%019d\\",\\"publish_type\\":\\"DIRECT_PUBLISH\\"}"}'
)
"""About 250 bytes, each with another publish id, so that none is a redelivery."""

USER = "-000ExampleOpenIdExampleOpenIdExampl"

HEAD = (
    b"POST /webhook HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: TikTok-Webhook/1.0\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n"
    b"Tiktok-Signature: t=%d,s=%s\r\n\r\n"
)


def deliveries(host: str, port: int) -> Iterator[bytes]:
    """Requests without end, each signed at the moment it is taken."""
    for number in count(time.time_ns()):
        yield request(host, port, number)


def request(host: str, port: int, number: int, user: str = USER) -> bytes:
    """A signed request with a delivery of this number."""
    now = int(time.time())
    body = BODY % (now, user.encode(), number)
    digest = hmac.new(SECRET.encode(), b"%d.%s" % (now, body), hashlib.sha256).hexdigest()
    return HEAD % (host.encode(), port, len(body), now, digest.encode()) + body


class Connection:
    """A keep-alive connection with at most one request under way.

    Attributes:
        sent_at: When the request under way was sent, by `time.perf_counter`.
    """

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._received = b""

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def status(self) -> int:
        """Take what came; the status once the answer is complete, otherwise 0.

        Raises:
            ConnectionError: The server hung up.
        """
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server hung up")
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return 0
        _, found, rest = head.lower().partition(b"\r\ncontent-length:")
        if not found:
            raise ConnectionError("an answer without Content-Length")
        if len(body) < int(rest.partition(b"\r\n")[0]):
            return 0
        self._received = b""
        return int(head[9:12])


class Load:
    """What was sent in some time, and how it was answered.

    Attributes:
        latencies: Seconds from each request to its whole answer.
        statuses: How often each status came.
    """

    def __init__(self, host: str, port: int, connections: int) -> None:
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self._requests = deliveries(host, port)
        self._poll = select.epoll()
        self._open: dict[int, Connection] = {}
        for _ in range(connections):
            connection = Connection(host, port)
            self._open[connection.socket.fileno()] = connection
            self._poll.register(connection.socket, select.EPOLLIN)
        self._idle = set(self._open.values())

    def run(self, seconds: float, most: int | None = None) -> float:
        """Send for some time, or until N were answered; the seconds it took."""
        self.latencies.clear()
        self.statuses.clear()
        begun = time.perf_counter()
        end = begun + seconds
        sent = 0
        for connection in [*self._idle]:
            self._idle.discard(connection)
            connection.send(next(self._requests))
            sent += 1
        while len(self._idle) < len(self._open):
            for file, _ in self._poll.poll(30):
                connection = self._open[file]
                status = connection.status()
                if not status:
                    continue
                now = time.perf_counter()
                self.latencies.append(now - connection.sent_at)
                self.statuses[status] += 1
                if now < end and (most is None or sent < most):
                    connection.send(next(self._requests))
                    sent += 1
                else:
                    self._idle.add(connection)
        return time.perf_counter() - begun

    def close(self) -> None:
        for connection in self._open.values():
            connection.socket.close()
        self._poll.close()


def busy_seconds() -> float:
    """How long the core that this runs on was busy, in all processes.

    An app, the stand-in of ngrok's service or the terminal's reader may run there as well.
    Where this may run on several cores, or the system does not report it, it is what the load took.
    """
    cores = os.sched_getaffinity(0)
    if len(cores) == 1:
        for line in Path("/proc/stat").read_text("ascii").splitlines():
            name, *ticks = line.split()
            if name == f"cpu{min(cores)}":
                user, nice, system, _idle, _waiting, *interrupts = map(int, ticks[:7])
                return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
    return time.process_time()


def main() -> None:
    """Warm up, load, and print what was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--warm-up", type=float, default=0.3)
    parser.add_argument("--count", type=int)
    chosen = parser.parse_args()
    load = Load(chosen.host, chosen.port, chosen.connections)
    if chosen.warm_up:
        load.run(chosen.warm_up)
    worked = busy_seconds()
    seconds = load.run(chosen.seconds, chosen.count)
    worked = busy_seconds() - worked
    load.close()
    print(
        json.dumps(
            {
                "answered": load.statuses.total(),
                "statuses": load.statuses,
                "seconds": seconds,
                "median_ms": statistics.median(load.latencies) * 1000,
                "busy": worked / seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
