"""Records shared by the whole package: deliveries, attempts and session events.

A `Delivery` is one POST exactly as received. An `Attempt` is one try at forwarding it to an app.
This package alone builds their JSON, so that the terminal, the API, the stream and the exports
cannot drift apart.
"""

from tiktok_hook.delivery.bounded import bounded
from tiktok_hook.delivery.cookies import OWN_COOKIE_PREFIX, without_own_cookies
from tiktok_hook.delivery.records import (
    CUT,
    FORWARDED_HEADER,
    SELF_CHECK_BODY,
    SELF_CHECK_HEADER,
    SELF_CHECKED_BY_ANOTHER,
    SOURCE_HEADER,
    Attempt,
    BodyState,
    Delivery,
    Headers,
    Source,
    fingerprint,
)
from tiktok_hook.delivery.serialization import (
    answer_json,
    arrival_json,
    attempt_json,
    delivery_json,
    dump,
    timestamp,
    verdict_json,
)
from tiktok_hook.delivery.session_events import (
    AppChanged,
    AppOutput,
    AttemptEnded,
    AttemptStarted,
    BugFound,
    DeliveryAnswered,
    DeliveryStored,
    FailedBeside,
    NonWebhookRequest,
    Notice,
    NotStored,
    QueueChanged,
    Ready,
    SelfCheck,
    Skipped,
    Summary,
    TunnelChanged,
)

__all__ = [
    "CUT",
    "FORWARDED_HEADER",
    "OWN_COOKIE_PREFIX",
    "SELF_CHECKED_BY_ANOTHER",
    "SELF_CHECK_BODY",
    "SELF_CHECK_HEADER",
    "SOURCE_HEADER",
    "AppChanged",
    "AppOutput",
    "Attempt",
    "AttemptEnded",
    "AttemptStarted",
    "BodyState",
    "BugFound",
    "Delivery",
    "DeliveryAnswered",
    "DeliveryStored",
    "FailedBeside",
    "Headers",
    "NonWebhookRequest",
    "NotStored",
    "Notice",
    "QueueChanged",
    "Ready",
    "SelfCheck",
    "Skipped",
    "Source",
    "Summary",
    "TunnelChanged",
    "answer_json",
    "arrival_json",
    "attempt_json",
    "bounded",
    "delivery_json",
    "dump",
    "fingerprint",
    "timestamp",
    "verdict_json",
    "without_own_cookies",
]
