"""The ``content`` of each known event as a typed record.

Made from the catalogue: ``python -m tiktok_hook.events.python_types > FILE`` writes it again. The
types are what TikTok documents or was seen to send; nothing checks that a delivery keeps to them.
"""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from tiktok_hook.exact_json import Json


class TiktokPingContent(TypedDict):
    """Content of `tiktok.ping`."""

    reason: str
    """Always the same."""


class AuthorizationRemovedContent(TypedDict):
    """Content of `authorization.removed`."""

    reason: int
    """Why the grant is gone."""


class VideoUploadFailedContent(TypedDict):
    """Content of `video.upload.failed`."""

    share_id: str
    """The share, video.<19 digits>.<8 letters>."""


class VideoPublishCompletedContent(TypedDict):
    """Content of `video.publish.completed`."""

    share_id: str
    """The share, video.<19 digits>.<8 letters>."""


class PostPublishFailedContent(TypedDict):
    """Content of `post.publish.failed`."""

    publish_id: str
    """The publishing action, at most 64 characters, opaque."""
    reason: str
    """Why publishing failed; the status endpoint calls it fail_reason."""
    publish_type: str
    """Which of the two posting flows."""


class PostPublishCompleteContent(TypedDict):
    """Content of `post.publish.complete`."""

    publish_id: str
    """The publishing action, at most 64 characters, opaque."""
    publish_type: str
    """Which of the two posting flows."""


class PostPublishInboxDeliveredContent(TypedDict):
    """Content of `post.publish.inbox_delivered`."""

    publish_id: str
    """The publishing action, at most 64 characters, opaque."""
    publish_type: str
    """Which of the two posting flows."""


class PostPublishPubliclyAvailableContent(TypedDict):
    """Content of `post.publish.publicly_available`."""

    publish_id: str
    """The publishing action, at most 64 characters, opaque."""
    post_id: str | int | list[Json]
    """The public post, 19 digits; a bare number elsewhere, so keep it as text."""
    publish_type: str
    """Which of the two posting flows."""


class PostPublishNoLongerPublicalyAvailableContent(TypedDict):
    """Content of `post.publish.no_longer_publicaly_available`."""

    publish_id: str
    """The publishing action, at most 64 characters, opaque."""
    post_id: str | int | list[Json]
    """The public post, 19 digits; a bare number elsewhere, so keep it as text."""
    publish_type: str
    """Which of the two posting flows."""


class PortabilityDownloadReadyContent(TypedDict):
    """Content of `portability.download.ready`."""

    request_id: int
    """The data request, a bare number beyond what a float can hold."""


class MinisTradeOrderRedeemSuccessContent(TypedDict):
    """Content of `minis.trade_order.redeem.success`."""

    trade_order_id: str
    """TikTok's order, TOID…."""
    order_id: str
    """Your own order."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    pay_type: NotRequired[str]
    """How it was paid."""


class MinisTradeOrderRedeemRefundTracebackContent(TypedDict):
    """Content of `minis.trade_order.redeem.refund_traceback`."""

    trade_order_id: str
    """TikTok's order, TOID…."""
    order_id: str
    """Your own order."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    pay_type: NotRequired[str]
    """How it was paid."""
    refund_amount: int
    """The amount taken back, unit not documented."""


class MinisTradeOrderRedeemRefundSuccessContent(TypedDict):
    """Content of `minis.trade_order.redeem.refund_success`."""

    trade_order_id: str
    """TikTok's order, TOID…."""
    order_id: str
    """Your own order."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    pay_type: NotRequired[str]
    """How it was paid."""


class MinisTradeOrderRedeemRefundFailContent(TypedDict):
    """Content of `minis.trade_order.redeem.refund_fail`."""

    trade_order_id: str
    """TikTok's order, TOID…."""
    order_id: str
    """Your own order."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    pay_type: NotRequired[str]
    """How it was paid."""


class MinisTradeOrderRedeemFailContent(TypedDict):
    """Content of `minis.trade_order.redeem.fail`."""

    trade_order_id: str
    """TikTok's order, TOID…."""
    order_id: str
    """Your own order."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    pay_type: NotRequired[str]
    """How it was paid."""


class MinisSubscriptionCreateContent(TypedDict):
    """Content of `minis.subscription.create`."""

    subscription_id: str
    """The subscription."""
    tier_id: str
    """The tier subscribed to."""
    trade_order_id: str
    """TikTok's order, TOID…."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    is_subscription_rights_valid: NotRequired[bool]
    """Whether its benefits hold."""
    is_renewal_normal: NotRequired[bool]
    """Whether its renewal was paid."""
    begin_time: NotRequired[int]
    """When it began, in Unix seconds."""
    end_time: NotRequired[int]
    """When it ends, in Unix seconds."""
    next_duduct_time: NotRequired[int]
    """When it is charged next; the spelling is TikTok's."""
    pay_type: NotRequired[str]
    """How it was paid."""


