"""TikTok's envelope read: five keys, the fifth of them JSON inside a string."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar, cast

from tiktok_hook import client_keys
from tiktok_hook.events.catalogue import kind_of, nearest
from tiktok_hook.events.event_type import EventType, Field, Value
from tiktok_hook.exact_json import ExactFloat, Json, loads, why_not
from tiktok_hook.sanitize import visible

Content = TypeVar("Content")

_LONGEST_VALUE = 72
"""Characters of one value in a summary; a publish_id has at most 64."""

_MILLISECONDS_FROM = 10**11
"""As seconds this is the year 5138; TikTok's own test event counts milliseconds."""


@dataclass(frozen=True, slots=True)
class Event:
    """What TikTok meant by a delivery: its envelope, parsed.

    Args:
        client_key: The app's client key; a number (as TikTok Business sends) as its exact text.
        name: The ``event`` key.
        create_time: As sent: seconds, but milliseconds in ``tiktok.ping``; None when there is no
            whole number of at most 64 bits.
        user_openid: Who; None when missing, empty when it came empty, a number as its exact text.
        content: Decoded when it is a string that holds a JSON object or list, otherwise as it came.
        envelope: Every key as received and in its order, with ``content`` decoded as above.
        content_text: The original text of ``content``; None when it came as no string.
    """

    client_key: str | None
    name: str
    create_time: int | None
    user_openid: str | None
    content: Json
    envelope: Mapping[str, Json]
    content_text: str | None

    @property
    def kind(self) -> EventType | None:
        """What is known about this event; None when TikTok documents none of this name."""
        return kind_of(self.name)

    @property
    def known(self) -> bool:
        """Whether the catalogue has this event."""
        return kind_of(self.name) is not None

    @property
    def publish_id(self) -> str | None:
        """The publishing action of a ``post.publish.*`` event."""
        return _text(self._of_content("publish_id"))

    @property
    def post_id(self) -> str | None:
        """The post, as its exact text whether it came as string, number or list of one."""
        value = self._of_content("post_id")
        return _text(value[0] if isinstance(value, list) and value else value)

    @property
    def created_at(self) -> float | None:
        """`create_time` in Unix seconds; None when it is missing or no date a calendar has."""
        if self.create_time is None:
            return None
        seconds = self.create_time / (1000 if self.create_time >= _MILLISECONDS_FROM else 1)
        return seconds if 0 <= seconds < 253_402_300_800 else None

    def content_as(self, record: type[Content]) -> Content | None:
        """`content` as a typed record of ``tiktok_hook.events.contents``.

        Args:
            record: Such as ``contents.PostPublishFailedContent``.

        Returns:
            The same object, values as TikTok sent them; None when this is another event, or its
            content is not an object.

        Raises:
            TypeError: `record` is not one of these.
        """
        from tiktok_hook.events.contents import CONTENTS

        if not any(record is each for each in CONTENTS.values()):
            name = getattr(record, "__name__", repr(record))
            raise TypeError(
                f"{name} is not a record of tiktok_hook.events.contents, such as "
                "contents.PostPublishFailedContent"
            )

        kind = self.kind
        if kind is None or CONTENTS.get(kind.name) is not record:
            return None
        return cast("Content", self.content) if isinstance(self.content, dict) else None

    def _of_content(self, key: str) -> Json:
        return self.content.get(key) if isinstance(self.content, dict) else None


def parse(body: bytes) -> Event | None:
    """Read a body as TikTok's envelope.

    Args:
        body: Anything, as received.

    Returns:
        The event; None when it is not a JSON object in UTF-8 with a string ``event``. Unknown
        events and unknown keys are welcome. Never raises.
    """
    try:
        envelope = loads(body)
    except ValueError:
        return None
    if not isinstance(envelope, dict):
        return None
    name = envelope.get("event")
    if not isinstance(name, str):
        return None
    content = envelope.get("content")
    content_text = None
    if isinstance(content, str):
        content_text = content
        content = _decoded(content)
        envelope["content"] = content
    return Event(
        client_key=_text(envelope.get("client_key")),
        name=name,
        create_time=_int64(envelope.get("create_time")),
        user_openid=_text(envelope.get("user_openid")),
        content=content,
        envelope=envelope,
        content_text=content_text,
    )


_UNKNOWN = "not an event that TikTok documents"


