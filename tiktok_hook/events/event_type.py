"""The records of the catalogue: an event type, its fields, their values, and how sure each is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tiktok_hook.exact_json import dumps

Confidence = Literal["documented", "seen", "inferred"]
"""``documented`` by TikTok; ``seen`` in a published capture or in public code that handles real
deliveries; ``inferred``, a conclusion of ours."""

JsonType = Literal["string", "integer", "boolean", "object", "array"]

UserForm = Literal["open id", "digits", "empty", "absent"]
"""What TikTok puts into ``user_openid``; ``digits`` is a number of 19 digits as text."""


@dataclass(frozen=True, slots=True)
class Value:
    """What one value of a field means.

    Args:
        meaning: In words.
        mark: How sure it is that TikTok sends this value.
        source: Where it was read; empty for the source of the event.
    """

    meaning: str
    mark: Confidence = "documented"
    source: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One key of an event's ``content``.

    Args:
        name: The key.
        type: What it is in JSON.
        meaning: What it is for.
        values: Known values, as text; a key ending in ``~`` stands for all that begin with it.
            Values that are not listed may come all the same.
        optional: Whether it may be missing.
        also: Types that were seen as well, or that TikTok uses for it in another place.
        mark: How sure the key is; None for the mark of the content in all.
        source: Where it was read; empty for the source of the event.
    """

    name: str
    type: JsonType
    meaning: str
    values: Mapping[str, Value] = field(default_factory=dict)
    optional: bool = False
    also: tuple[JsonType, ...] = ()
    mark: Confidence | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement about what TikTok sends.

    Args:
        text: A sentence or two, in Markdown.
        mark: How sure it is.
        source: Where it was read, a URL; empty where nothing is published.
    """

    text: str
    mark: Confidence
    source: str = ""


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
        user: What it has in ``user_openid``.
        milliseconds: Whether ``create_time`` counts milliseconds in place of seconds.
        business: Whether it belongs to TikTok Business, which is registered by its own API and
            signs with the secret of its own app.
        quirks: What surprises in it.
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
    user: UserForm = "open id"
    milliseconds: bool = False
    business: bool = False
    quirks: tuple[Fact, ...] = ()


def body_of(
    event: str,
    content: str,
    *,
    client_key: str = "awexampleclient1",
    create_time: int = 1756684800,
    user_openid: str | None = "-000ExampleOpenIdExampleOpenIdExampl",
) -> str:
    """The body of a sample, compact and with its keys in the order of real deliveries.

    Args:
        event: The event's name.
        content: JSON, as the text that is put into the string.
        client_key: The app's key.
        create_time: When it happened.
        user_openid: Whom it concerns; None leaves the key out.
    """
    user = {} if user_openid is None else {"user_openid": user_openid}
    head = {"client_key": client_key, "event": event, "create_time": create_time}
    return dumps({**head, **user, "content": content})


def documented(meanings: Mapping[str, str]) -> dict[str, Value]:
    """Values that TikTok documents, by their text."""
    return {text: Value(meaning) for text, meaning in meanings.items()}