class MinisSubscriptionRenewContent(TypedDict):
    """Content of `minis.subscription.renew`."""

    subscription_id: str
    """The subscription."""
    tier_id: str
    """The tier subscribed to."""
    trade_order_id: str
    """TikTok's order, TOID…."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    is_subscription_rights_valid: NotRequired[bool]
    """Whether its benefits hold."""
    is_renewal_normal: NotRequired[bool]
    """Whether its renewal was paid."""
    begin_time: NotRequired[int]
    """When it began, in Unix seconds."""
    end_time: NotRequired[int]
    """When it ends, in Unix seconds."""
    next_duduct_time: NotRequired[int]
    """When it is charged next; the spelling is TikTok's."""
    pay_type: NotRequired[str]
    """How it was paid."""


class MinisSubscriptionOnholdContent(TypedDict):
    """Content of `minis.subscription.onhold`."""

    subscription_id: str
    """The subscription."""
    tier_id: str
    """The tier subscribed to."""
    trade_order_id: str
    """TikTok's order, TOID…."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    is_subscription_rights_valid: NotRequired[bool]
    """Whether its benefits hold."""
    is_renewal_normal: NotRequired[bool]
    """Whether its renewal was paid."""
    begin_time: NotRequired[int]
    """When it began, in Unix seconds."""
    end_time: NotRequired[int]
    """When it ends, in Unix seconds."""
    next_duduct_time: NotRequired[int]
    """When it is charged next; the spelling is TikTok's."""
    pay_type: NotRequired[str]
    """How it was paid."""


class MinisSubscriptionExpireContent(TypedDict):
    """Content of `minis.subscription.expire`."""

    subscription_id: str
    """The subscription."""
    tier_id: str
    """The tier subscribed to."""
    trade_order_id: str
    """TikTok's order, TOID…."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    is_subscription_rights_valid: NotRequired[bool]
    """Whether its benefits hold."""
    is_renewal_normal: NotRequired[bool]
    """Whether its renewal was paid."""
    begin_time: NotRequired[int]
    """When it began, in Unix seconds."""
    end_time: NotRequired[int]
    """When it ends, in Unix seconds."""
    next_duduct_time: NotRequired[int]
    """When it is charged next; the spelling is TikTok's."""
    pay_type: NotRequired[str]
    """How it was paid."""


class MinisSubscriptionReactivateContent(TypedDict):
    """Content of `minis.subscription.reactivate`."""

    subscription_id: str
    """The subscription."""
    tier_id: str
    """The tier subscribed to."""
    trade_order_id: str
    """TikTok's order, TOID…."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    is_subscription_rights_valid: NotRequired[bool]
    """Whether its benefits hold."""
    is_renewal_normal: NotRequired[bool]
    """Whether its renewal was paid."""
    begin_time: NotRequired[int]
    """When it began, in Unix seconds."""
    end_time: NotRequired[int]
    """When it ends, in Unix seconds."""
    next_duduct_time: NotRequired[int]
    """When it is charged next; the spelling is TikTok's."""
    pay_type: NotRequired[str]
    """How it was paid."""


class MinisSubscriptionChangeContent(TypedDict):
    """Content of `minis.subscription.change`."""

    subscription_id: str
    """The subscription."""
    tier_id: str
    """The tier subscribed to."""
    trade_order_id: str
    """TikTok's order, TOID…."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    is_subscription_rights_valid: NotRequired[bool]
    """Whether its benefits hold."""
    is_renewal_normal: NotRequired[bool]
    """Whether its renewal was paid."""
    begin_time: NotRequired[int]
    """When it began, in Unix seconds."""
    end_time: NotRequired[int]
    """When it ends, in Unix seconds."""
    next_duduct_time: NotRequired[int]
    """When it is charged next; the spelling is TikTok's."""
    pay_type: NotRequired[str]
    """How it was paid."""


