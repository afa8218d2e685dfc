"""The records that every part shares: what came in, what was tried with it, what the session is.

A `Delivery` is one POST exactly as received, an `Attempt` one try at handing it to an app. The one
JSON shape of each is made here and nowhere else, so that the terminal, the API, the stream and the
exports cannot drift apart.
"""

from tiktok_hook.delivery.bounded import bounded
from tiktok_hook.delivery.cookies import OWN_COOKIE_PREFIX, without_own_cookies
from tiktok_hook.delivery.records import (
    FILTERED,
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
    attempt_json,
    delivery_json,
    dump,
    timestamp,
    verdict_json,
)
from tiktok_hook.delivery.session_events import (
    AppState,
    FailedBeside,
    Notice,
    Probe,
    Ready,
    SelfCheck,
    Summary,
    TunnelState,
)

__all__ = [
    "FILTERED",
    "FORWARDED_HEADER",
    "OWN_COOKIE_PREFIX",
    "SELF_CHECKED_BY_ANOTHER",
    "SELF_CHECK_BODY",
    "SELF_CHECK_HEADER",
    "SOURCE_HEADER",
    "AppState",
    "Attempt",
    "BodyState",
    "Delivery",
    "FailedBeside",
    "Headers",
    "Notice",
    "Probe",
    "Ready",
    "SelfCheck",
    "Source",
    "Summary",
    "TunnelState",
    "attempt_json",
    "bounded",
    "delivery_json",
    "dump",
    "fingerprint",
    "timestamp",
    "verdict_json",
    "without_own_cookies",
]
