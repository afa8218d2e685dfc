"""TypeScript types of the events, from the catalogue."""

import json
import re
from collections.abc import Iterable

from tiktok_hook.events.catalogue import CATALOGUE
from tiktok_hook.events.event_type import EventType, Field, JsonType
from tiktok_hook.events.facts import ENVELOPE

_TYPES: dict[JsonType, str] = {
    "string": "string",
    "integer": "number | bigint",
    "boolean": "boolean",
    "object": "Record<string, unknown>",
    "array": "unknown[]",
}

_HEAD = """\
// What is known of the events that TikTok POSTs to a Callback URL. Made by: tiktok-hook types
//
// `content` is JSON inside a string: JSON.parse(body.content) as ContentOf<typeof body.event>.
// Integers may have 19 digits: JSON.parse rounds those beyond Number.MAX_SAFE_INTEGER, so take
// them from the text with a parser that yields bigint. New keys and values may come at any time.
"""


def module(kinds: Iterable[EventType] = CATALOGUE.values()) -> str:
    """A module of types: a body and a content for each event, and the unions of all."""
    chosen = list(kinds)
    parts = [_HEAD, _envelope()]
    for kind in chosen:
        parts += [_content(kind), _body(kind)]
    bodies = "".join(f"\n  | {_name(kind)}" for kind in chosen)
    contents = "".join(f"  {json.dumps(kind.name)}: {_name(kind)}Content;\n" for kind in chosen)
    parts.append(f"export type TikTokWebhook ={bodies};\n")
    parts.append(f"export interface ContentByEvent {{\n{contents}}}\n")
    parts.append("export type ContentOf<E extends keyof ContentByEvent> = ContentByEvent[E];\n")
    return "\n".join(parts)


def _name(kind: EventType) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[._]", kind.name))


def _envelope() -> str:
    lines = "".join(_property(field, "documented") for field in ENVELOPE)
    return f"interface Envelope {{\n{lines}}}\n"


def _content(kind: EventType) -> str:
    lines = "".join(_property(field, kind.content_mark) for field in kind.fields)
    return (
        f"/** Content of `{kind.name}` ({kind.content_mark}). */\n"
        f"export interface {_name(kind)}Content {{\n{lines}  [key: string]: unknown;\n}}\n"
    )


def _body(kind: EventType) -> str:
    user = "" if kind.user == "absent" else "  user_openid: string;\n"
    return (
        f"{_comment(f'{kind.meaning} ({kind.product}, {kind.mark}). {kind.url}', '')}"
        f"export interface {_name(kind)} extends Envelope {{\n"
        f"  event: {json.dumps(kind.name)};\n{user}}}\n"
    )


def _property(field: Field, mark: str) -> str:
    if field.name == "create_time":
        kind = "number"
    elif field.values and field.type == "string":
        kind = " | ".join([*(_literal(text) for text in field.values), "(string & {})"])
        kind += "".join(f" | {_TYPES[each]}" for each in field.also)
    else:
        kind = " | ".join(_TYPES[each] for each in (field.type, *field.also))
    optional = "?" if field.optional else ""
    comment = _comment(f"{field.meaning} ({field.mark or mark})", "  ")
    return f"{comment}  {field.name}{optional}: {kind};\n"


def _literal(text: str) -> str:
    return f"`{text}${{string}}`" if text.endswith("~") else json.dumps(text)


def _comment(text: str, indent: str) -> str:
    return f"{indent}/** {text.replace('*/', '* /')} */\n"
