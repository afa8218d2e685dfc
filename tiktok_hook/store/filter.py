"""What to look for in a history."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiktok_hook import filters
from tiktok_hook.delivery import Source
from tiktok_hook.errors import UsageError
from tiktok_hook.events import spellings
from tiktok_hook.filters import DeliveryFilter, Term
from tiktok_hook.moments import Moment, unix_seconds
from tiktok_hook.signature import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions; a delivery has to meet all that are set.

    Where several values are possible, one by itself or any sequence of them can be given. A time is
    given as Unix seconds, `datetime`, `timedelta` (that long ago) or text such as ``1h``, ``14:30``
    or ``2026-11-23``; the attributes hold Unix seconds.

    Attributes:
        match: A filter in the language of `tiktok_hook.filters`, as text or parsed.
        events: Names or globs (``post.publish.*``), one of which matches. Case counts.
        verdicts: One of them.
        statuses: One of what TikTok was answered.
        failed: Only those whose last attempt did not get 200; see `app`.
        redeliveries: Only repetitions.
        replays: Only replayed ones; see `app`.
        since: Received at or after this, in Unix seconds.
        until: Received before this, in Unix seconds.
        user: The exact ``user_openid``.
        publish_id: The exact ``publish_id``.
        text: Found somewhere: body, headers, path, address, summary, verdict, or an attempt.
            Case of ASCII letters does not count.
        source: Where they came from.
        ids: Only these.
        queued: Only those that wait for an app (True) or do not (False); None is both.
        listener: Only what this listener of a shared history received, such as ``anna@laptop``.
        app: Whose attempts count in a shared history: only deliveries that this app was sent, or
            with `failed` and `replays`, that it failed or replayed. ``any`` counts everyone's; None
            selects no app, and there `failed` and `replays` are about one's own.

    Raises:
        UsageError: A value is not one; the message names it.
    """

    match: DeliveryFilter | None = None
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
    listener: str | None = None
    app: str | None = None

    if TYPE_CHECKING:
        # What people write; the attributes hold what it means.
        def __init__(
            self,
            *,
            match: DeliveryFilter | str | None = None,
            events: str | Iterable[str] = (),
            verdicts: State | str | Iterable[State | str] = (),
            statuses: int | Iterable[int] = (),
            failed: bool = False,
            redeliveries: bool = False,
            replays: bool = False,
            since: Moment | None = None,
            until: Moment | None = None,
            user: str | None = None,
            publish_id: str | None = None,
            text: str | None = None,
            source: Source | str | None = None,
            ids: int | Iterable[int] = (),
            queued: bool | None = None,
            listener: str | None = None,
            app: str | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        given: Any = self.match
        if isinstance(given, str):
            self._set("match", filters.parse(given))
        elif given is not None and not isinstance(given, DeliveryFilter):
            raise UsageError(f"match={given!r} is not a filter.", hint='match="post.publish.*"')
        self._set("events", _several("events", self.events, str, "a name or glob"))
        self._set("statuses", _several("statuses", self.statuses, int, "a status"))
        self._set("ids", _several("ids", self.ids, int, "an id"))
        verdicts = _several("verdicts", self.verdicts, str, "a verdict")
        self._set("verdicts", tuple(_member("verdicts", State, each) for each in verdicts))
        if self.source is not None:
            self._set("source", _member("source", Source, self.source))
        for name in ("since", "until"):
            if (moment := getattr(self, name)) is not None:
                self._set(name, _seconds(name, moment))
        for name in ("failed", "redeliveries", "replays", "queued"):
            value = getattr(self, name)
            if not isinstance(value, bool) and not (name == "queued" and value is None):
                raise UsageError(f"{name}={value!r} is not True or False.")
        for name in ("user", "publish_id", "text", "listener", "app"):
            if not isinstance(getattr(self, name), str | None):
                raise UsageError(f"{name}={getattr(self, name)!r} is not text.")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def only_app(self) -> str | None:
        """The one app that counts; None when it is one's own, or any."""
        return None if self.app == ANY_APP else self.app

    @property
    def terms(self) -> tuple[Term, ...]:
        """The conditions of `match`."""
        return () if self.match is None else self.match.terms

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
        """The conditions of `match` that no column answers, so that each body has to be read."""
        return tuple(term for term in self.terms if term.field not in {"event", "user"})


def as_filter(where: Filter | str) -> Filter:
    """The conditions, where a filter in its own language may be given instead.

    Raises:
        UsageError: The text cannot be read.
    """
    if isinstance(where, Filter):
        return where
    if isinstance(where, str):
        return Filter(match=where)
    raise UsageError(
        f"{where!r} is not a filter.",
        hint='A filter is text such as "post.publish.*", or tiktok_hook.Filter(failed=True).',
    )


def _several(name: str, given: Any, kind: type, what: str) -> tuple[Any, ...]:
    """One value or any iterable of them, as a tuple."""
    one = isinstance(given, str) or not isinstance(given, Iterable)
    values = (given,) if one else tuple(given)
    for each in values:
        if not isinstance(each, kind) or isinstance(each, bool):
            raise UsageError(f"{name}={given!r}: {each!r} is not {what}.")
    return values


def _member(name: str, kind: type[State | Source], value: Any) -> State | Source:
    try:
        return kind(value)
    except ValueError:
        members = ", ".join(each.value for each in kind)
        raise UsageError(f"{name}={value!r} is not one.", hint=f"There are {members}.") from None


def _seconds(name: str, moment: Any) -> float:
    try:
        return unix_seconds(moment)
    except (ValueError, TypeError, OverflowError) as error:
        raise UsageError(
            f"{name}={moment!r} is not a time.",
            hint='Unix seconds, a datetime, a timedelta, or text: "1h", "14:30", "2026-11-23".',
        ) from error


ACCEPTED = (State.VALID, State.STALE, State.UNCHECKED)
"""The verdicts of what is forwarded to an app."""

ANY_APP = "any"
"""The value of `Filter.app` that counts the attempts of every app."""

EVERYTHING = Filter()
"""Every delivery matches."""
