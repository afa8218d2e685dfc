"""What to look for in a history."""

from collections.abc import Iterable
from dataclasses import dataclass

from tiktok_hook import filters
from tiktok_hook.delivery import Source
from tiktok_hook.events import spellings
from tiktok_hook.filters import DeliveryFilter, Term
from tiktok_hook.signature import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions; a delivery has to meet all that are set.

    Where several values are possible, one by itself or any sequence of them can be given.

    Attributes:
        match: A filter in the language of `tiktok_hook.filters`, as text or parsed.
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

    match: DeliveryFilter | str | None = None
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
        if isinstance(self.match, str):
            object.__setattr__(self, "match", filters.parse(self.match))
        for name in ("events", "verdicts", "statuses", "ids"):
            given = getattr(self, name)
            one = isinstance(given, str) or not isinstance(given, Iterable)
            object.__setattr__(self, name, (given,) if one else tuple(given))
        object.__setattr__(self, "verdicts", tuple(map(State, self.verdicts)))

    @property
    def terms(self) -> tuple[Term, ...]:
        """The conditions of `match`."""
        return self.match.terms if isinstance(self.match, DeliveryFilter) else ()

    @property
    def event_globs(self) -> list[tuple[str, ...]]:
        """Globs for the event's name, of each group of which at least one must match."""
        groups = [term.globs for term in self.terms if term.field == "event"]
        if self.events:
            named = [each for glob in self.events for each in spellings(glob)]
            groups.append(tuple(dict.fromkeys(named)))
        return groups

    @property
    def users(self) -> list[str]:
        """Values that ``user_openid`` must have."""
        named = [] if self.user is None else [self.user]
        return named + [term.value for term in self.terms if term.field == "user"]

    @property
    def body_terms(self) -> tuple[Term, ...]:
        """The conditions of `match` that only the body can answer."""
        return tuple(term for term in self.terms if term.field in {"key", "content"})


EVERYTHING = Filter()
"""Every delivery matches."""
