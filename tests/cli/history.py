"""A history for the commands that read one."""

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.store.samples import attempt, delivery, event_body
from tiktok_hook.delivery import Delivery, Source
from tiktok_hook.signature import State
from tiktok_hook.store import Store, open_store

AT = 1_795_410_390.25
"""When the first one came: 2026-11-23T05:06:30.250Z."""

HOSTILE = "\x1b[31m\u202eevil\r\n"


def deliveries() -> list[Delivery]:
    """Six of them, a minute apart: two events twice, a forged one, and something hostile."""
    failed = event_body("post.publish.failed", publish_id="v_pub_url~mine", reason="spam_risk")
    found = [
        delivery(event_body("authorization.removed", publish_id="none", user="u-9"), status=200),
        delivery(failed, status=500, remote_addr="203.0.113.9"),
        delivery(failed, status=200),
        delivery(b'{"event":"forged"}', state=State.INVALID, status=403),
        delivery(b"\xff\x00", path="/odd", status=200, source=Source.TRIGGER),
        delivery(event_body(publish_id="v_pub_url~other", user=HOSTILE), status=None),
    ]
    return [replace(each, received_at=AT + 60 * place) for place, each in enumerate(found)]


async def fill(store: Store) -> None:
    """Store them, with attempts of the second: answered badly, then replayed well."""
    for each in deliveries():
        await store.add(each)
    for status, replay in ((500, False), (200, True)):
        begun = await store.begin_attempt(attempt(2, replay=replay, resigned=replay))
        answer = replace(begun, status=status, duration_ms=3.4, body=b'{"said":"so"}')
        await store.end_attempt(answer)
    begun = await store.begin_attempt(attempt(3))
    await store.end_attempt(replace(begun, duration_ms=1.0, error="refused", hint="Is it up?"))


def filled(path: Path) -> Path:
    """A database with all of them."""
    with open_store(path) as store:
        asyncio.run(fill(store))
    return path
