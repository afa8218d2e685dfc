"""Reads a signature header that is written in another way than TikTok's.

The signature may be in another encoding than hex, with marks around it, and the entire header may
be quoted, encoded or wrapped in JSON. Each reading is only a candidate: what it is worth shows when
its digest is compared.
"""

import ast
import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote, unquote_plus

from tiktok_hook.signature import clocks
from tiktok_hook.signature.parts import Part

MAX_CHARS = 640
"""Longer values are not read."""

_MAX_TEXTS = 12
_MAX_VALUES = 10
_MIN_DIGEST_CHARS = 32
_MAX_DEPTH = 3
_MAX_READINGS = 64

_PLAIN_HEX = "Send the 32 bytes as 64 hex digits, with nothing around or between them."
_FORM = "Send the header as plain text: t=<unix seconds>,s=<64 hex digits>"

_DECORATED = Part(
    "hex-decorated", "marks around the hex, such as 0x, quotes or brackets", _PLAIN_HEX
)
_SEPARATED = Part("hex-separated", "separators between the bytes of the hex", _PLAIN_HEX)
BASE64 = Part("base64", "base64 in place of hex", "Send the 32 bytes as hex.")
_BASE64_OF_TEXT = Part("base64-of-text", "base64 of the signature's text", _PLAIN_HEX)
_HEX_TWICE = Part("hex-twice", "hex of the text of the signature", _PLAIN_HEX)
_BASE32 = Part("base32", "base32 in place of hex", _PLAIN_HEX)
_BASE58 = Part("base58", "base58 in place of hex", _PLAIN_HEX)
_BASE85 = Part("base85", "base85 in place of hex", _PLAIN_HEX)
_NUMBER = Part("digest-as-number", "one number in place of hex", _PLAIN_HEX)
_LISTED = Part("digest-listed", "a list of numbers in place of hex", _PLAIN_HEX)
_PRINTED = Part("digest-printed", "the printed form of a bytes object in place of hex", _PLAIN_HEX)
_RAW = Part("digest-raw", "the bytes themselves in place of hex", _PLAIN_HEX)
_ESCAPED_VALUE = Part(
    "url-encoded", "percent signs in the signature: it is URL-encoded", _PLAIN_HEX
)

_URL = Part("url-encoded", "the entire header is URL-encoded", _FORM)
_ALL_BASE64 = Part("header-in-base64", "the entire header is in base64", _FORM)
_ALL_HEX = Part("header-in-hex", "the entire header is in hex", _FORM)
_JSON_TEXT = Part("json-header", "the entire header is a JSON string", _FORM)
_HTML = Part("html-escaped", "the header is escaped for HTML", _FORM)
_WRAPPED = Part("wrapped-header", "marks or a word around the entire header", _FORM)
_MIME = Part("mime-encoded", "the header is encoded as in e-mail (=?utf-8?…?=)", _FORM)
_POSITIONS = Part("no-names", "no t= and s= before the values", _FORM)
SWAPPED = Part("swapped-parts", "the signature under t= and the time under s=", _FORM)


_GENERAL = frozenset({_DECORATED, _WRAPPED, _POSITIONS})


def specific(how: Iterable[Part]) -> list[Part]:
    """What is unusual about a form, without what is vague: for a header whose shape is known."""
    return [part for part in how if part not in _GENERAL]


@dataclass(frozen=True, slots=True)
class HeaderReading:
    """One way to read a header.

    Attributes:
        timestamps: What may be t, the likeliest first, digits or not; empty if there is none.
        digest: 32 bytes.
        how: What is unusual about the form, the outermost first.
    """

    timestamps: tuple[str, ...]
    digest: bytes
    how: tuple[Part, ...]


def readings(value: str) -> list[HeaderReading]:
    """Every way to read a header's value that gives 32 bytes, without the same bytes twice."""
    found: dict[tuple[tuple[str, ...], bytes], HeaderReading] = {}
    swapped = _SWAPPED.search(value)
    if swapped is not None:
        return [HeaderReading((swapped[2],), bytes.fromhex(swapped[1]), (SWAPPED,))]
    for text, how in _texts(value):
        timestamps, has_name = _timestamps(text)
        outer = (*how, _POSITIONS) if not has_name and _ONLY_VALUES.fullmatch(text) else how
        for part, digest in _digests(text):
            more = outer if part is None else (*outer, part)
            found.setdefault((timestamps, digest), HeaderReading(timestamps, digest, more))
            if len(found) >= _MAX_READINGS:
                return list(found.values())
    return list(found.values()) or _hex_anywhere(value)


