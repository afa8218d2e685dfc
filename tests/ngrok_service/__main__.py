"""The stand-in by hand: ``python -m tests.ngrok_service``.

Prints one JSON line with its addresses, then one for every endpoint that comes online or goes.
Takes one command per line on its standard input (``cut``, ``refuse``, ``accept``, ``silent``,
``goaway``, ``garbage``, ``stop``, ``restart``, ``update``) and ends when that input does, or with
Ctrl-C.
"""

import argparse
import asyncio
import contextlib
import json
import sys

from tests.ngrok_service.registry import Tunnel
from tests.ngrok_service.service import NgrokService


def _print_event(**happening: object) -> None:
    print(json.dumps(happening), flush=True)


async def _report(service: NgrokService) -> None:
    """Print what comes and goes."""
    known: dict[str, Tunnel] = {}
    while True:
        now = {tunnel.id: tunnel for tunnel in service.online}
        for gone in known.keys() - now.keys():
            _print_event(type="offline", url=known[gone].url)
        for new in now.keys() - known.keys():
            _print_event(
                type="online", url=now[new].url, forwards_to=now[new].request["ForwardsTo"]
            )
        known = now
        await service.next_change()


async def _obey(service: NgrokService, command: str) -> None:
    match command:
        case "cut":
            service.cut()
        case "refuse":
            await service.refuse_connections()
        case "accept":
            await service.accept_again()
        case "silent":
            service.go_silent()
        case "goaway":
            service.go_away()
        case "garbage":
            service.send_garbage()
        case "stop":
            _print_event(type="answers", answers=await service.stop_agents())
        case "restart":
            _print_event(type="answers", answers=await service.restart_agents())
        case "update":
            _print_event(type="answers", answers=await service.update_agents())
        case _:
            _print_event(type="unknown", command=command)


async def _commands() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


async def _run(args: argparse.Namespace) -> None:
    commands = await _commands()
    async with (
        NgrokService(
            tokens=args.token,
            session_limit=args.session_limit,
            tolerance=args.tolerance,
            webhooks_allowed=not args.no_webhooks,
        ) as service,
        asyncio.TaskGroup() as group,
    ):
        _print_event(
            type="ready",
            connect_url=service.connect_url,
            ca_file=str(service.ca_file),
            public_url=service.address,
        )
        report = group.create_task(_report(service))
        while line := await commands.readline():
            await _obey(service, line.decode().strip())
        report.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.ngrok_service", description=__doc__)
    parser.add_argument("--token", action="append", help="a token that exists; none: any does")
    parser.add_argument("--session-limit", type=int)
    parser.add_argument("--tolerance", type=float, help="seconds until a silent agent is forgotten")
    parser.add_argument("--no-webhooks", action="store_true", help="no webhook verification")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
