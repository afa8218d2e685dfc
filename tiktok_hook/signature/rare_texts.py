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
from functools import partial
from html import escape
from itertools import product
from typing import Any
from urllib.parse import quote, quote_plus

from tiktok_hook.signature import parts, rare_objects
from tiktok_hook.signature.parts import RAW, SIGNED_TEXT, Part
from tiktok_hook.signature.rare_objects import FORM, Made, compact, with_tilde

_LISTED = Part("bytes-listed", "over the body printed as a list of numbers", parts.BYTES.fix)
_QUOTED = Part(
    "body-quoted", "over the body quoted, escaped or unescaped as text of another kind", RAW
)
_CASE = Part("body-case", "over the body in upper or lower case", RAW)
_BLANKS = Part("white-space", "over the body with other white space", RAW)
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
        yield part, partial(bytes, text), _COSTS_LITTLE
    if is_short:
        for part, make in rare_objects.objects(envelope, body):
            yield part, signed(make), _COSTS_MUCH
        for part, make in _wrapped(t, body, envelope):
            yield part, make, _COSTS_MUCH


def _wrapped(t: bytes, body: bytes, envelope: dict[str, Any]) -> Iterator[Made]:
    for encode in (base64.b64encode, binascii.hexlify, _url_safe):
        yield _ENCODED, partial(encode, t + b"." + body)
        yield _ENCODED, partial(_encoded_pair, encode, t, body)
        for header in (b'{"alg":"HS256","typ":"JWT"}', b'{"typ":"JWT","alg":"HS256"}'):
            yield _ENCODED, partial(_encoded_pair, encode, header, body)
    yield _NO_BODY, lambda: t
    yield _NO_BODY, lambda: t + b"\n"
    text = body.decode("utf-8", "replace")
    for name, inner, key in product(
        ("t", "timestamp"), (text, envelope), ("body", "payload", "data")
    ):
        yield _WRAPPED, partial(compact, {name: int(t), key: inner})
    for pair in ((int(t), text), (t.decode(), text), (int(t), envelope)):
        yield _WRAPPED, partial(compact, pair)
    for name, value in product(("t", "timestamp"), (int(t), t.decode())):
        yield _WRAPPED, partial(compact, {**envelope, name: value})


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
        yield FORM, name + b"=" + t + b"&" + key + b"=" + body
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
        yield _BLANKS, partial(bytes, body + after)
    for before in (b"\n", b" ", b"\r\n"):
        yield _BLANKS, partial(bytes, before + body)
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
            yield _HASHED, form.encode
        yield _HASHED, partial(bytes, raw)
    yield _HASHED, lambda: body.hex().upper().encode()
    yield _HASHED, lambda: base64.urlsafe_b64encode(body)
    yield _HASHED, lambda: base64.urlsafe_b64encode(body).rstrip(b"=")
    yield _HASHED, lambda: base64.encodebytes(body)
    for ascii_only in (True, False):
        yield _QUOTED, json.dumps(text, ensure_ascii=ascii_only).encode
    yield _QUOTED, lambda: repr(text).encode("utf-8", "replace")
    for safe in ("", "/", "!'()*", "-_.!~*'()", ";,/?:@&=+$-_.!~*'()#"):
        yield _QUOTED, quote(text, safe=safe).encode
    yield _QUOTED, lambda: quote_plus(text).encode()
    for safe in ("", "*"):  # PHP's urlencode; Java's URLEncoder and URLSearchParams
        yield _QUOTED, with_tilde(quote_plus(text, safe=safe)).encode
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
        yield parts.ENCODING, partial(text.encode, codec)
    for errors in ("ignore", "replace", "xmlcharrefreplace", "backslashreplace"):
        yield parts.ENCODING, partial(text.encode, "ascii", errors)
    yield from _listed(body)
    for name, value in envelope.items():
        shown = value if isinstance(value, str) else json.dumps(value)
        if name != "content":
            yield _FIELD, shown.encode


def _inside(body: bytes, text: str, envelope: dict[str, Any]) -> Iterator[Made]:
    """The body twice, its length, and the body as a field of a form, an object or a list."""
    yield _TWICE, lambda: body + body
    yield _LENGTH, str(len(body)).encode
    yield _LENGTH, lambda: b"%d.%b" % (len(body), body)
    yield _LENGTH, lambda: b"%b.%d" % (body, len(body))
    for name in ("payload", "body", "data", "json"):
        yield FORM, f"{name}={quote_plus(text)}".encode
    yield FORM, f"{quote_plus(text)}=".encode
    yield _WRAPPED, lambda: compact({text: ""})
    for name in ("payload", "body", "data", "event"):
        yield _WRAPPED, partial(compact, {name: text})
        if envelope:
            yield _WRAPPED, partial(compact, {name: envelope})
    if envelope:
        yield _WRAPPED, lambda: compact([envelope])
        yield _WRAPPED, lambda: json.dumps([envelope]).encode()


def _listed(body: bytes) -> Iterator[Made]:
    for before, between, after in (
        ("", ",", ""), ("", " ", ""), ("", ", ", ""),
        ("[", " ", "]"), ("[", ", ", "]"), ("[", ",", "]"),
    ):  # fmt: skip
        yield _LISTED, partial(_numbers, body, before, between, after)
    yield _LISTED, lambda: compact({"type": "Buffer", "data": list(body)})
    yield _LISTED, lambda: compact({str(place): each for place, each in enumerate(body)})
    yield _LISTED, f"<Buffer {body[:50].hex(' ')}>".encode
    yield parts.BYTES, lambda: repr(bytearray(body)).encode()
    yield parts.BYTES, f"{len(body)} bytes".encode


def _numbers(body: bytes, before: str, between: str, after: str) -> bytes:
    return f"{before}{between.join(map(str, body))}{after}".encode()


def _encoded_pair(encode: Callable[[bytes], bytes], first: bytes, second: bytes) -> bytes:
    return encode(first) + b"." + encode(second)


def _url_safe(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
