"""Why a signature is invalid: names the mistake and its fix."""

import base64
import re
from collections.abc import Sequence
from dataclasses import replace

from tiktok_hook.signature.recipes import (
    MAX_THOROUGH_BYTES,
    MAX_TRIED_BYTES,
    Diagnosis,
    envelope_of,
    recognise,
)
from tiktok_hook.signature.scheme import (
    HEADER,
    MAX_HEADER_CHARS,
    MalformedError,
    Signature,
    Verdict,
    is_milliseconds,
    matching,
    take_apart,
    words_for,
)

_SHAPE = f"{HEADER}: t=<unix seconds>,s=<64 hex digits>"
_PATIENCE_SECONDS = 300.0

# Names under which other platforms, and code copied from theirs, look for a signature.
_WRONG_NAMES = {
    name.lower(): name
    for name in (
        "X-TikTok-Signature",
        "X-Tt-Signature",
        "Tt-Signature",
        "TikTok-Webhook-Signature",
        "X-TikTok-Webhook-Signature",
        "TikTok_Signature",
        "Webhook-Signature",
        "X-Webhook-Signature",
        "X-Signature",
        "X-Signature-256",
        "X-Hub-Signature",
        "X-Hub-Signature-256",
        "Stripe-Signature",
        "Svix-Signature",
        "Signature",
    )
}
_HEX_64 = re.compile(r"[0-9a-fA-F]{64}")
_CLIENT_KEY = re.compile(r"(?:sbaw[0-9a-z]{14}|aw[0-9a-z]{14})")


def diagnose(
    header: str | None,
    body: bytes,
    secrets: Sequence[str],
    *,
    now: float,
    headers: Sequence[tuple[str, str]] = (),
) -> Diagnosis | None:
    """Name the mistake behind a signature that `check` does not find valid.

    Args:
        header: The signature header's value; None when the request had none.
        body: Bytes exactly as received.
        secrets: The app's own secrets.
        now: Current time in Unix seconds.
        headers: All headers of the request, for what came under another name.

    Returns:
        The mistake and its fix; None for a valid signature, and when nothing known matches. Never
        raises, never holds a secret, and its work is bounded: bodies over 16 KiB get a few tries.
    """
    secrets = (secrets,) if isinstance(secrets, str) else secrets
    if header is None or not header.strip():
        return _missing(header, body, secrets, headers)
    try:
        found = take_apart(header)
    except MalformedError as error:
        return _malformed(header.strip(), str(error), body, secrets)
    if matching(found, body, secrets) is not None:
        return _untimely(found.timestamp, now)
    return recognise(found.timestamp, found.digests, body, secrets) or _another_secret(body)


def explain(
    verdict: Verdict,
    header: str | None,
    body: bytes,
    secrets: Sequence[str],
    *,
    now: float,
    headers: Sequence[tuple[str, str]] = (),
) -> Verdict:
    """The verdict with the diagnosis as its reason and hint.

    Unchanged when it is not rejected, has a hint already, or nothing known matches.
    """
    if not verdict.refused or verdict.hint:
        return verdict
    found = diagnose(header, body, secrets, now=now, headers=headers)
    return verdict if found is None else replace(verdict, reason=found.reason, hint=found.hint)


def _missing(
    header: str | None,
    body: bytes,
    secrets: Sequence[str],
    headers: Sequence[tuple[str, str]],
) -> Diagnosis:
    for name, value in headers:
        spelled = _WRONG_NAMES.get(name.lower())
        if spelled is not None:
            right = _matches(value, body, secrets)
            also = "; its value is right" if right else ""
            hint = f"TikTok sends {HEADER}, without X- before it: sign and look under that name."
            return Diagnosis("wrong-header-name", f"signed under {spelled}{also}", hint)
    if _from_shop(body, headers):
        return _SHOP
    if header is not None:
        hint = f"Something on the way blanked it, or the signer sent nothing. It reads {_SHAPE}"
        return Diagnosis("empty-header", "empty header", hint)
    hint = "TikTok signs what it sends, so this came from elsewhere, or a proxy took the header."
    return Diagnosis("no-header", f"no {HEADER} header", hint)


