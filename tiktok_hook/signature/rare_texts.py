"""Rare parts of a wrong signature: what was signed in place of t, a dot and the body.

There are many, so each is tried by itself; the common ones in `parts` are also tried in pairs.
"""

import base64
import binascii
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from html import escape
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
_LISTED = Part("bytes-listed", "over the body printed as a list of numbers", parts.BYTES.fix)
_QUOTED = Part(
    "body-quoted", "over the body quoted, escaped or unescaped as text of another kind", RAW
)
_CASE = Part("body-case", "over the body in upper or lower case", RAW)
_BLANKS = Part("white-space", "over the body with other white space", RAW)
_FORM = Part("form-encoded", "over the body's fields as name=value pairs", RAW)
_JOINED = Part("values-joined", "over the values of the body's fields, joined", SIGNED_TEXT)
_FIELD = Part(
    "field-only", "over one field of the body", "The whole raw body is signed, not a field."
)
_HASHED = Part("body-encoded", "over a hash or an encoding of the body", SIGNED_TEXT)
_NO_BODY = Part("no-body", "over t alone, without the body", SIGNED_TEXT)
_WRAPPED = Part("wrapped", "over an object that holds t and the body", SIGNED_TEXT)
_T_FORM = Part("t-form", "with t in another form or unit", "Sign t's text as it was sent.")
_T_LOST = Part(
    "t-lost",
    "with a word in place of t (undefined, None, {t})",
    "The variable of t is empty or not inserted: sign the number that is sent.",
)
_EXTRA = Part(
    "extra-part",
    "with a further part (a version, the method, an id, a field) next to t and the body",
    SIGNED_TEXT,
)

_NOT_INSERTED = Part(
    "not-inserted",
    "over the template itself, without t and the body in it",
    'The values are not inserted: a string with {…} needs f"…" in Python, `…` in JavaScript.',
)
_ENCODED = Part("text-encoded", "over t and the body in base64 or hex", SIGNED_TEXT)
_LENGTH = Part("length", "over the length of the body", SIGNED_TEXT)
_TWICE = Part("body-twice", "over the body twice", "Something appends each chunk a second time.")

_TEMPLATES = (
    *(
        pattern.format(name, body)
        for name, body, pattern in product(
            ("t", "timestamp", "ts"),
            ("body", "raw_body", "rawBody", "payload"),
            ("{{{}}}.{{{}}}", "${{{}}}.${{{}}}", "${}.${}", "#{{{}}}.#{{{}}}", "{}.{}"),
        )
    ),
    *("undefined.undefined", "null.null", "None.None", "%s.%s", "{}.{}", "%d.%s", "{0}.{1}"),
)

CONSTANTS = (
    "[object ArrayBuffer]", "[object Blob]", "[object Promise]", "[object ReadableStream]",
    "[object Undefined]", "[object Null]", "[object FormData]", "[object Request]",
    "[object IncomingMessage]", "[object Map]", "[object Uint8Array]", "[object Buffer]",
    "[object Array]", "[object String]", "[object AsyncFunction]", "System.Byte[]",
    "System.IO.MemoryStream", "System.Object", "System.String", "System.Text.Json.JsonDocument",
    "System.Text.Json.JsonElement", "Newtonsoft.Json.Linq.JObject", "System.IO.Stream",
    "Microsoft.AspNetCore.Http.HttpRequestStream", "java.lang.Object", "NaN", "nil", "<nil>",
    "%!s(<nil>)", "false", "1", "0", "-1", "[]", "()", "b''", 'b""', '""', "''", "Object", "body",
    "rawBody", "raw_body", "payload", "data", "json", "req.body", "request.body", "{body}",
    "${body}", "$body", "#{body}", "{{body}}", "{payload}", "${payload}", "$payload", "%s", "{}\n",
    "None\n", "null\n", "[object Object]\n", "map[]", "Optional.empty", "Hash", "HASH",
    "Dictionary", "System.Collections.Generic.Dictionary`2[System.String,System.Object]",
    "function () { [native code] }",
)  # fmt: skip
"""What a body prints as that is not there, not read yet, or not inserted."""

_SEPARATORS = (
    "", ".", ":", ",", "|", "-", "_", "&", " ", "\n", ";", "/", "+", "#", "=", "~", "*", "@", "!",
    "$", "%", "\t", "\r\n", "\\n", "\0", "..", ". ", " . ", ", ", ": ", "::", "||", "--", " - ",
    " | ",
)  # fmt: skip
_FEW_SEPARATORS = (b"", b".", b":", b"\n", b"|", b"&")