def _hex_anywhere(value: str) -> list[HeaderReading]:
    """The readings of a value that contains 64 hex digits among other text."""
    return [
        HeaderReading(_timestamps(text)[0], bytes.fromhex(digits), (*how, _DECORATED))
        for text, how in _texts(value)
        for digits in islice(_HEX_ANYWHERE.findall(text), _MAX_VALUES)
    ]


def encoding_of(value: str) -> tuple[Part, ...]:
    """How TikTok's form is encoded in a value; empty if the value does not contain it."""
    for text, how in _texts(value):
        if how and _OWN_FORM.search(text):
            return how
    return ()


_SWAPPED = re.compile(r"(?<![A-Za-z0-9_])t=([0-9a-fA-F]{64}),\s*s=(\d{1,20})(?![0-9A-Za-z])")
_OWN_FORM = re.compile(r"(?<![A-Za-z0-9_])t=\d{1,20},\s*s=")


# Texts: the value, and what is inside if it is encoded.


def _texts(value: str) -> Iterator[tuple[str, tuple[Part, ...]]]:
    """The value and everything that it decodes to, up to `_MAX_DEPTH` times."""
    seen: dict[str, tuple[Part, ...]] = {}
    level: list[tuple[str, tuple[Part, ...]]] = [(value.strip(), ())]
    for _ in range(_MAX_DEPTH + 1):
        following: list[tuple[str, tuple[Part, ...]]] = []
        for text, how in level:
            if not text or len(text) > MAX_CHARS or text in seen or len(seen) >= _MAX_TEXTS:
                continue
            seen[text] = how
            yield text, how
            following += [
                (inner.strip(), how if part in how else (*how, part))
                for part, inner in _decoded(text)
            ]
        level = following


def _decoded(text: str) -> Iterator[tuple[Part, str]]:
    for part, decode in _DECODERS:
        try:
            inner = decode(text)
        except (ValueError, RecursionError, SyntaxError):
            continue
        if inner is not None and inner != text:
            yield part, inner


def _from_url(text: str) -> str | None:
    return unquote(text) if "%" in text else None


def _from_form(text: str) -> str | None:
    return unquote_plus(text) if "%" in text and "+" in text else None


def _from_base64(text: str) -> str | None:
    bare = re.sub(r"\s", "", text).rstrip("=")
    if len(bare) < 24 or not re.fullmatch(r"[A-Za-z0-9+/_-]+", bare):
        return None
    padded = bare.replace("-", "+").replace("_", "/") + "=" * (-len(bare) % 4)
    return _text(base64.b64decode(padded, validate=True))


def _from_hex(text: str) -> str | None:
    if len(text) < 80 or not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
        return None
    return _text(bytes.fromhex(text))


def _text(data: bytes) -> str | None:
    """Printable ASCII; anything else was not text."""
    return data.decode("ascii") if data.isascii() and data.decode("ascii").isprintable() else None


def _from_json(text: str) -> str | None:
    if not text.startswith('"'):
        return None
    inner = json.loads(text)
    return inner if isinstance(inner, str) else None


def _from_html(text: str) -> str | None:
    return html.unescape(text) if "&" in text and ";" in text else None


def _from_escapes(text: str) -> str | None:
    return text.replace('\\"', '"').replace("\\\\", "\\") if '\\"' in text else None


def _from_mime(text: str) -> str | None:
    found = re.fullmatch(r"=\?[A-Za-z0-9-]+\?([bBqQ])\?(.*)\?=", text)
    if found is None:
        return None
    if found[1] in "bB":
        return _text(base64.b64decode(found[2]))
    return _text(binascii.a2b_qp(found[2], header=True))


_WORD = re.compile(
    r"(?i)(?:bearer|basic|token|signature|hmac(?:[-_ ]?sha-?256)?|tiktok(?:[-_]signature)?|digest|"
    r"hash|header|value|some)\s*[:= (]\s*(?=\S)"
)
_BRACKETS = {"[": "]", "(": ")", "{": "}", "<": ">", '"': '"', "'": "'", "`": "`", "“": "”"}


def _unwrapped(text: str) -> str | None:
    """Without quotes, brackets or a word around it."""
    if text[:1] in {"b", "u"} and text[1:2] in {"'", '"'} and text[-1:] == text[1:2]:
        return text[2:-1]
    if len(text) > 2 and _BRACKETS.get(text[0]) == text[-1]:
        return text[1:-1]
    word = _WORD.match(text)
    return text[word.end() :] if word is not None else None


_DECODERS: tuple[tuple[Part, Callable[[str], str | None]], ...] = (
    (_URL, _from_url),
    (_URL, _from_form),
    (_JSON_TEXT, _from_json),
    (_WRAPPED, _unwrapped),
    (_WRAPPED, _from_escapes),
    (_HTML, _from_html),
    (_MIME, _from_mime),
    (_ALL_BASE64, _from_base64),
    (_ALL_HEX, _from_hex),
)


