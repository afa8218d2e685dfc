"""A large JSON document, read an element of its long list at a time.

Parsed at once, many small records take ten times the memory of their text. So the list that the
records are in is passed over once, to find its end and to see that the document is valid, and later
each record is parsed by itself.
"""

import json
import re
from collections.abc import Iterator
from typing import NoReturn

from tiktok_hook.archive.fields import lenient_decoder
from tiktok_hook.exact_json import Json

SHOWN = 100
"""How many elements of a list `outline` keeps."""

_SHOWN_CHARS = 1 << 20
_BOM = b"\xef\xbb\xbf"
_ENTRIES = re.compile(r'"entries"\s*:\s*\[')
_BEYOND_BMP = re.compile(rb"[\xf0-\xf4]")
_NOT_ASCII = re.compile(rb"[\x80-\xff]+")
_BLANK = re.compile(r"[ \t\n\r]*")
_BETWEEN = re.compile(r"[\s,]*")
_MAX_FAILURES = 10_000
_MAX_COUNTED_CHARS = 20_000_000_000
"""How much of a HAR is read again because parts of it are not JSON; about 10 s of processor time.

Each error reads it from its beginning, since `json` counts the lines.
"""

_NEXT = re.compile(r"\}\s*,\s*(?=\{\s*\")")
_END = re.compile(r"\s*\]")


class Records(list[Json]):
    """The first elements of a list in a document.

    Attributes:
        start: Where the first element is in the text.
        length: How many elements there are, those that are not JSON included.
        broken: The places of the elements that are not JSON, each with where it ends and why.
    """

    def __init__(self, start: int) -> None:
        super().__init__()
        self.start = start
        self.length = 0
        self.broken: dict[int, tuple[int, ValueError]] = {}


def compact_text(data: bytes) -> str:
    """A JSON document as text that takes one or two bytes of memory per character.

    A single character beyond U+FFFF would make it four, so then all that is not ASCII is escaped.

    Raises:
        UnicodeDecodeError: It is not UTF-8.
    """
    data = data.removeprefix(_BOM)
    if _BEYOND_BMP.search(data):
        data = _NOT_ASCII.sub(lambda found: json.dumps(found[0].decode())[1:-1].encode(), data)
    return data.decode()


def outline(text: str) -> Json:
    """The document, but of the lists where records may be only the first elements, as `Records`.

    These are the document itself, a value in it, and a value in its ``log``.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deep.
    """
    value, at = _value(text, _skip(text, 0), opens=("", "log"))
    at = _skip(text, at)
    if at != len(text):
        _fail("Extra data", text, at)
    return value


def _value(text: str, at: int, opens: tuple[str, ...]) -> tuple[Json, int]:
    """The value at a place, and where it ends.

    Args:
        text: The document.
        at: Where the value begins.
        opens: What has to be the names of objects within each other, from here on, for lists in
            them to be `Records`.
    """
    if text.startswith("[", at):
        return _records(text, at + 1)
    if text.startswith("{", at) and opens:
        return _object(text, at + 1, opens[1:])
    return lenient_decoder.raw_decode(text, at)


def _object(text: str, at: int, opens: tuple[str, ...]) -> tuple[Json, int]:
    found: dict[str, Json] = {}
    at = _skip(text, at)
    if text.startswith("}", at):
        return found, at + 1
    while True:
        if not text.startswith('"', at):
            _fail("Expecting property name enclosed in double quotes", text, at)
        name, at = lenient_decoder.raw_decode(text, at)
        at = _skip(text, at)
        if not text.startswith(":", at):
            _fail("Expecting ':' delimiter", text, at)
        at = _skip(text, at + 1)
        # A list is read as records in any case.
        found[name], at = _value(text, at, opens if name in opens[:1] else ())
        at = _skip(text, at)
        if text.startswith("}", at):
            return found, at + 1
        if not text.startswith(",", at):
            _fail("Expecting ',' delimiter", text, at)
        at = _skip(text, at + 1)


def _records(text: str, at: int) -> tuple[Records, int]:
    at = _skip(text, at)
    found = Records(at)
    if text.startswith("]", at):
        return found, at + 1
    while True:
        value, end = lenient_decoder.raw_decode(text, at)
        found.length += 1
        # Enough to recognise what they are; the first may be as long as the document.
        if not found or (found.length <= SHOWN and end - found.start < _SHOWN_CHARS):
            found.append(value)
        at = _skip(text, end)
        if text.startswith("]", at):
            return found, at + 1
        if not text.startswith(",", at):
            _fail("Expecting ',' delimiter", text, at)
        at = _skip(text, at + 1)


def readable_entries(text: str) -> tuple[Records, bool] | None:
    """The entries of a HAR that is cut off or partly not JSON, without their values.

    After an entry that is not JSON, the next one is the next object that has a ``request``.

    Returns:
        The entries, and whether the list has its end; None if it is not a HAR or no entry of it can
        be read.
    """
    start = _ENTRIES.search(text, 0, 100_000)
    if start is None or '"log"' not in text[: start.start()]:
        return None
    found = Records(start.end())
    at = found.start
    failures = iter(range(min(_MAX_FAILURES, _MAX_COUNTED_CHARS // len(text))))
    while not _END.match(text, at):
        here = _after(_BETWEEN, text, at)
        try:
            at = lenient_decoder.raw_decode(text, here)[1]
        except (ValueError, RecursionError) as error:
            following = _next_entry(text, here, failures)
            if following is None:
                return (found, False) if found.length > len(found.broken) else None
            found.broken[here] = following, ValueError(_reason(error))
            at = following
        found.length += 1
    return (found, True) if found.length > len(found.broken) else None


def _next_entry(text: str, at: int, failures: Iterator[int]) -> int | None:
    """Where the entry after a broken one begins; None if there is none, or with too many errors."""
    for found in _NEXT.finditer(text, at):
        try:
            value = lenient_decoder.raw_decode(text, found.end())[0]
        except (ValueError, RecursionError):
            if next(failures, None) is None:
                break
            continue
        request = value.get("request")
        if isinstance(request, dict) and {"method", "url"} <= request.keys():
            return found.end() if next(failures, None) is not None else None
    return None


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON in line {error.lineno}: {error.msg.removesuffix(' at')}"
    return "nested too deep"


def elements(text: str, records: Records) -> Iterator[tuple[int, "Json | ValueError"]]:
    """Each element of a list in turn, or why it is not JSON, after the place where it is."""
    at = records.start
    for _ in range(records.length):
        here = _after(_BETWEEN, text, at)
        if here in records.broken:
            at, error = records.broken[here]
            yield here, error
            continue
        value, at = lenient_decoder.raw_decode(text, here)
        yield here, value


def element(text: str, at: int) -> Json:
    """The element at a place that `elements` gave."""
    value: Json = lenient_decoder.raw_decode(text, at)[0]
    return value


def _skip(text: str, at: int) -> int:
    return _after(_BLANK, text, at)


def _after(blanks: re.Pattern[str], text: str, at: int) -> int:
    return blanks.match(text, at).end()  # type: ignore[union-attr] # it may match nothing


def _fail(reason: str, text: str, at: int) -> NoReturn:
    raise json.JSONDecodeError(reason, text, at)
