"""The events of TikTok for Developers. Samples are ours, with invented identifiers."""

from dataclasses import replace

from tiktok_hook.events.event_type import (
    Confidence,
    EventType,
    Fact,
    Field,
    UserForm,
    Value,
    body_of,
    documented,
)

_DOCS = "https://developers.tiktok.com/doc/"
_EVENTS = _DOCS + "webhooks-events"
_STATUS = _DOCS + "content-posting-api-reference-get-video-status"
_MINIS = _DOCS + "tiktok-minis-in-app-purchases"
_CAPTURE = "https://github.com/ngrok/ngrok-docs/pull/146"
_LOGGED = "https://github.com/yikart/AiToEarn"

_REMOVED = Field(
    "reason",
    "integer",
    "why the grant is gone",
    documented(
        {
            "0": "reason unknown",
            "1": "user disconnected in TikTok",
            "2": "user deleted the account",
            "3": "user's age changed",
            "4": "user's account was banned",
            "5": "revoked by the developer",
        }
    ),
)
_SHARE_ID = Field("share_id", "string", "the share, video.<19 digits>.<8 letters>")
_PUBLISH_ID = Field(
    "publish_id",
    "string",
    "the publishing action, at most 64 characters, opaque",
    documented(
        {
            "v_pub_url~": "video, direct post, pulled from a URL",
            "v_pub_file~": "video, direct post, uploaded as a file",
            "v_inbox_url~": "video, sent to the inbox, pulled from a URL",
            "v_inbox_file~": "video, sent to the inbox, uploaded as a file",
            "p_pub_url~": "photos, direct post, pulled from a URL",
        }
    ),
)
_PUBLISH_TYPE = Field(
    "publish_type",
    "string",
    "which of the two posting flows",
    {
        "DIRECT_PUBLISH": Value("direct post", "seen", _LOGGED),
        "INBOX_SHARE": Value("upload to the creator's inbox, posted from there"),
        "DIRECT_POST": Value("direct post, as some public code spells it", "inferred"),
    },
)
_POST_ID = Field(
    "post_id",
    "string",
    "the public post, 19 digits; a bare number elsewhere, so keep it as text",
    also=("integer", "array"),
    source=_LOGGED,
)
_FAILURE = Field(
    "reason",
    "string",
    "why publishing failed; the status endpoint calls it fail_reason",
    documented(
        {
            "file_format_check_failed": "media format not supported: fix the media, then retry",
            "duration_check_failed": "too short or too long: fix the media, then retry",
            "frame_rate_check_failed": "frame rate not supported: fix the media, then retry",
            "picture_size_check_failed": "dimensions not supported: fix the media, then retry",
            "internal": "trouble on TikTok's side: retry",
            "video_pull_failed": "TikTok could not fetch the video within an hour: is its URL "
            "public and fast enough? Then retry",
            "photo_pull_failed": "TikTok could not fetch the photo: is its URL public and fast "
            "enough? Then retry",
            "publish_cancelled": "you cancelled the download: no retry",
            "auth_removed": "the creator revoked access meanwhile: no retry",
            "spam_risk_too_many_posts": "the creator's daily limit through the API is reached: "
            "retry tomorrow, or post from the app",
            "spam_risk_user_banned_from_posting": "the creator may not post: no retry",
            "spam_risk_text": "the description was judged risky: no retry with this text",
            "spam_risk": "the request was judged risky: no retry",
        }
    )
    | {
        "video_bitrate_check_failed": Value(
            "bit rate not supported: fix the media, then retry", "inferred"
        ),
        **{
            name: Value(f"{words} (an error of the request that starts a post)", "inferred")
            for name, words in (
                ("spam_risk_too_many_pending_share", "too many posts are waiting"),
                ("url_ownership_unverified", "the domain of the media URL is not verified"),
                ("reached_active_user_cap", "the app's daily number of users is reached"),
                (
                    "unaudited_client_can_only_post_to_private_accounts",
                    "an app that is not audited may post privately only",
                ),
            )
        },
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
    documented({"true": "sandbox, no real money", "false": "production"}),
    optional=True,
)
_PAY_TYPE = Field(
    "pay_type",
    "string",
    "how it was paid",
    {
        "IAP": Value("in-app purchase", "inferred"),
        "WEB": Value("on the web", "inferred"),
        "BEANS": Value("TikTok Beans", "inferred"),
    },
    optional=True,
    mark="inferred",
)
_ORDER = (_TRADE, Field("order_id", "string", "your own order"), _SANDBOX, _PAY_TYPE)
_SUBSCRIPTION = (
    Field("subscription_id", "string", "the subscription"),
    Field("tier_id", "string", "the tier subscribed to"),
    _TRADE,
    _SANDBOX,
    Field("is_subscription_rights_valid", "boolean", "whether its benefits hold", optional=True),
    Field("is_renewal_normal", "boolean", "whether its renewal was paid", optional=True),
    Field("begin_time", "integer", "when it began, in Unix seconds", optional=True),
    Field("end_time", "integer", "when it ends, in Unix seconds", optional=True),
    Field(
        "next_duduct_time",
        "integer",
        "when it is charged next; the spelling is TikTok's",
        optional=True,
    ),
    _PAY_TYPE,
)


def _post(
    name: str,
    meaning: str,
    words: str,
    *extra: Field,
    content: str,
    create_time: int = 1756684800,
    quirks: tuple[Fact, ...] = (),
) -> EventType:
    body = body_of(name, content, create_time=create_time)
    fields = (_PUBLISH_ID, *extra, _PUBLISH_TYPE)
    return EventType(name, "Content Posting", meaning, words, fields, body, _STATUS, quirks=quirks)


def _legacy_video(name: str, meaning: str, words: str) -> EventType:
    content = '{"share_id":"video.6974245311675353080.VDCxrcMJ"}'
    ended = f"{meaning} (the Share Video API ended in September 2023)"
    return EventType(
        name,
        "Video Kit",
        ended,
        words,
        (_SHARE_ID,),
        body_of(name, content),
        _EVENTS,
        quirks=(
            Fact(
                "The API behind it ended on 10 September 2023; the name is still listed.",
                "documented",
                "https://developers.tiktok.com/bulletin/migration-notice-share-video-api",
            ),
        ),
    )


_EMPTY: UserForm = "empty"
_RESENT = (
    Fact(
        "Recognise a repetition by `event` and `trade_order_id`; `trade_order_id` alone would "
        "swallow a refund after its purchase.",
        "inferred",
        _MINIS,
    ),
)


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
    body = body_of(name, content, create_time=1756684800 if bought else 1756688400, user_openid="")
    return EventType(
        name,
        "TikTok Minis",
        meaning,
        words,
        _ORDER + extra,
        body,
        _MINIS,
        content_mark=mark,
        user=_EMPTY,
        quirks=_RESENT,
    )


def _subscription(
    event: str, meaning: str, words: str, *, mark: Confidence = "documented"
) -> EventType:
    name = f"minis.subscription.{event}"
    content = (
        '{"subscription_id":"sub-0001","tier_id":"sandbox_499_1M",'
        '"trade_order_id":"TOID667700997","is_sandbox":true}'
    )
    body = body_of(name, content, user_openid="")
    return EventType(
        name,
        "TikTok Minis",
        meaning,
        words,
        _SUBSCRIPTION,
        body,
        _MINIS,
        mark,
        "inferred",
        user=_EMPTY,
        quirks=(
            Fact(
                "TikTok documents no content; the keys are those of the subscription object in its "
                "server API.",
                "inferred",
                _MINIS,
            ),
        ),
    )


_DIRECT = '{"publish_id":"v_pub_file~v2-1.7545200000000000001","publish_type":"DIRECT_PUBLISH"'
_PUBLIC = _DIRECT + ',"post_id":"7545201234567890123"}'

EVENT_TYPES = (
    EventType(
        "tiktok.ping",
        "Developer portal",
        "Test URL was pressed in the developer portal",
        "test from the portal's Test URL button",
        (
            Field(
                "reason",
                "string",
                "always the same",
                {"testing Webhook": Value("the Test URL button", "seen", _CAPTURE)},
            ),
        ),
        body_of(
            "tiktok.ping",
            '{"reason":"testing Webhook"}',
            create_time=1756684800123,
            user_openid="7528000000000000000",
        ),
        _CAPTURE,
        "seen",
        "seen",
        user="digits",
        milliseconds=True,
        quirks=(
            Fact(
                "`create_time` counts milliseconds, unlike that of every documented event; a "
                "schema that demands seconds rejects the portal's own test.",
                "seen",
                _CAPTURE,
            ),
            Fact("`user_openid` is 19 digits, not a real open id.", "seen", _CAPTURE),
            Fact("It carries a signature that verifies with the client secret.", "inferred"),
        ),
    ),
    EventType(
        "authorization.removed",
        "Login Kit",
        "the user's grant is gone; the access token is revoked already",
        "authorization removed: {reason}",
        (_REMOVED,),
        body_of("authorization.removed", '{"reason": 1 }'),
        _EVENTS,
        quirks=(
            Fact("The access token is revoked already when it arrives.", "documented", _EVENTS),
            Fact(
                "TikTok's own sample has spaces inside `content`: compare parsed values.",
                "documented",
                _EVENTS,
            ),
        ),
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
        quirks=(
            Fact(
                "It may come several times for one `publish_id`: the user can make several posts "
                "of one upload. Keep `create_time` in the key that recognises repetitions.",
                "documented",
                _STATUS,
            ),
        ),
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
        quirks=(
            Fact(
                "TikTok for Developers spells it `publicaly`, TikTok Business `publicly`. Take "
                "both.",
                "documented",
                _STATUS,
            ),
        ),
    ),
    EventType(
        "portability.download.ready",
        "Data Portability",
        "the data archive that was asked for can be downloaded",
        "data archive of request {request_id} is ready",
        (_REQUEST_ID,),
        body_of(
            "portability.download.ready", '{"request_id":7545201234567890124}', user_openid=None
        ),
        _EVENTS,
        user="absent",
        quirks=(
            Fact("The documented payload has no `user_openid`.", "documented", _EVENTS),
            Fact(
                "`request_id` is a bare number beyond 2^53: a parser that reads numbers as "
                "floating point rounds it.",
                "documented",
                _EVENTS,
            ),
        ),
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
    replace(
        _trade("fail", "a purchase with Beans failed", "{order_id} was not paid", mark="inferred"),
        mark="inferred",
        quirks=(
            Fact(
                "TikTok's page does not list it. The name was read in public code that handles "
                "Minis events; other code has `redeem.failed` in its place.",
                "inferred",
            ),
        ),
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
        "{subscription_id} was reactivated",
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
