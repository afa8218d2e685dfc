"""The input of each tool, as types that also describe it."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tiktok_hook.delivery.shapes import keywords
from tiktok_hook.filters import FORMS

MAX_ID = 1 << 62
MAX_WAIT_SECONDS = 50.0
"""Clients give up on a call after 60 s by default."""

MAX_EXPORTED = 50

MAX_GLOB_CHARS = 1000
"""Of a glob for names of events or cases: making a pattern of 10 MB takes two minutes."""

Id = Annotated[int, "Id of a delivery, such as 12.", keywords(minimum=1, maximum=MAX_ID)]
Texts = tuple[str, ...]
VerdictName = Literal["valid", "stale", "invalid", "missing", "unchecked"]
SigningName = Literal["fresh", "as-is", "age", "bad", "none"]
_AGE = keywords(minimum=-1e10, maximum=1e10)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoInput:
    """No input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryConditions:
    """Which deliveries; all conditions must be met."""

    filter: Annotated[
        str | None,
        "Terms with blanks between them that must all match: an event glob (post.publish.*), "
        f"{', '.join(FORMS)}; a value with blanks in double quotes.",
    ] = None
    verdict: Annotated[
        tuple[VerdictName, ...],
        "Results of the signature check. Without it, rejected deliveries (invalid, missing) are "
        "left out: their content was written by strangers.",
    ] = ()
    failed: Annotated[bool, "Only deliveries that the app did not answer with 200."] = False
    source: Annotated[
        Literal["tiktok", "trigger", "import"] | None, "Where deliveries came from."
    ] = None
    publish_id: Annotated[str | None, "The exact publish_id."] = None
    include_rejected: Annotated[bool, "Include deliveries with a bad or missing signature."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDeliveries(DeliveryConditions):
    """A page of deliveries, newest first."""

    since: Annotated[float | None, "Unix seconds: received at or after this."] = None
    until: Annotated[float | None, "Unix seconds: received before this."] = None
    limit: Annotated[int, "Most deliveries.", keywords(minimum=1, maximum=100)] = 20
    before: Annotated[
        int | None,
        "`next` of the page before: only smaller ids.",
        keywords(minimum=1, maximum=MAX_ID),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneDelivery:
    """A delivery by its id."""

    id: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnoseSignature:
    """A stored delivery, or a header and a body."""

    id: Annotated[int | None, "A stored delivery.", keywords(minimum=1, maximum=MAX_ID)] = None
    header: Annotated[
        str | None, "Without id: the value of Tiktok-Signature, or the header as it was copied."
    ] = None
    body: Annotated[str | None, "Without id: the body, byte for byte, as text."] = None
    body_base64: Annotated[str | None, "Without id: the body in base64, instead of body."] = None
    tolerance: Annotated[
        float, "Greatest acceptable age in seconds.", keywords(minimum=0, maximum=1e10)
    ] = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForDelivery(DeliveryConditions):
    """What to wait for, and how long."""

    cursor: Annotated[
        int | None,
        "Only deliveries after this id: the cursor of an earlier result. Without it, only what "
        "arrives during this call.",
        keywords(minimum=0, maximum=MAX_ID),
    ] = None
    timeout_seconds: Annotated[
        float,
        "How long to wait, at most 50 s; call again with the cursor to continue.",
        keywords(minimum=0, maximum=MAX_WAIT_SECONDS),
    ] = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEvents:
    """Which event types."""

    event: Annotated[str | None, "Name or glob, such as post.publish.*"] = None
    samples: Annotated[bool, "Include a sample body of each."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerEvent:
    """A sample event to send."""

    event: Annotated[str, "Name of an event type; list_events lists them."]
    set: Annotated[
        Texts, "PATH=VALUE edits of the sample, such as content.reason=spam_risk; += adds a key."
    ] = ()
    to: Annotated[
        str | None, "Target: a port, host:port or URL. Without it, the running listener."
    ] = None
    signing: Annotated[
        Literal["fresh", "age", "bad", "none"],
        "fresh is valid; age is valid but old; bad is wrong; none has no signature.",
    ] = "fresh"
    age_seconds: Annotated[float, "For signing `age`.", _AGE] = 600.0
    dry_run: Annotated[bool, "Return the body, and send nothing."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDelivery:
    """How to send a stored delivery again."""

    id: Id
    to: Annotated[
        str | None,
        "Target: a port, host:port or URL. Without it, the recorded target of the delivery, then "
        "the target of the running listener.",
    ] = None
    set: Annotated[Texts, "PATH=VALUE edits of the body, such as content.reason=spam_risk."] = ()
    unset: Annotated[Texts, "Paths to remove from the body."] = ()
    headers: Annotated[Texts, "NAME: VALUE, each replaces the header of its name."] = ()
    method: Annotated[str | None, "Another HTTP method."] = None
    path: Annotated[str | None, "Another path and query."] = None
    body: Annotated[str | None, "A whole new body."] = None
    signing: Annotated[
        SigningName | None,
        "fresh re-signs; as-is sends the stored signature; age, bad and none make failing "
        "variants. Without it, fresh if the server has a client secret, otherwise as-is.",
    ] = None
    age_seconds: Annotated[float, "For signing `age`.", _AGE] = 600.0
    dry_run: Annotated[bool, "Return the request that would be sent, and send nothing."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHandler:
    """The handler to audit."""

    url: Annotated[str, "The webhook of the app: :3000/webhook, host:port/path or a URL."]
    only: Annotated[Texts, "Globs of cases to run, such as stale* or event:post.*"] = ()
    client_key: Annotated[str | None, "Client key in the bodies, for an app that checks it."] = None
    tolerance: Annotated[
        float,
        "Maximum age of a signature that the app accepts, in seconds.",
        keywords(minimum=1, maximum=1e6),
    ] = 300.0
    all_cases: Annotated[bool, "List the cases that passed, too."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportAsPytest(DeliveryConditions):
    """Which deliveries become tests: ids, or the newest that meet the conditions."""

    ids: Annotated[tuple[Id, ...], "Ids of deliveries."] = ()
    limit: Annotated[
        int, "Without ids: the newest N.", keywords(minimum=1, maximum=MAX_EXPORTED)
    ] = 10
    redact: Annotated[bool, "Replace user ids, client keys and credentials by pseudonyms."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """What `listen` would be given."""

    forward_to: Annotated[Texts, "Targets to check."] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StartListener:
    """The listener to start."""

    forward_to: Annotated[
        Texts, "Targets of the app: a port, host:port or URL. Without one, nothing is forwarded."
    ] = ()
    ack: Annotated[
        Literal["app", "first", "hold"] | None,
        "When TikTok is answered: with the answer of the app, at once, or at once and forwarded "
        "on release.",
    ] = None
    tunnel: Annotated[
        bool, "Open the ngrok tunnel and get a public Callback URL; false is local only."
    ] = True
    port: Annotated[
        int | None, "Port of the receiver; 0 takes a free one.", keywords(minimum=0, maximum=65535)
    ] = None
