"""A delivery's body for eyes: JSON in colours with words beside the codes, text, or a hex dump."""

import textwrap
from collections.abc import Iterator, Mapping

from tiktok_hook import events, exact_json
from tiktok_hook.delivery import Delivery
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import lines, words
from tiktok_hook.terminal.paint import Paint, bare

MAX_LINES = 60
"""Lines of a body shown when a delivery arrives; the whole is one command away."""

MAX_CHARS = 8_000
"""Characters shown of a body when a delivery arrives, however few lines they take."""

MAX_TEXT = 2_000
"""Characters shown of one string, or bytes of a body that is plain text."""

MAX_BINARY = 256
"""Bytes shown of a body that is neither JSON nor text."""

_LARGEST_PARSED = 256 * 1024
_DEEPEST = 20
_ROW = 16
_ENDLESS = 1 << 40


def body_lines(
    delivery: Delivery, paint: Paint, *, width: int = 80, whole: bool = False
) -> list[str]:
    """The body over several lines, without newlines, every character harmless.

    Args:
        delivery: As stored.
        paint: Colours.
        width: Columns for the words beside codes, which take a line of their own if need be; the
            body's own lines are left to the terminal.
        whole: Leave nothing out, as for `show`; else the last line says what was left out and how
            to see it.
    """
    body = delivery.body
    if not body:
        return [f"{paint.dim}empty body{paint.off}"]
    event = delivery.event
    value: object = event.envelope if event is not None else _parsed(body, whole=whole)
    if value is None:
        shown, left = _text_or_hex(body, whole=whole)
        cut = f"{words.plural(left, 'more byte')}" if left else ""
    else:
        shown, cut = [], ""
        limit = _ENDLESS if whole else MAX_LINES
        room = _ENDLESS if whole else MAX_CHARS
        for line in _Json(paint, event, _ENDLESS if whole else MAX_TEXT, width).lines(value):
            room -= len(line)
            if len(shown) == limit or room < 0:
                cut = f"cut here, {words.plural(len(body), 'byte')} in all"
                break
            shown.append(line)
    if delivery.body_bytes is not None:
        all_of_it = words.plural(delivery.body_bytes, "byte")
        shown.append(f"{paint.dim}… cut when it was stored, {all_of_it} in all{paint.off}")
    elif cut:
        shown.append(f"{paint.dim}… {cut}: tiktok-hook show {delivery.id}{paint.off}")
    return shown


class _Json:
    """Pretty JSON, made line by line so that a long body costs only what is shown of it."""

    def __init__(self, paint: Paint, event: events.Event | None, max_text: int, width: int) -> None:
        self._paint = paint
        self._event = event
        self._max_text = max_text
        self._width = width

    def lines(
        self, value: object, *, path: str = "", depth: int = 0, lead: str = "", end: str = ""
    ) -> Iterator[str]:
        """The value from `lead` (its key) to `end` (its comma)."""
        indent = "  " * depth
        is_object = isinstance(value, Mapping)
        if not value or depth >= _DEEPEST or not isinstance(value, Mapping | list):
            yield from self._noted(f"{indent}{lead}{self._short(value)}{end}", path)
            return
        yield from self._noted(f"{indent}{lead}{'{' if is_object else '['}", path)
        last = len(value) - 1
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for place, (key, inner) in enumerate(items):
            name = f"{self._paint.blue}{self._quoted(key)}{self._paint.off}: " if is_object else ""
            yield from self.lines(
                inner,
                path=f"{path}.{key}" if path else str(key),
                depth=depth + 1,
                lead=name,
                end="," if place < last else "",
            )
        yield f"{indent}{'}' if is_object else ']'}{end}"

    def _short(self, value: object) -> str:
        if isinstance(value, str):
            return f"{self._paint.green}{self._quoted(value)}{self._paint.off}"
        text = visible(exact_json.dumps(value))
        if len(text) > self._max_text:
            text = f"{text[: self._max_text]}… {words.count(len(text) - self._max_text)} more"
        return f"{self._paint.cyan}{text}{self._paint.off}"

    def _quoted(self, text: str) -> str:
        if len(text) <= self._max_text:
            return visible(exact_json.dumps(text))
        start = visible(exact_json.dumps(text[: self._max_text]))
        return f'{start[:-1]}…" ({words.count(len(text) - self._max_text)} more characters)'

    def _noted(self, line: str, path: str) -> Iterator[str]:
        """The line with words for its code: beside it where there is room, else under it."""
        note = self._note(path)
        if not note:
            yield line
            return
        paint, note = self._paint, visible(note)
        if lines.columns(bare(line)) + lines.columns(note) + 4 <= self._width:
            yield f"{line}  {paint.dim}← {note}{paint.off}"
            return
        yield line
        indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
        for part in textwrap.wrap(f"← {note}", max(self._width - len(indent), 30)):
            yield f"{indent}{paint.dim}{part}{paint.off}"

    def _note(self, path: str) -> str:
        if self._event is None or not path or path == "event":
            return ""  # the event's own meaning stands above
        if path == "content" and self._event.content_text is not None:
            decoded = not isinstance(self._event.content, str)
            return "sent as JSON inside a string" if decoded else "text that is not JSON"
        return events.meaning(self._event, path) or ""


def _parsed(body: bytes, *, whole: bool) -> object:
    """JSON that is no event of TikTok's; None when it is not JSON, or too long to look."""
    if len(body) > _LARGEST_PARSED and not whole:
        return None
    try:
        value = exact_json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict | list) else None


def _text_or_hex(body: bytes, *, whole: bool) -> tuple[list[str], int]:
    """Lines of a body that is not JSON, and how many bytes are left out."""
    head = body if whole else body[: MAX_TEXT + 4]
    text = _as_text(head if len(head) == len(body) else _whole_characters(head))
    if text is None:
        shown = body if whole else body[:MAX_BINARY]
        return list(hex_dump(shown)), len(body) - len(shown)
    if whole:
        return visible(text, keep_newlines=True).split("\n"), 0
    lines = text[:MAX_TEXT].split("\n")[:MAX_LINES]
    shown_text = "\n".join(lines)
    left = len(body) - len(shown_text.encode())
    return visible(shown_text, keep_newlines=True).split("\n"), left


def _as_text(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _whole_characters(data: bytes) -> bytes:
    """The bytes without a last character that was cut in the middle."""
    for end in range(len(data), max(len(data) - 4, 0), -1):
        if data[end - 1] < 0x80:
            return data[:end]
        if data[end - 1] >= 0xC0:
            return data[: end - 1]
    return data


def hex_dump(data: bytes) -> Iterator[str]:
    """Rows of offset, sixteen bytes in hex, and what is printable of them."""
    for start in range(0, len(data), _ROW):
        row = data[start : start + _ROW]
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        yield f"{start:06x}  {row.hex(' '):<{_ROW * 3 - 1}}  {shown}"
