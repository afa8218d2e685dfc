"""A delivery's body for eyes: JSON with the meaning of its codes, text, or a hex dump."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tiktok_hook import events, exact_json
from tiktok_hook.delivery import Delivery
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import words
from tiktok_hook.terminal.cells import columns
from tiktok_hook.terminal.theme import PLAIN, Part, Parts

_LARGEST_PARSED = 256 * 1024
_DEEPEST = 20
_ROW = 16
_UNLIMITED = 1 << 40


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How much of a body is shown.

    Attributes:
        lines: Lines in all.
        chars: Characters in all, however few lines they take.
        text: Characters of one string, or bytes of a body that is plain text.
        binary: Bytes of a body that is neither JSON nor text.
    """

    lines: int = 60
    chars: int = 8_000
    text: int = 2_000
    binary: int = 256


ARRIVING = BodyLimits()
WHOLE = BodyLimits(_UNLIMITED, _UNLIMITED, _UNLIMITED, _UNLIMITED)


def body_lines(
    delivery: Delivery, *, width: int = 80, limits: BodyLimits = ARRIVING
) -> Iterator[Parts]:
    """Yield the body's lines, every character harmless.

    Args:
        delivery: As stored.
        width: Columns for the meaning of codes, which continues below where there is no room. The
            body's own lines are wrapped by the terminal.
        limits: How much of it; the last line counts what is left out.
    """
    body = delivery.body
    if not body:
        yield ("empty body",)
        return
    event = delivery.event
    value: object = event.envelope if event is not None else _parsed(body, limits)
    left = ""
    if value is None:
        lines, more_bytes = _text_or_hex(body, limits)
        yield from ((each,) for each in lines)
        left = words.plural(more_bytes, "more byte") if more_bytes else ""
    else:
        made = _Json(event, limits.text, width)
        room = limits.chars
        for shown, each in enumerate(made.lines(value)):
            room -= sum(map(_length, each))
            if shown == limits.lines or room < 0:
                left = _more(made, value, shown, body)
                break
            yield each
    if delivery.body_bytes is not None:
        yield (f"… cut when it was stored, {words.plural(delivery.body_bytes, 'byte')} in all",)
    elif left:
        yield (f"… {left}: tiktok-hook show {delivery.id}",)


def _more(made: "_Json", value: object, shown: int, body: bytes) -> str:
    """Return how much is left: lines, as far as counting them costs little."""
    if len(body) > _LARGEST_PARSED:
        return f"{words.plural(len(body), 'byte')} in all"
    return words.plural(sum(1 for _ in made.lines(value)) - shown, "more line")


def _length(part: Part) -> int:
    return len(part) if isinstance(part, str) else len(part[0])


class _Json:
    """Indented JSON, made line by line so that a long body costs only what is shown of it."""

    def __init__(self, event: events.Event | None, max_text: int, width: int) -> None:
        self._event = event
        self._max_text = max_text
        self._width = width

    def lines(
        self, value: object, *, path: str = "", depth: int = 0, lead: Parts = (), end: str = ""
    ) -> Iterator[Parts]:
        """Yield the value from `lead` (its key) to `end` (its comma)."""
        indent = "  " * depth
        is_object = isinstance(value, Mapping)
        if not value or depth >= _DEEPEST or not isinstance(value, Mapping | list):
            yield from self._noted((indent, *lead, self._short(value) + end), depth, path)
            return
        yield from self._noted((indent, *lead, "{" if is_object else "["), depth, path)
        last = len(value) - 1
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for place, (key, inner) in enumerate(items):
            yield from self.lines(
                inner,
                path=f"{path}.{key}" if path else str(key),
                depth=depth + 1,
                lead=((self._quoted(key), "strong"), ": ") if is_object else (),
                end="," if place < last else "",
            )
        yield (f"{indent}{'}' if is_object else ']'}{end}",)

    def _short(self, value: object) -> str:
        if isinstance(value, str):
            return self._quoted(value)
        text = visible(exact_json.dumps(value))
        if len(text) > self._max_text:
            return f"{text[: self._max_text]}… {words.count(len(text) - self._max_text)} more"
        return text

    def _quoted(self, text: str) -> str:
        if len(text) <= self._max_text:
            return visible(exact_json.dumps(text))
        start = visible(exact_json.dumps(text[: self._max_text]))
        return f'{start[:-1]}…" ({words.count(len(text) - self._max_text)} more characters)'

    def _noted(self, line: Parts, depth: int, path: str) -> Iterator[Parts]:
        """Yield the line with the meaning of its code, behind it where there is room, or below."""
        note = self._note(path)
        if not note:
            yield line
            return
        note = f"← {visible(note)}"
        if columns(PLAIN.join(line)) + columns(note) + 2 <= self._width:
            yield (*line, f"  {note}")
            return
        yield line
        indent = "  " * (depth + 1)
        for part in textwrap.wrap(note, max(self._width - len(indent), 30)):
            yield (f"{indent}{part}",)

    def _note(self, path: str) -> str:
        if self._event is None or not path or path == "event":
            return ""  # the summary above gives the event's meaning
        if path == "content" and self._event.content_text is not None:
            decoded = not isinstance(self._event.content, str)
            return "sent as a JSON string" if decoded else "text that is not JSON"
        return events.meaning(self._event, path) or ""


def _parsed(body: bytes, limits: BodyLimits) -> object:
    """Parse JSON that is not an event of TikTok's; None if it is not JSON, or long and not whole.

    Long JSON is parsed only where all of it is asked for.
    """
    if len(body) > _LARGEST_PARSED and limits.chars < len(body):
        return None
    try:
        value = exact_json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict | list) else None


def _text_or_hex(body: bytes, limits: BodyLimits) -> tuple[list[str], int]:
    """Return the lines of a body that is not JSON, and how many bytes are left out."""
    head = body[: limits.text + 4]
    text = _as_text(head if len(head) == len(body) else _whole_characters(head))
    if text is None:
        shown = body[: limits.binary]
        return list(hex_dump(shown)), len(body) - len(shown)
    shown_text = "\n".join(text[: limits.text].split("\n")[: limits.lines])
    left = len(body) - len(shown_text.encode())
    return visible(shown_text, keep_newlines=True).split("\n"), left


def _as_text(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _whole_characters(data: bytes) -> bytes:
    """Return the bytes without a last character that was cut in the middle."""
    for end in range(len(data), max(len(data) - 4, 0), -1):
        if data[end - 1] < 0x80:
            return data[:end]
        if data[end - 1] >= 0xC0:
            return data[: end - 1]
    return data


def hex_dump(data: bytes) -> Iterator[str]:
    """Yield rows of an offset, sixteen bytes in hex, and those of them that are printable."""
    for start in range(0, len(data), _ROW):
        row = data[start : start + _ROW]
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        yield f"{start:06x}  {row.hex(' '):<{_ROW * 3 - 1}}  {shown}"
