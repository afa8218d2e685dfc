"""The parts of a wrong signature: what was signed, how it was put together, with which key.

Each part has a name, words that go behind "made …", and a fix. `recipes` combines them.
"""

import base64
import hashlib
import hmac
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from tiktok_hook.signature.scheme import is_milliseconds, key_of

MAX_BRACKETS = 16
"""JSON with more of them is not tried indented: deep nesting would make that text enormous."""

MAX_PRINTED_BYTES = 4096
"""Longer bodies are not printed, listed, indented or escaped as .NET does: these texts are made in
Python, and a body of 64 KiB would take 120 ms. TikTok's have a few hundred bytes."""

RAW = "Sign and verify the bytes that travel, before anything parses or rewrites them."
SIGNED_TEXT = 'The signed text is t, a dot, then the raw body: f"{t}.{body}".'
_TRIM = "Strip the secret when it is read from a file or the environment."


class Part(NamedTuple):
    """One thing that was done wrong; the right way has no name.

    Attributes:
        name: A stable word, such as ``json-spaces``.
        words: What was done, behind "made".
        fix: What to do about it.
    """

    name: str
    words: str
    fix: str


RIGHT = Part("", "", "")


# What is signed in place of the body.

Text = tuple[Part, Callable[[], bytes | None]]
"""A part and what makes its bytes; None where it does not apply. Made only when it is tried."""

REWRITTEN = Part("json-rewritten", "over the body parsed and re-serialised", RAW)
_SPACES = Part("json-spaces", "over the body re-serialised with spaces", RAW)
_ESCAPES = Part("json-escapes", "over the body re-serialised with \\u or \\/ escapes", RAW)
_INDENT = Part("json-indented", "over the body re-serialised with indents", RAW)
SORTED = Part("json-sorted", "over the body re-serialised with sorted keys", RAW)
CONTENT_DECODED = Part(
    "content-decoded",
    "over the body re-serialised with content as an object",
    f"content is a string that holds JSON, and stays one. {RAW}",
)
CONTENT_REWRITTEN = Part("content-rewritten", "over the body with its content re-serialised", RAW)
_CURL = Part(
    "curl-data",
    "over the body with its line breaks, which curl -d removed",
    "Send files with curl --data-binary @FILE: -d removes line breaks.",
)
PRINTED = Part(
    "object-printed",
    "over the parsed body printed as an object of the language, not as JSON",
    RAW,
)
BYTES = Part(
    "bytes-printed",
    "over the printed form of a bytes object (b'…')",
    "Join bytes with bytes: t.encode() + b'.' + body.",
)
LOST = Part(
    "body-lost",
    "over the text that an object or a missing body prints as ([object Object], undefined, Array)",
    "The raw body was not there: keep it before the framework parses it.",
)
_EMPTY = Part(
    "body-consumed",
    "over an empty body",
    "The body was read before: keep its bytes before anything else consumes them.",
)
_ENCODED = Part("body-encoded", "over the base64, hex or hash of the body", SIGNED_TEXT)
CONTENT_ALONE = Part(
    "content-only", "over the content field alone", "The whole raw body is signed, not a field."
)
_NEWLINE_ADDED = Part("newline-added", "over the body with a newline at the end", RAW)
STRIPPED = Part("newline-stripped", "over the body without the white space around it", RAW)
_LINE_BREAKS = Part("line-breaks", "over the body with other line breaks", RAW)
_BOM = Part("byte-order-mark", "with or without a byte order mark", RAW)
ENCODING = Part(
    "encoding",
    "over the body in another encoding",
    "TikTok's body is UTF-8: sign its bytes, not a decoded text.",
)
_COMPRESSED = Part("compressed", "before the body was compressed or after", RAW)


