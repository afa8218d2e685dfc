"""Types of the JSON objects: mypy checks them, and the OpenAPI document is generated from them.

The strings in `Annotated` become the descriptions in that document.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict


def keywords(**given: object) -> tuple[tuple[str, object], ...]:
    """JSON Schema keywords for use in `Annotated`, such as ``minimum=1``."""
    return tuple(given.items())


Timestamp = Annotated[str, keywords(format="date-time")]
"""RFC 3339 in UTC, with microseconds."""

HeaderPair = Annotated[list[str], keywords(minItems=2, maxItems=2)]


class BodyShape(TypedDict, total=False):
    """Bytes: ``body`` where they are UTF-8 text, ``body_base64`` otherwise."""

    body: str
    body_base64: str


class VerdictShape(TypedDict):
    """The result of the signature check."""

    state: Literal["valid", "stale", "invalid", "missing", "unchecked"]
    reason: str
    hint: str
    age_seconds: float | None
    secret: Annotated[int | None, "Number of the client secret that matched, from 1."]


class DeliveryShape(BodyShape):
    """One POST exactly as received."""

    id: int
    received_at: Timestamp
    source: Literal["tiktok", "trigger", "import"]
    remote_addr: str
    method: str
    path: Annotated[str, "As received, still percent-encoded."]
    query: str
    http_version: str
    headers: Annotated[list[HeaderPair], "In the order received."]
    event: Annotated[
        Mapping[str, Any] | None, "The five fields of TikTok's envelope, `content` decoded."
    ]
    summary: str
    known: Annotated[bool, "Whether the event is in the catalogue."]
    verdict: VerdictShape
    redelivery_of: Annotated[int | None, "The first delivery of the same event."]
    redelivery_number: int
    status: Annotated[int | None, "What the sender was answered; null while the app is working."]
    imported_id: int | None
    body_state: Annotated[
        Literal["exact", "missing", "decompressed", "altered"],
        "How the stored body compares with the one that was sent.",
    ]
    scheme: Annotated[str, "`http` or `https` where an import names it, otherwise empty."]
    listener: Annotated[
        str | None, "Which listener of a shared history received it; null in a file."
    ]
    body_bytes: Annotated[
        int, "As received; of a rejected delivery only the first 16 KiB are kept."
    ]


class RequestShape(BodyShape):
    """A request as sent; without a body it is the delivery's own, unchanged."""

    method: str
    headers: list[HeaderPair]


class AnswerShape(BodyShape, total=False):
    """The body of an app's answer; ``body_decoded`` only where it was encoded."""

    body_decoded: Annotated[str, "Text of a body that is compressed or not UTF-8, at most 64 KiB."]


class AttemptShape(AnswerShape):
    """One try at forwarding a delivery to an app."""

    id: Annotated[str, "Like `12.1`."]
    delivery_id: int
    number: int
    started_at: Timestamp
    target: str
    replay: bool
    resigned: bool
    variant: Annotated[str, "How a replay differs from what was received; empty if it does not."]
    expects_rejection: Annotated[bool, "Whether a 4xx is the right response."]
    request: RequestShape
    status: int | None
    duration_ms: Annotated[float | None, "Null while it runs, and of one that was cut off."]
    headers: list[HeaderPair]
    truncated: Annotated[bool, "Whether the response's body was longer than what is kept."]
    error: str | None
    hint: Annotated[str, "What a bad response most probably means, and what to do."]
    app: Annotated[str | None, "Whose app it was sent to in a shared history; null in a file."]
