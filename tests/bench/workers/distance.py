"""A TCP proxy that delays all bytes, as a network does.

``python -m tests.bench.workers.distance PORT SERVER_PORT SECONDS``
"""

import asyncio
import sys
from collections.abc import Callable


class Side(asyncio.Protocol):
    """One of the two connections of a client; what arrives is sent on the other one later.

    Args:
        seconds: How much later.
        connected: Called when this side is connected.
    """

    def __init__(self, seconds: float, connected: "Callable[[Side], object]") -> None:
        self._seconds = seconds
        self._connected = connected
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None
        self.early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._connected(self)

    def data_received(self, data: bytes) -> None:
        # Calls with the same delay keep their order.
        asyncio.get_running_loop().call_later(self._seconds, self._pass_on, data)

    def connection_lost(self, _error: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def _pass_on(self, data: bytes) -> None:
        if self.other is None or self.other.transport is None:
            self.early.append(data)
        else:
            self.other.transport.write(data)


async def main(port: int, server_port: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def connect(client: Side) -> None:
        server = Side(seconds, lambda _: None)
        await loop.create_connection(lambda: server, "127.0.0.1", server_port)
        client.other, server.other = server, client
        assert server.transport is not None
        server.transport.write(b"".join(client.early))

    def accepted(client: Side) -> None:
        task = loop.create_task(connect(client))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await loop.create_server(lambda: Side(seconds, accepted), "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
