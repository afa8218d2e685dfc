"""Finds known values in text, however they are escaped or encoded there.

A text is searched unchanged, and with JSON escapes, percent-encoding and HTML entities decoded,
repeatedly: each such view knows where in the original its characters came from. Runs of base64 are
decoded and searched as texts of their own. So a value is found in JSON inside a JSON string, in a
query, and in a JWT.
"""

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

MAX_LEVELS = 4
"""How often a text is decoded again: JSON in JSON in a query in a query."""

MAX_NESTING = 3
"""How deep base64 is searched inside base64."""

_ESCAPE = re.compile(
    rb"(?:\\\\)+|(?:\\\")+"  # runs in one piece: hostile bodies consist of them
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[\"'/\\bfnrt]"
    rb"|%[0-9a-fA-F]{2}|&#[0-9]{1,7};|&#[xX][0-9a-fA-F]{1,6};|&(?:amp|quot|apos|lt|gt);"
)
_BASE64_OF_PATH = re.compile(rb"[A-Za-z0-9+_-]{8,}={0,2}")
_MAX_SLASHES = 20

_SIMPLE = {
    **{b"\\" + bytes([byte]): bytes([byte]) for byte in b"\"'/\\"},
    b"\\b": b"\b", b"\\f": b"\f", b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t",
    b"&amp;": b"&", b"&quot;": b'"', b"&apos;": b"'", b"&lt;": b"<", b"&gt;": b">",
    **{b"%%%02X" % byte: bytes([byte]) for byte in range(256)},
}  # fmt: skip

_CONTROL = bytes(range(9)) + bytes(range(14, 32))
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}(?:\r?\n[A-Za-z0-9+/_-]+)*={0,2}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class Replacement:
    """Bytes to put in the place of a span."""

    start: int
    end: int
    data: bytes


class DecodedText:
    """A text with its escapes decoded, and where each byte came from.

    Args:
        data: The decoded bytes.
        parent: The view that it was decoded from; None for the original.
    """

    def __init__(self, data: bytes, parent: "DecodedText | None" = None) -> None:
        self.data = data
        self._parent = parent
        # Offsets in `data` after which the distance to the parent's changes, and the parent's
        # offset at each: made when they are first asked for, since most texts match nothing.
        self._anchors: list[int] = []
        self._origins: list[int] = []

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a span that is not empty begins and ends in the original."""
        if self._parent is None:
            return start, end
        if not self._anchors:
            self._locate(self._parent.data)
        first = bisect_right(self._anchors, start) - 1
        last = bisect_right(self._anchors, end - 1) - 1
        begin = self._origins[first] + start - self._anchors[first]
        finish = self._origins[last] + end - self._anchors[last]
        # An escape ends in the parent where the next piece begins.
        if last + 1 < len(self._anchors) and self._anchors[last + 1] == end:
            finish = self._origins[last + 1]
        return self._parent.span(begin, finish)

    def _locate(self, encoded: bytes) -> None:
        done = length = 0
        self._anchors.append(0)
        self._origins.append(0)
        for found in _ESCAPE.finditer(encoded):
            length += found.start() - done
            done = found.end()
            self._anchors.append(length)
            self._origins.append(found.start())
            length += len(_unescaped(found[0]))
            self._anchors.append(length)
            self._origins.append(done)


def views(data: bytes) -> Iterator[DecodedText]:
    """The text as it is, then decoded once, twice and so on, while something changes."""
    view = DecodedText(data)
    yield view
    for _ in range(MAX_LEVELS):
        decoded = _ESCAPE.sub(lambda found: _unescaped(found[0]), view.data)
        if decoded == view.data:
            return
        view = DecodedText(decoded, view)
        yield view


def _unescaped(escape: bytes) -> bytes:
    simple = _SIMPLE.get(escape)
    if simple is not None:
        return simple
    if escape.startswith(b"\\u"):
        codes = [int(part, 16) for part in escape.split(b"\\u")[1:]]
        text = "".join(map(chr, codes))
        if len(codes) == 2:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16")
        return text.encode("utf-8", "surrogatepass")
    if escape.startswith(b"\\x"):
        return bytes.fromhex(escape[2:].decode())
    if escape.startswith(b"%"):
        return bytes.fromhex(escape[1:].decode())
    if escape.startswith(b"&#"):
        digits = escape[2:-1]
        code = int(digits[1:], 16) if digits[:1] in b"xX" else int(digits)
        return chr(min(code, 0x10FFFF)).encode("utf-8", "surrogatepass")
    return escape[1::2]  # a run of backslashes or of quotes


class Matcher:
    """Finds many values at once, the longest first, in time that hardly depends on how many.

    Args:
        values: What each value is replaced with. None may be shorter than `SHORTEST`.
    """

    SHORTEST = 4

    def __init__(self, values: Mapping[bytes, bytes]) -> None:
        self._values = values
        lengths: dict[bytes, set[int]] = {}
        for value in values:
            lengths.setdefault(value[: self.SHORTEST], set()).add(len(value))
        self._lengths = {start: sorted(each, reverse=True) for start, each in lengths.items()}
        classes = [
            b"[" + b"".join(re.escape(bytes([byte])) for byte in sorted(column)) + b"]"
            for column in (set(each) for each in zip(*lengths, strict=True))
        ]
        self._start = re.compile(b"(?=" + b"".join(classes) + b")", re.DOTALL) if lengths else None

    def find(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Start, end and replacement of each value, not overlapping, in order."""
        if self._start is None:
            return
        done = 0
        for found in self._start.finditer(data):
            at = found.start()
            if at < done:
                continue
            for length in self._lengths.get(data[at : at + self.SHORTEST], ()):
                pseudonym = self._values.get(data[at : at + length])
                if pseudonym is not None:
                    done = at + length
                    yield at, done, pseudonym
                    break