def texts(body: bytes, envelope: dict[str, Any]) -> Iterator[Text]:
    """Everything that is signed in place of the body, the likeliest first.

    Args:
        body: As received.
        envelope: The body as a JSON object; empty if it is none.
    """
    yield _NEWLINE_ADDED, lambda: body + b"\n"
    yield _NEWLINE_ADDED, lambda: body + b"\r\n"
    yield STRIPPED, lambda: _other(body.strip(), body)
    unix = body.replace(b"\r\n", b"\n")
    for breaks in (unix, unix.replace(b"\n", b"\r\n")):
        yield _LINE_BREAKS, partial(_other, breaks, body)
    is_short = len(body) <= MAX_PRINTED_BYTES
    can_indent = is_short and body.count(b"{") + body.count(b"[") <= MAX_BRACKETS
    for part, write in _FORMS:
        if (can_indent or part is not _INDENT) and (is_short or write is not _dotnet):
            yield from _json(part, write, envelope, body)
    for lost in (b"[object Object]", b"undefined", b"null", b"None", b"Array", b"{}", b"true"):
        yield LOST, partial(bytes, lost)
    yield _EMPTY, lambda: _other(b"", body)
    yield from _content(envelope, body)
    yield BYTES, lambda: repr(body).encode()
    yield from _encodings(body)
    if is_short:
        yield from _printed(envelope)
    yield _ENCODED, lambda: base64.b64encode(body)
    yield _ENCODED, lambda: hashlib.sha256(body).hexdigest().encode()
    yield _ENCODED, lambda: body.hex().encode()
    yield _COMPRESSED, lambda: _inflated(body)


def _json(part: Part, write: Callable[[Any], str], value: Any, body: bytes) -> Iterator[Text]:
    if not value:
        return

    def text() -> bytes | None:
        try:
            return _other(write(value).encode(), body)
        except (ValueError, RecursionError, TypeError):  # a lone surrogate; nesting at the edge
            return None

    if part is _INDENT:

        def unbroken() -> bytes | None:
            made = text()
            broken = made is not None and made.replace(b"\r", b"").replace(b"\n", b"") == body
            return made if broken else None

        yield _CURL, unbroken
        yield _CURL, lambda: None if (made := unbroken()) is None else made + b"\n"
    yield part, text


def _content(envelope: dict[str, Any], body: bytes) -> Iterator[Text]:
    content = envelope.get("content")
    if not isinstance(content, str):
        return
    yield CONTENT_ALONE, lambda: content.encode("utf-8", "replace")
    try:
        inner = json.loads(content)
    except (ValueError, RecursionError):
        return
    if not isinstance(inner, dict) or not inner:
        return
    for write in (_python, _python_unicode, _compact, _compact_ascii):
        yield from _json(CONTENT_DECODED, write, {**envelope, "content": inner}, body)
    for write in (_python, _compact):
        rewritten = {**envelope, "content": write(inner)}
        yield from _json(CONTENT_REWRITTEN, _compact, rewritten, body)


def _encodings(body: bytes) -> Iterator[Text]:
    mark = b"\xef\xbb\xbf"
    yield (
        _BOM,
        lambda: body.removeprefix(mark) if body.startswith(mark) else mark + body,
    )
    if not body.isascii():
        yield ENCODING, lambda: body.decode("latin-1").encode()
        yield ENCODING, lambda: body.decode("utf-8", "replace").encode()
        for other in ("latin-1", "cp1252"):
            yield ENCODING, partial(_reencoded, body, other)
    yield ENCODING, lambda: body.decode("latin-1").encode("utf-16-le")


def _reencoded(body: bytes, encoding: str) -> bytes | None:
    """The bytes before each was taken for a character of `encoding` and written as UTF-8."""
    try:
        return body.decode("utf-8").encode(encoding)
    except UnicodeError:
        return None


def _printed(envelope: dict[str, Any]) -> Iterator[Text]:
    """The object as Python and Ruby print it: what an f-string makes of `request.json`."""
    if not envelope:
        return
    yield PRINTED, lambda: str(envelope).encode("utf-8", "replace")
    for arrow in ("=>", " => "):

        def ruby(arrow: str = arrow) -> bytes:
            pairs = (
                f"{_python_unicode(key)}{arrow}{_ruby(value)}" for key, value in envelope.items()
            )
            return f"{{{', '.join(pairs)}}}".encode("utf-8", "replace")

        yield PRINTED, ruby


def _ruby(value: Any) -> str:
    return "nil" if value is None else _python_unicode(value)


