"""Apps that answer at once and remember what they got, all in one process, each with a path.

``python -m tests.bench.workers.app PORT``; ``GET /`` gives what each app got, as JSON.
"""

import asyncio
import json
import re
import sys
import time

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_NUMBER = re.compile(rb"v_pub_file~v2-1\.(\d{19})")
_OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'

seen: dict[str, list[int]] = {}
times: dict[str, list[float]] = {}


class Answering(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            length = _LENGTH.search(head)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            self._received = rest[size:]
            self._answer(head, rest[:size])

    def _answer(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b" ", 2)
        if method == b"GET":
            text = json.dumps({"seen": seen, "times": times}).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text
            )
            return
        number = _NUMBER.search(body)
        assert number is not None
        name = path.decode().split("/")[1]  # the delivery's own path follows
        seen.setdefault(name, []).append(int(number[1]))
        times.setdefault(name, []).append(time.monotonic())
        self._transport.write(_OK)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
