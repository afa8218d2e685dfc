"""A program that uses the ngrok SDK as it comes: opens one endpoint and prints what happens.

Needs nothing but the SDK and the standard library, so that it runs on any of its generations.
Prints one JSON line per happening; ends when its standard input does. A line ``close`` on it
closes the endpoint first.
"""

import argparse
import asyncio
import json
import os
import sys
import threading
from typing import Literal, Protocol, runtime_checkable

import ngrok


@runtime_checkable
class Pooling(Protocol):
    """What listener builders of SDK 1.5 and newer can do besides."""

    def pooling_enabled(self, pooling_enabled: Literal[True]) -> ngrok.HttpListenerBuilder: ...


def report(**happening: object) -> None:
    sys.stdout.write(json.dumps(happening) + "\n")
    sys.stdout.flush()


def beat(*latency_ms: int) -> None:
    """Called with the latency for an answered heartbeat, with nothing for a missed one."""
    report(type="beat" if latency_ms else "missed")


async def run(args: argparse.Namespace) -> None:
    builder = ngrok.SessionBuilder().server_addr(args.server_addr).root_cas(args.ca)
    builder = builder.client_info("sdk-agent", "1.0").metadata("about the session")
    builder = builder.heartbeat_interval(args.heartbeat).heartbeat_tolerance(args.heartbeat * 2)
    builder = builder.handle_heartbeat(beat)
    builder = builder.handle_disconnection(lambda *args: report(type="lost", error=args[-1]))
    if args.stoppable:
        builder = builder.handle_stop_command(lambda: report(type="stop"))
    session = await builder.authtoken(args.authtoken).connect()
    endpoint = session.http_endpoint().metadata("about the listener")
    if args.domain:
        endpoint = endpoint.domain(args.domain)
    if args.pooling and isinstance(endpoint, Pooling):
        endpoint = endpoint.pooling_enabled(pooling_enabled=True)
    if args.webhook_secret is not None:
        endpoint = endpoint.webhook_verification(args.webhook_provider, args.webhook_secret)
    listener = await endpoint.listen_and_forward(args.forward_to)
    report(type="online", url=listener.url())

    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read_lines() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line.strip())
        loop.call_soon_threadsafe(lines.put_nowait, "")

    threading.Thread(target=read_lines, daemon=True).start()
    while await lines.get() == "close":
        await listener.close()
        report(type="closed")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server-addr", required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--authtoken", default="token")
    parser.add_argument("--forward-to", default="http://127.0.0.1:9")
    parser.add_argument("--domain")
    parser.add_argument("--pooling", action="store_true")
    parser.add_argument("--stoppable", action="store_true")
    parser.add_argument("--webhook-provider", default="tiktok")
    parser.add_argument("--webhook-secret")
    parser.add_argument("--heartbeat", type=int, default=10)
    try:
        asyncio.run(run(parser.parse_args()))
    except ValueError as error:  # the only kind of exception the SDK has
        report(type="error", args=error.args)
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # leaving Python while the SDK's threads end can crash