def _inflated(body: bytes) -> bytes | None:
    if not body.startswith(b"\x1f\x8b"):
        return None
    try:
        return zlib.decompressobj(31).decompress(body, 64 * 1024)
    except zlib.error:
        return None


def _other(text: bytes, body: bytes) -> bytes | None:
    return None if text == body else text


def _writer(**options: Any) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        return json.dumps(value, **options)

    return write


_COMPACT = (",", ":")
_python = _writer()
_python_unicode = _writer(ensure_ascii=False)
_compact = _writer(ensure_ascii=False, separators=_COMPACT)
_compact_ascii = _writer(separators=_COMPACT)
_sorted = _writer(ensure_ascii=False, separators=_COMPACT, sort_keys=True)


def _php(value: Any) -> str:
    return _compact_ascii(value).replace("/", "\\/")


def _php_unicode(value: Any) -> str:
    return _compact(value).replace("/", "\\/")


def _slashes(value: Any) -> str:
    return _python(value).replace("/", "\\/")


def _html_safe(text: str) -> str:
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _go(value: Any) -> str:
    return _html_safe(_sorted(value))


def _go_struct(value: Any) -> str:
    return _html_safe(_compact(value))


_DOTNET = re.compile("[\"'&+<>`\x7f-\U0010ffff]+")


def _dotnet(value: Any) -> str:
    r"""As System.Text.Json writes it: quotes, markup and all non-ASCII as \\uXXXX."""

    def write(each: Any) -> str:
        if isinstance(each, str):
            inner = _compact(each)[1:-1].replace('\\"', '"')
            return f'"{_DOTNET.sub(_units, inner)}"'
        if isinstance(each, dict):
            return f"{{{','.join(f'{write(key)}:{write(item)}' for key, item in each.items())}}}"
        if isinstance(each, list):
            return f"[{','.join(map(write, each))}]"
        return _compact(each)

    return write(value)