def _matches(value: str, body: bytes, secrets: Sequence[str]) -> bool:
    if len(body) > MAX_TRIED_BYTES:
        return False
    try:
        return matching(take_apart(value), body, secrets) is not None
    except MalformedError:
        return False


_SHOP = Diagnosis(
    "tiktok-shop",
    "looks like TikTok Shop, another platform",
    "TikTok Shop signs its app key and the body in the Authorization header, keyed with the "
    "app secret. This tool is for TikTok for Developers.",
)


def _from_shop(body: bytes, headers: Sequence[tuple[str, str]]) -> bool:
    if b'"tts_notification_id"' in body[:MAX_THOROUGH_BYTES]:
        return True
    return any(
        name.lower() == "authorization" and _HEX_64.fullmatch(value.strip())
        for name, value in headers
    )


def _untimely(timestamp: str, now: float) -> Diagnosis | None:
    age = now - int(timestamp)
    if is_milliseconds(timestamp):
        hint = "TikTok's t counts seconds: sign with whole seconds."
        return Diagnosis("milliseconds", "right signature, but t is in milliseconds", hint)
    if age > _PATIENCE_SECONDS:
        hint = "A stored delivery has to be re-signed before it is sent again."
        return Diagnosis("old", f"right signature, signed {words_for(age)} ago", hint)
    if age < -_PATIENCE_SECONDS:
        hint = "One of the two clocks is wrong: compare this machine's with a time server."
        return Diagnosis("future", f"right signature, {words_for(-age)} in the future", hint)
    return None


def _another_secret(body: bytes) -> Diagnosis | None:
    """What the envelope shows about the secret it takes, when no recipe matches."""
    envelope = envelope_of(body)
    client_key = envelope.get("client_key")
    if "tts_notification_id" in envelope:
        return _SHOP
    if not body:
        hint = "Something on the way read the body first and passed on nothing."
        return Diagnosis("empty-body", "signature does not match: the body is empty", hint)
    if isinstance(client_key, int) or (isinstance(client_key, str) and client_key.isdecimal()):
        hint = "The client key is a number, as in TikTok Business: it takes that app's own secret."
        return Diagnosis("business-app", "signature does not match: a Business app's?", hint)
    if not isinstance(client_key, str) or not _CLIENT_KEY.fullmatch(client_key):
        return None
    if client_key.startswith("sb"):
        hint = (
            f"It names {client_key}, a sandbox's client key, and a sandbox has its own client "
            "secret: copy it from the portal with the switch on Sandbox."
        )
        return Diagnosis("sandbox-key", "signature does not match: a sandbox's?", hint)
    hint = (
        f"It names {client_key}, a production app's client key: is the given secret that app's, "
        "not its sandbox's, and copied after the last change? Otherwise it was forged or altered."
    )
    return Diagnosis("another-secret", "signature does not match", hint)


def _malformed(header: str, error: str, body: bytes, secrets: Sequence[str]) -> Diagnosis:
    hint = f"It has to read {_SHAPE}"
    if len(header) > MAX_HEADER_CHARS:
        return Diagnosis("header-too-long", error, hint)
    for mistake, reason, fits in _SHAPES:
        if fits.match(header):
            return Diagnosis(mistake, reason, hint)
    parts: dict[str, str] = {}
    for part in header.split(","):
        key, _, value = part.strip(" \t").partition("=")
        if key == "t" and "t" in parts:
            both = "It was set twice, or by two programs on the way: send it once."
            return Diagnosis("header-twice", "the header came twice (two t=)", both)
        parts[key] = value
    return _bad_part(parts, body, secrets) or Diagnosis("malformed-header", error, hint)


