"""Deliveries for the tests of the history."""

import json
import time
from collections.abc import Callable
from itertools import count
from typing import Any

from tests.deadline import DEADLINE
from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.signature import State, Verdict

TARGET = "http://127.0.0.1:3000/hook"
_fresh = count(1)


def event_body(
    event: str = "post.publish.complete",
    *,
    publish_id: str | None = None,
    user: str = "u-1",
    create_time: int = 1_756_684_800,
    **content: Any,
) -> bytes:
    """An event as TikTok writes it; without a `publish_id`, one that no other has."""
    content = {"publish_id": publish_id or f"v_pub_url~{next(_fresh)}", **content}
    envelope = {
        "client_key": "awexampleclient1",
        "event": event,
        "create_time": create_time,
        "user_openid": user,
        "content": json.dumps(content, separators=(",", ":")),
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


LONG = 330_000
"""Characters of a long value."""


def hostile_body(number: int, length: int = LONG) -> bytes:
    """An event whose every searchable value is long."""
    content = json.dumps({"publish_id": "p" * length + str(number)})
    envelope = {
        "event": "e" * length + str(number),
        "create_time": number,
        "user_openid": "u" * length + str(number),
        "content": content,
    }
    return json.dumps(envelope).encode()


def delivery(body: bytes | None = None, *, state: State = State.VALID, **changes: Any) -> Delivery:
    """A delivery of an event that no other is of, or of this body."""
    return Delivery(
        **{
            "received_at": 1_795_410_390.25,
            "verdict": Verdict(state, reason="a reason" if state is State.INVALID else ""),
            "headers": (("Content-Type", "application/json"),),
            "body": event_body() if body is None else body,
            **changes,
        }
    )


def attempt(delivery_id: int, **changes: Any) -> Attempt:
    """An attempt that has not begun."""
    return Attempt(
        **{
            "delivery_id": delivery_id,
            "started_at": 1_795_410_391.5,
            "target": TARGET,
            "request_headers": (("Host", "127.0.0.1:3000"),),
            **changes,
        }
    )


def wait_until(condition: Callable[[], bool], *, seconds: float = DEADLINE) -> None:
    """Look until it is so; what is waited for happens in other threads or processes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.005)
