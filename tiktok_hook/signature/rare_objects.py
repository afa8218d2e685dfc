"""Rare parts of a wrong signature: the parsed body, written or printed in another way.

As JSON by other libraries, as form fields, or as programming languages print an object.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, urlencode

from tiktok_hook.signature import parts
from tiktok_hook.signature.parts import RAW, SIGNED_TEXT, Part

Order = Callable[[dict[str, Any]], dict[str, Any]]
Writer = Callable[[Any], bytes]
Made = tuple[Part, Callable[[], bytes]]
"""A part and what makes the signed bytes; it may raise ValueError where it does not apply."""


class _Writers(NamedTuple):
    """Writers of JSON: layouts, escapes, and what is done to the text after it."""

    every: tuple[Writer, ...]
    few: tuple[Writer, ...]


_NUMBERS = Part(
    "json-numbers",
    "over the body re-serialised with its numbers as floating point or as text",
    f"A parser without types reads every number as a double. {RAW}",
)
_FIELD_LOST = Part(
    "json-field-lost",
    "over the body re-serialised without one of its fields",
    f"A model with fixed fields drops or hides the others. {RAW}",
)
FORM = Part("form-encoded", "over the body's fields as name=value pairs", RAW)
_JOINED = Part("values-joined", "over the values of the body's fields, joined", SIGNED_TEXT)


def compact(value: Any) -> bytes:
    """JSON without blanks, as JavaScript writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def objects(envelope: dict[str, Any], body: bytes) -> Iterator[Made]:
    """What a program signed that serialised or printed the parsed body.

    Args:
        envelope: The body as a JSON object; empty if it is none.
        body: As received.
    """
    if not envelope:
        return
    yield from _pairs(envelope)
    yield from _printed(envelope)
    can_indent = body.count(b"{") + body.count(b"[") <= parts.MAX_BRACKETS
    writers = _EVERY_WRITER if can_indent else _WITHOUT_INDENT
    for order, write in _orders(writers, _as_is, _by_name, few=(_by_java_hash, _reversed)):
        part = parts.REWRITTEN if order is _as_is else parts.SORTED
        yield part, partial(_ordered, write, order, envelope)
    inner = _parsed(envelope.get("content"))
    if inner is not None:
        yield from _of_content(envelope, inner, writers)
    yield from _with_numbers(envelope, body, writers)
    yield from _without_a_field(envelope)
    camel = {_camel(name): value for name, value in envelope.items()}
    yield parts.REWRITTEN, lambda: compact(camel)


def _of_content(
    envelope: dict[str, Any], inner: dict[str, Any], writers: _Writers
) -> Iterator[Made]:
    decoded = {**envelope, "content": inner}
    for write in writers.few:
        yield parts.CONTENT_ALONE, partial(write, inner)
    for order, write in _orders(writers, _as_is, few=(_by_name, _by_java_hash)):
        yield parts.CONTENT_DECODED, partial(_ordered, write, order, decoded)
    for text in ("", json.dumps(inner, sort_keys=True), json.dumps(envelope["content"])):
        yield parts.CONTENT_REWRITTEN, partial(compact, {**envelope, "content": text})
    encoded = base64.b64encode(envelope["content"].encode("utf-8", "replace")).decode()
    yield parts.CONTENT_REWRITTEN, partial(compact, {**envelope, "content": encoded})
    for write in writers.few[:4]:
        yield parts.CONTENT_REWRITTEN, partial(_with_content, envelope, write, inner)


def _with_numbers(envelope: dict[str, Any], body: bytes, writers: _Writers) -> Iterator[Made]:
    created = envelope.get("create_time")
    if not isinstance(created, int) or not 0 < created < 2**53:
        return
    for write in writers.few:
        for other in (float(created), str(created)):
            yield _NUMBERS, partial(write, {**envelope, "create_time": other})
        yield _NUMBERS, partial(_with_double, write, envelope, created)
    for double in (_java_double(created), f"{created:e}".encode()):
        yield _NUMBERS, partial(body.replace, str(created).encode(), double, 1)


def _without_a_field(envelope: dict[str, Any]) -> Iterator[Made]:
    for name in envelope:
        rest = {key: value for key, value in envelope.items() if key != name}
        for other in (rest, {**envelope, name: None}):
            for write in _WITHOUT_INDENT.few[::2]:
                yield _FIELD_LOST, partial(write, other)


def _ordered(write: Writer, order: Order, value: dict[str, Any]) -> bytes:
    return write(order(value))


