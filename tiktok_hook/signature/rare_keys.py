"""Rare parts of a wrong signature: another key, or another construction than HMAC-SHA256.

As in `rare_texts`, each is tried by itself.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any
from urllib.parse import quote

from tiktok_hook.signature import parts
from tiktok_hook.signature.parts import Part

_AFFIX = Part(
    "secret-with-affix",
    "with something before or after the secret (a prefix, a mark, an invisible character)",
    "The key is the client secret's own text, nothing more: check how it is read.",
)
_JOINED = Part(
    "secret-joined",
    "with the secret joined to another value as the key",
    "The key is the client secret alone.",
)
_CUT = Part(
    "secret-cut",
    "with a part of the secret as the key",
    "The secret was cut, reversed or doubled when it was copied or stored: copy it again.",
)
_TYPED = Part(
    "secret-typed",
    "with another character in place of a hyphen of the secret",
    "A word processor or chat program replaced it: copy the secret from the portal.",
)
_KEY_ENCODING = Part(
    "secret-encoding",
    "with the secret in another encoding, such as UTF-16",
    "The key is the secret's UTF-8 text.",
)
_OTHER_HASH = Part(
    "other-hash", "with another hash, cut to 32 bytes", "TikTok's is HMAC-SHA256, in hex."
)
_TWICE = Part(
    "hashed-twice",
    "with another hash before or after the HMAC",
    f"One HMAC-SHA256, and its hex. {parts.SIGNED_TEXT}",
)
_DERIVED = Part(
    "derived-key",
    "with a key derived from the secret, as AWS and others do",
    "The key is the client secret itself.",
)
_REVERSED = Part("digest-reversed", "with the bytes of the digest reversed", "Send them in order.")

_PREFIXES = (
    "\0", "\ufeff", "\u200b", "\u200e", "\u00a0", "Bearer ", "bearer ", "Basic ", "whsec_", "AWS4",
    "sk_", "secret_", "Secret ", "secret=", "SECRET=", "key=", "client_secret=", "CLIENT_SECRET=",
    "TIKTOK_CLIENT_SECRET=", "export TIKTOK_CLIENT_SECRET=", "TIKTOK_SECRET=", "undefined", "null",
    '"', "'", "`", "\u201c", "=", ":", "base64:", "hex:", "{", "<", "[", "(", "$", "#", "\t", "  ",
)  # fmt: skip
_SUFFIXES = (
    "\0", "\n\n", "\t", "\u200b", "\u00a0", "\u200e", "\ufeff", "&", ";", ",", ".", '"', "'", "`",
    "\u201d", "=", "==", "\\n", "\\r\\n", "\\", "%", "undefined", "null", " # secret", "}",
    "  ", "\x1a",
)  # fmt: skip
_AROUND = (
    ("`", "`"), ("\u201c", "\u201d"), ("\u2018", "\u2019"), ("<", ">"), ("[", "]"), ("{", "}"),
    ("(", ")"),
    ("b'", "'"), ('b"', '"'), ("'\\''", "'\\''"), ('\\"', '\\"'), ("${", "}"), ("{{", "}}"),
    ("%", "%"),
    (" ", " "), ("\n", "\n"), ("['", "']"), ('["', '"]'), ("('", "',)"),
)  # fmt: skip
PLACEHOLDERS = (
    "TIKTOK_CLIENT_SECRET", "TIKTOK_SECRET", "CLIENT_SECRET", "client-secret", "clientSecret",
    "clientsecret", "app_secret", "APP_SECRET", "webhook_secret", "WEBHOOK_SECRET", "your_secret",
    "YOUR_SECRET", "your-secret", "your-client-secret", "YOUR-CLIENT-SECRET", "yourClientSecret",
    "your_webhook_secret", "your_app_secret", "<client_secret>", "<your_client_secret>",
    "<YOUR_CLIENT_SECRET>", "{client_secret}", "{{client_secret}}", "{{ client_secret }}",
    "[client_secret]", "process.env.TIKTOK_CLIENT_SECRET", "process.env.CLIENT_SECRET",
    "os.environ['TIKTOK_CLIENT_SECRET']", "%TIKTOK_CLIENT_SECRET%", "$env:TIKTOK_CLIENT_SECRET",
    "[object Object]", "[object Promise]", "NaN", "nil", "false", "true", "0", "1", "xxx",
    "XXX", "xxxx",
    "TODO", "todo", "FIXME", "change-me", "change_me", "CHANGEME", "CHANGE_ME", "replace-me",
    "replace_me", "placeholder", "dummy", "example", "sample", "foo", "bar", "key", "mykey",
    "mysecret", "client_id", "webhook", "mytoken", "token", "verify_token",
    "my-secret", "my_secret", "s3cret", "supersecret", "password", "tiktok", "sandbox",
    "production",
    "dev", "development", "local", "12345", "123456", "123456789", "abc", "abc123", " ", "\n", "\0",
    '""', "''", "...", "…", "***", "********", "[REDACTED]", "REDACTED", "[hidden]",
    "<secret>", "b''",
)  # fmt: skip


def keys(
    secrets: Sequence[bytes], t: bytes, envelope: dict[str, Any]
) -> Iterator[tuple[Part, bytes]]:
    """Everything rare that is used as the key.

    Args:
        secrets: The app's own, as their bytes.
        t: The timestamp as its text.
        envelope: The body as a JSON object; empty if it is none.
    """
    others = [
        str(envelope[name]).encode("utf-8", "replace")
        for name in ("client_key", "user_openid", "event", "create_time")
        if envelope.get(name)
    ]
    for key in secrets:
        for prefix in _PREFIXES:
            yield _AFFIX, prefix.encode() + key
        for suffix in _SUFFIXES:
            yield _AFFIX, key + suffix.encode()
        for before, after in _AROUND:
            yield _AFFIX, before.encode() + key + after.encode()
        for other in (t, *others[:1]):
            for mark in (b"", b":", b".", b"&", b"\n", b"|"):
                yield _JOINED, other + mark + key
                yield _JOINED, key + mark + other
        yield from ((_CUT, key[:length]) for length in (8, 10, 12, 16, 20, 24, 32) if key[length:])
        yield from ((_CUT, key[-length:]) for length in (8, 16, 20, 32) if key[length:])
        yield from ((_CUT, other) for other in (key[1:], key[:-1], key[::-1], key + key))
        for dash in ("\u2013", "\u2014", "\u2010", "\u2011", "\u00ad", "_"):
            yield _TYPED, key.replace(b"-", dash.encode())
        yield _CUT, key.partition(b"-")[0]
        yield _CUT, key.partition(b"=")[0]
        yield _CUT, key.replace(b"-", b"").replace(b"_", b"")
        text = key.decode("utf-8", "replace")
        for codec in ("utf-16-le", "utf-16-be", "utf-16", "utf-32-le"):
            yield _KEY_ENCODING, text.encode(codec)
        yield from ((parts.DECODED, other) for other in _hashed(key))
    for other in (t, *others):
        yield _JOINED, other
    for word in PLACEHOLDERS:
        yield parts.PLACEHOLDER, word.encode()


def _hashed(key: bytes) -> Iterator[bytes]:
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        raw = hashlib.new(algorithm, key, usedforsecurity=False).digest()
        yield raw
        yield from (raw.hex().encode(), raw.hex().upper().encode(), base64.b64encode(raw))
    for encoded in (base64.b64encode(key), base64.urlsafe_b64encode(key)):
        yield from (encoded, encoded.rstrip(b"="), encoded + b"\n")
    # As `echo SECRET | base64` writes it, for Kubernetes.
    yield from (base64.b64encode(key + b"\n"), base64.b64encode(key + b"\n") + b"\n")
    yield key.hex().upper().encode()
    yield quote(key.decode("utf-8", "replace"), safe="").encode()
    yield repr(key).encode()


def digests(
    t: bytes, body: bytes, key: bytes, envelope: dict[str, Any], *, extras: tuple[bytes, ...] = ()
) -> Iterator[tuple[Part, bytes]]:
    """Results of 32 bytes of every rare construction."""
    right = t + b"." + body
    digest = hmac.digest(key, right, "sha256")
    yield _REVERSED, digest[::-1]
    for message in (right, body, t + body):
        for algorithm in ("sha512", "sha384", "sha3_256", "sha3_512", "blake2s", "blake2b"):
            whole = hmac.digest(key, message, algorithm)
            yield _OTHER_HASH, whole[:32]
            yield _OTHER_HASH, whole[-32:]
        hashed = hashlib.sha256(message)
        yield _TWICE, hashlib.sha256(hashed.digest()).digest()
        yield _TWICE, hmac.digest(key, hashed.digest(), "sha256")
        yield _TWICE, hmac.digest(key, hashed.hexdigest().encode(), "sha256")
        yield (
            _TWICE,
            hmac.digest(
                key, hashlib.md5(message, usedforsecurity=False).hexdigest().encode(), "sha256"
            ),
        )
        inner = hmac.digest(key, message, "sha256")
        for again in (inner, inner.hex().encode(), base64.b64encode(inner)):
            yield _TWICE, hashlib.sha256(again).digest()
            yield _TWICE, hmac.digest(key, again, "sha256")
        yield parts.SWAPPED, hmac.digest(message, key, "sha256")
        yield parts.PLAIN, hashed.digest()
    yield _OTHER_HASH, hashlib.blake2s(right, key=key[:32]).digest()
    yield parts.SWAPPED, hmac.digest(key + body, t, "sha256")
    yield parts.SWAPPED, hmac.digest(body, t + key, "sha256")
    yield _DERIVED, hmac.digest(t, body, "sha256")
    yield _DERIVED, hmac.digest(t + b"\n" + key, b"", "sha256")
    for step in (t, str(envelope.get("client_key", "")).encode("utf-8", "replace"), b"tiktok"):
        for derived in (hmac.digest(key, step, "sha256"), hmac.digest(step, key, "sha256")):
            for used in (derived, derived.hex().encode()):
                for message in (right, body):
                    yield _DERIVED, hmac.digest(used, message, "sha256")
    yield from _plain(t, body, key, envelope, extras)


def _plain(
    t: bytes, body: bytes, key: bytes, envelope: dict[str, Any], extras: tuple[bytes, ...]
) -> Iterator[tuple[Part, bytes]]:
    """SHA-256 over the secret, t and the body, in every order."""
    app = envelope.get("client_key")
    more = [str(app).encode("utf-8", "replace")] if app else []
    for values in (
        (key, body),
        (key, t, body),
        *((key, t, body, each) for each in (*more, *extras)),
    ):
        for order in permutations(values):
            for mark in (b"", b".") if len(values) > 3 else (b"", b".", b":", b"&", b"|"):
                yield parts.PLAIN, hashlib.sha256(mark.join(order)).digest()
    for order in permutations((key, t)):
        yield parts.PLAIN, hashlib.sha256(b"".join(order)).digest()
