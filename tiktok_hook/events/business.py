"""The events of TikTok Business (business-api.tiktok.com): the same envelope and signature.

They are registered by its own API, signed with the secret of the Business app, and carry the app's
number as `client_key`. Read in public transcriptions of TikTok's pages, which need a login.
"""

from tiktok_hook.events.event_type import EventType, Fact, Field, Value, body_of, documented

_MESSAGES = "https://business-api.tiktok.com/portal/docs?id=1832190670631937"
_ACCOUNTS = "https://business-api.tiktok.com/portal/docs?id=1759978341579777"

_CLIENT_KEY = "7512345678901234567"
_MESSAGING = "TikTok Business, messages"
_MILLISECONDS = Field("timestamp", "integer", "when, in Unix milliseconds")
_FROM = Field("from", "string", "the sender's user name")
_TO = Field("to", "string", "the receiver's user name")
_FROM_USER = Field(
    "from_user", "object", "the sender: `id`, and `role` business_account or personal_account"
)
_TO_USER = Field(
    "to_user", "object", "the receiver: `id`, and `role` business_account or personal_account"
)
_PERSON = Field("unique_identifier", "string", "the TikTok user, the same in all APIs")
_CONVERSATION = Field("conversation_id", "string", "the conversation")
_FOLLOWER = Field("is_follower", "boolean", "whether the user follows the business", optional=True)
_HEAD = (_FROM, _TO, _PERSON, _FROM_USER, _TO_USER)
_MESSAGE = (
    *_HEAD,
    _CONVERSATION,
    Field("message_id", "string", "the message"),
    _MILLISECONDS,
    Field(
        "type",
        "string",
        "what the message is; a key of the same name holds it",
        documented(
            {
                "text": "a text, in text.body",
                "image": "an image, by its media_id",
                "share_post": "a shared post, by embed_url and video_id",
                "video": "a video, by its media_id",
                "emoji": "an emoji, by its url",
                "sticker": "a sticker, by a url that expires",
                "reaction": "reactions to a message",
                "template": "a card with questions or links",
            }
        ),
    ),
    *(
        Field(name, "object", f"the {name.replace('_', ' ')}, for that type", optional=True)
        for name in ("text", "image", "share_post", "video", "emoji", "sticker", "template")
    ),
    Field("reaction", "array", "the reactions, for that type", optional=True),
    Field("referenced_message_info", "object", "the message that this one answers", optional=True),
    Field(
        "auto_message_type",
        "string",
        "which automatic message it is",
        documented(
            {
                "WELCOME_MESSAGE": "welcome message",
                "SUGGESTED_QUESTION": "suggested question",
                "AUTO_REPLY": "automatic reply",
            }
        ),
        optional=True,
    ),
    Field("scene_type", "integer", "not described", optional=True),
    _FOLLOWER,
    Field("message_tag", "object", "where it was sent from, in `source`", optional=True),
)
_AUTOMATIC = Field(
    "auto_message_type",
    "string",
    "which automatic message it is",
    documented(
        {
            "WELCOME_MESSAGE": "welcome message",
            "SUGGESTED_QUESTION": "suggested question",
            "CHAT_PROMPT": "prompt above the chat",
        }
    ),
)
_AUTOMATIC_ID = Field("auto_message_id", "string", "the automatic message")

_USER = '"from_user":{"id":"user-0001","role":"personal_account"}'
_BUSINESS = '"to_user":{"id":"-000ExampleBusiness","role":"business_account"}'
_INCOMING = (
    f'"from":"example.user","to":"example.shop","unique_identifier":"user-0001",{_USER},{_BUSINESS}'
)
_TALK = '"conversation_id":"conversation-0001"'
_TEXT = '"message_id":"message-0001","timestamp":1756684800123,"type":"text"'
_WHEN = '"timestamp":1756684800123'


def _event(
    name: str,
    product: str,
    meaning: str,
    words: str,
    fields: tuple[Field, ...],
    content: str,
    *quirks: Fact,
    url: str = _MESSAGES,
) -> EventType:
    body = body_of(
        name, f"{{{content}}}", client_key=_CLIENT_KEY, user_openid="-000ExampleBusiness"
    )
    return EventType(name, product, meaning, words, fields, body, url, business=True, quirks=quirks)


