"""JSON Schemas of the events, from the catalogue: 2020-12, nothing of them is fetched."""

from collections.abc import Iterable, Mapping
from typing import Any

from tiktok_hook.events.catalogue import CATALOGUE
from tiktok_hook.events.event_type import EventType, Field, Value
from tiktok_hook.events.facts import ENVELOPE
from tiktok_hook.exact_json import loads

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

CONFIDENCE = "x-confidence"
"""Extension keyword: documented, seen or inferred."""

SOURCE = "x-source"
"""Extension keyword: the URL where a fact was read."""


def document(kinds: Iterable[EventType] = CATALOGUE.values()) -> Schema:
    """One schema for several events, with a definition for each body and each content.

    A validator judges a body by the document itself. ``content`` is a string in a body, so its
    decoded value is judged by the definition ``EVENT.content``.
    """
    chosen = list(kinds)
    return {
        "$schema": DIALECT,
        "title": "TikTok webhooks",
        "description": "Bodies that TikTok POSTs to a Callback URL. Unknown keys and values are "
        "valid: TikTok may add some at any time.",
        "oneOf": [{"$ref": f"#/$defs/{kind.name}"} for kind in chosen],
        "$defs": definitions(chosen, at="#/$defs/"),
    }


def definitions(kinds: Iterable[EventType], *, at: str) -> dict[str, Schema]:
    """The schemas of bodies and contents, by name.

    Args:
        kinds: The events.
        at: Where the definitions are put, as a reference begins: ``#/$defs/``.
    """
    found: dict[str, Schema] = {}
    for kind in kinds:
        found[kind.name] = body_schema(kind, at=at)
        found[f"{kind.name}.content"] = content_schema(kind)
    return found


def body_schema(kind: EventType, *, at: str) -> Schema:
    """The schema of a whole body, as TikTok sends it."""
    properties = {field.name: _field(field) for field in ENVELOPE}
    properties["event"] = {"const": kind.name, "description": kind.meaning}
    properties["create_time"]["description"] = "when the event happened, in Unix " + (
        "milliseconds" if kind.milliseconds else "seconds"
    )
    properties["user_openid"]["description"] += {
        "open id": "",
        "digits": "; 19 digits in this event",
        "empty": "; empty in this event",
        "absent": "; absent from this event",
    }[kind.user]
    properties["content"] |= {
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": f"{at}{kind.name}.content"},
    }
    required = [field.name for field in ENVELOPE if field.name != "user_openid"]
    if kind.user != "absent":
        required.insert(3, "user_openid")
    return {
        "title": kind.name,
        "description": "\n\n".join([kind.meaning, *(fact.text for fact in kind.quirks)]),
        "type": "object",
        "properties": properties,
        "required": required,
        "examples": [loads(kind.sample)],
        CONFIDENCE: kind.mark,
        SOURCE: kind.url,
    }


def content_schema(kind: EventType) -> Schema:
    """The schema of the decoded ``content``."""
    return {
        "title": f"content of {kind.name}",
        "type": "object",
        "properties": {field.name: _field(field, mark=kind.content_mark) for field in kind.fields},
        "required": [field.name for field in kind.fields if not field.optional],
        CONFIDENCE: kind.content_mark,
        SOURCE: kind.url,
    }


def _field(field: Field, *, mark: str = "documented") -> Schema:
    schema: Schema = {"description": field.meaning}
    if field.values and field.type != "boolean":
        schema["anyOf"] = [
            *(_value(field, text, value) for text, value in field.values.items()),
            {"type": _types(field), "description": "a value that is not known yet"},
        ]
    else:
        schema["type"] = _types(field)
    schema[CONFIDENCE] = field.mark or mark
    if field.source:
        schema[SOURCE] = field.source
    return schema


def _value(field: Field, text: str, value: Value) -> Schema:
    schema: Schema
    if text.endswith("~"):
        schema = {"type": "string", "pattern": f"^{text}"}
    else:
        schema = {"const": int(text) if field.type == "integer" else text}
    schema |= {"description": value.meaning, CONFIDENCE: value.mark}
    return schema | ({SOURCE: value.source} if value.source else {})


def _types(field: Field) -> str | list[str]:
    return [field.type, *field.also] if field.also else field.type


def examples(kind: EventType) -> Mapping[str, Any]:
    """A sample body and its decoded content."""
    body = loads(kind.sample)
    assert isinstance(body, dict)
    assert isinstance(body["content"], str)
    return {"body": body, "content": loads(body["content"])}
