"""Stories of several events that belong together: ids agree, times follow each other."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tiktok_hook.edits import EditError
from tiktok_hook.errors import UsageError
from tiktok_hook.trigger.sample import body_of


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story.

    Attributes:
        meaning: What happens in it, in words.
        steps: Event, seconds before the last one, and ``PATH=VALUE`` each with ``{id}`` for 19
            digits that are the same all through one story and differ from story to story.
        spellings: How the JSON of each step is written; empty writes all as TikTok does.
    """

    meaning: str
    steps: tuple[tuple[str, int, tuple[str, ...]], ...]
    spellings: tuple[Callable[[bytes], bytes], ...] = ()


def _compact(body: bytes) -> bytes:
    """The body as it is: TikTok's deliveries that were seen in public are compact."""
    return body


def _spaced(body: bytes) -> bytes:
    """The same values with blanks after colons and commas, as Python's ``json.dumps`` writes."""
    return json.dumps(json.loads(body), ensure_ascii=False).encode()


def _escaped(body: bytes) -> bytes:
    r"""The same values with ``~`` as ``\u007e``, as any JSON writer may."""
    return body.replace(b"~", b"\\u007e")


_DIRECT = ("content.publish_id=v_pub_url~v2-1.{id}",)
_POST = (*_DIRECT, 'content.post_id="{id}"')
_ORDER = ("content.trade_order_id=TOID{id}", "content.order_id=order-{id}")

SCENARIOS: Mapping[str, Scenario] = {
    "publish": Scenario(
        "a post is published, then everybody can see it",
        (
            ("post.publish.complete", 40, _DIRECT),
            ("post.publish.publicly_available", 0, _POST),
        ),
    ),
    "publish-failed": Scenario(
        "publishing fails; the second try, under another publish_id, succeeds",
        (
            ("post.publish.failed", 90, _DIRECT),
            ("post.publish.complete", 0, ("content.publish_id=v_pub_file~v2-1.{id}",)),
        ),
    ),
    "disconnect": Scenario(
        "a post is published, then its user disconnects the app",
        (
            ("post.publish.complete", 600, _DIRECT),
            ("authorization.removed", 0, ()),
        ),
    ),
    "purchase": Scenario(
        "a purchase with Beans goes through, an hour later it is refunded",
        (
            ("minis.trade_order.redeem.success", 3600, _ORDER),
            ("minis.trade_order.redeem.refund_traceback", 0, _ORDER),
        ),
    ),
    "spelling": Scenario(
        "three posts, each written in another way: a handler that verifies anything but the "
        "bytes as received rejects at least one",
        (
            ("post.publish.complete", 2, _DIRECT),
            ("post.publish.complete", 1, _DIRECT),
            ("post.publish.complete", 0, _DIRECT),
        ),
        (_compact, _spaced, _escaped),
    ),
}


def scenario(name: str, *, sets: Sequence[str] = (), now: float) -> list[bytes]:
    """The bodies of a story, in order.

    Args:
        name: One of `SCENARIOS`.
        sets: ``PATH=VALUE`` each, made in every event that has the path.
        now: Unix seconds of the last event.

    Raises:
        UsageError: There is no such story, or a path that none of its events has.
    """
    if name not in SCENARIOS:
        raise UsageError(
            f"There is no scenario {name!r}.", hint=f"There are {', '.join(SCENARIOS)}."
        )
    steps = SCENARIOS[name].steps
    number = f"{int(now * 1_000_000_000):019d}"
    own = [[text.replace("{id}", number) for text in texts] for _, _, texts in steps]
    for text in sets:
        failed: list[EditError] = []
        for (event, _, _), kept in zip(steps, own, strict=True):
            try:
                body_of(event, sets=[*kept, text], now=now)
            except EditError as error:
                failed.append(error)
            else:
                kept.append(text)
        if len(failed) == len(steps):
            raise failed[0]
    bodies = [
        body_of(event, sets=kept, now=now - before)
        for (event, before, _), kept in zip(steps, own, strict=True)
    ]
    spellings = SCENARIOS[name].spellings or (_compact,) * len(steps)
    return [spelled(body) for spelled, body in zip(spellings, bodies, strict=True)]