def _exact(*names: str) -> Fact:
    which = ", ".join(f"`{name}`" for name in names)
    return Fact(
        f"{which}: bare numbers beyond 2^53; a parser that reads numbers as floating point "
        "rounds them.",
        "documented",
        _ACCOUNTS,
    )


EVENT_TYPES = (
    _event(
        "im_receive_msg",
        _MESSAGING,
        "a user sent the business a message",
        "{type} message from {from}",
        (
            *_MESSAGE,
            Field(
                "reply_source_payload",
                "object",
                "the button of a card that the user chose",
                optional=True,
            ),
        ),
        f'{_INCOMING},{_TALK},{_TEXT},"text":{{"body":"Hello"}},"is_follower":true',
        Fact(
            "Users in the EEA, Switzerland and the United Kingdom cause `im_receive_msg_eu` "
            "instead.",
            "documented",
            _MESSAGES,
        ),
    ),
    _event(
        "im_receive_msg_eu",
        _MESSAGING,
        "a user in the EEA, Switzerland or the United Kingdom sent the business a message",
        "message from Europe to {to}, without its text",
        (_TO, _TO_USER, _MILLISECONDS),
        f'"to":"example.shop",{_BUSINESS},{_WHEN}',
        Fact(
            "It names neither sender nor conversation and has no text: ask the API for them.",
            "documented",
            _MESSAGES,
        ),
    ),
    _event(
        "im_send_msg",
        _MESSAGING,
        "the business sent a message, through the API, the app or the web",
        "{type} message to {to}",
        _MESSAGE,
        '"from":"example.shop","to":"example.user","unique_identifier":"user-0001",'
        '"from_user":{"id":"-000ExampleBusiness","role":"business_account"},'
        '"to_user":{"id":"user-0001","role":"personal_account"},'
        f'{_TALK},{_TEXT},"text":{{"body":"Hello"}},"message_tag":{{"source":"API"}}',
        Fact("It repeats your own messages too: do not answer it.", "documented", _MESSAGES),
    ),
    _event(
        "im_mark_read_msg",
        _MESSAGING,
        "a user read the messages of the business",
        "read by {from}",
        (
            *_HEAD,
            _CONVERSATION,
            _MILLISECONDS,
            Field("read", "object", "`last_read_timestamp`, in milliseconds"),
        ),
        f'{_INCOMING},{_TALK},{_WHEN},"read":{{"last_read_timestamp":1756684800000}}',
    ),
    _event(
        "im_referral_msg",
        _MESSAGING,
        "a user came into the conversation through an ad or a tiktok.me link",
        "{from} came through an ad or a link",
        (
            *_HEAD,
            _CONVERSATION,
            _MILLISECONDS,
            _FOLLOWER,
            Field("referral", "object", "`source` ad or short_link, and a key of that name"),
        ),
        f'{_INCOMING},{_TALK},{_WHEN},"is_follower":false,'
        '"referral":{"source":"short_link","short_link":{"ref":"campaign-1"}}',
    ),
    _event(
        "im_auto_message_config_update",
        _MESSAGING,
        "an automatic message was created, changed, deleted or switched on or off",
        "automatic message {auto_message_id}: {auto_message_action}",
        (
            _AUTOMATIC_ID,
            _AUTOMATIC,
            Field(
                "auto_message_action",
                "string",
                "what was done",
                documented(
                    {
                        "CREATE": "created",
                        "UPDATE": "changed; never for a welcome message",
                        "DELETE": "deleted",
                        "ENABLE": "switched on",
                        "DISABLE": "switched off",
                    }
                ),
            ),
            _MILLISECONDS,
            Field("welcome_message", "object", "`content`", optional=True),
            Field("suggested_question", "object", "`question` and `answer`", optional=True),
            Field("chat_prompt", "object", "`title` and `content`", optional=True),
        ),
        '"auto_message_id":"auto-0001","auto_message_type":"WELCOME_MESSAGE",'
        f'"auto_message_action":"CREATE",{_WHEN},"welcome_message":{{"content":"Hi there"}}',
    ),
    _event(
        "im_auto_message_audit_update",
        _MESSAGING,
        "an automatic message was approved or rejected",
        "automatic message {auto_message_id}: {audit_status}",
        (
            _AUTOMATIC_ID,
            _AUTOMATIC,
            Field(
                "audit_status",
                "string",
                "the result",
                documented({"APPROVED": "approved", "REJECTED": "rejected"}),
            ),
            _MILLISECONDS,
        ),
        '"auto_message_id":"auto-0001","auto_message_type":"WELCOME_MESSAGE",'
        f'"audit_status":"APPROVED",{_WHEN}',
    ),
    _event(
        "im_receive_high_intent_comment",
        _MESSAGING,
        "a user who may want to buy commented on a video of the business",
        "comment {comment_id} from {from}",
        (
            *_HEAD,
            Field("comment_id", "string", "the comment"),
            Field("comment_text", "string", "its text"),
            _FOLLOWER,
            _MILLISECONDS,
        ),
        f'{_INCOMING},"comment_id":"7545201234567890123","comment_text":"How much is it?",'
        f'"is_follower":true,{_WHEN}',
    ),
    _event(
        "comment.update",
        "TikTok Business, comments",
        "a comment on a post of the account was made, deleted, hidden or shown again",
        "{comment_type} {comment_id}: {comment_action}",
        (
            Field("comment_id", "integer", "the comment", also=("string",)),
            Field("video_id", "integer", "the post", also=("string",)),
            Field(
                "parent_comment_id",
                "integer",
                "the comment that a reply answers",
                optional=True,
                also=("string",),
            ),
            Field(
                "comment_type",
                "string",
                "which of the two",
                documented({"comment": "a comment on the post", "reply": "a reply to a comment"}),
            ),
            Field(
                "comment_action",
                "string",
                "what happened to it",
                documented(
                    {
                        "insert": "made",
                        "delete": "deleted",
                        "set_to_hidden": "hidden",
                        "set_to_friends_only": "shown to friends only",
                        "set_to_public": "shown to everybody again",
                    }
                ),
            ),
            _PERSON,
            _MILLISECONDS,
        ),
        '"comment_id":7545201234567890123,"video_id":7545201234567890124,"comment_type":"comment",'
        f'"comment_action":"insert","unique_identifier":"user-0001",{_WHEN}',
        _exact("comment_id", "video_id", "parent_comment_id"),
        Fact("The comment's text is not in it: ask the API.", "documented", _ACCOUNTS),
        url=_ACCOUNTS,
    ),
    _event(
        "brand.mention.event",
        "TikTok Business, mentions",
        "a user mentioned the business in a video or a comment, two to three hours ago",
        "{unique_name_of_mentioned_user} was mentioned in {video_id}",
        (
            Field(
                "type_of_event",
                "string",
                "what happened",
                documented(
                    {
                        "CREATE": "mentioned",
                        "EDIT": "edited",
                        "PRIVACY_CHANGE": "shown to others than before",
                    }
                ),
            ),
            Field(
                "mention_type",
                "string",
                "where",
                {
                    **documented({"VIDEO_MENTION": "in a video's text", "COMMENT": "in a comment"}),
                    "VIDEO MENTION": Value("in a video's text, as TikTok's sample writes it"),
                },
            ),
            Field("video_id", "string", "the video"),
            Field("video_create_time", "integer", "when it was made, in Unix seconds"),
            Field("open_id_of_mentioned_user", "string", "the business"),
            Field("unique_name_of_mentioned_user", "string", "its user name"),
            Field("unique_identifier", "string", "who wrote it, the same in all APIs"),
            Field("share_url", "string", "the video's address"),
            Field("video_caption", "string", "the video's text"),
            Field("comment_id", "string", "the comment; 0 for a mention in a video"),
        ),
        '"type_of_event":"CREATE","mention_type":"VIDEO_MENTION","video_id":"7545201234567890123",'
        '"video_create_time":1756680000,"open_id_of_mentioned_user":"-000ExampleBusiness",'
        '"unique_name_of_mentioned_user":"example.shop","unique_identifier":"user-0001",'
        '"share_url":"https://www.tiktok.com/@example/video/7545201234567890123",'
        '"video_caption":"Look at @example.shop","comment_id":"0"',
        url=_ACCOUNTS,
    ),
)