# The timestamp in a text.

_NAMED_TIMESTAMP = re.compile(
    r"""(?i)(?:^|[^A-Za-z0-9_])(?:t|ts|time|timestamp|date)["']?\s*(?:=>|==?|:)\s*["'\[(]*"""
    r"""([^,;&|\s"'\])}]{1,40})"""
)
_NUMBER_ALONE = re.compile(r"(?<![0-9A-Za-z])[0-9]{9,13}(?![0-9A-Za-z])")
_DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]?[0-9:.]*(?:Z|[+-]\d\d:?\d\d)?")


def _timestamps(text: str) -> tuple[tuple[str, ...], bool]:
    """What may be t, and whether it has a name."""
    named = _NAMED_TIMESTAMP.search(text)
    if named is not None:
        given = named[1]
        # A date has a separator of ours in it.
        date = _DATE.match(text, named.start(1))
        given = date[0] if date is not None else given
        digits = re.match(r"[0-9]{1,20}(?![0-9])", given)
        found = [digits[0]] if digits is not None and date is None else []
        if date is not None and (seconds := clocks.seconds_of(date[0])) is not None:
            found.append(seconds)
        if given not in found and given.isascii():
            found.append(given)
        return tuple(found), True
    alone = _NUMBER_ALONE.findall(text)
    return (tuple(alone) if len(alone) == 1 else ()), False


_ONLY_VALUES = re.compile(
    r"\d{9,13}[.,:;|/ &_-]{1,3}[A-Za-z0-9+/=_-]+|[A-Za-z0-9+/=_-]+[.,:;|/ &_-]{1,3}\d{9,13}"
)


# The digests in a text.

_NAMED_SIGNATURE = re.compile(
    r"""(?i)(?:^|[^A-Za-z0-9_])(?:s|sig|sign|signature|v[0-9]|hmac|mac|hash|digest|value)["']?\s*"""
    r"""(?:=>|==?|:)\s*(?=\S)"""
)
_END = re.compile(r"""[,;&|\s]""")


def _digests(text: str) -> Iterator[tuple[Part | None, bytes]]:
    seen: set[str] = set()
    for value in _values(text):
        if len(value) >= _MIN_DIGEST_CHARS and value not in seen:
            seen.add(value)
            yield from of_value(value)
        if len(seen) >= _MAX_VALUES:
            break


def _values(text: str) -> Iterator[str]:
    """The parts of a text that may be the signature, the likeliest first."""
    for named in islice(_NAMED_SIGNATURE.finditer(text), 4):
        rest = text[named.end() :]
        yield _END.split(rest, maxsplit=1)[0].strip("\"'")
        yield rest
    yield from re.split(r"[,;&|\s]+", text)
    without_t = _NAMED_TIMESTAMP.sub("", text, count=4)
    without_t = _NUMBER_ALONE.sub("", without_t).strip(" ,;:.|&/\t")
    yield without_t
    yield from re.split(r"[.:/=]+", without_t)
    yield text


def of_value(value: str) -> Iterator[tuple[Part | None, bytes]]:
    """The 32 bytes that a value may be, and how it is written; None for plain hex."""
    value = value.strip()
    if not _MIN_DIGEST_CHARS <= len(value) <= MAX_CHARS:
        return
    if _HEX.fullmatch(value):
        yield None, bytes.fromhex(value)
        return
    bare = _bare(value)
    forms = {bare: _DECORATED if bare != value else None}
    forms.setdefault(value, None)
    if "%" in value:
        forms.setdefault(_bare(unquote(value)), _ESCAPED_VALUE)
    for form, outer in forms.items():
        for part, decode in _FORMS:
            try:
                data = decode(form)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if data is not None and len(data) == 32:
                yield part if part is not None else outer, data


_HEX = re.compile(r"[0-9a-fA-F]{64}")
_HEX_ANYWHERE = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])")
_PREFIX = re.compile(
    r"""(?ix)^(?: 0x | \\x(?=[0-9a-f]{64}$) | (?:hmac[-_ ]?)?sha-?256\s*[=:,\s-]\s* | v[0-9][=:,]
    | (?:hex|bytes|b64|base64|sig|signature|hmac|buffer)\s*[=:,\s]\s*
    | (?:bytearray|buffer(?:\.from)?)(?=\() )"""
)
_HEX_SUFFIX = re.compile(r"(?<=[0-9a-fA-F])(?:h|==?)\Z")


