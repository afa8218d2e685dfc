"""Where a delivery differs from what the catalogue knows: new, missing or of another type."""

from collections.abc import Iterator
from dataclasses import dataclass

from tiktok_hook.events.catalogue import nearest
from tiktok_hook.events.envelope import Event, content_problem, value_of
from tiktok_hook.events.event_type import EventType, Field, JsonType
from tiktok_hook.exact_json import Json
from tiktok_hook.sanitize import visible

MAX_DIFFERENCES = 50
"""How many are reported at most: a stranger's body may have any number of keys."""

_MAX_SHOWN = 60
_MILLISECONDS_FROM = 10**11


@dataclass(frozen=True, slots=True)
class Difference:
    """One point in which a delivery differs.

    Args:
        path: The key, ``content.…`` for one of the content's; harmless to print.
        words: What is different, without a full stop; harmless to print.
    """

    path: str
    words: str


def differences(event: Event) -> list[Difference]:
    """Compare an event with what is known of its type, at most `MAX_DIFFERENCES` points.

    Nothing here is an error: TikTok may add keys, values and events at any time.

    Returns:
        Nothing for an event that is as the catalogue describes it.
    """
    found = []
    for each in _all(event):
        found.append(each)
        if len(found) == MAX_DIFFERENCES:
            break
    return found


def _all(event: Event) -> Iterator[Difference]:
    kind = event.kind
    if kind is None:
        near = nearest(event.name)
        words = "not in the catalogue" + (f"; similar: {', '.join(near)}" if near else "")
        yield Difference("event", words)
    elif event.name != kind.name:
        yield Difference("event", f"TikTok for Developers spells it {kind.name}")
    yield from _envelope(event, kind)
    if kind is not None:
        yield from _content(event, kind)


_ENVELOPE = ("client_key", "event", "create_time", "user_openid", "content")


def _envelope(event: Event, kind: EventType | None) -> Iterator[Difference]:
    envelope = event.envelope
    for name in _ENVELOPE:
        if name not in envelope and not (name == "user_openid" and _may_lack_user(kind)):
            yield Difference(name, "missing")
    for name in envelope:
        if name not in _ENVELOPE:
            yield Difference(_shown(name), f"a new key, {_type_of(envelope[name])}")
    if "client_key" in envelope and not isinstance(envelope["client_key"], str):
        yield Difference("client_key", _other_type(envelope["client_key"], "string"))
    if "user_openid" in envelope:
        yield from _user(envelope["user_openid"], kind)
    if "create_time" in envelope:
        yield from _create_time(envelope["create_time"], kind)
    if "content" in envelope and event.content_text is None:
        yield Difference(
            "content", f"{_type_of(envelope['content'])} in place of JSON inside a string"
        )


def _may_lack_user(kind: EventType | None) -> bool:
    return kind is None or kind.user == "absent"


def _user(value: Json, kind: EventType | None) -> Iterator[Difference]:
    if not isinstance(value, str):
        yield Difference("user_openid", _other_type(value, "string"))
    elif kind is None:
        return
    elif kind.user == "absent":
        yield Difference("user_openid", "there, although the documented payload has none")
    elif kind.user == "empty" and value:
        yield Difference("user_openid", "not empty, as it is in TikTok's samples")
    elif kind.user == "digits" and not value.isdecimal():
        yield Difference("user_openid", "not the digits of the captured test events")
    elif kind.user == "open id" and not value:
        yield Difference("user_openid", "empty")


def _create_time(value: Json, kind: EventType | None) -> Iterator[Difference]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield Difference("create_time", _other_type(value, "integer"))
    elif (value >= _MILLISECONDS_FROM) != (kind is not None and kind.milliseconds):
        unit = "milliseconds" if value >= _MILLISECONDS_FROM else "seconds"
        other = "seconds" if unit == "milliseconds" else "milliseconds"
        yield Difference("create_time", f"in {unit}, known in {other}")


def _content(event: Event, kind: EventType) -> Iterator[Difference]:
    content = event.content
    if not isinstance(content, dict):
        if problem := content_problem(event):
            yield Difference("content", problem)
        return
    known = {field.name: field for field in kind.fields}
    for name, field in known.items():
        if name in content:
            yield from _field(f"content.{name}", content[name], field)
        elif not field.optional:
            yield Difference(f"content.{name}", "missing")
    for name, value in content.items():
        if name not in known:
            yield Difference(f"content.{_shown(name)}", f"a new key, {_type_of(value)}")


def _field(path: str, value: Json, field: Field) -> Iterator[Difference]:
    if not _is(value, field.type) and not any(_is(value, each) for each in field.also):
        yield Difference(path, _other_type(value, field.type))
    elif field.values and not isinstance(value, dict | list):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if value_of(field, text) is None:
            yield Difference(path, f"a new value, {_shown(text)}")


def _is(value: Json, name: JsonType) -> bool:
    return _type_of(value).endswith(f" {name}")


def _type_of(value: Json) -> str:
    """A value's type with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "an object"
    return "an array" if isinstance(value, list) else "a number"


def _other_type(value: Json, known: JsonType) -> str:
    article = "an" if known[0] in "aio" else "a"
    return f"{_type_of(value)}, known as {article} {known}"


def _shown(text: str) -> str:
    return visible(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…")
