"""The queue of ``--ack first`` under kill -9, over and over: part of ``make soak``.

``python -m tests.faults.queue_kills [ROUNDS]``. The command is killed at random moments while
deliveries arrive and are forwarded; the app fails some of them at first, so that retries wait as
well. At the end every delivery that was answered 200 has to have reached the app, which answered
200 to it: nothing that was acknowledged is lost, and each is forwarded at least once.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path

from tests.apps import OK, http, running_app
from tests.faults.killing import kill_under_load
from tests.faults.waiting import until
from tests.listener import listening

SENDERS = 8
PAUSE_SECONDS = 0.005
"""Between two deliveries of a sender: without it, draining the queue takes far longer."""

FAILING = 20
"""Every so many deliveries the app fails one at its first attempt."""

DRAIN_SECONDS = 300
"""How long the rest may take, the retries of what failed included."""


async def kill_rounds(rounds: int, folder: Path) -> list[str]:
    """Kill it so often; what went wrong."""
    numbers = count()
    acknowledged: set[int] = set()
    handled: Counter[int] = Counter()
    failed: set[int] = set()

    async with running_app() as app:

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            number = json.loads(app.bodies[-1])["number"]
            fails = number % FAILING == 0 and number not in failed
            if fails:
                failed.add(number)
            else:
                handled[number] += 1
            writer.write(http(500, b"no", "Connection: close") if fails else _OK)
            await writer.drain()
            app.requests.clear()

        app.answer = answer
        words = ["--no-tunnel", "--db", str(folder / "queue.db"), "--ack", "first"]
        words += ["--forward-to", app.url, "--keep", "1000000"]
        for _ in range(rounds):
            await kill_under_load(
                *words,
                numbers=numbers,
                answered=acknowledged,
                senders=SENDERS,
                pause_seconds=PAUSE_SECONDS,
            )
        began = time.monotonic()
        async with listening(*words) as listener:
            with suppress(AssertionError):
                await until(lambda: acknowledged <= handled.keys(), seconds=DRAIN_SECONDS)
            await listener.end()
    lost = acknowledged - handled.keys()
    print(
        f"queue of --ack first, killed {rounds} times: {len(acknowledged)} answered 200, "
        f"{len(failed)} failed by the app at first, {len(lost)} lost, "
        f"{handled.total() - len(handled)} handled again; "
        f"the rest took {time.monotonic() - began:.1f} s",
        flush=True,
    )
    return [f"{len(lost)} were answered 200 and never reached the app"] if lost else []


_OK = OK.replace(b"Content-Type", b"Connection: close\r\nContent-Type")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory(prefix="queue-") as name:
        wrong = asyncio.run(kill_rounds(rounds, Path(name)))
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
