"""The known wrong ways to make the signature, each tried on a delivery that does not match.

A match proves which mistake was made, since nothing else gives those 32 bytes. Nothing here
accepts a delivery, so comparing in constant time is of no use.
"""

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tiktok_hook.signature.scheme import digest, is_milliseconds, key_of

MAX_THOROUGH_BYTES = 16 * 1024
"""Longer bodies get three cheap tries only, so that a flood of forgeries costs little.

TikTok's own have a few hundred bytes.
"""

MAX_BRACKETS = 16
"""JSON with more of them is not tried indented: deep nesting would make that text enormous."""

MAX_TRIED_BYTES = 1024 * 1024
"""Longer bodies get none."""

MAX_SECRETS = 8
"""How many of the given secrets are tried with every recipe."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a signature does not match, and what to do.

    Args:
        mistake: A stable word for it, such as ``body-only``.
        reason: A few words; they never quote what a stranger sent, nor a secret.
        hint: The fix.
    """

    mistake: str
    reason: str
    hint: str


_RAW = "Sign and verify the very bytes that travel, before anything parses and rewrites them."
_SIGNED_TEXT = 'The signed text is t, a dot, then the raw body: f"{t}.{body}".'
_TRIM = "Strip the secret when it is read from a file or the environment."

_BODY_ONLY = Diagnosis("body-only", "made over the body alone, without t", _SIGNED_TEXT)
_NO_DOT = Diagnosis("no-dot", "made without the dot between t and the body", _SIGNED_TEXT)
_NEWLINE_STRIPPED = Diagnosis(
    "newline-stripped", "made over the body without the white space around it", _RAW
)

_Message = tuple[Diagnosis, bytes]
_Write = Callable[[Any], str]


def recognise(
    timestamp: str, digests: Collection[bytes], body: bytes, secrets: Sequence[str]
) -> Diagnosis | None:
    """Find the mistake that gives one of these signatures; None when no known one does.

    Args:
        timestamp: ``t`` as its text.
        digests: The signatures that came, 32 bytes each.
        body: As received.
        secrets: The app's own; blank ones are left out.
    """
    if len(body) > MAX_TRIED_BYTES:
        return None
    usable = [secret for secret in secrets if secret.strip()][:MAX_SECRETS]
    keys = [key_of(secret) for secret in usable]
    thorough = len(body) <= MAX_THOROUGH_BYTES
    envelope = envelope_of(body)
    messages: Iterable[_Message] = _cheap_messages(timestamp.encode(), body)
    if thorough:
        messages = chain(messages, _messages(timestamp.encode(), body, envelope))
    for mistake, message in messages:
        for key in keys:
            if hmac.digest(key, message, "sha256") in digests:
                return mistake
    if not thorough:
        return None
    for mistake, key in _keys(usable, envelope.get("client_key")):
        if digest(key, timestamp, body) in digests:
            return mistake
    right = b"%b.%b" % (timestamp.encode(), body)
    return _another_construction(right, keys, digests)


