"""JSON read and written without losing a digit.

A post id of 19 digits is beyond what a float can hold, and ``1.10`` is not ``1.1`` to anyone who
signs its text: integers stay whole, and a float remembers how it was written.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, NoReturn, Self, TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

MAX_DEPTH = 100
"""Deeper nesting is rejected: it is never meant, and recursion over the value would fail."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class ExactFloat(float):
    """A float that is written back as it was read: ``1.10``, ``1e400``."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # float's own gives a float
        return (self.text,)

    def __repr__(self) -> str:
        return self.text


def loads(text: str | bytes) -> Json:
    """Read strict JSON; integers exact, floats as `ExactFloat`.

    Args:
        text: Bytes must be UTF-8 without a byte order mark. A key given twice: the last one wins.

    Raises:
        ValueError: Not JSON, ``NaN`` or ``Infinity``, nested deeper than `MAX_DEPTH`, or an integer
            longer than Python converts (4 300 digits). Nothing else, whatever comes.
    """
    import orjson  # 15 ms that `--help` need not spend

    # Brackets inside strings count too, so this is only a quick check.
    if isinstance(text, bytes):
        deep = text.count(b"[") + text.count(b"{") > MAX_DEPTH
    else:
        deep = text.count("[") + text.count("{") > MAX_DEPTH
    if not deep:
        try:
            value: Json = orjson.loads(text)
        except ValueError:  # a lone surrogate is JSON to the standard library only
            pass
        else:
            # It reads whole numbers beyond 64 bits as floats too.
            if not _has_float(value):
                return value
    try:
        value = _DECODER.decode(text.decode() if isinstance(text, bytes) else text)
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH}") from None
    if deep and depth(value) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    return value


def why_not(error: ValueError, *, line: bool = True) -> str:
    """Why `loads` rejected something, in few words: ``not JSON: expecting value at column 1``.

    Args:
        error: What was raised.
        line: Whether the line is named too, where it is not the first.
    """
    if isinstance(error, json.JSONDecodeError):
        words = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        place = f"line {error.lineno}, " if line and error.lineno > 1 else ""
        return f"not JSON: {words} at {place}column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    return str(error)


def dumps(value: object, *, sort_keys: bool = False, ascii_only: bool = False) -> str:
    r"""Write compact JSON as TikTok does: no spaces, non-ASCII as it is, numbers exact.

    Args:
        value: What `loads` gives; any mapping and a tuple will do as well.
        sort_keys: Order every object by key, for comparing and fingerprints.
        ascii_only: Write everything beyond ASCII as ``\uXXXX``.

    Returns:
        Text that always encodes: a lone surrogate becomes ``\ud800``.

    Raises:
        ValueError: A float that JSON cannot write (NaN, infinity).
        TypeError: Something that is not JSON at all.
    """
    parts: list[str] = []
    quote = encode_basestring_ascii if ascii_only else encode_basestring
    _write(value, parts.append, quote, sorted if sort_keys else iter)
    text = "".join(parts)
    return text if text.isascii() else _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


# Asking for a dict first spares the slow look at an abstract class.
_OBJECTS = (dict, Mapping)


# Measured as fast as the standard encoder, which has no way to write a number's own text.
def _write(
    value: object,
    add: Callable[[str], None],
    quote: Callable[[str], str],
    keys: Callable[[Iterable[Any]], Iterable[Any]],
) -> None:
    if isinstance(value, str):
        add(quote(value))
    elif isinstance(value, _OBJECTS):
        mark = "{"
        for key in keys(value):
            add(mark)
            add(quote(key))
            add(":")
            _write(value[key], add, quote, keys)
            mark = ","
        add("}" if value else "{}")
    elif isinstance(value, list | tuple):
        mark = "["
        for each in value:
            add(mark)
            _write(each, add, quote, keys)
            mark = ","
        add("]" if value else "[]")
    elif value is None:
        add("null")
    elif isinstance(value, bool):
        add("true" if value else "false")
    elif isinstance(value, ExactFloat | int):
        add(repr(value))
    else:
        add(_FLOATS.encode(value))


def _has_float(value: Json) -> bool:
    inside: Iterable[Json]
    if isinstance(value, dict):
        inside = value.values()
    elif isinstance(value, list):
        inside = value
    else:
        return isinstance(value, float)
    kinds = {*map(type, inside)}
    if float in kinds:
        return True
    return not kinds.isdisjoint(_CONTAINERS) and any(map(_has_float, inside))


def depth(value: Json) -> int:
    """How many arrays and objects are around the innermost value; 0 for a number or text."""
    deepest = 0
    waiting: list[tuple[Json, int]] = [(value, 0)]
    while waiting:
        each, around = waiting.pop()
        deepest = max(deepest, around)
        if isinstance(each, dict):
            waiting.extend((inner, around + 1) for inner in each.values())
        elif isinstance(each, list):
            waiting.extend((inner, around + 1) for inner in each)
    return deepest


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_CONTAINERS = {dict, list}
_DECODER = json.JSONDecoder(parse_float=ExactFloat, parse_constant=_reject)
_FLOATS = json.JSONEncoder(allow_nan=False)