def summary(event: Event) -> str:
    """The event in one line of words, safe to print: ``video_pull_failed for v_pub_url~…``."""
    kind = event.kind
    if kind is None:
        near = nearest(event.name)
        return _UNKNOWN + (f"; {near[0]} is" if near else "")
    if kind.fields and (problem := content_problem(event)):
        return f"its content is {problem}"
    words = _Words(event)
    if kind.name == "authorization.removed":
        return _removed(event, words)
    text = kind.words.format_map(words)
    if kind.name == "post.publish.complete" and words["publish_type"] == "INBOX_SHARE":
        text = f"user posted {words['publish_id']} from the inbox"
    if event._of_content("is_sandbox") is True:  # noqa: SLF001 - its own module
        text += " (sandbox)"
    return text


def content_problem(event: Event) -> str:
    """Why `content` was not decoded into an object; empty if it was, or did not come as text."""
    text = event.content_text
    if text is None or isinstance(event.content, dict):
        return ""
    try:
        loads(text)
    except ValueError as error:
        return why_not(error)
    return "not a JSON object"


def meaning(event: Event, path: str) -> str | None:
    """Words for a value of an event.

    Args:
        event: The event.
        path: ``create_time``, ``client_key``, ``content.reason`` and so on.

    Returns:
        For instance ``user disconnected in TikTok``; None when the value speaks for itself.
    """
    if path.startswith("content."):
        return _meaning_in_content(event, path.removeprefix("content."))
    if path == "event":
        return None if event.kind is None else event.kind.meaning
    if path == "client_key":
        return _environment(event.client_key)
    if path == "create_time":
        return _time(event)
    if path == "user_openid" and event.user_openid == "":
        return "empty, as TikTok Minis send it"
    return None


class _Words:
    """Values of an event's content for a summary, looked up when a template asks."""

    __slots__ = ("_event",)

    def __init__(self, event: Event) -> None:
        self._event = event

    def __getitem__(self, key: str) -> str:
        value = self._event.post_id if key == "post_id" else None
        value = value or _text(self._event._of_content(key))  # noqa: SLF001 - its own module
        if not value:
            return f"(no {key})"
        return visible(value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…")


_REMOVED_WORDS = {
    "1": "user disconnected the app",
    "2": "user deleted the TikTok account",
    "4": "user's TikTok account was banned",
    "5": "you revoked the user's authorization",
}


def _removed(event: Event, words: _Words) -> str:
    reason = words["reason"]
    known = _meaning_in_content(event, "reason")
    return _REMOVED_WORDS.get(reason) or f"authorization removed: {known or f'reason {reason}'}"


def _meaning_in_content(event: Event, key: str) -> str | None:
    value = event._of_content(key)  # noqa: SLF001 - its own module
    if event.kind is None or value is None:
        return None
    text = str(value).lower() if isinstance(value, bool) else _text(value)
    for known in event.kind.fields:
        if known.name == key and text is not None:
            return _words_for(value_of(known, text))
    return None


def _words_for(value: Value | None) -> str | None:
    if value is None:
        return None
    return value.meaning + (" (unsure: not documented)" if value.mark == "inferred" else "")


def value_of(field: Field, text: str) -> Value | None:
    """What is known about a value of a field, given as its text; None for an unlisted one."""
    return field.values.get(text) or field.values.get(text.partition("~")[0] + "~")


def _environment(client_key: str | None) -> str | None:
    if client_key is None:
        return None
    match client_keys.environment(client_key):
        case "sandbox":
            return "key of a sandbox"
        case "production":
            return "key of a production app"
        case "business":
            return "key of a TikTok Business app"
    return None


def _time(event: Event) -> str | None:
    if event.created_at is None:
        return None
    moment = datetime.fromtimestamp(event.created_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    in_seconds = event.created_at == event.create_time
    return moment if in_seconds else f"{moment}, in milliseconds"


def _decoded(content: str) -> Json:
    # A lone number or word inside the string is text, not wrapped JSON.
    if content.lstrip(" \t\r\n")[:1] not in {"{", "["}:
        return content
    try:
        return loads(content)
    except ValueError:
        return content


def _text(value: Json) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, int | ExactFloat) and not isinstance(value, bool):
        return repr(value)
    return None


def _int64(value: Json) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -(2**63) <= value < 2**63 else None