class MinisSubscriptionCancelContent(TypedDict):
    """Content of `minis.subscription.cancel`."""

    subscription_id: str
    """The subscription."""
    tier_id: str
    """The tier subscribed to."""
    trade_order_id: str
    """TikTok's order, TOID…."""
    is_sandbox: NotRequired[bool]
    """Whether it came from the Minis sandbox; may be missing."""
    is_subscription_rights_valid: NotRequired[bool]
    """Whether its benefits hold."""
    is_renewal_normal: NotRequired[bool]
    """Whether its renewal was paid."""
    begin_time: NotRequired[int]
    """When it began, in Unix seconds."""
    end_time: NotRequired[int]
    """When it ends, in Unix seconds."""
    next_duduct_time: NotRequired[int]
    """When it is charged next; the spelling is TikTok's."""
    pay_type: NotRequired[str]
    """How it was paid."""


ImReceiveMsgContent = TypedDict(
    "ImReceiveMsgContent",
    {
        "from": str,
        "to": str,
        "unique_identifier": str,
        "from_user": dict[str, Json],
        "to_user": dict[str, Json],
        "conversation_id": str,
        "message_id": str,
        "timestamp": int,
        "type": str,
        "text": NotRequired[dict[str, Json]],
        "image": NotRequired[dict[str, Json]],
        "share_post": NotRequired[dict[str, Json]],
        "video": NotRequired[dict[str, Json]],
        "emoji": NotRequired[dict[str, Json]],
        "sticker": NotRequired[dict[str, Json]],
        "template": NotRequired[dict[str, Json]],
        "reaction": NotRequired[list[Json]],
        "referenced_message_info": NotRequired[dict[str, Json]],
        "auto_message_type": NotRequired[str],
        "scene_type": NotRequired[int],
        "is_follower": NotRequired[bool],
        "message_tag": NotRequired[dict[str, Json]],
        "reply_source_payload": NotRequired[dict[str, Json]],
    },
)
"""Content of `im_receive_msg`."""


class ImReceiveMsgEuContent(TypedDict):
    """Content of `im_receive_msg_eu`."""

    to: str
    """The receiver's user name."""
    to_user: dict[str, Json]
    """The receiver: `id`, and `role` business_account or personal_account."""
    timestamp: int
    """When, in Unix milliseconds."""


ImSendMsgContent = TypedDict(
    "ImSendMsgContent",
    {
        "from": str,
        "to": str,
        "unique_identifier": str,
        "from_user": dict[str, Json],
        "to_user": dict[str, Json],
        "conversation_id": str,
        "message_id": str,
        "timestamp": int,
        "type": str,
        "text": NotRequired[dict[str, Json]],
        "image": NotRequired[dict[str, Json]],
        "share_post": NotRequired[dict[str, Json]],
        "video": NotRequired[dict[str, Json]],
        "emoji": NotRequired[dict[str, Json]],
        "sticker": NotRequired[dict[str, Json]],
        "template": NotRequired[dict[str, Json]],
        "reaction": NotRequired[list[Json]],
        "referenced_message_info": NotRequired[dict[str, Json]],
        "auto_message_type": NotRequired[str],
        "scene_type": NotRequired[int],
        "is_follower": NotRequired[bool],
        "message_tag": NotRequired[dict[str, Json]],
    },
)
"""Content of `im_send_msg`."""


ImMarkReadMsgContent = TypedDict(
    "ImMarkReadMsgContent",
    {
        "from": str,
        "to": str,
        "unique_identifier": str,
        "from_user": dict[str, Json],
        "to_user": dict[str, Json],
        "conversation_id": str,
        "timestamp": int,
        "read": dict[str, Json],
    },
)
"""Content of `im_mark_read_msg`."""


ImReferralMsgContent = TypedDict(
    "ImReferralMsgContent",
    {
        "from": str,
        "to": str,
        "unique_identifier": str,
        "from_user": dict[str, Json],
        "to_user": dict[str, Json],
        "conversation_id": str,
        "timestamp": int,
        "is_follower": NotRequired[bool],
        "referral": dict[str, Json],
    },
)
"""Content of `im_referral_msg`."""


class ImAutoMessageConfigUpdateContent(TypedDict):
    """Content of `im_auto_message_config_update`."""

    auto_message_id: str
    """The automatic message."""
    auto_message_type: str
    """Which automatic message it is."""
    auto_message_action: str
    """What was done."""
    timestamp: int
    """When, in Unix milliseconds."""
    welcome_message: NotRequired[dict[str, Json]]
    """`content`."""
    suggested_question: NotRequired[dict[str, Json]]
    """`question` and `answer`."""
    chat_prompt: NotRequired[dict[str, Json]]
    """`title` and `content`."""