_SHAPES = tuple(
    (mistake, reason, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for mistake, reason, pattern in (
        ("quoted-header", "quotes around the header's value", r"[\"'`]"),
        ("name-in-value", "the header's name is part of its value", r"tiktok-signature\s*:"),
        ("sha256-prefix", "sha256= in front, as GitHub and Meta have it", r"sha(1|256|512)[=:]"),
        ("bare-hex", "the hex alone, without t= and s=", r"[0-9a-f]{64}\Z"),
        ("stripe-style", "v1= in place of s=, as Stripe has it", r"(?!.*\bs\s*=).*\bv[01]="),
        ("semicolons", "semicolons between the parts, not commas", r"t=\d+\s*;"),
        ("ampersands", "ampersands between the parts, not commas", r"t=\d+&"),
        ("spaces-around-equals", "spaces around an equals sign", r"(.*,)?\s*[ts](\s+=|=\s)"),
        ("json-header", "JSON in the header", r"\{"),
        ("colons", "colons in place of equals signs", r"[ts]\s*:"),
    )
)


def _bad_part(parts: dict[str, str], body: bytes, secrets: Sequence[str]) -> Diagnosis | None:
    hint = f"It has to read {_SHAPE}"
    if not parts.keys() & {"t", "s"} and parts.keys() & {"T", "S"}:
        return Diagnosis("upper-case-keys", "T= and S= in upper case", hint)
    if "t" not in parts or "s" not in parts:
        name = "t" if "t" not in parts else "s"
        return Diagnosis(f"no-{name}", f"no {name}= in the header", hint)
    if not (parts["t"].isascii() and parts["t"].isdigit()):
        return _bad_timestamp(parts["t"])
    return _bad_signature(parts["t"], parts["s"], body, secrets)


def _bad_signature(
    timestamp: str, given: str, body: bytes, secrets: Sequence[str]
) -> Diagnosis | None:
    hint = f"It has to read {_SHAPE}"
    if re.match(r"sha(1|256|512)[=:]", given):
        return Diagnosis("sha256-prefix", "sha256= in front of the hex", hint)
    if len(given) == 66 and given[0] == given[-1] and given[0] in "\"'":
        return Diagnosis("quoted-signature", "quotes around the signature", hint)
    other = {128: "SHA-512", 96: "SHA-384", 40: "SHA-1", 32: "MD5"}.get(len(given))
    if other and re.fullmatch(r"[0-9a-fA-F]+", given):
        return Diagnosis("other-hash", f"as long as {other}", "TikTok's is HMAC-SHA256, in hex.")
    decoded = _from_base64(given)
    if decoded is not None:
        right = len(body) <= MAX_TRIED_BYTES and matching(
            Signature(timestamp, (decoded,)), body, secrets
        )
        also = "; its value is right" if right else ""
        return Diagnosis("base64", f"base64 in place of hex{also}", "Send the 32 bytes as hex.")
    return None


def _bad_timestamp(timestamp: str) -> Diagnosis:
    reason = next(
        (reason for fits, reason in _BAD_TIMESTAMPS if fits.match(timestamp)),
        "t is not a plain number",
    )
    return Diagnosis(
        "timestamp-format", reason, "t is a whole number of Unix seconds: digits only."
    )


_BAD_TIMESTAMPS = tuple(
    (re.compile(pattern, re.ASCII), reason)
    for pattern, reason in (
        (r"\Z", "t is empty"),
        (r"[\"']", "t is in quotes"),
        (r"[+-]", "t has a sign"),
        (r"\d+\.\d*\Z", "t has decimals"),
        (r"\d{4}-\d\d", "t is a date"),
        (r"[\d.]+[eE]", "t is in scientific notation"),
    )
)


def _from_base64(text: str) -> bytes | None:
    """32 bytes written as base64, either alphabet, padded or not; None for anything else."""
    if len(text.rstrip("=")) != 43:
        return None
    try:
        return base64.b64decode(text.rstrip("=") + "=", altchars=b"-_", validate=True)
    except ValueError:
        pass
    try:
        return base64.b64decode(text.rstrip("=") + "=", validate=True)
    except ValueError:
        return None