def _bare(value: str) -> str:
    """A value without the marks around it."""
    for _ in range(6):
        before = value
        value = _HEX_SUFFIX.sub("", _without_end(_PREFIX.sub("", value.strip())))
        is_escaped = "\\" in value
        if not is_escaped and value[:1] in {"b", "u", "x", "h"} and value[1:2] in {"'", '"'}:
            value = value[1:]
        if len(value) > 2 and _BRACKETS.get(value[0]) == value[-1]:
            value = value[1:-1]
        if value == before:
            break
    return value


def _without_end(value: str) -> str:
    """A value without the white space, line breaks and punctuation at its end."""
    while True:
        before = value
        value = value.rstrip().rstrip(";,.").removesuffix("\\n").removesuffix("\\r")
        if value == before:
            return value


def _hex(value: str) -> bytes | None:
    return bytes.fromhex(value) if _HEX.fullmatch(value) else None


def _separated(value: str) -> bytes | None:
    compact = re.sub(r"(?i)\\x|0x|%(?=[0-9a-f]{2})|[\s:,_.;|/-]", "", value)
    return _hex(compact) if compact != value else None


def from_base64(text: str) -> bytes | None:
    """32 bytes written as base64, either alphabet, padded or not; None for anything else."""
    bare = text.rstrip("=")
    if len(bare) != 43:
        return None
    for alphabet in (b"-_", None):
        try:
            return base64.b64decode(f"{bare}=", altchars=alphabet, validate=True)
        except ValueError:
            continue
    return None


def _base64_of_text(value: str) -> bytes | None:
    inner = _from_base64(value) if 56 <= len(value) <= 92 else None
    return None if inner is None else _hex(inner) or from_base64(inner)


def _hex_twice(value: str) -> bytes | None:
    inner = _from_hex(value)
    return None if inner is None else _hex(inner) or from_base64(inner)


def _base32(value: str) -> bytes | None:
    bare = value.upper().rstrip("=")
    return base64.b32decode(f"{bare}====") if re.fullmatch(r"[A-Z2-7]{52}", bare) else None


def _base32hex(value: str) -> bytes | None:
    bare = value.upper().rstrip("=")
    return base64.b32hexdecode(f"{bare}====") if re.fullmatch(r"[0-9A-V]{52}", bare) else None


_BASE58_DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _base58(value: str) -> bytes | None:
    if not 32 <= len(value) <= 44 or any(each not in _BASE58_DIGITS for each in value):
        return None
    number = 0
    for each in value:
        number = number * 58 + _BASE58_DIGITS.index(each)
    return number.to_bytes(32, "big") if number < 1 << 256 else None


def _base85(value: str) -> bytes | None:
    return base64.b85decode(value) if len(value) == 40 else None


def _ascii85(value: str) -> bytes | None:
    if not 32 <= len(value) <= 44:
        return None
    return base64.a85decode(value, adobe=value.startswith("<~"))


def _as_number(value: str) -> bytes | None:
    if re.fullmatch(r"[01]{256}", value):
        return int(value, 2).to_bytes(32, "big")
    if not re.fullmatch(r"[0-9]{60,78}", value):
        return None
    number = int(value)
    return number.to_bytes(32, "big") if number < 1 << 256 else None


def _listed(value: str) -> bytes | None:
    if not re.fullmatch(r"-?\d{1,3}(?:[\s,]+-?\d{1,3}){31}", value):
        return None
    numbers = [int(each) for each in re.findall(r"-?\d+", value)]
    # Java's bytes are signed.
    return bytes(each & 255 for each in numbers) if all(-128 <= n < 256 for n in numbers) else None


def _octal(value: str) -> bytes | None:
    if not re.fullmatch(r"(?:\\[0-3][0-7]{2}){32}", value):
        return None
    return bytes(int(each, 8) for each in value.split("\\")[1:])


def _printed(value: str) -> bytes | None:
    if not re.match(r"""b['"]""", value):
        return None
    found = ast.literal_eval(value)
    return found if isinstance(found, bytes) else None


def _raw(value: str) -> bytes | None:
    data = value.encode("latin-1") if not value.isascii() else b""
    return data if len(data) == 32 else data.decode().encode("latin-1") if data else None


_FORMS: tuple[tuple[Part | None, Callable[[str], bytes | None]], ...] = (
    (None, _hex),
    (_SEPARATED, _separated),
    (BASE64, from_base64),
    (_BASE64_OF_TEXT, _base64_of_text),
    (_HEX_TWICE, _hex_twice),
    (_BASE32, _base32),
    (_BASE32, _base32hex),
    (_BASE58, _base58),
    (_BASE85, _base85),
    (_BASE85, _ascii85),
    (_NUMBER, _as_number),
    (_LISTED, _listed),
    (_PRINTED, _printed),
    (_PRINTED, _octal),
    (_RAW, _raw),
)
