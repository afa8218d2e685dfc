"""A TCP proxy in front of the server that can go silent without closing anything."""

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self


class Proxy:
    """Passes bytes on both ways, until it is frozen.

    Args:
        port: The server's, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.left: int | None = None
        """How many more bytes reach the server; None is all."""
        self._both_ways = False
        self.delay_seconds = 0.0
        """How long what the server sends is on its way."""
        self.dropped = False
        """Whether anything was held back since it was frozen."""

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def freeze(self, *, after: int = 0, both_ways: bool = False) -> None:
        """Let no more bytes than this reach the server; connections stay open.

        Args:
            after: How many still do.
            both_ways: Whether none reach the client either.
        """
        self.left, self._both_ways, self.dropped = after, both_ways, False

    def thaw(self) -> None:
        """Let new connections work; those of before stay silent, since bytes of theirs are lost."""
        self.left, self._both_ways = None, False

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]  # a bound method
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._sockets += [client, server]
                self._start(self._to_server, client, server)
                self._start(self._to_client, server, client)

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            dead = False
            while data := client.recv(65536):
                left = 0 if dead else self.left
                if left is not None:
                    dead = dead or len(data) > left
                    self.dropped = self.dropped or dead
                    data = data[:left]
                    self.left = None if self.left is None else left - len(data)
                if data:
                    server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _to_client(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            dead = False
            while data := server.recv(65536):
                dead = dead or self._both_ways
                self.dropped = self.dropped or dead
                if not dead:
                    time.sleep(self.delay_seconds)
                    client.sendall(data)
            client.shutdown(socket.SHUT_WR)
