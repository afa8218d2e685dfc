"""What clients of `/api/v1` send: queries and bodies, as types that also describe them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tiktok_hook.delivery import Source
from tiktok_hook.delivery.shapes import keywords
from tiktok_hook.replayer import Mode
from tiktok_hook.signature import State
from tiktok_hook.store import Filter

MAX_ID = 1 << 62
MAX_PAGE = 200
MAX_BUCKETS = 300

Id = Annotated[int, keywords(minimum=1, maximum=MAX_ID)]
Texts = tuple[str, ...]
_AGE = keywords(minimum=-1e10, maximum=1e10)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterQuery:
    """The filters of a list, as they are written in an address."""

    event: Annotated[Texts, "Name or glob of an event."] = ()
    verdict: Annotated[tuple[State, ...], "Result of the signature check."] = ()
    status: Annotated[
        tuple[Annotated[int, keywords(minimum=100, maximum=999)], ...], "What TikTok was answered."
    ] = ()
    failed: Annotated[bool, "Only deliveries whose last attempt was not answered 200."] = False
    redeliveries: Annotated[bool, "Only repetitions of an event."] = False
    replays: Annotated[bool, "Only deliveries that were replayed."] = False
    queued: Annotated[bool, "Only deliveries that wait for an app."] = False
    since: Annotated[float | None, "Unix seconds: received at or after this."] = None
    until: Annotated[float | None, "Unix seconds: received before this."] = None
    user: Annotated[str | None, "The exact user_openid."] = None
    publish_id: Annotated[str | None, "The exact publish_id."] = None
    source: Annotated[Source | None, "Where a delivery came from."] = None
    listener: Annotated[str | None, "The listener of a shared history that received it."] = None
    app: Annotated[
        str | None,
        "The app of a shared history that was sent it, failed or replayed it; `any` counts all.",
    ] = None
    q: Annotated[str | None, "Text found anywhere in a delivery or its attempts."] = None
    filter: Annotated[
        str | None, "A filter as commands take it, such as `post.publish.* user:OPEN_ID`."
    ] = None

    def conditions(self) -> Filter:
        """The same for the store.

        Raises:
            UsageError: `filter` cannot be read.
        """
        return Filter(
            match=self.filter,
            events=self.event,
            verdicts=self.verdict,
            statuses=self.status,
            failed=self.failed,
            redeliveries=self.redeliveries,
            replays=self.replays,
            queued=self.queued or None,
            since=self.since,
            until=self.until,
            user=self.user,
            publish_id=self.publish_id,
            text=self.q,
            source=self.source,
            listener=self.listener,
            app=self.app,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery(FilterQuery):
    """A page of the list."""

    before: Annotated[
        int | None, "Only smaller ids, newest first.", keywords(minimum=0, maximum=MAX_ID)
    ] = None
    after: Annotated[
        int | None, "Only greater ids, oldest first.", keywords(minimum=0, maximum=MAX_ID)
    ] = None
    limit: Annotated[int, "Most deliveries.", keywords(minimum=1, maximum=MAX_PAGE)] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearQuery(FilterQuery):
    """What is deleted."""

    up_to: Annotated[
        int | None,
        "Only ids up to this one, such as `newest` of `/count`.",
        keywords(minimum=0, maximum=MAX_ID),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckQuery:
    """A filter that is to be read, not applied."""

    filter: Annotated[str, "A filter as commands take it."] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineQuery:
    """The time that is summed up."""

    since: Annotated[float | None, "Unix seconds; without it the first delivery of a day."] = None
    until: Annotated[float | None, "Unix seconds; without it now."] = None
    buckets: Annotated[int, "Number of equal spans.", keywords(minimum=1, maximum=MAX_BUCKETS)] = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportQuery(FilterQuery):
    """A file of deliveries."""

    format: Annotated[Literal["jsonl", "har", "curl", "pytest"], "File format."] = "jsonl"
    ids: Annotated[str | None, "Only these deliveries, ids separated by commas."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """How to send a delivery again; all fields may be left out."""

    target: Annotated[str | None, "Where to; null: the session's target."] = None
    signing: Annotated[Mode | None, "How to sign; null: re-sign, with a secret."] = None
    age_seconds: Annotated[float, "For signing `age`.", keywords(minimum=-1e10, maximum=1e10)] = (
        600.0
    )
    set: Annotated[Texts, "PATH=VALUE, edits of the body."] = ()
    unset: Annotated[Texts, "Paths to remove from the body."] = ()
    headers: Annotated[Texts, "NAME: VALUE, each replaces the header of its name."] = ()
    method: str | None = None
    path: Annotated[str | None, "Path and query."] = None
    body: Annotated[str | None, "A whole new body; null: the stored one."] = None
    with_id: Annotated[bool, "Add a header with the id of the delivery."] = False
    dry_run: Annotated[bool, "Return the request that would be sent."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRequest:
    """How to send a sample; all fields may be left out."""

    set: Annotated[Texts, "PATH=VALUE, edits of the sample."] = ()
    body: Annotated[str | None, "A whole body to send; null: the sample's."] = None
    signing: Annotated[Literal["fresh", "age", "bad", "none"], "How to sign it."] = "fresh"
    age_seconds: Annotated[float, "For signing `age`.", keywords(minimum=-1e10, maximum=1e10)] = (
        600.0
    )
    dry_run: Annotated[bool, "Return the body that would be sent."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """A body to sign and send to the receiver of this session."""

    body_base64: Annotated[str, "The exact bytes, in base64."] = ""
    signing: Annotated[Literal["fresh", "age", "bad"], "How to sign it."] = "fresh"
    age_seconds: Annotated[float, "For signing `age`.", keywords(minimum=-1e10, maximum=1e10)] = 0.0
    through_tunnel: Annotated[bool, "Send it to the Callback URL."] = False
    timeout_seconds: Annotated[float, "Longest wait.", keywords(minimum=0.1, maximum=3600)] = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRequest:
    """How to send a scenario."""

    set: Annotated[Texts, "PATH=VALUE, made in every event that has the path."] = ()