_COSTS_LITTLE, _COSTS_SOME, _COSTS_MUCH = 0, 2, 4
"""How many digests of the body take as long as making a text."""


def messages(
    t: bytes,
    body: bytes,
    envelope: dict[str, Any],
    *,
    extras: tuple[bytes, ...] = (),
) -> Iterator[tuple[Part, Callable[[], bytes], int]]:
    """Everything rare that was signed, the cheapest first.

    Args:
        t: The timestamp as its text.
        body: As received.
        envelope: The body as a JSON object; empty if it is none.
        extras: Values of other headers that may have been signed, such as a nonce or an id.
    """
    stamp = t + b"."

    def signed(make: Callable[[], bytes]) -> Callable[[], bytes]:
        return lambda: stamp + make()

    is_short = len(body) <= parts.MAX_PRINTED_BYTES
    for template in _TEMPLATES:
        yield _NOT_INSERTED, template.encode, _COSTS_LITTLE
    for constant in CONSTANTS:
        yield parts.LOST, signed(constant.encode), _COSTS_LITTLE
    if is_short:
        for part, make in _bodies(body, envelope):
            yield part, signed(make), _COSTS_SOME
    for part, text in _joined(t, body, envelope, extras):
        yield part, lambda text=text: text, _COSTS_LITTLE  # type: ignore[misc]
    if is_short:
        for part, make in _objects(envelope, body):
            yield part, signed(make), _COSTS_MUCH
        for part, make in _wrapped(t, body, envelope):
            yield part, make, _COSTS_MUCH


def _wrapped(t: bytes, body: bytes, envelope: dict[str, Any]) -> Iterator[Made]:
    for encode in (base64.b64encode, binascii.hexlify, _url_safe):
        yield _ENCODED, lambda encode=encode: encode(t + b"." + body)  # type: ignore[misc]
        yield _ENCODED, lambda encode=encode: encode(t) + b"." + encode(body)  # type: ignore[misc]
        for header in (b'{"alg":"HS256","typ":"JWT"}', b'{"typ":"JWT","alg":"HS256"}'):
            yield (
                _ENCODED,
                lambda encode=encode, header=header: (  # type: ignore[misc]
                    encode(header) + b"." + encode(body)
                ),
            )
    yield _NO_BODY, lambda: t
    yield _NO_BODY, lambda: t + b"\n"
    text = body.decode("utf-8", "replace")
    for name, inner, key in product(
        ("t", "timestamp"), (text, envelope), ("body", "payload", "data")
    ):
        yield (
            _WRAPPED,
            lambda name=name, key=key, inner=inner: _compact(  # type: ignore[misc]
                {name: int(t), key: inner}
            ),
        )
    for parts_of_list in ((int(t), text), (t.decode(), text), (int(t), envelope)):
        yield _WRAPPED, lambda value=parts_of_list: _compact(value)  # type: ignore[misc]
    for name, value in product(("t", "timestamp"), (int(t), t.decode())):
        yield (
            _WRAPPED,
            lambda name=name, value=value: _compact(  # type: ignore[misc]
                {**envelope, name: value}
            ),
        )


def _joined(
    t: bytes,
    body: bytes,
    envelope: dict[str, Any],
    extras: tuple[bytes, ...],
) -> Iterator[tuple[Part, bytes]]:
    for separator in _SEPARATORS:
        mark = separator.encode()
        yield parts.SEPARATOR, t + mark + body
        yield parts.ORDER, body + mark + t
    for before, after in ((b"", b"."), (b".", b""), (b"", b"\n"), (b'"', b'"'), (b"{", b"}")):
        yield parts.SEPARATOR, before + t + b"." + body + after
    yield parts.SEPARATOR, b"." + body
    for codec in ("utf-16-le", "utf-16-be"):
        yield parts.ENCODING, (t + b"." + body).decode("utf-8", "replace").encode(codec)
    for form in _forms_of_t(t):
        for mark in (b".", b""):
            yield _T_FORM, form + mark + body
    for word in _T_WORDS:
        yield _T_LOST, word + b"." + body
    for name, key in product((b"t", b"timestamp", b"ts"), (b"body", b"payload", b"data")):
        yield _FORM, name + b"=" + t + b"&" + key + b"=" + body
    for name, mark in product(
        (b"t=", b"timestamp=", b"ts="), (b".", b",", b";", b"&", b"\n", b"", b",s=.", b",s=")
    ):
        yield parts.T_NAMED, name + t + mark + body
    yield parts.SEPARATOR, b"{%b}.{%b}" % (t, body)
    app = [str(envelope[name]).encode("utf-8", "replace") for name in _IDS if envelope.get(name)]
    for part, more in (
        *((parts.APP_KEY, each) for each in app[:1]),
        *((_EXTRA, each) for each in (*app[1:], *extras)),
    ):
        for mark in _FEW_SEPARATORS:
            yield part, mark.join((more, t, body))
            yield part, mark.join((t, more, body))
            yield part, mark.join((t, body, more))
            yield part, mark.join((more, body))
            yield part, mark.join((body, more))
        yield part, more + t
        yield part, t + more
        yield part, more + body + more
        yield part, more + t + b"." + body
        yield part, more + b":" + t + b"." + body
    for word in _WORDS:
        for mark in _LITERAL_SEPARATORS:
            yield _EXTRA, mark.join((word, t, body))
            yield _EXTRA, mark.join((t, word, body))
            yield _EXTRA, mark.join((word, body))
            yield _EXTRA, mark.join((t, body, word))


