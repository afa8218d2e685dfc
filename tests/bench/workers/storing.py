"""Stores deliveries through the real store: N senders, each with the next once the last is stored.

``python -m tests.bench.workers.storing LOCATION --senders 32 --seconds 4``
"""

import argparse
import asyncio
import json
import statistics
import time
from itertools import count

from tests.bench.load import BODY, USER
from tests.bench.workers.steps import ready
from tiktok_hook.delivery import Delivery
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store import Store, open_store

WARM_UP_SECONDS = 0.3

HEADERS = (
    ("Host", "tidy-mole-12.ngrok-free.app"),
    ("User-Agent", "TikTok-Webhook/1.0"),
    ("Content-Length", "250"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip"),
    ("Content-Type", "application/json"),
    ("Tiktok-Signature", "t=1795000000,s=" + "0123456789abcdef" * 4),
    ("X-Forwarded-For", "203.0.113.7"),
    ("X-Forwarded-Proto", "https"),
)
"""Nine, as through ngrok."""

_VALID = Verdict(State.VALID, age_seconds=1.0, secret=1)


def delivery(number: int) -> Delivery:
    """A delivery as the receiver stores it; each number is another event."""
    now = time.time()
    return Delivery(
        received_at=now,
        remote_addr="203.0.113.7",
        path="/webhook",
        headers=HEADERS,
        body=BODY % (int(now), USER.encode(), number),
        verdict=_VALID,
        status=200,
    )


async def store_for(store: Store, senders: int, seconds: float) -> tuple[list[float], float]:
    """Seconds that each delivery took, and all of it took."""
    taken: list[float] = []
    numbers = count(time.time_ns())
    began = time.perf_counter()
    end = began + seconds

    async def send() -> None:
        while (before := time.perf_counter()) < end:
            await store.add(delivery(next(numbers)))
            taken.append(time.perf_counter() - before)

    async with asyncio.TaskGroup() as group:
        for _ in range(senders):
            group.create_task(send())
    return taken, time.perf_counter() - began


async def main() -> None:
    """Warm up, store, and print what was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("location")
    parser.add_argument("--senders", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--each", action="store_true", help="print what every delivery took")
    chosen = parser.parse_args()
    with open_store(chosen.location, keep=10_000_000, keep_bytes=1 << 40) as store:
        await store_for(store, chosen.senders, WARM_UP_SECONDS)
        await asyncio.to_thread(ready)
        taken, seconds = await store_for(store, chosen.senders, chosen.seconds)
    found: dict[str, object] = {
        "rate": len(taken) / seconds,
        "median_ms": statistics.median(taken) * 1000,
        "longest_ms": max(taken) * 1000,
    }
    if chosen.each:
        found["each_ms"] = [each * 1000 for each in taken]
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
