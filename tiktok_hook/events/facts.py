"""What is known of TikTok's webhooks beyond their contents: delivery, envelope, signature."""

from collections.abc import Mapping

from tiktok_hook.events.event_type import Confidence, Fact, Field

_DOCS = "https://developers.tiktok.com/doc/"
_OVERVIEW = _DOCS + "webhooks-overview"
_EVENTS = _DOCS + "webhooks-events"
_VERIFICATION = _DOCS + "webhooks-verification"
_SANDBOX = _DOCS + "add-a-sandbox"
_CAPTURE = "https://github.com/ngrok/ngrok-docs/pull/146"
_RETRIES = "https://github.com/ChatbotXIO/ChatbotX/pull/844"
_LOGGED = "https://github.com/yikart/AiToEarn"
_ROUNDED = "https://github.com/gitroomhq/postiz-app/pull/1984"
_MESSAGES = "https://business-api.tiktok.com/portal/docs?id=1832190670631937"

MARKS: Mapping[Confidence, str] = {
    "documented": "TikTok documents it.",
    "seen": "Not documented, but in a published capture of a real delivery, or in public code that "
    "handles real deliveries.",
    "inferred": "A conclusion: a working assumption until a real delivery shows it.",
}
"""What the three marks mean."""

ENVELOPE: tuple[Field, ...] = (
    Field(
        "client_key",
        "string",
        "the app's client key: 16 characters from aw (production), 18 from sbaw (sandbox), digits "
        "(TikTok Business)",
        mark="documented",
        source=_OVERVIEW,
    ),
    Field("event", "string", "the event's name", mark="documented", source=_OVERVIEW),
    Field(
        "create_time",
        "integer",
        "when the event happened, in Unix seconds; milliseconds in tiktok.ping",
        mark="documented",
        source=_OVERVIEW,
    ),
    Field(
        "user_openid",
        "string",
        "the user's open id for this app; the business account in TikTok Business",
        optional=True,
        mark="documented",
        source=_OVERVIEW,
    ),
    Field(
        "content",
        "string",
        "JSON inside a string: parse it a second time",
        mark="documented",
        source=_OVERVIEW,
    ),
)
"""The keys of every body."""

HEADERS: tuple[Field, ...] = (
    Field(
        "Tiktok-Signature",
        "string",
        "t=<unix seconds>,s=<64 hex digits>",
        mark="documented",
        source=_VERIFICATION,
    ),
    Field(
        "Content-Type",
        "string",
        "JSON; application/json;charset=UTF-8 in a capture of 2022",
        mark="seen",
        source=_CAPTURE,
    ),
    Field(
        "X-Tt-Logid",
        "string",
        "TikTok's id of the request, for its support; documented for TikTok Business only",
        optional=True,
        mark="documented",
        source=_MESSAGES,
    ),
    Field(
        "Webhook-Schema-Version",
        "string",
        "1.0; documented for TikTok Business only",
        optional=True,
        mark="documented",
        source=_MESSAGES,
    ),
)
"""The headers that mean something; proxies on the way add others."""

FACTS: Mapping[str, tuple[Fact, ...]] = {
    "Delivery": (
        Fact("Each delivery is an HTTPS `POST` with a JSON body.", "documented", _OVERVIEW),
        Fact("It has to be answered 200 at once.", "documented", _OVERVIEW),
        Fact("Other 2xx statuses may count as failures: send exactly 200.", "inferred"),
        Fact("The body of the answer is not used.", "inferred"),
        Fact(
            "Anything but success is retried with exponential backoff for up to 72 hours, then "
            "dropped for good.",
            "documented",
            _OVERVIEW,
        ),
        Fact(
            "Neither the timeout nor the intervals are documented; a first retry came minutes "
            "later.",
            "seen",
            _RETRIES,
        ),
        Fact(
            "Delivery is at least once, as a best effort: the same event may come again.",
            "documented",
            _OVERVIEW,
        ),
        Fact("The order is not promised.", "inferred"),
        Fact(
            "No event or delivery id exists. Recognise a repetition by `event`, `user_openid`, "
            "`create_time` and the parsed `content`.",
            "inferred",
        ),
        Fact("All events of the app are sent; none can be picked.", "documented", _EVENTS),
        Fact(
            "There is no handshake: no GET, no challenge, no token to echo.", "inferred", _OVERVIEW
        ),
        Fact("`User-Agent`, source addresses and HTTP version are not documented.", "inferred"),
        Fact("A redirect counts as a failure: serve the registered path exactly.", "inferred"),
    ),
    "Envelope": (
        Fact(
            "The body is compact JSON with the keys in the order `client_key`, `event`, "
            "`create_time`, `user_openid`, `content`. Nothing promises that order.",
            "seen",
            _CAPTURE,
        ),
        Fact(
            "Spacing inside `content` varies: compare parsed values, never text.",
            "documented",
            _EVENTS,
        ),
        Fact(
            "`user_openid` is absent (Data Portability), empty (TikTok Minis) or digits "
            "(`tiktok.ping`) in some events.",
            "seen",
            _EVENTS,
        ),
        Fact("A real open id has 36 characters and looks like `-000…`.", "seen", _LOGGED),
        Fact(
            "Ids are bare numbers of 19 digits in places, beyond 2^53: a parser that reads numbers "
            "as floating point rounds them.",
            "seen",
            _ROUNDED,
        ),
        Fact("New keys, values and events may come: ignore what is not known.", "inferred"),
    ),
    "Signature": (
        Fact(
            "`s` is the HMAC-SHA256 of `t`, a dot and the body's bytes, keyed with the client "
            "secret, in hex.",
            "documented",
            _VERIFICATION,
        ),
        Fact("The key is the client secret: no separate webhook secret exists.", "documented",
             _VERIFICATION),
        Fact("How old `t` may be is left to the receiver.", "documented", _VERIFICATION),
        Fact("A retry is signed again, with a new `t`.", "inferred", _RETRIES),
        Fact(
            "A sandbox has its own client key and secret; its deliveries do not verify with the "
            "production secret.",
            "inferred",
            _SANDBOX,
        ),
    ),
    "TikTok Business": (
        Fact(
            "It has the same envelope, signature and rules of delivery, and signs with the secret "
            "of the Business app.",
            "documented",
            _MESSAGES,
        ),
        Fact(
            "Its Callback URL is registered by `POST /business/webhook/update/`, once for each "
            "`event_type`.",
            "documented",
            _MESSAGES,
        ),
        Fact(
            "TikTok's pages about it need a login. What is marked documented here was read in "
            "public transcriptions of them.",
            "inferred",
        ),
    ),
}  # fmt: skip
"""Statements by subject."""