def envelope_of(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; an empty one when it is none, or too long to look at."""
    if len(body) > MAX_THOROUGH_BYTES:
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _cheap_messages(t: bytes, body: bytes) -> Iterator[_Message]:
    yield _BODY_ONLY, body
    yield _NO_DOT, t + body
    stripped = body.strip()
    if stripped != body:
        yield _NEWLINE_STRIPPED, t + b"." + stripped


def _messages(t: bytes, body: bytes, envelope: dict[str, Any]) -> Iterator[_Message]:
    for mistake, other in _other_timestamps(t, envelope.get("create_time")):
        yield mistake, other + b"." + body
    for mistake, other in (*_other_bytes(body), *_other_json(body, envelope)):
        yield mistake, t + b"." + other
        # The two commonest mistakes are often made together.
        yield _BODY_ONLY, other
    order = Diagnosis("wrong-order", "made over the body first, then t", _SIGNED_TEXT)
    yield order, body + b"." + t
    yield order, body + t
    separator = Diagnosis("wrong-separator", "made with something else than a dot", _SIGNED_TEXT)
    for mark in (b":", b",", b"|", b"-", b"_", b"&", b" ", b"\n"):
        yield separator, t + mark + body
    yield (
        Diagnosis("t-with-name", "made over 't=' and the number, not the number", _SIGNED_TEXT),
        b"t=" + t + b"." + body,
    )


def _other_timestamps(t: bytes, create_time: object) -> Iterator[_Message]:
    milliseconds = Diagnosis(
        "milliseconds",
        "made with t in milliseconds",
        "Use whole seconds, and the same text in the header and under the signature.",
    )
    if is_milliseconds(t.decode()):
        yield milliseconds, t[:-3]
    yield milliseconds, t + b"000"
    number = int(t)
    if str(number).encode() != t:
        yield (
            Diagnosis("t-reprinted", "made over a re-printed t", "Sign t's text as it was sent."),
            str(number).encode(),
        )
    changed = Diagnosis(
        "t-changed",
        "made with another t than the header's",
        "Read the clock once: the header's t must be the very text that was signed.",
    )
    for step in (1, -1, 2, -2, 3, -3):
        yield changed, str(number + step).encode()
    if isinstance(create_time, int) and abs(create_time) < 2**63:
        hint = "Sign the header's t; create_time is when the event happened, another clock."
        yield (
            Diagnosis("create-time", "made with the event's create_time in place of t", hint),
            str(create_time).encode(),
        )


def _other_bytes(body: bytes) -> Iterator[_Message]:
    newline = Diagnosis("newline-added", "made over the body with a newline behind it", _RAW)
    yield newline, body + b"\n"
    yield newline, body + b"\r\n"
    breaks = Diagnosis("line-breaks", "made over the body with other line breaks", _RAW)
    unix = body.replace(b"\r\n", b"\n")
    for other in (unix, unix.replace(b"\n", b"\r\n")):
        if other != body:
            yield breaks, other
    mark = b"\xef\xbb\xbf"
    yield (
        Diagnosis("byte-order-mark", "made with or without a byte order mark", _RAW),
        body.removeprefix(mark) if body.startswith(mark) else mark + body,
    )
    text = "made over the body in another encoding"
    encoding = Diagnosis("encoding", text, "TikTok's body is UTF-8: sign its bytes, not a text.")
    if not body.isascii():
        yield encoding, body.decode("latin-1").encode()
        yield encoding, body.decode("utf-8", "replace").encode()
    yield encoding, body.decode("latin-1").encode("utf-16-le")
    if body.startswith(b"\x1f\x8b"):
        try:
            inflated = zlib.decompressobj(31).decompress(body, MAX_THOROUGH_BYTES)
        except zlib.error:
            return
        yield Diagnosis("compressed", "made before the body was compressed", _RAW), inflated


def _other_json(body: bytes, envelope: dict[str, Any]) -> Iterator[_Message]:
    if not envelope:
        return
    for mistake, write, value in _rewritings(envelope):
        if mistake is _INDENT and body.count(b"{") + body.count(b"[") > MAX_BRACKETS:
            continue
        try:
            text = write(value).encode()
        except (ValueError, RecursionError):  # a lone surrogate; nesting at the edge
            continue
        if text != body:
            yield mistake, text


def _rewritings(envelope: dict[str, Any]) -> Iterator[tuple[Diagnosis, _Write, dict[str, Any]]]:
    for mistake, write in _FORMS:
        yield mistake, write, envelope
    content = envelope.get("content")
    inner = envelope_of(content.encode("utf-8", "replace")) if isinstance(content, str) else None
    if not inner:
        return
    for write in (_python, _python_unicode, _compact, _compact_ascii):
        yield _CONTENT_DECODED, write, {**envelope, "content": inner}
    for write in (_python, _compact):
        yield _CONTENT_REWRITTEN, _compact, {**envelope, "content": write(inner)}


def _writer(**options: Any) -> _Write:
    def write(value: Any) -> str:
        return json.dumps(value, **options)

    return write


_COMPACT = (",", ":")
_python = _writer()
_python_unicode = _writer(ensure_ascii=False)
_compact = _writer(ensure_ascii=False, separators=_COMPACT)
_compact_ascii = _writer(separators=_COMPACT)


def _php(value: Any) -> str:
    return _compact_ascii(value).replace("/", "\\/")


def _go(value: Any) -> str:
    text = _writer(ensure_ascii=False, separators=_COMPACT, sort_keys=True)(value)
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


_SPACES = Diagnosis("json-spaces", "made over re-serialised JSON, with spaces", _RAW)
_ESCAPES = Diagnosis("json-escapes", "made over re-serialised JSON, with \\u escapes", _RAW)
_ANEW = Diagnosis("json-rewritten", "made over re-serialised JSON", _RAW)
_INDENT = Diagnosis("json-indented", "made over re-serialised JSON, indented", _RAW)
_SORTED = Diagnosis("json-sorted", "made over re-serialised JSON, with its keys sorted", _RAW)
_CONTENT_DECODED = Diagnosis(
    "content-decoded",
    "made over JSON with content as an object",
    f"content is a string that holds JSON, and stays one. {_RAW}",
)
_CONTENT_REWRITTEN = Diagnosis(
    "content-rewritten", "made over JSON whose content was re-serialised", _RAW
)

# How the languages' own writers put a parsed body: Python's, JavaScript's, PHP's, Go's, and both
# usual indentations.
_FORMS: tuple[tuple[Diagnosis, _Write], ...] = (
    (_SPACES, _python),
    (_SPACES, _python_unicode),
    (_ANEW, _compact),
    (_ESCAPES, _compact_ascii),
    (_ESCAPES, _php),
    (_INDENT, _writer(ensure_ascii=False, indent=2)),
    (_INDENT, _writer(ensure_ascii=False, indent=4)),
    (_SORTED, _writer(sort_keys=True)),
    (_SORTED, _writer(ensure_ascii=False, separators=_COMPACT, sort_keys=True)),
    (_SORTED, _go),
)

_PLACEHOLDERS = (
    *("undefined", "null", "None", "none", "secret", "test", "changeme", "client_secret"),
    *("your_client_secret", "YOUR_CLIENT_SECRET", "$TIKTOK_CLIENT_SECRET"),
    *("${TIKTOK_CLIENT_SECRET}", "$CLIENT_SECRET", "${CLIENT_SECRET}"),
)


def _keys(secrets: Sequence[str], client_key: object) -> Iterator[tuple[Diagnosis, bytes]]:
    for secret in secrets:
        for mistake, other in _other_secrets(secret):
            if other != secret and other:
                yield mistake, key_of(other)
        yield from _decoded_secrets(secret)
    empty = Diagnosis(
        "empty-secret",
        "made with an empty secret",
        "The signer has no secret: is its setting or environment variable set?",
    )
    yield empty, b""
    placeholder = Diagnosis(
        "placeholder-secret",
        "made with a placeholder in place of the secret",
        "The signer uses a placeholder: put the app's client secret into its settings.",
    )
    for text in _PLACEHOLDERS:
        yield placeholder, text.encode()
    if isinstance(client_key, str) and client_key:
        hint = "The key is the app's client secret; the client key is public."
        yield (
            Diagnosis("client-key-as-key", "made with the client key", hint),
            key_of(client_key),
        )


def _other_secrets(secret: str) -> Iterator[tuple[Diagnosis, str]]:
    bare = secret.strip()
    fits = "it matches without them"
    yield (
        Diagnosis(
            "secret-whitespace", f"the given secret has white space around it; {fits}", _TRIM
        ),
        bare,
    )
    quotes = Diagnosis(
        "secret-quotes",
        f"the given secret has quotes around it; {fits}",
        "Take the quotes away: some .env readers keep them.",
    )
    if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in "\"'`":
        yield quotes, bare[1:-1]
        yield quotes, bare[1:-1].strip()
    name, equals, value = bare.partition("=")
    if equals and name.isidentifier():
        hint = "Give the value alone, without NAME= before it."
        named = Diagnosis("secret-named", "the given secret has its name before it", hint)
        yield named, value
        yield named, value.strip("\"'")
    newline = Diagnosis(
        "signed-with-whitespace", "made with white space at the end or start of the secret", _TRIM
    )
    for other in (f"{bare}\n", f"{bare}\r\n", f"{bare}\r", f"{bare} ", f" {bare}"):
        yield newline, other
    hint = "Take the quotes out of the signer's setting: some .env readers keep them."
    for mark in ('"', "'"):
        yield (
            Diagnosis("signed-with-quotes", "made with quotes around the secret", hint),
            f"{mark}{bare}{mark}",
        )
    case = Diagnosis(
        "secret-case", "made with the secret in other letters", "Secrets are case-sensitive."
    )
    yield case, bare.lower()
    yield case, bare.upper()


def _decoded_secrets(secret: str) -> Iterator[tuple[Diagnosis, bytes]]:
    mistake = Diagnosis(
        "secret-decoded",
        "made with the secret decoded or encoded first",
        "The key is the client secret's own text, neither hex nor base64 of anything.",
    )
    key = key_of(secret)
    for decode in (bytes.fromhex, base64.b64decode):
        try:
            yield mistake, decode(secret.removeprefix("whsec_"))
        except ValueError:
            continue
    yield mistake, base64.b64encode(key)
    yield mistake, key.hex().encode()
    yield mistake, hashlib.sha256(key).digest()


def _another_construction(
    message: bytes, keys: Sequence[bytes], digests: Collection[bytes]
) -> Diagnosis | None:
    swapped = Diagnosis(
        "key-and-message-swapped",
        "made with the secret as message and the text as key",
        "HMAC-SHA256 takes the client secret as its key.",
    )
    plain = Diagnosis(
        "plain-hash", "made with plain SHA-256", "Use HMAC-SHA256, keyed with the client secret."
    )
    if hashlib.sha256(message).digest() in digests:
        return plain
    for key in keys:
        if hmac.digest(message, key, "sha256") in digests:
            return swapped
        for text in (key + message, message + key, key + b"." + message, message + b"." + key):
            if hashlib.sha256(text).digest() in digests:
                return plain
    return None
