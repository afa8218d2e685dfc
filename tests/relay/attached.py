"""An attached app of a test, in this process or in one of its own that can be killed."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.relay.samples import Published
from tiktok_hook import filters
from tiktok_hook.forward import Forwarder
from tiktok_hook.relay import Relay, open_relay
from tiktok_hook.relay.attachment import AttachedApp, attaching
from tiktok_hook.relay.options import RelayOptions
from tiktok_hook.relay.retry_policy import DELAYS, Delays
from tiktok_hook.store import open_store

APP = "anna@laptop"


@asynccontextmanager
async def attached(
    location: str,
    *targets: str,
    app: str = APP,
    match: str = "",
    start: str = "now",
    routes: Sequence[tuple[str, str]] = (),
    published: Published | None = None,
    retry_for: str = "72h",
    clock: Callable[[], float] = time.time,
    delays: Delays = DELAYS,
) -> AsyncIterator[tuple[Relay, AttachedApp]]:
    """What `attach` does with a history, without a session around it."""
    published = Published() if published is None else published
    options = RelayOptions(forward_to=targets, routes=routes, ack="first", retry_for=retry_for)
    with open_store(location, app=app, prune=False) as store:
        async with (
            Forwarder() as forwarder,
            attaching(
                app,
                store,
                match=filters.parse(match) if match else None,
                targets=options.targets,
                start=start,
                publish=published.take,
                clock=clock,
            ) as name,
            open_relay(
                options,
                store=store,
                forwarder=forwarder,
                publish=published.take,
                delays=delays,
                clock=clock,
                attached=True,
            ) as relay,
            asyncio.TaskGroup() as group,
        ):
            feeding = group.create_task(name.fill_queues(relay))
            yield relay, name
            feeding.cancel()


_PROCESS = """
import asyncio, sys
from tests.relay.attached import attached

async def main(location, target):
    async with attached(location, target, start="start"):
        print("attached", flush=True)
        await asyncio.sleep(3600)

if len(sys.argv) > 3:
    from tiktok_hook.store.postgres import presence
    presence.LEASE_SECONDS, presence.RENEW_SECONDS, presence._MARGIN_SECONDS = 1.5, 0.3, 0.3
asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def start_process(
    location: str, target: str, *, short_lease: bool = False
) -> subprocess.Popen[bytes]:
    """An attached app in a process of its own, once it has the name.

    Args:
        location: The history.
        target: Where it forwards to.
        short_lease: Whether its lease on a server lasts 1.5 s.
    """
    words = [sys.executable, "-c", _PROCESS, location, target, *(["short"] if short_lease else [])]
    process = await asyncio.to_thread(
        subprocess.Popen,
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    line = await asyncio.to_thread(process.stdout.readline)
    assert line == b"attached\n", (await asyncio.to_thread(process.communicate))[1].decode()
    return process


async def end_process(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal, and wait for the end."""
    process.send_signal(number)
    await asyncio.to_thread(process.communicate)
