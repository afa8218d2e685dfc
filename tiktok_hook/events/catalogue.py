"""Every webhook event that TikTok for Developers is known to send.

Each one carries a mark: documented by TikTok, seen in published captures of real deliveries, or
inferred. Samples are ours, in the documented envelope, with invented identifiers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Literal

from tiktok_hook.exact_json import dumps

Confidence = Literal["documented", "seen", "inferred"]

_DOCS = "https://developers.tiktok.com/doc/"
_EVENTS = _DOCS + "webhooks-events"
_STATUS = _DOCS + "content-posting-api-reference-get-video-status"
_MINIS = _DOCS + "tiktok-minis-in-app-purchases"


@dataclass(frozen=True, slots=True)
class Field:
    """One key of an event's ``content``.

    Args:
        name: The key.
        type: In words: ``string``, ``integer``, ``boolean``.
        meaning: What it is.
        values: Words by value, as text; a key ending in ``~`` stands for all that begin with it.
    """

    name: str
    type: str
    meaning: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventType:
    """What is known about one event.

    Args:
        name: As TikTok spells it, misspelling included.
        product: The TikTok product that sends it.
        meaning: What happened, in one sentence without a full stop.
        words: The one-line summary, with ``{key}`` for a value of its content.
        fields: The keys of its content; empty where nothing is known.
        sample: A whole body, compact JSON.
        url: Where TikTok documents it, or its product.
        mark: How sure the name is.
        content_mark: How sure the content is.
    """

    name: str
    product: str
    meaning: str
    words: str
    fields: tuple[Field, ...]
    sample: str
    url: str
    mark: Confidence = "documented"
    content_mark: Confidence = "documented"


_REMOVED = Field(
    "reason",
    "integer",
    "why the grant is gone",
    {
        "0": "reason unknown",
        "1": "user disconnected in TikTok",
        "2": "user deleted the account",
        "3": "user's age changed",
        "4": "user's account was banned",
        "5": "revoked by the developer",
    },
)
_SHARE_ID = Field("share_id", "string", "the share, video.<19 digits>.<8 letters>")
_PUBLISH_ID = Field(
    "publish_id",
    "string",
    "the publishing action, at most 64 characters, opaque",
    {
        "v_pub_url~": "video, direct post, pulled from a URL",
        "v_pub_file~": "video, direct post, uploaded as a file",
        "v_inbox_url~": "video, sent to the inbox, pulled from a URL",
        "v_inbox_file~": "video, sent to the inbox, uploaded as a file",
        "p_pub_url~": "photos, direct post, pulled from a URL",
    },
)
_PUBLISH_TYPE = Field(
    "publish_type",
    "string",
    "which of the two posting flows",
    {
        "DIRECT_PUBLISH": "direct post",
        "INBOX_SHARE": "upload to the creator's inbox, posted from there",
    },
)
_POST_ID = Field(
    "post_id", "string", "the public post, 19 digits; a bare number elsewhere, so keep it as text"
)
_FAILURE = Field(
    "reason",
    "string",
    "why publishing failed; the status endpoint calls it fail_reason",
    {
        "file_format_check_failed": "media format not supported: fix the media, then retry",
        "duration_check_failed": "too short or too long: fix the media, then retry",
        "frame_rate_check_failed": "frame rate not supported: fix the media, then retry",
        "picture_size_check_failed": "dimensions not supported: fix the media, then retry",
        "internal": "trouble on TikTok's side: retry",
        "video_pull_failed": "TikTok could not fetch the video within an hour: is its URL public "
        "and fast enough? Then retry",
        "photo_pull_failed": "TikTok could not fetch the photo: is its URL public and fast "
        "enough? Then retry",
        "publish_cancelled": "you cancelled the download: no retry",
        "auth_removed": "the creator revoked access meanwhile: no retry",
        "spam_risk_too_many_posts": "the creator's daily limit through the API is reached: retry "
        "tomorrow, or post from the app",
        "spam_risk_user_banned_from_posting": "the creator may not post: no retry",
        "spam_risk_text": "the description was judged risky: no retry with this text",
        "spam_risk": "the request was judged risky: no retry",
    },
)
_REQUEST_ID = Field(
    "request_id", "integer", "the data request, a bare number beyond what a float can hold"
)
_TRADE = Field("trade_order_id", "string", "TikTok's order, TOID…")
_SANDBOX = Field(
    "is_sandbox",
    "boolean",
    "whether it came from the Minis sandbox; may be missing",
    {"true": "sandbox, no real money", "false": "production"},
)
_ORDER = (_TRADE, Field("order_id", "string", "your own order"), _SANDBOX)
_SUBSCRIPTION = (
    Field("subscription_id", "string", "the subscription"),
    Field("tier_id", "string", "the tier subscribed to"),
    _TRADE,
    _SANDBOX,
)


def _body(
    event: str, content: str, *, create_time: int = 1756684800, user_openid: str | None
) -> str:
    user = {} if user_openid is None else {"user_openid": user_openid}
    head = {"client_key": "awexampleclient1", "event": event, "create_time": create_time}
    return dumps({**head, **user, "content": content})


def _post(
    name: str, meaning: str, words: str, *extra: Field, content: str, create_time: int = 1756684800
) -> EventType:
    user = "-000ExampleOpenIdExampleOpenIdExampl"
    body = _body(name, content, create_time=create_time, user_openid=user)
    fields = (_PUBLISH_ID, *extra, _PUBLISH_TYPE)
    return EventType(name, "Content Posting", meaning, words, fields, body, _STATUS)


def _legacy_video(name: str, meaning: str, words: str) -> EventType:
    content = '{"share_id":"video.6974245311675353080.VDCxrcMJ"}'
    body = _body(name, content, user_openid="-000ExampleOpenIdExampleOpenIdExampl")
    ended = f"{meaning} (the Share Video API ended in September 2023)"
    return EventType(name, "Video Kit", ended, words, (_SHARE_ID,), body, _EVENTS)


def _trade(
    event: str,
    meaning: str,
    words: str,
    *extra: Field,
    more: str = "",
    mark: Confidence = "documented",
) -> EventType:
    name = f"minis.trade_order.redeem.{event}"
    bought = event == "success"
    content = (
        f'{{"trade_order_id":"TOID667700996","order_id":"order-0001","is_sandbox":true{more}}}'
    )
    body = _body(name, content, create_time=1756684800 if bought else 1756688400, user_openid="")
    return EventType(
        name, "TikTok Minis", meaning, words, _ORDER + extra, body, _MINIS, content_mark=mark
    )


def _subscription(
    event: str, meaning: str, words: str, *, mark: Confidence = "documented"
) -> EventType:
    name = f"minis.subscription.{event}"
    content = (
        '{"subscription_id":"sub-0001","tier_id":"sandbox_499_1M",'
        '"trade_order_id":"TOID667700997","is_sandbox":true}'
    )
    body = _body(name, content, user_openid="")
    return EventType(
        name, "TikTok Minis", meaning, words, _SUBSCRIPTION, body, _MINIS, mark, "inferred"
    )


_DIRECT = '{"publish_id":"v_pub_file~v2-1.7545200000000000001","publish_type":"DIRECT_PUBLISH"'
_PUBLIC = _DIRECT + ',"post_id":"7545201234567890123"}'

_KINDS = (
    EventType(
        "tiktok.ping",
        "Developer portal",
        "Test URL was pressed in the developer portal",
        "test from the portal's Test URL button",
        (Field("reason", "string", "always 'testing Webhook'"),),
        _body(
            "tiktok.ping",
            '{"reason":"testing Webhook"}',
            create_time=1756684800123,
            user_openid="7528000000000000000",
        ),
        _DOCS + "webhooks-overview",
        "seen",
        "seen",
    ),
    EventType(
        "authorization.removed",
        "Login Kit",
        "the user's grant is gone; the access token is revoked already",
        "authorization removed: {reason}",
        (_REMOVED,),
        _body(
            "authorization.removed",
            '{"reason": 1 }',
            user_openid="-000ExampleOpenIdExampleOpenIdExampl",
        ),
        _EVENTS,
    ),
    _legacy_video(
        "video.upload.failed", "an upload through Video Kit failed", "upload failed for {share_id}"
    ),
    _legacy_video(
        "video.publish.completed",
        "the user published an upload of Video Kit",
        "user published {share_id}",
    ),
    _post(
        "post.publish.failed",
        "a publishing action did not succeed",
        "{reason} for {publish_id}",
        _FAILURE,
        content='{"publish_id":"v_pub_url~v2-1.7545200000000000002",'
        '"reason":"video_pull_failed","publish_type":"DIRECT_PUBLISH"}',
    ),
    _post(
        "post.publish.complete",
        "the content was posted; after an upload, the user made a post of it, perhaps several",
        "posted {publish_id}",
        content=_DIRECT + "}",
    ),
    _post(
        "post.publish.inbox_delivered",
        "the creator was notified in the inbox that an upload waits to be posted",
        "waiting in the creator's inbox: {publish_id}",
        content='{"publish_id":"v_inbox_file~v2.7545200000000000003","publish_type":"INBOX_SHARE"}',
    ),
    _post(
        "post.publish.publicly_available",
        "a post can be seen by everybody, after moderation or by the user's choice",
        "post {post_id} is public",
        _POST_ID,
        content=_PUBLIC,
    ),
    _post(
        "post.publish.no_longer_publicaly_available",
        "a post cannot be seen by everybody any more",
        "post {post_id} is no longer public",
        _POST_ID,
        content=_PUBLIC,
        create_time=1756688400,
    ),
    EventType(
        "portability.download.ready",
        "Data Portability",
        "the data archive that was asked for can be downloaded",
        "data archive of request {request_id} is ready",
        (_REQUEST_ID,),
        _body("portability.download.ready", '{"request_id":7545201234567890124}', user_openid=None),
        _EVENTS,
    ),
    _trade("success", "a purchase with Beans went through", "{order_id} was paid"),
    _trade(
        "refund_traceback",
        "a purchase was refunded and its amount taken back",
        "{order_id} was refunded, {refund_amount} taken back",
        Field("refund_amount", "integer", "the amount taken back, unit not documented"),
        more=',"refund_amount":80',
    ),
    _trade(
        "refund_success",
        "a refund went through (TikTok does not send it at present)",
        "refund of {order_id} went through",
        mark="inferred",
    ),
    _trade(
        "refund_fail",
        "a refund failed (TikTok does not send it at present)",
        "refund of {order_id} failed",
        mark="inferred",
    ),
    _subscription(
        "create", "the payment for a new subscription went through", "{subscription_id} began"
    ),
    _subscription(
        "renew",
        "a subscription was renewed, or its failed renewal was paid after all",
        "{subscription_id} was renewed",
    ),
    _subscription(
        "onhold",
        "the payment for a renewal failed; the subscription is on hold for a month or two",
        "{subscription_id} is on hold: its renewal was not paid",
    ),
    _subscription("expire", "a subscription ended for good", "{subscription_id} expired"),
    _subscription(
        "reactivate",
        "the user took up a cancelled subscription again",
        "{subscription_id} was taken up again",
    ),
    _subscription(
        "change",
        "the user changed the tier of a subscription",
        "{subscription_id} changed its tier",
        mark="inferred",
    ),
    _subscription(
        "cancel",
        "the user switched off the renewal of a subscription",
        "{subscription_id} will not renew",
        mark="inferred",
    ),
)

CATALOGUE: Mapping[str, EventType] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""All known events by name, in the order people meet them."""