def replaced(
    data: bytes,
    find: Callable[[bytes], Iterator[tuple[int, int, bytes]]],
    *,
    nesting: int = 0,
) -> bytes:
    """The text with everything replaced that is found in any of its views.

    Args:
        data: Any bytes.
        find: Gives start, end and replacement of each match in a text; replacements consist of
            letters, digits and ``-_.:`` only, which no encoding changes.
        nesting: How many layers of base64 the text was in.
    """
    found: list[Replacement] = []
    if nesting and not _is_text(data):
        # What base64 of anything else decodes to; only values as they are can be in there.
        found = [Replacement(*each) for each in find(data)]
        return _applied(data, found)
    for view in views(data):
        for start, end, new in find(view.data):
            if end > start:
                found.append(Replacement(*view.span(start, end), new))
        if nesting < MAX_NESTING:
            for start, end, new in _in_base64(view.data, find, nesting):
                found.append(Replacement(*view.span(start, end), new))
    return _applied(data, found)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return len(data.translate(None, _CONTROL)) * 10 >= len(data) * 9


def _runs(data: bytes) -> Iterator[re.Match[bytes]]:
    """What may be base64; a slash may belong to it or to a path around it."""
    for run in _BASE64.finditer(data):
        yield run
        if 0 < run[0].count(b"/") < _MAX_SLASHES:
            yield from _BASE64_OF_PATH.finditer(data, run.start(), run.end())


def _in_base64(
    data: bytes, find: Callable[[bytes], Iterator[tuple[int, int, bytes]]], nesting: int
) -> Iterator[tuple[int, int, bytes]]:
    for run in _runs(data):
        text = run[0]
        is_url_safe = b"-" in text or b"_" in text or data[run.end() : run.end() + 1] == b"."
        compact = re.sub(rb"\s", b"", text).rstrip(b"=").translate(_URL_SAFE)
        # Letters may stand directly before the base64 that a program wrote, so all four places
        # where it may begin are tried.
        for shift in range(4):
            quanta = compact[shift:]
            if len(quanta) % 4 == 1:
                quanta = quanta[:-1]
            try:
                inner = base64.b64decode(quanta + b"=" * (-len(quanta) % 4))
            except (binascii.Error, ValueError):
                continue
            new = replaced(inner, find, nesting=nesting + 1)
            if new == inner:
                continue
            encoded = compact[:shift] + base64.b64encode(new)
            if not text.endswith(b"="):
                encoded = encoded.rstrip(b"=")
            yield (
                run.start(),
                run.end(),
                encoded.translate(_TO_URL_SAFE) if is_url_safe else encoded,
            )
            break


def _applied(data: bytes, found: list[Replacement]) -> bytes:
    """The text with the replacements made; of overlapping ones the first and longest counts."""
    parts: list[bytes] = []
    done = 0
    for each in sorted(found, key=lambda one: (one.start, -one.end)):
        if each.start < done:
            continue
        parts += data[done : each.start], each.data
        done = each.end
    parts.append(data[done:])
    return b"".join(parts)
