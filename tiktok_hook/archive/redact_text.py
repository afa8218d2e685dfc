"""Finds known values in text, however they are escaped or encoded there.

A text is searched unchanged, and with JSON escapes, percent-encoding and HTML entities decoded,
repeatedly: each such view knows where in the original its characters came from. Runs of base64 and
of hexadecimal digits are decoded and searched as texts of their own, and so is what gzip or zlib
compressed. So a value is found in JSON inside a JSON string, in a query, and in a JWT.
"""

import base64
import binascii
import gzip
import re
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

MAX_LEVELS = 4
"""How often a text is decoded again: JSON in JSON in a query in a query."""

MAX_NESTING = 3
"""How deep base64, hexadecimal digits and compressed data are searched inside each other."""

MAX_INFLATED_BYTES = 16 << 20
"""Compressed data that becomes larger is not searched."""

_MAX_RATIO = 20
"""The same inside of another encoding, where there can be thousands of them: no larger than this
many times its size."""

_MIN_BROKEN = 8
"""Shorter values are not looked for across the ends of lines."""

_ESCAPE = re.compile(
    rb"(?:\\\\)+|(?:\\\")+"  # runs in one piece: hostile bodies consist of them
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[\"'/\\bfnrt]"
    rb"|\\u\{[0-9a-fA-F]{1,6}\}|\\U[0-9a-fA-F]{8}|\\[0-3][0-7]{2}|%u[0-9a-fA-F]{4}"
    rb"|%[0-9a-fA-F]{2}|&#[0-9]{1,7};?|&#[xX][0-9a-fA-F]{1,6};?|&(?:amp|quot|apos|lt|gt);"
)
_LINE_END = re.compile(rb"\r?\n[ \t]*")
_QUOTED_PRINTABLE = re.compile(rb"=(?:[0-9A-Fa-f]{2}|[ \t]*\r?\n)")
_BASE64_OF_PATH = re.compile(rb"[A-Za-z0-9+_-]{8,}={0,2}")
_MAX_SLASHES = 20

_SIMPLE = {
    **{b"\\" + bytes([byte]): bytes([byte]) for byte in b"\"'/\\"},
    b"\\b": b"\b", b"\\f": b"\f", b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t",
    b"&amp;": b"&", b"&quot;": b'"', b"&apos;": b"'", b"&lt;": b"<", b"&gt;": b">",
    **{b"%%%02X" % byte: bytes([byte]) for byte in range(256)},
}  # fmt: skip

_CONTROL = bytes(range(9)) + bytes(range(14, 32))
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}(?:\r?\n[ \t]*[A-Za-z0-9+/_-]+)*={0,2}")
_HEX = re.compile(
    rb"[0-9A-Fa-f]{2}(?P<between>[ :-])[0-9A-Fa-f]{2}(?:(?P=between)[0-9A-Fa-f]{2}){2,}"
    rb"|[0-9A-Fa-f]{8,}"
)
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
        escape: What was decoded in it.
        decode: What each of these became.

    Attributes:
        is_escaped: Whether what is found in it is written otherwise there, not only broken.
    """

    def __init__(
        self,
        data: bytes,
        parent: "DecodedText | None" = None,
        escape: re.Pattern[bytes] = _ESCAPE,
        decode: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self.data = data
        self._parent = parent
        self._escape = escape
        self._decode = decode
        self.is_escaped = escape is not _LINE_END
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
        for found in self._escape.finditer(encoded):
            length += found.start() - done
            done = found.end()
            self._anchors.append(length)
            self._origins.append(found.start())
            length += len(self._decode(found[0]))
            self._anchors.append(length)
            self._origins.append(done)


def views(data: bytes) -> Iterator[DecodedText]:
    """The text as it is, then decoded once, twice and so on, while something changes."""
    view = DecodedText(data)
    yield view
    for _ in range(MAX_LEVELS):
        decoded = _decoded(view, _ESCAPE, _unescaped)
        if decoded.data == view.data:
            return
        view = decoded
        yield view


def _broken(view: DecodedText) -> Iterator[DecodedText]:
    """The text with its lines joined, and with quoted-printable decoded.

    Keys and their values are not looked for in there, since a value ends where its line does.
    """
    for escape, decode in ((_LINE_END, _joined), (_QUOTED_PRINTABLE, _of_quoted_printable)):
        if escape.search(view.data):
            yield _decoded(view, escape, decode)


def _decoded(
    view: DecodedText, escape: re.Pattern[bytes], decode: Callable[[bytes], bytes]
) -> DecodedText:
    decoded = escape.sub(lambda found: decode(found[0]), view.data)
    return DecodedText(decoded, view, escape, decode)


def _joined(_: bytes) -> bytes:
    return b""


def _of_quoted_printable(escape: bytes) -> bytes:
    return b"" if escape.endswith(b"\n") else bytes.fromhex(escape[1:].decode())


def inflated(data: bytes, *, nesting: int = 0) -> bytes | None:
    """What gzip or zlib compressed, as far as it is there; None if the data is anything else.

    Args:
        data: Any bytes.
        nesting: How many other encodings it was in.
    """
    if not data.startswith((b"\x1f\x8b\x08", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")):
        return None
    limit = min(MAX_INFLATED_BYTES, _MAX_RATIO * len(data)) if nesting else MAX_INFLATED_BYTES
    inflating = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
    try:
        text = inflating.decompress(data, limit)
    except zlib.error:
        return None
    return None if inflating.unconsumed_tail or not text else text


def _deflated(text: bytes, like: bytes) -> bytes:
    return gzip.compress(text, mtime=0) if like.startswith(b"\x1f") else zlib.compress(text)


def _unescaped(escape: bytes) -> bytes:
    simple = _SIMPLE.get(escape)
    if simple is not None:
        return simple
    if escape.startswith((b"\\u{", b"\\U")):
        return _character(int(escape.strip(b"\\uU{}"), 16))
    if escape.startswith((b"%u", b"\\u")):
        codes = [int(part, 16) for part in re.split(rb"[%\\]u", escape)[1:]]
        text = "".join(map(chr, codes))
        if len(codes) == 2:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16")
        return text.encode("utf-8", "surrogatepass")
    if escape.startswith(b"\\x"):
        return bytes.fromhex(escape[2:].decode())
    if escape.startswith(b"%"):
        return bytes.fromhex(escape[1:].decode())
    if escape.startswith(b"&#"):
        digits = escape[2:].rstrip(b";")
        return _character(int(digits[1:], 16) if digits[:1] in b"xX" else int(digits))
    if escape[1:2].isdigit():
        return bytes([int(escape[1:], 8)])
    return escape[1::2]  # a run of backslashes or of quotes


def _character(code: int) -> bytes:
    return chr(min(code, 0x10FFFF)).encode("utf-8", "surrogatepass")


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


Find = Callable[[bytes], Iterator[tuple[int, int, bytes]]]
"""Gives start, end and replacement of each match in a text. Replacements consist of letters, digits
and ``-_.:`` only, which no encoding changes."""


def replaced(data: bytes, find: Find, known: Find, *, nesting: int = 0) -> bytes:
    """The text with everything replaced that is found in any of its views.

    Args:
        data: Any bytes.
        find: Finds known values, and values of known keys.
        known: Finds known values only.
        nesting: How many other encodings the text was in.
    """
    if nesting < MAX_NESTING and (text := inflated(data, nesting=nesting)) is not None:
        new = replaced(text, find, known, nesting=nesting + 1)
        return data if new == text else _deflated(new, data)
    found: list[Replacement] = []
    if nesting and not _is_text(data):
        # What base64 of anything else decodes to; only values as they are can be in there.
        found = [Replacement(*each) for each in find(data)]
        return _applied(data, found)
    for view in views(data):
        for start, end, new in find(view.data):
            if end > start:
                found.append(Replacement(*view.span(start, end), new))
        for joined in _broken(view):
            for start, end, new in known(joined.data):
                if end - start >= _MIN_BROKEN or joined.is_escaped:
                    found.append(Replacement(*joined.span(start, end), new))
        if nesting < MAX_NESTING:

            def inside(text: bytes) -> bytes:
                return replaced(text, find, known, nesting=nesting + 1)

            for start, end, new in (*_in_base64(view.data, inside), *_in_hex(view.data, inside)):
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


def _in_hex(data: bytes, inside: Callable[[bytes], bytes]) -> Iterator[tuple[int, int, bytes]]:
    for run in _HEX.finditer(data):
        between = run["between"] or b""
        digits = run[0].replace(between, b"") if between else run[0]
        # Another digit may stand directly before the first one.
        for shift in range(1 if between else 2):
            even = digits[shift : shift + (len(digits) - shift) // 2 * 2]
            text = bytes.fromhex(even.decode())
            new = inside(text)
            if new == text:
                continue
            encoded = (new.hex(between.decode()) if between else new.hex()).encode()
            if re.search(rb"[A-F]", digits):
                encoded = encoded.upper()
            rest = digits[shift + len(even) :]
            yield run.start(), run.end(), digits[:shift] + encoded + rest
            break


def _in_base64(data: bytes, inside: Callable[[bytes], bytes]) -> Iterator[tuple[int, int, bytes]]:
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
            new = inside(inner)
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