class ImAutoMessageAuditUpdateContent(TypedDict):
    """Content of `im_auto_message_audit_update`."""

    auto_message_id: str
    """The automatic message."""
    auto_message_type: str
    """Which automatic message it is."""
    audit_status: str
    """The result."""
    timestamp: int
    """When, in Unix milliseconds."""


ImReceiveHighIntentCommentContent = TypedDict(
    "ImReceiveHighIntentCommentContent",
    {
        "from": str,
        "to": str,
        "unique_identifier": str,
        "from_user": dict[str, Json],
        "to_user": dict[str, Json],
        "comment_id": str,
        "comment_text": str,
        "is_follower": NotRequired[bool],
        "timestamp": int,
    },
)
"""Content of `im_receive_high_intent_comment`."""


class CommentUpdateContent(TypedDict):
    """Content of `comment.update`."""

    comment_id: int | str
    """The comment."""
    video_id: int | str
    """The post."""
    parent_comment_id: NotRequired[int | str]
    """The comment that a reply answers."""
    comment_type: str
    """Which of the two."""
    comment_action: str
    """What happened to it."""
    unique_identifier: str
    """The TikTok user, the same in all APIs."""
    timestamp: int
    """When, in Unix milliseconds."""


class BrandMentionEventContent(TypedDict):
    """Content of `brand.mention.event`."""

    type_of_event: str
    """What happened."""
    mention_type: str
    """Where."""
    video_id: str
    """The video."""
    video_create_time: int
    """When it was made, in Unix seconds."""
    open_id_of_mentioned_user: str
    """The business."""
    unique_name_of_mentioned_user: str
    """Its user name."""
    unique_identifier: str
    """Who wrote it, the same in all APIs."""
    share_url: str
    """The video's address."""
    video_caption: str
    """The video's text."""
    comment_id: str
    """The comment; 0 for a mention in a video."""


CONTENTS: Mapping[str, type] = {
    "tiktok.ping": TiktokPingContent,
    "authorization.removed": AuthorizationRemovedContent,
    "video.upload.failed": VideoUploadFailedContent,
    "video.publish.completed": VideoPublishCompletedContent,
    "post.publish.failed": PostPublishFailedContent,
    "post.publish.complete": PostPublishCompleteContent,
    "post.publish.inbox_delivered": PostPublishInboxDeliveredContent,
    "post.publish.publicly_available": PostPublishPubliclyAvailableContent,
    "post.publish.no_longer_publicaly_available": PostPublishNoLongerPublicalyAvailableContent,
    "portability.download.ready": PortabilityDownloadReadyContent,
    "minis.trade_order.redeem.success": MinisTradeOrderRedeemSuccessContent,
    "minis.trade_order.redeem.refund_traceback": MinisTradeOrderRedeemRefundTracebackContent,
    "minis.trade_order.redeem.refund_success": MinisTradeOrderRedeemRefundSuccessContent,
    "minis.trade_order.redeem.refund_fail": MinisTradeOrderRedeemRefundFailContent,
    "minis.trade_order.redeem.fail": MinisTradeOrderRedeemFailContent,
    "minis.subscription.create": MinisSubscriptionCreateContent,
    "minis.subscription.renew": MinisSubscriptionRenewContent,
    "minis.subscription.onhold": MinisSubscriptionOnholdContent,
    "minis.subscription.expire": MinisSubscriptionExpireContent,
    "minis.subscription.reactivate": MinisSubscriptionReactivateContent,
    "minis.subscription.change": MinisSubscriptionChangeContent,
    "minis.subscription.cancel": MinisSubscriptionCancelContent,
    "im_receive_msg": ImReceiveMsgContent,
    "im_receive_msg_eu": ImReceiveMsgEuContent,
    "im_send_msg": ImSendMsgContent,
    "im_mark_read_msg": ImMarkReadMsgContent,
    "im_referral_msg": ImReferralMsgContent,
    "im_auto_message_config_update": ImAutoMessageConfigUpdateContent,
    "im_auto_message_audit_update": ImAutoMessageAuditUpdateContent,
    "im_receive_high_intent_comment": ImReceiveHighIntentCommentContent,
    "comment.update": CommentUpdateContent,
    "brand.mention.event": BrandMentionEventContent,
}
"""The record of each event's content, by the event's name."""
