"""Records that the console's tests show."""

from typing import Any

from tiktok_hook import events
from tiktok_hook.delivery import (
    Attempt,
    AttemptEnded,
    Delivery,
    DeliveryAnswered,
    DeliveryStored,
)
from tiktok_hook.signature import State, Verdict

AT = 1_756_684_801.25
VALID = Verdict(State.VALID, age_seconds=1.0, secret=1)
HOSTILE = "\x1b[2J\x1b]0;owned\x07 [red]x[/red] \u202eevil \x9b31m \r"
TARGET = "http://127.0.0.1:3000/hook"


def delivery(number: int = 12, event: str = "post.publish.complete", **changes: Any) -> Delivery:
    fields: dict[str, Any] = {
        "id": number,
        "received_at": AT,
        "remote_addr": "203.0.113.7",
        "path": "/hook",
        "headers": (("Content-Type", "application/json"), ("Tiktok-Signature", "t=1,s=2")),
        "body": events.sample(event),
        "verdict": VALID,
        "status": 200,
    }
    return Delivery(**(fields | changes))


def attempt(delivery_id: int = 12, **changes: Any) -> Attempt:
    fields: dict[str, Any] = {
        "delivery_id": delivery_id,
        "number": 1,
        "started_at": AT,
        "target": TARGET,
        "status": 200,
        "duration_ms": 3.2,
    }
    return Attempt(**(fields | changes))


def refused_by_app(delivery_id: int = 12) -> Attempt:
    return attempt(
        delivery_id,
        status=None,
        error="refused",
        duration_ms=0.4,
        hint="Nothing listens on 127.0.0.1:3000: is your app up?",
    )


def harmless(text: str) -> bool:
    """Whether nothing in it but our own colours could move, hide or reorder what is seen."""
    return not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(text)


def event(item: object) -> object:
    """What is published for a delivery or an attempt; anything else is itself."""
    if isinstance(item, Delivery):
        return DeliveryAnswered(item)
    return AttemptEnded(item) if isinstance(item, Attempt) else item


def events_of(item: object) -> list[object]:
    """What is published for a delivery, stored and then answered, or for an attempt."""
    if isinstance(item, Delivery):
        waits = [] if item.status is None else [DeliveryAnswered(item)]
        return [DeliveryStored(item), *waits]
    return [event(item)]


def answered(*arguments: Any, **changes: Any) -> DeliveryAnswered:
    """The event of a `delivery` made of the same arguments."""
    return DeliveryAnswered(delivery(*arguments, **changes))