_IDS = ("client_key", "user_openid", "event", "create_time")
_WORDS = (b"v0", b"v1", b"POST", b"tiktok", b"webhook", b"undefined", b"null", b"None", b"")
_LITERAL_SEPARATORS = (b"", b".", b":", b"\n")
_T_WORDS = (
    b"t", b"timestamp", b"undefined", b"null", b"None", b"nil", b"NaN", b"0", b"{t}",
    b"{timestamp}",
    b"${t}", b"${timestamp}", b"$t", b"$timestamp", b"#{t}", b"%d", b"%s", b"[object Object]", b"",
)  # fmt: skip


def _forms_of_t(t: bytes) -> Iterator[bytes]:
    number = int(t)
    yield from (t + zeros for zeros in (b".0", b".000", b"000000", b"000000000", b"Z", b"s"))
    yield from (str(number // unit).encode() for unit in (60, 1000, 3600, 86_400))
    yield from (f"{number:x}".encode(), f"{number:X}".encode(), f"0x{number:x}".encode())
    yield from (
        b'"' + t + b'"',
        b"'" + t + b"'",
        b"b'" + t + b"'",
        b"(" + t + b",)",
        b"['" + t + b"']",
    )
    if number < 2**32:
        yield from (number.to_bytes(8, "big"), number.to_bytes(8, "little"))
        yield from (number.to_bytes(4, "big"), number.to_bytes(4, "little"))
        utc = time.gmtime(number)
        for pattern in (
            "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.000Z", "%Y-%m-%dT%H:%M:%S+00:00",
            "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S+00:00", "%Y-%m-%dT%H:%M:%S",
            "%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S +0000",
            "%Y%m%dT%H%M%SZ", "%Y%m%d%H%M%S", "%Y-%m-%d",
        ):  # fmt: skip
            yield time.strftime(pattern, utc).encode()


def _bodies(body: bytes, envelope: dict[str, Any]) -> Iterator[Made]:
    """Other texts of the body that take little time to make."""
    for after in (b"\n\n", b" ", b"\0", b"\t", b"\r", b"\n ", b";", b"&", b","):
        yield _BLANKS, lambda after=after: body + after  # type: ignore[misc]
    for before in (b"\n", b" ", b"\r\n"):
        yield _BLANKS, lambda before=before: before + body  # type: ignore[misc]
    yield _BLANKS, lambda: b"".join(body.split())
    yield _BLANKS, lambda: b" ".join(body.split())
    text = body.decode("utf-8", "replace")
    yield from _inside(body, text, envelope)
    yield _CASE, body.lower
    yield _CASE, body.upper
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        raw = hashlib.new(algorithm, body, usedforsecurity=False).digest()
        encoded = base64.b64encode(raw).decode()
        for form in (
            *(raw.hex(), raw.hex().upper(), encoded),
            *(f"{algorithm}={raw.hex()}", f"{algorithm}={encoded}", f"{algorithm}:{raw.hex()}"),
        ):
            yield _HASHED, lambda form=form: form.encode()  # type: ignore[misc]
        yield _HASHED, lambda raw=raw: raw  # type: ignore[misc]
    yield _HASHED, lambda: body.hex().upper().encode()
    yield _HASHED, lambda: base64.urlsafe_b64encode(body)
    yield _HASHED, lambda: base64.urlsafe_b64encode(body).rstrip(b"=")
    yield _HASHED, lambda: base64.encodebytes(body)
    for ascii_only in (True, False):
        yield (
            _QUOTED,
            lambda ascii_only=ascii_only: json.dumps(  # type: ignore[misc]
                text, ensure_ascii=ascii_only
            ).encode(),
        )
    yield _QUOTED, lambda: repr(text).encode("utf-8", "replace")
    for safe in ("", "/", "!'()*", "-_.!~*'()", ";,/?:@&=+$-_.!~*'()#"):
        yield _QUOTED, lambda safe=safe: quote(text, safe=safe).encode()  # type: ignore[misc]
    yield _QUOTED, lambda: quote_plus(text).encode()
    for safe in ("", "*"):  # PHP's urlencode; Java's URLEncoder and URLSearchParams
        yield (
            _QUOTED,
            lambda safe=safe: _tilde(quote_plus(text, safe=safe)).encode(),  # type: ignore[misc]
        )
    yield _QUOTED, lambda: escape(text).encode()
    yield _QUOTED, lambda: escape(text, quote=False).encode()
    yield _QUOTED, lambda: escape(text).replace("&#x27;", "&#39;").encode()
    yield _QUOTED, lambda: body.replace(b"\\", b"")
    yield _QUOTED, lambda: body.replace(rb"\"", b'"')
    yield _QUOTED, lambda: body.replace(b"\\", b"\\\\")
    yield _QUOTED, lambda: body.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    yield _QUOTED, lambda: re.sub(rb"([\\'\"])", rb"\\\1", body)
    yield _QUOTED, lambda: body.decode("unicode_escape").encode()
    for codec in ("utf-16", "utf-16-be", "utf-32-le"):
        yield parts.ENCODING, lambda codec=codec: text.encode(codec)  # type: ignore[misc]
    for errors in ("ignore", "replace", "xmlcharrefreplace", "backslashreplace"):
        yield (
            parts.ENCODING,
            lambda errors=errors: text.encode("ascii", errors),  # type: ignore[misc]
        )
    yield from _listed(body)
    for name, value in envelope.items():
        shown = value if isinstance(value, str) else json.dumps(value)
        if name != "content":
            yield _FIELD, lambda shown=shown: shown.encode()  # type: ignore[misc]


def _inside(body: bytes, text: str, envelope: dict[str, Any]) -> Iterator[Made]:
    """The body twice, its length, and the body as a field of a form, an object or a list."""
    yield _TWICE, lambda: body + body
    yield _LENGTH, str(len(body)).encode
    yield _LENGTH, lambda: b"%d.%b" % (len(body), body)
    yield _LENGTH, lambda: b"%b.%d" % (body, len(body))
    for name in ("payload", "body", "data", "json"):
        yield _FORM, lambda name=name: f"{name}={quote_plus(text)}".encode()  # type: ignore[misc]
    yield _FORM, f"{quote_plus(text)}=".encode
    yield _WRAPPED, lambda: _compact({text: ""})
    for name in ("payload", "body", "data", "event"):
        yield _WRAPPED, lambda name=name: _compact({name: text})  # type: ignore[misc]
        if envelope:
            yield _WRAPPED, lambda name=name: _compact({name: envelope})  # type: ignore[misc]
    if envelope:
        yield _WRAPPED, lambda: _compact([envelope])
        yield _WRAPPED, lambda: json.dumps([envelope]).encode()


def _listed(body: bytes) -> Iterator[Made]:
    for before, between, after in (
        ("", ",", ""), ("", " ", ""), ("", ", ", ""),
        ("[", " ", "]"), ("[", ", ", "]"), ("[", ",", "]"),
    ):  # fmt: skip
        yield (
            _LISTED,
            lambda before=before, between=between, after=after: (  # type: ignore[misc]
                f"{before}{between.join(map(str, body))}{after}".encode()
            ),
        )
    yield _LISTED, lambda: _compact({"type": "Buffer", "data": list(body)})
    yield _LISTED, lambda: _compact({str(place): each for place, each in enumerate(body)})
    yield _LISTED, f"<Buffer {body[:50].hex(' ')}>".encode
    yield parts.BYTES, lambda: repr(bytearray(body)).encode()
    yield parts.BYTES, f"{len(body)} bytes".encode


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _objects(envelope: dict[str, Any], body: bytes) -> Iterator[Made]:
    """The parsed body, written or printed in another way."""
    if not envelope:
        return
    yield from _pairs(envelope)
    yield from _printed(envelope)
    can_indent = body.count(b"{") + body.count(b"[") <= parts.MAX_BRACKETS
    writers = _EVERY_WRITER if can_indent else _WITHOUT_INDENT
    for order, write in _orders(writers, _as_is, _by_name, few=(_by_java_hash, _reversed)):
        part = parts.REWRITTEN if order is _as_is else parts.SORTED
        yield part, lambda order=order, write=write: write(order(envelope))  # type: ignore[misc]
    inner = _parsed(envelope.get("content"))
    if inner is not None:
        yield from _of_content(envelope, inner, writers)
    yield from _with_numbers(envelope, body, writers)
    yield from _without_a_field(envelope)
    camel = {_camel(name): value for name, value in envelope.items()}
    yield parts.REWRITTEN, lambda: _compact(camel)


def _of_content(
    envelope: dict[str, Any], inner: dict[str, Any], writers: _Writers
) -> Iterator[Made]:
    decoded = {**envelope, "content": inner}
    for write in writers.few:
        yield parts.CONTENT_ALONE, lambda write=write: write(inner)  # type: ignore[misc]
    for order, write in _orders(writers, _as_is, few=(_by_name, _by_java_hash)):
        yield (
            parts.CONTENT_DECODED,
            lambda order=order, write=write: write(order(decoded)),  # type: ignore[misc]
        )
    for text in ("", json.dumps(inner, sort_keys=True), json.dumps(envelope["content"])):
        yield (
            parts.CONTENT_REWRITTEN,
            lambda text=text: _compact({**envelope, "content": text}),  # type: ignore[misc]
        )
    encoded = base64.b64encode(envelope["content"].encode("utf-8", "replace")).decode()
    yield parts.CONTENT_REWRITTEN, lambda: _compact({**envelope, "content": encoded})
    for write in writers.few[:4]:
        yield (
            parts.CONTENT_REWRITTEN,
            lambda write=write: _compact(  # type: ignore[misc]
                {**envelope, "content": write(inner).decode()}
            ),
        )


def _url_safe(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _with_numbers(envelope: dict[str, Any], body: bytes, writers: _Writers) -> Iterator[Made]:
    created = envelope.get("create_time")
    if not isinstance(created, int) or not 0 < created < 2**53:
        return
    digits = str(created).encode()
    for write in writers.few:
        for other in (float(created), str(created)):
            yield (
                _NUMBERS,
                lambda write=write, other=other: write(  # type: ignore[misc]
                    {**envelope, "create_time": other}
                ),
            )
        yield (
            _NUMBERS,
            lambda write=write: write(envelope).replace(  # type: ignore[misc]
                digits, _java_double(created), 1
            ),
        )
    for double in (_java_double(created), f"{created:e}".encode()):
        yield (
            _NUMBERS,
            lambda double=double: body.replace(digits, double, 1),  # type: ignore[misc]
        )


def _without_a_field(envelope: dict[str, Any]) -> Iterator[Made]:
    for name in envelope:
        rest = {key: value for key, value in envelope.items() if key != name}
        for other in (rest, {**envelope, name: None}):
            for write in _WITHOUT_INDENT.few[::2]:
                yield (
                    _FIELD_LOST,
                    lambda other=other, write=write: write(other),  # type: ignore[misc]
                )


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
            yield (
                _FORM,
                lambda names=names, between=between, mark=mark: between.join(  # type: ignore[misc]
                    f"{name}{mark}{text[name]}" for name in names
                ).encode(),
            )
        for between in ("", ".", "|", ",", ":", "&", "\n", "-", " "):
            yield (
                _JOINED,
                lambda names=names, between=between: between.join(  # type: ignore[misc]
                    text[name] for name in names
                ).encode(),
            )
        fields = {name: text[name] for name in names}
        yield _FORM, lambda fields=fields: urlencode(fields).encode()  # type: ignore[misc]
        yield (
            _FORM,
            lambda fields=fields: urlencode(fields, quote_via=quote).encode(),  # type: ignore[misc]
        )
        for safe in ("", "*"):
            yield (
                _FORM,
                lambda fields=fields, safe=safe: _tilde(  # type: ignore[misc]
                    urlencode(fields, safe=safe)
                ).encode(),
            )
    for several in (("event", "create_time"), ("client_key", "event"), ("user_openid", "event"),
                    ("event", "content"), ("client_key", "create_time")):  # fmt: skip
        for between in ("", ".", ":", "|"):
            yield (
                _JOINED,
                lambda several=several, between=between: between.join(  # type: ignore[misc]
                    text.get(name, "") for name in several
                ).encode(),
            )


def _tilde(text: str) -> str:
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
