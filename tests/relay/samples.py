"""Deliveries for a relay, and what it publishes; for programs that tests start and kill as well."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from tiktok_hook import signature
from tiktok_hook.delivery import AppChanged, Attempt, AttemptEnded, Delivery, DeliveryAnswered
from tiktok_hook.relay import Relay
from tiktok_hook.signature import State, Verdict

SECRET = "example-secret"
Item = TypeVar("Item")
Opener = Callable[..., AbstractAsyncContextManager[Relay]]


def delivery(
    event: str = "post.publish.complete",
    *,
    number: int = 0,
    state: State = State.VALID,
    received_at: float | None = None,
) -> Delivery:
    body = json.dumps({"event": event, "create_time": number, "content": "{}"}).encode()
    now = time.time() if received_at is None else received_at
    headers = (
        ("Host", "me.app"),
        ("Content-Type", "application/json"),
        (signature.HEADER, signature.sign(body, SECRET, timestamp=int(now))),
    )
    verdict = Verdict(state, secret=1 if state in {State.VALID, State.STALE} else None)
    return Delivery(received_at=now, headers=headers, body=body, verdict=verdict)


class Published(list[object]):
    """What the relay published."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def take(self, item: object) -> None:
        self.append(item)
        self._more.set()

    def of(self, kind: type[Item]) -> list[Item]:
        return [item for item in self if isinstance(item, kind)]

    @property
    def deliveries(self) -> list[Delivery]:
        """Those that were answered."""
        return [event.delivery for event in self.of(DeliveryAnswered)]

    @property
    def attempts(self) -> list[Attempt]:
        """Those that have ended."""
        return [event.attempt for event in self.of(AttemptEnded)]

    async def until(self, kind: type[Item], count: int = 1, *, seconds: float = 10) -> list[Item]:
        """Wait until `count` of a type came."""
        async with asyncio.timeout(seconds):
            while len(found := self.of(kind)) < count:
                self._more.clear()
                await self._more.wait()
        return found

    async def until_app(self, *states: str, seconds: float = 10) -> None:
        """Wait until exactly these states of the app were published."""
        async with asyncio.timeout(seconds):
            while [item.state for item in self.of(AppChanged)] != list(states):
                self._more.clear()
                await self._more.wait()


async def eventually(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    """Wait for what nothing announces."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.005)


CRASHING = """
import asyncio, sys, time
from pathlib import Path
from tests.relay.samples import delivery
from tiktok_hook.forward import Forwarder
from tiktok_hook.receiver import IncomingRequest
from tiktok_hook.relay import open_relay
from tiktok_hook.relay.options import RelayOptions
from tiktok_hook.store import open_store

async def main(path, target, count):
    with open_store(Path(path)) as store:
        async with Forwarder() as forwarder, open_relay(
            RelayOptions(forward_to=target, ack="first"),
            store=store, forwarder=forwarder, publish=lambda _: None,
        ) as relay:
            for number in range(count):
                await relay.handle(delivery(number=number))
            print("queued", flush=True)
            await asyncio.sleep(60)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""