def _with_content(envelope: dict[str, Any], write: Writer, inner: dict[str, Any]) -> bytes:
    return compact({**envelope, "content": write(inner).decode()})


def _with_double(write: Writer, envelope: dict[str, Any], created: int) -> bytes:
    return write(envelope).replace(str(created).encode(), _java_double(created), 1)


def _parsed(content: object) -> dict[str, Any] | None:
    try:
        found = json.loads(content) if isinstance(content, str) else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found else None


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _java_double(number: int) -> bytes:
    """As Java prints a double, which is what Gson makes of a number in a map."""
    digits = str(number).rstrip("0")
    if len(str(number)) <= 7:
        return f"{number}.0".encode()
    return f"{digits[0]}.{digits[1:] or '0'}E{len(str(number)) - 1}".encode()


def _orders(
    writers: _Writers, *every: Order, few: tuple[Order, ...]
) -> Iterator[tuple[Order, Writer]]:
    """Orders of the keys with all writers, or with a few of them."""
    yield from product(every, writers.every)
    yield from product(few, writers.few)


def _as_is(value: dict[str, Any]) -> dict[str, Any]:
    return value


def _by_name(value: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _by_name(each) if isinstance(each, dict) else each
        for key, each in sorted(value.items())
    }


def _reversed(value: dict[str, Any]) -> dict[str, Any]:
    return dict(reversed(value.items()))


def _by_java_hash(value: dict[str, Any]) -> dict[str, Any]:
    """In the order of a HashMap with 16 places, as org.json and Gson write it."""
    return dict(sorted(value.items(), key=lambda pair: _java_place(pair[0])))


def _java_place(text: str) -> int:
    found = 0
    for letter in text:
        found = (31 * found + ord(letter)) & 0xFFFFFFFF
    return (found ^ (found >> 16)) & 15


def _writer(
    *, indent: int | str | None = None, separators: tuple[str, str], ascii_only: bool, after: str
) -> Writer:
    encoder = json.JSONEncoder(indent=indent, separators=separators, ensure_ascii=ascii_only)

    def write(value: Any) -> bytes:
        text = encoder.encode(value)
        if "/" in after:
            text = text.replace("/", "\\/")
        if "<" in after:
            text = re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", text)
        if "\r" in after:
            text = text.replace("\n", "\r\n")
        return (f"{text}\n" if after.endswith("\n") else text).encode()

    return write


_LAYOUTS: tuple[tuple[int | str | None, tuple[str, str]], ...] = (
    (None, (",", ":")),
    (None, (", ", ": ")),
    (2, (",", ": ")),
    (4, (",", ": ")),
    ("\t", (",", ": ")),
    (2, (",", " : ")),
    (3, (",", " : ")),
    (1, (",", ": ")),
    (None, (",", ": ")),
    (None, (", ", ":")),
)
_HOW = (
    *(("", layout, ascii_only) for layout in _LAYOUTS for ascii_only in (False, True)),
    *(("/", _LAYOUTS[number], True) for number in (0, 1, 3)),
    ("/", _LAYOUTS[0], False),
    ("<", _LAYOUTS[0], False),
    ("<\n", _LAYOUTS[0], False),
    *(("\n", _LAYOUTS[number], False) for number in (0, 1, 2)),
    *(("\r", _LAYOUTS[2], ascii_only) for ascii_only in (False, True)),
)


def _writers(*, can_indent: bool) -> _Writers:
    return _Writers(
        *(
            tuple(
                _writer(indent=layout[0], separators=layout[1], ascii_only=ascii_only, after=after)
                for after, layout, ascii_only in how
                if can_indent or layout[0] is None
            )
            for how in (_HOW, _HOW[:6])
        )
    )


_EVERY_WRITER, _WITHOUT_INDENT = _writers(can_indent=True), _writers(can_indent=False)


def _pairs(envelope: dict[str, Any]) -> Iterator[Made]:
    text = {name: _shown(value) for name, value in envelope.items()}
    for names in (list(text), sorted(text)):
        for between, mark in (("&", "="), ("", ""), ("\n", "="), (",", "="), ("", "="), ("|", "=")):
            yield FORM, between.join(f"{name}{mark}{text[name]}" for name in names).encode
        for between in ("", ".", "|", ",", ":", "&", "\n", "-", " "):
            yield _JOINED, between.join(text[name] for name in names).encode
        fields = {name: text[name] for name in names}
        yield FORM, partial(_as_form, fields)
        yield FORM, partial(_as_form, fields, quote_via=quote)
        for safe in ("", "*"):
            yield FORM, partial(_as_php_form, fields, safe)
    for several in (("event", "create_time"), ("client_key", "event"), ("user_openid", "event"),
                    ("event", "content"), ("client_key", "create_time")):  # fmt: skip
        for between in ("", ".", ":", "|"):
            yield _JOINED, between.join(text.get(name, "") for name in several).encode


