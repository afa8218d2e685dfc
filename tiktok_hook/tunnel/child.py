"""The tunnel's own process, and the only importer of ngrok's SDK.

The SDK cannot hang up a connection, backs off for minutes, does not notice silence and can crash
the interpreter at exit. All of that ends with a process, so it gets one: the supervisor replaces
it. What comes in and out is in `protocol`; token and secret come through stdin only.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from importlib.metadata import version
from typing import Any, Never

import ngrok

from tiktok_hook.tunnel import protocol
from tiktok_hook.tunnel.protocol import (
    Beat,
    Cause,
    Lost,
    Missed,
    Online,
    Order,
    Rejected,
    RemoteCommand,
)
from tiktok_hook.tunnel.rejections import redact

CLOSE_SECONDS = 1.0
"""How long an orderly close may take: it hangs while the connection is silent."""
LEAVE_SECONDS = 1.5
"""After the end of stdin the process is gone within this time, whatever the SDK does."""
DIAL_SECONDS = 3.0
MESSAGE_CHARACTERS = 4000
"""What is passed on of a foreign message: a line must fit the parent's buffer of 64 KiB."""


class _Wire:
    """The child's side of the pipe; `send` may be called from any thread."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.leave = asyncio.Event()
        self.online = False

    def send(self, message: protocol.Message) -> None:
        """Hand a message to the event loop: the SDK's threads must not wait for a full pipe."""
        self.loop.call_soon_threadsafe(_write, message)

    def end(self, message: protocol.Message) -> None:
        """Report why, then exit; there is nothing left to close."""
        self.online = False
        self.send(message)
        self.loop.call_soon_threadsafe(self.leave.set)

    # The SDK calls what follows on threads of its own.

    def disconnected(self, _address: str, error: str) -> None:
        """Report a lost connection; raising keeps the SDK from its back-off of minutes."""
        self.end(Lost(error[:MESSAGE_CHARACTERS]))
        raise ConnectionAbortedError("reconnecting is the supervisor's work")

    def beat(self, *latency_ms: int) -> None:
        """Called without an argument for a heartbeat that was missed."""
        self.send(Beat(latency_ms[0]) if latency_ms else Missed())

    def stop(self) -> None:
        self.send(RemoteCommand("stop"))

    def restart(self) -> None:
        self.send(RemoteCommand("restart"))

    def update(self, *_version: object) -> None:
        """Raising is how an error is answered."""
        self.send(RemoteCommand("update"))
        raise NotImplementedError("tiktok-hook is updated with pip, not from here")


def _write(message: protocol.Message) -> None:
    try:
        sys.stdout.buffer.write(protocol.dump(message))
        sys.stdout.buffer.flush()
    except OSError:
        _exit(0)  # no reader: the parent is gone


def _exit(code: int) -> Never:
    """Leave past the interpreter's own way out, which races with the SDK's threads and crashes."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)


def _follow_stdin(wire: _Wire) -> None:
    """Wait for the end of stdin, which a parent killed outright leaves too; then leave in time."""
    with contextlib.suppress(OSError):
        while sys.stdin.buffer.read(4096):
            pass
    if wire.online:
        wire.loop.call_soon_threadsafe(wire.leave.set)
        time.sleep(LEAVE_SECONDS)
    os._exit(0)


def _rejection(error: ValueError, order: Order) -> Rejected:
    """An error of ngrok or the SDK; each is a ValueError with two or three arguments."""
    stage, message, code = (*(str(part) for part in error.args), "", "", "")[:3]
    message = redact(message, (order.authtoken, order.webhook_secret))[:MESSAGE_CHARACTERS]
    cause = None
    if "tcp connection" in message and not code:
        cause = _dial(order.server_addr or protocol.NGROK_SERVER)
    return Rejected(stage, message, code or None, cause)


def _dial(address: str) -> Cause:
    """Find out why no connection could be made: the SDK does not distinguish a name from a port."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=DIAL_SECONDS).close()
    except socket.gaierror:
        return "dns"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timeout"
    except OSError:
        return "unreachable"
    return "ok"


async def _connect(order: Order, wire: _Wire) -> Any:
    """Open session and endpoint, as ordered; a Listener, of which the stubs lack `join`."""
    builder = (
        ngrok.SessionBuilder()
        .authtoken(order.authtoken)
        .client_info("tiktok-hook", version("tiktok-hook"))
        .heartbeat_interval(order.heartbeat_interval)
        .heartbeat_tolerance(order.heartbeat_tolerance)
        .handle_heartbeat(wire.beat)
        .handle_disconnection(wire.disconnected)
        .handle_stop_command(wire.stop)
        .handle_restart_command(wire.restart)
        .handle_update_command(wire.update)
    )
    if order.server_addr is not None:
        builder.server_addr(order.server_addr)
    if order.cas is not None:
        builder.root_cas(order.cas)
    session = await builder.connect()
    endpoint: Any = session.http_endpoint()  # 1.4's stubs lack pooling_enabled
    if order.domain is not None:
        endpoint.domain(order.domain)
    if order.webhook_secret is not None:
        endpoint.webhook_verification("tiktok", order.webhook_secret)
    if order.traffic_policy is not None:
        endpoint.traffic_policy(order.traffic_policy)
    if order.pooling:
        endpoint.pooling_enabled(order.pooling)
    return await endpoint.listen_and_forward(order.upstream)


async def _joined(listener: Any, wire: _Wire) -> None:
    """Report when the endpoint ends without us: ngrok can take one offline and keep the session."""
    try:
        await listener.join()
    except ValueError as error:
        wire.end(Lost(" ".join(str(part) for part in error.args)[:MESSAGE_CHARACTERS]))
    else:
        wire.end(Lost("the endpoint was closed"))


async def _serve(order: Order) -> int:
    """Be the tunnel until stdin ends or the connection does; the exit code."""
    wire = _Wire()
    threading.Thread(target=_follow_stdin, args=(wire,), daemon=True).start()
    if order.pooling and not hasattr(ngrok.HttpListenerBuilder, "pooling_enabled"):
        _write(Rejected("pooling", "this SDK has no pooling_enabled", protocol.NO_POOLING))
        return 0
    try:
        listener = await _connect(order, wire)
    except ValueError as error:
        _write(_rejection(error, order))
        return 0
    wire.online = True
    _write(Online(listener.url()))
    async with asyncio.TaskGroup() as group:
        joined = group.create_task(_joined(listener, wire))
        await wire.leave.wait()
        joined.cancel()
    if wire.online:
        with contextlib.suppress(ValueError, TimeoutError):
            await asyncio.wait_for(listener.close(), CLOSE_SECONDS)
    return 0


def main() -> Never:
    """Read the order, carry it out, leave."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it closes stdin in time
    # The SDK logs through `logging` and looks levels up once. Its TRACE records hold the token.
    logging.disable(logging.CRITICAL)
    code = 1
    try:
        code = asyncio.run(_serve(Order.parse(sys.stdin.buffer.readline())))
    except BaseException:  # noqa: BLE001 - a panic of the SDK is not an Exception; all end the process
        traceback.print_exc()
    _exit(code)


if __name__ == "__main__":
    main()