def _units(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be").hex().upper()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


# How the languages' writers put a parsed body: Python, JavaScript, PHP, Go, .NET, Ruby, Java.
_FORMS: tuple[tuple[Part, Callable[[Any], str]], ...] = (
    (_SPACES, _python),
    (_SPACES, _python_unicode),
    (REWRITTEN, _compact),
    (_ESCAPES, _compact_ascii),
    (_ESCAPES, _php),
    (_ESCAPES, _php_unicode),
    (_ESCAPES, _dotnet),
    (_INDENT, _writer(ensure_ascii=False, indent=2)),
    (_INDENT, _writer(ensure_ascii=False, indent=4)),
    (_INDENT, _writer(indent=2)),
    (_INDENT, _writer(ensure_ascii=False, indent="\t")),
    (SORTED, _writer(sort_keys=True)),
    (SORTED, _sorted),
    (SORTED, _go),
    (_ESCAPES, _go_struct),
    (_ESCAPES, _slashes),
)


# How t and the text are put together.

Template = tuple[Part, Callable[[bytes], bytes]]

_BODY_ONLY = Part("body-only", "without t", SIGNED_TEXT)
_NO_DOT = Part("no-dot", "without the dot between t and the body", SIGNED_TEXT)
ORDER = Part("wrong-order", "with the body first, then t", SIGNED_TEXT)
SEPARATOR = Part("wrong-separator", "with something other than a dot behind t", SIGNED_TEXT)
T_NAMED = Part("t-with-name", "over 't=' and the number, not the number", SIGNED_TEXT)
_MILLISECONDS = Part(
    "milliseconds",
    "with t in milliseconds",
    "Use whole seconds, and the same text in the header and in the signed text.",
)
_REPRINTED = Part("t-reprinted", "over a re-printed t", "Sign t's text as it was sent.")
_T_CHANGED = Part(
    "t-changed",
    "with a t one second away from the header's",
    "Read the clock once: the header's t must be the text that was signed.",
)
_CREATE_TIME = Part(
    "create-time",
    "with the event's create_time in place of t",
    "Sign the header's t; create_time is when the event happened, another clock.",
)
APP_KEY = Part(
    "client-key-in-text",
    "with the client key in front, as TikTok Shop has it",
    f"{SIGNED_TEXT} The client key is not part of it.",
)
_NONCE = Part(
    "nonce", "with a nonce or an id next to t and the body", f"{SIGNED_TEXT} There is no nonce."
)
SECRET_IN_TEXT = Part(
    "secret-in-text",
    "with the secret in the signed text",
    f"{SIGNED_TEXT} The secret is the key only.",
)


def templates(
    timestamp: bytes | None, envelope: dict[str, Any], *, nonce: bytes | None = None
) -> Iterator[Template]:
    """Every way to put t and the text together; the right one is not among them.

    Args:
        timestamp: ``t`` as its text; None if there was none anywhere.
        envelope: The body as a JSON object.
        nonce: From a header of that name; None without one.
    """
    yield _BODY_ONLY, lambda text: text
    app = envelope.get("client_key")
    key = str(app).encode("utf-8", "replace") if isinstance(app, str | int) and app else None
    if key is not None:
        yield APP_KEY, lambda text: key + text
    t = timestamp
    if t is None:
        return
    yield _NO_DOT, lambda text: t + text
    if nonce is not None:
        yield _NONCE, lambda text: b"%b.%b.%b" % (t, nonce, text)
        yield _NONCE, lambda text: t + nonce + text
        yield _NONCE, lambda text: b"%b.%b.%b" % (nonce, t, text)
        yield _NONCE, lambda text: b"%b\n%b\n%b\n" % (t, nonce, text)
    for part, other in _timestamps(t, envelope.get("create_time")):
        yield part, partial(_joined, other, b".")
    yield ORDER, lambda text: b"%b.%b" % (text, t)
    yield ORDER, lambda text: text + t
    for mark in (b":", b",", b"|", b"-", b"_", b"&", b" ", b"\n", b";", b"/"):
        yield SEPARATOR, partial(_joined, t, mark)
    yield T_NAMED, lambda text: b"t=%b.%b" % (t, text)
    yield T_NAMED, lambda text: b"t=%b,%b" % (t, text)
    if key is not None:
        yield APP_KEY, lambda text: key + t + text
        yield APP_KEY, lambda text: b"%b.%b.%b" % (key, t, text)
        yield APP_KEY, lambda text: b"%b.%b.%b" % (t, key, text)


def _joined(first: bytes, mark: bytes, text: bytes) -> bytes:
    return first + mark + text


def with_secret(timestamp: bytes, secret: bytes) -> Iterator[Template]:
    """Ways that put the secret into the signed text too."""
    yield SECRET_IN_TEXT, lambda text: secret + text + secret
    yield SECRET_IN_TEXT, lambda text: b"%b%b.%b" % (secret, timestamp, text)
    yield SECRET_IN_TEXT, lambda text: b"%b.%b%b" % (timestamp, text, secret)
    yield SECRET_IN_TEXT, lambda text: b"%b.%b.%b" % (timestamp, text, secret)


def _timestamps(t: bytes, create_time: object) -> Iterator[tuple[Part, bytes]]:
    if is_milliseconds(t.decode()):
        yield _MILLISECONDS, t[:-3]
    yield _MILLISECONDS, t + b"000"
    number = int(t)
    if str(number).encode() != t:
        yield _REPRINTED, str(number).encode()
    # One second only: a clock that was read twice. Further away it is an altered header.
    for step in (1, -1):
        yield _T_CHANGED, str(number + step).encode()
    if isinstance(create_time, int) and abs(create_time) < 2**63:
        yield _CREATE_TIME, str(create_time).encode()


# The key.

_PLACEHOLDERS = (
    *("null", "None", "none", "secret", "test", "changeme", "client_secret"),
    *("your_client_secret", "YOUR_CLIENT_SECRET", "$TIKTOK_CLIENT_SECRET"),
    *("${TIKTOK_CLIENT_SECRET}", "$CLIENT_SECRET", "${CLIENT_SECRET}"),
)
_FITS = "it matches without them"
_WHITESPACE = Part(
    "secret-whitespace", f"with the given secret, which has white space around it; {_FITS}", _TRIM
)
_QUOTES = Part(
    "secret-quotes",
    f"with the given secret, which has quotes around it; {_FITS}",
    "Remove the quotes: some .env readers keep them.",
)
_NAMED = Part(
    "secret-named",
    "with the given secret, which has its name in front",
    "Give the value alone, without NAME= in front.",
)
SIGNED_WHITESPACE = Part(
    "signed-with-whitespace", "with white space at the start or end of the secret", _TRIM
)
SIGNED_QUOTES = Part(
    "signed-with-quotes",
    "with quotes around the secret",
    "Remove the quotes from the signer's setting: some .env readers keep them.",
)
SECRET_CASE = Part(
    "secret-case", "with the secret in upper or lower case", "Secrets are case-sensitive."
)
DECODED = Part(
    "secret-decoded",
    "with the secret decoded, encoded or hashed first",
    "The key is the client secret's own text, neither hex nor base64 nor a hash of anything.",
)
_EMPTY_SECRET = Part(
    "empty-secret",
    "with an empty secret",
    "The signer has no secret: set its option or environment variable.",
)
PLACEHOLDER = Part(
    "placeholder-secret",
    "with a placeholder in place of the secret",
    "Put the app's client secret into the signer's settings.",
)
_CLIENT_KEY = Part(
    "client-key-as-key",
    "with the client key as key",
    "The key is the app's client secret; the client key is public.",
)


def keys(secrets: Sequence[str], client_key: object) -> Iterator[tuple[Part, bytes]]:
    """Every key that is used in place of the right one."""
    yield _EMPTY_SECRET, b""
    if isinstance(client_key, str) and client_key:
        yield _CLIENT_KEY, key_of(client_key)
    yield PLACEHOLDER, b"undefined"
    for secret in secrets:
        for part, other in _other_secrets(secret):
            if other not in {secret, ""}:
                yield part, key_of(other)
        yield from _decoded_secrets(secret)
    for text in _PLACEHOLDERS:
        yield PLACEHOLDER, text.encode()


def _other_secrets(secret: str) -> Iterator[tuple[Part, str]]:
    bare = secret.strip()
    yield _WHITESPACE, bare
    if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in "\"'`":
        yield _QUOTES, bare[1:-1]
        yield _QUOTES, bare[1:-1].strip()
    name, equals, value = bare.partition("=")
    if equals and name.isidentifier():
        yield _NAMED, value
        yield _NAMED, value.strip("\"'")
    for other in (f"{bare}\n", f"{bare}\r\n", f"{bare}\r", f"{bare} ", f" {bare}"):
        yield SIGNED_WHITESPACE, other
    for mark in ('"', "'"):
        yield SIGNED_QUOTES, f"{mark}{bare}{mark}"
    yield SECRET_CASE, bare.lower()
    yield SECRET_CASE, bare.upper()


def _decoded_secrets(secret: str) -> Iterator[tuple[Part, bytes]]:
    key = key_of(secret)
    for decode in (bytes.fromhex, base64.b64decode):
        try:
            yield DECODED, decode(secret.removeprefix("whsec_"))
        except ValueError:
            continue
    yield DECODED, base64.b64encode(key)
    yield DECODED, key.hex().encode()
    yield DECODED, hashlib.sha256(key).digest()
    yield DECODED, hashlib.sha256(key).hexdigest().encode()
    yield DECODED, hashlib.md5(key, usedforsecurity=False).hexdigest().encode()


# Constructions other than HMAC-SHA256.

SWAPPED = Part(
    "key-and-message-swapped",
    "with the secret as message and the text as key",
    "HMAC-SHA256 takes the client secret as its key.",
)
PLAIN = Part("plain-hash", "with plain SHA-256", "Use HMAC-SHA256, keyed with the client secret.")


def constructions(message: bytes, key: bytes) -> Iterator[tuple[Part, bytes]]:
    """Digests of 32 bytes other than an HMAC with the secret as key."""
    yield PLAIN, hashlib.sha256(message).digest()
    yield SWAPPED, hmac.digest(message, key, "sha256")
    for text in (key + message, message + key, key + b"." + message, message + b"." + key):
        yield PLAIN, hashlib.sha256(text).digest()
    yield PLAIN, hashlib.sha256(key + message + key).digest()