def _as_form(fields: dict[str, str], quote_via: Callable[..., str] = quote_plus) -> bytes:
    return urlencode(fields, quote_via=quote_via).encode()


def _as_php_form(fields: dict[str, str], safe: str) -> bytes:
    return with_tilde(urlencode(fields, safe=safe)).encode()


def with_tilde(text: str) -> str:
    """Percent-encoded text with the tilde encoded too, as Java and older libraries do it."""
    return text.replace("~", "%7E")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _printed(envelope: dict[str, Any]) -> Iterator[Made]:
    """The object as languages print it: Java, Go, Ruby, Elixir, PHP, JavaScript, Python."""
    pairs = [(name, _shown(value), value) for name, value in envelope.items()]
    java = [(name, _shown(value), value) for name, value in _by_java_hash(envelope).items()]

    def made(text: str) -> Made:
        return parts.PRINTED, lambda: text.encode("utf-8", "replace")

    doubles = [
        (name, _java_double(value).decode() if isinstance(value, int) else text, value)
        for name, text, value in pairs
    ]
    for each in (pairs, java, sorted(pairs), doubles):
        inner = ", ".join(f"{name}={text}" for name, text, _ in each)
        yield made(f"{{{inner}}}")
        yield made(f"[{inner}]")
        yield made(f"[{', '.join(text for _, text, _ in each)}]")
    yield made(",".join(f"{name},{text}" for name, text, _ in pairs))
    for each in (pairs, sorted(pairs)):
        yield made(f"map[{' '.join(f'{name}:{text}' for name, text, _ in each)}]")
        inner = ", ".join(f'"{name}" => {_quoted(value)}' for name, _, value in each)
        yield made(f"%{{{inner}}}")
        inner = ", ".join(f'"{name}": {_quoted(value)}' for name, _, value in each)
        yield made(f"[{inner}]")
    yield made(f"{{{', '.join(f':{name}=>{_quoted(value)}' for name, _, value in pairs)}}}")
    yield made(f"{{{', '.join(f'{name}: {_quoted(value)}' for name, _, value in pairs)}}}")
    yield made(f"{{{','.join(f'{name}:{text}' for name, text, _ in pairs)}}}")
    shown = [f"{name}: {_single(value)}" for name, _, value in pairs]
    yield made("{\n  " + ",\n  ".join(shown) + "\n}")
    yield made(f"{{ {', '.join(shown)} }}")
    rows = "".join(f"    [{name}] => {text}\n" for name, text, _ in pairs)
    for kind in ("Array", "stdClass Object"):
        yield made(f"{kind}\n(\n{rows})\n")
    rows = "".join(f'  ["{name}"]=>\n  {_dumped(value)}\n' for name, _, value in pairs)
    yield made(f"array({len(pairs)}) {{\n{rows}}}\n")
    rows = "".join(f"  '{name}' => {_single(value)},\n" for name, _, value in pairs)
    yield made(f"array (\n{rows})")
    fields = "".join(f"{_serialised(name)}{_serialised(value)}" for name, _, value in pairs)
    yield made(f"a:{len(pairs)}:{{{fields}}}")
    for values in (list(envelope.values()), list(envelope)):
        yield made(str(values))
        yield made(",".join(map(_shown, values)))
    yield made(f"dict_values({list(envelope.values())})")
    yield made(f"dict_keys({list(envelope)})")
    yield made(str(list(envelope.items())))
    yield made(f"dict_items({list(envelope.items())})")


def _quoted(value: Any) -> str:
    return "nil" if value is None else json.dumps(value, ensure_ascii=False)


def _single(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _dumped(value: Any) -> str:
    if isinstance(value, int):
        return f"int({value})"
    text = _shown(value)
    return f'string({len(text.encode("utf-8", "replace"))}) "{text}"'


def _serialised(value: Any) -> str:
    if isinstance(value, int):
        return f"i:{value};"
    text = _shown(value)
    return f's:{len(text.encode("utf-8", "replace"))}:"{text}";'
