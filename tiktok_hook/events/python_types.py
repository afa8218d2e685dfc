"""Python types of the events' ``content``, from the catalogue; `contents` is what it makes."""

import keyword
import re
import textwrap
from collections.abc import Iterable

from tiktok_hook.events.catalogue import CATALOGUE
from tiktok_hook.events.event_type import EventType, Field, JsonType

_TYPES: dict[JsonType, str] = {
    "string": "str",
    "integer": "int",
    "boolean": "bool",
    "object": "dict[str, Json]",
    "array": "list[Json]",
}

_HEAD = '''\
"""The ``content`` of each known event as a typed record.

Made from the catalogue: ``python -m tiktok_hook.events.python_types > FILE`` writes it again. The
types are what TikTok documents or was seen to send; nothing checks that a delivery keeps to them.
"""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from tiktok_hook.exact_json import Json
'''


def module(kinds: Iterable[EventType] = CATALOGUE.values()) -> str:
    """The source of a module with a `TypedDict` for each event."""
    chosen = list(kinds)
    classes = "".join(f"\n\n{_content(kind)}" for kind in chosen)
    rows = "".join(f'    "{kind.name}": {name_of(kind)},\n' for kind in chosen)
    end = f"\n\nCONTENTS: Mapping[str, type] = {{\n{rows}}}\n"
    return (
        f'{_HEAD}{classes}{end}"""The record of each event\'s content, by the event\'s name."""\n'
    )


def name_of(kind: EventType) -> str:
    """The name of the record: ``PostPublishFailedContent``."""
    parts = re.split(r"[._]", kind.name)
    return "".join(part[:1].upper() + part[1:] for part in parts) + "Content"


def _content(kind: EventType) -> str:
    if any(keyword.iskeyword(field.name) for field in kind.fields):
        rows = "".join(f'        "{each.name}": {_type(each)},\n' for each in kind.fields)
        name = name_of(kind)
        made = f'{name} = TypedDict(\n    "{name}",\n    {{\n{rows}    }},\n)\n'
        return f'{made}"""Content of `{kind.name}`."""\n'
    lines = [f"class {name_of(kind)}(TypedDict):", f'    """Content of `{kind.name}`."""', ""]
    for field in kind.fields:
        lines.append(f"    {field.name}: {_type(field)}")
        lines.append(_docstring(f"{field.meaning[:1].upper()}{field.meaning[1:]}."))
    return "\n".join(lines).rstrip() + "\n"


def _type(field: Field) -> str:
    types = " | ".join(_TYPES[each] for each in (field.type, *field.also))
    return f"NotRequired[{types}]" if field.optional else types


def _docstring(text: str) -> str:
    quoted = f'"""{text}"""'
    return textwrap.fill(quoted, 100, initial_indent="    ", subsequent_indent="    ")
