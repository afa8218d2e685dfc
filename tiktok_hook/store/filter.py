"""What to look for in a history."""

from collections.abc import Iterable
from dataclasses import dataclass

from tiktok_hook.delivery import Source
from tiktok_hook.signature import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions; a delivery has to meet all that are set.

    Where several values are possible, one by itself or any sequence of them can be given.

    Attributes:
        events: Names or globs (``post.publish.*``), one of which matches. Case counts.
        verdicts: One of them.
        statuses: One of what TikTok was answered.
        failed: Only those whose last attempt did not get 200.
        redeliveries: Only repetitions.
        replays: Only replayed ones.
        since: Received at or after this, in Unix seconds.
        until: Received before this, in Unix seconds.
        user: The exact ``user_openid``.
        publish_id: The exact ``publish_id``.
        text: Found somewhere: body, headers, path, address, summary, verdict, or an attempt.
            Case of ASCII letters does not count.
        source: Where they came from.
        ids: Only these.
        queued: Only those that wait for an app (True) or do not (False); None is both.
    """

    events: tuple[str, ...] = ()
    verdicts: tuple[State, ...] = ()
    statuses: tuple[int, ...] = ()
    failed: bool = False
    redeliveries: bool = False
    replays: bool = False
    since: float | None = None
    until: float | None = None
    user: str | None = None
    publish_id: str | None = None
    text: str | None = None
    source: Source | None = None
    ids: tuple[int, ...] = ()
    queued: bool | None = None

    def __post_init__(self) -> None:
        for name in ("events", "verdicts", "statuses", "ids"):
            given = getattr(self, name)
            one = isinstance(given, str) or not isinstance(given, Iterable)
            object.__setattr__(self, name, (given,) if one else tuple(given))
        object.__setattr__(self, "verdicts", tuple(map(State, self.verdicts)))


EVERYTHING = Filter()
"""Every delivery matches."""