# TikTok for Developers documents the misspelling; TikTok's Business API has the other one.
_OTHER_SPELLINGS = {
    "post.publish.no_longer_publicly_available": "post.publish.no_longer_publicaly_available"
}


def kind_of(name: str) -> EventType | None:
    """What is known about an event, under either spelling; None for an unknown one."""
    kind = CATALOGUE.get(name)
    return CATALOGUE.get(_OTHER_SPELLINGS.get(name, "")) if kind is None else kind


def fits_known(glob: str) -> bool:
    """Whether a glob matches any known event, under either spelling."""
    return any(fnmatchcase(name, glob) for name in (*CATALOGUE, *_OTHER_SPELLINGS))


def sample(name: str) -> bytes:
    """A body of this event as TikTok would send it, spelled as documented.

    Raises:
        KeyError: Unknown event; `nearest` has suggestions.
    """
    kind = kind_of(name)
    if kind is None:
        raise KeyError(name)
    return kind.sample.encode()


def samples() -> Mapping[str, bytes]:
    """One body of every known event, by name."""
    return {name: kind.sample.encode() for name, kind in CATALOGUE.items()}


def nearest(name: str) -> list[str]:
    """Known events that are spelled similarly, likeliest first, at most 3."""
    wanted = name[:100].lower()
    scored = []
    for known in CATALOGUE:
        score = SequenceMatcher(None, wanted, known).ratio()
        if wanted and wanted in known:
            score += 1
        scored.append((-score, known))
    return [known for score, known in sorted(scored) if score <= -0.6][:3]
