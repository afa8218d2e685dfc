"""The command is killed at a random moment while it receives deliveries."""

import asyncio
import random
from collections.abc import Iterator

from tests.listener import listening, post, signed
from tiktok_hook.forward import Forwarder


async def kill_under_load(
    *words: str,
    numbers: Iterator[int],
    answered: set[int],
    senders: int,
    pause_seconds: float = 0.0,
) -> None:
    """Start `listen`, send it numbered deliveries, and kill it within half a second.

    Args:
        words: Its options.
        numbers: The numbers of the deliveries, each in the body as ``number``.
        answered: Receives the numbers of those that were answered 200.
        senders: How many deliveries are sent at a time.
        pause_seconds: How long a sender waits between two deliveries.
    """

    async def send(forwarder: Forwarder, url: str) -> None:
        while True:
            number = next(numbers)
            body = b'{"event":"post.publish.complete","number":%d}' % number
            if (await post(url, body, signed(body), forwarder=forwarder)).status != 200:
                return
            answered.add(number)
            await asyncio.sleep(pause_seconds)

    async with (
        listening(*words) as listener,
        Forwarder() as forwarder,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(senders):
            group.create_task(send(forwarder, listener.local_url))
        await asyncio.sleep(random.uniform(0.05, 0.5))  # the random moment
        listener.process.kill()
        await listener.process.wait()  # a signal sent to it now would take its end from us
