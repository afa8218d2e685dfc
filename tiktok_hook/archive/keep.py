"""What was captured elsewhere put into a history: all of it or nothing."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from tiktok_hook import signature
from tiktok_hook.archive.capture import Capture
from tiktok_hook.archive.entry import Entry
from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.store import Store

CHUNK = 1024
"""Deliveries on their way into the history at a time; more are not held in memory."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What an import brought: the new ids run from `first` to `last`."""

    deliveries: int
    attempts: int
    first: int
    last: int


async def keep(capture: Capture, store: Store, *, secrets: Sequence[str] = ()) -> Kept:
    """Store everything that a capture holds, in its order.

    Args:
        capture: Checked from end to end already.
        store: Where to.
        secrets: Client secrets to check the signatures with, as of the time each was received.

    Raises:
        StoreError: It could not be stored; what was is taken out again.
    """
    ids: list[int] = []
    attempts = 0
    entries = capture.entries()
    try:
        while chunk := list(islice(entries, CHUNK)):
            judged = [_judged(each.delivery, secrets) for each in chunk]
            stored = [each.id for each in await store.add_many(judged)]
            ids += stored
            attempts += await _keep_attempts(store, zip(stored, chunk, strict=True))
    except BaseException:
        await asyncio.shield(store.remove(ids))
        raise
    return Kept(len(ids), attempts, ids[0], ids[-1])


def _judged(delivery: Delivery, secrets: Sequence[str]) -> Delivery:
    if not secrets or not delivery.has_whole_body:
        return delivery
    header, now = delivery.header(signature.HEADER), delivery.received_at
    verdict = signature.check(header, delivery.body, secrets, now=now)
    verdict = signature.explain(
        verdict, header, delivery.body, secrets, now=now, headers=delivery.headers
    )
    return delivery.stored(verdict=verdict)


async def _keep_attempts(store: Store, chunk: Iterator[tuple[int, Entry]]) -> int:
    """Each delivery's attempts in order, all deliveries at once: one commit serves many."""
    lists = [
        [replace(attempt, delivery_id=number, number=0) for attempt in entry.attempts]
        for number, entry in chunk
        if entry.attempts
    ]
    try:
        async with asyncio.TaskGroup() as group:
            for attempts in lists:
                group.create_task(_keep_in_order(store, attempts))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return sum(len(attempts) for attempts in lists)


async def _keep_in_order(store: Store, attempts: Sequence[Attempt]) -> None:
    for attempt in attempts:
        begun = await store.begin_attempt(attempt)
        if attempt.ended:
            await store.end_attempt(begun)
