"""Explains why a signature is rejected: the mistake by name, and its fix."""

import re
from collections.abc import Sequence
from dataclasses import replace

from tiktok_hook import client_keys
from tiktok_hook.signature.pasted import Candidate, candidate, candidates, from_base64
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
    MAX_TIMESTAMP_DIGITS,
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

_HEX_64 = re.compile(r"[0-9a-fA-F]{64}")


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
        header: The signature header's value; None if the request had none.
        body: Bytes exactly as received.
        secrets: The app's own secrets.
        now: Current time in Unix seconds.
        headers: All headers of the request, for a signature under another name, and for a
            timestamp or nonce in a header of its own.

    Returns:
        The mistake and its fix; None for a valid signature, and if no known mistake gives this
        one. Never raises and never contains a secret. At most 20 ms for a body of 64 KiB; longer
        ones get three tries, bodies over 1 MiB none.
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
    recipe = recognise(found.timestamp, found.digests, body, secrets)
    if recipe is not None and recipe.mistake in _OTHER_T:
        return _with_another_t(recipe)
    return (
        recipe or _with_companions(header, found, body, secrets, headers) or _another_secret(body)
    )


_OTHER_T = {"t-changed": "one second away", "create-time": "that of create_time"}


def _with_another_t(recipe: Diagnosis) -> Diagnosis:
    """Words for a signature that is right for another t than the header's.

    A forger who changes t of a captured header leaves the same bytes as a signer who used the wrong
    t, so neither may be called the cause.
    """
    which = _OTHER_T[recipe.mistake]
    return Diagnosis(
        recipe.mistake,
        "signature does not match: it belongs to another t",
        f"It is right for a t {which}: the header was forged or altered, or the signer used the "
        f"wrong t. {recipe.hint}",
    )


def _with_companions(
    header: str,
    found: Signature,
    body: bytes,
    secrets: Sequence[str],
    headers: Sequence[tuple[str, str]],
) -> Diagnosis | None:
    """A recipe with a nonce that came in a header of its own."""
    nonce = candidate(HEADER, header, headers).nonce
    if nonce is None:
        return None
    return recognise(found.timestamp, found.digests, body, secrets, nonce=nonce)


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

    Unchanged if it is not rejected, has a hint already, or no known mistake matches.
    """
    if not verdict.rejected or verdict.hint:
        return verdict
    found = diagnose(header, body, secrets, now=now, headers=headers)
    return verdict if found is None else replace(verdict, reason=found.reason, hint=found.hint)


def _missing(
    header: str | None,
    body: bytes,
    secrets: Sequence[str],
    headers: Sequence[tuple[str, str]],
) -> Diagnosis:
    if _is_shop_body(body):
        return _SHOP
    named = [_under_another_name(found, body, secrets) for found in candidates(headers)]
    if named:
        # Prefer one whose value was recognised to one that only has the name of a signature.
        return next((each for each in named if each.mistake != "wrong-header-name"), named[0])
    if _has_shop_header(headers):
        return _SHOP
    if header is not None:
        hint = f"A proxy removed its value, or the signer sent nothing. The form is {_SHAPE}"
        return Diagnosis("empty-header", "empty header", hint)
    hint = "TikTok signs what it sends: this came from elsewhere, or a proxy removed the header."
    return Diagnosis("no-header", f"no {HEADER} header", hint)


def _under_another_name(found: Candidate, body: bytes, secrets: Sequence[str]) -> Diagnosis:
    """What a signature under another header's name was made of, companions included."""
    shown = "-".join(part[:1].upper() + part[1:] for part in found.name.split("-"))
    reason = f"signed under {_NAMES.get(found.name.lower(), shown)}"
    hint = f"TikTok sends {HEADER}, without X- in front: sign and read that name."
    if found.companion:
        reason += f", with t in {found.companion}"
        hint = f"TikTok sends one header for both: {_SHAPE}"
    if _is_right(found, body, secrets):
        return Diagnosis("wrong-header-name", f"{reason}; its value is right", hint)
    recipe = recognise(found.timestamp, found.digests, body, secrets, nonce=found.nonce)
    if recipe is None:
        return Diagnosis("wrong-header-name", reason, hint)
    return Diagnosis(
        f"wrong-header-name+{recipe.mistake}", f"{reason}, {recipe.reason}", f"{hint} {recipe.hint}"
    )


# Spellings that no rule gives.
_NAMES = {
    name.lower(): name
    for name in ("X-TikTok-Signature", "TikTok-Webhook-Signature", "X-TikTok-Webhook-Signature",
                 "X-TikTok-Shop-Signature", "X-TikTok-Sign", "TikTok_Signature")
}  # fmt: skip


def _is_right(found: Candidate, body: bytes, secrets: Sequence[str]) -> bool:
    if found.timestamp is None or len(body) > MAX_TRIED_BYTES:
        return False
    return matching(Signature(found.timestamp, found.digests), body, secrets) is not None


_SHOP = Diagnosis(
    "tiktok-shop",
    "looks like TikTok Shop, another platform",
    "TikTok Shop signs its app key and the body in the Authorization header, keyed with the "
    "app secret. This tool is for TikTok for Developers.",
)


def _is_shop_body(body: bytes) -> bool:
    return b'"tts_notification_id"' in body[:MAX_THOROUGH_BYTES]


def _has_shop_header(headers: Sequence[tuple[str, str]]) -> bool:
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
        hint = "Sign a stored delivery again before it is sent: a replay does."
        return Diagnosis("old", f"right signature, signed {words_for(age)} ago", hint)
    if age < -_PATIENCE_SECONDS:
        hint = "One of the two clocks is wrong: compare this machine's with a time server."
        return Diagnosis("future", f"right signature, {words_for(-age)} in the future", hint)
    return None


def _another_secret(body: bytes) -> Diagnosis | None:
    """Whose secret the envelope asks for, if no recipe matches."""
    envelope = envelope_of(body)
    client_key = envelope.get("client_key")
    if "tts_notification_id" in envelope:
        return _SHOP
    if not body:
        hint = "A proxy or middleware consumed the body."
        return Diagnosis("empty-body", "signature does not match: the body is empty", hint)
    if isinstance(client_key, int) or (isinstance(client_key, str) and client_key.isdecimal()):
        hint = "The client key is a number, as in TikTok Business: use that app's own secret."
        return Diagnosis("business-app", "signature does not match: a Business app's", hint)
    kind = client_keys.environment(client_key) if isinstance(client_key, str) else None
    if kind is None:
        return None
    if kind == "sandbox":
        hint = (
            f"It names {client_key}, a sandbox's client key, and a sandbox has its own client "
            "secret: copy it from the portal with the switch on Sandbox."
        )
        return Diagnosis("sandbox-key", "signature does not match: a sandbox's", hint)
    hint = (
        f"It names {client_key}, a production app's client key. If that is your app, the given "
        "secret is another app's, a sandbox's or an old one; otherwise it is forged or was altered."
    )
    return Diagnosis("another-secret", "signature does not match", hint)


def _malformed(header: str, error: str, body: bytes, secrets: Sequence[str]) -> Diagnosis:
    shape = _misshapen(header, error)
    if len(header) > MAX_HEADER_CHARS or shape.mistake in _WITHOUT_VALUE:
        return shape
    found = candidate(HEADER, header)
    if found.timestamp is not None and len(found.timestamp) > MAX_TIMESTAMP_DIGITS:
        return shape
    if _is_right(found, body, secrets):
        return replace(shape, reason=f"{shape.reason}; its value is right")
    recipe = recognise(found.timestamp, found.digests, body, secrets)
    if recipe is None:
        return shape
    return Diagnosis(
        f"{shape.mistake}+{recipe.mistake}",
        f"{shape.reason}, {recipe.reason}",
        f"{shape.hint} {recipe.hint}",
    )


_WITHOUT_VALUE = {"header-too-long", "header-twice", "malformed-header", "other-hash"}


def _misshapen(header: str, error: str) -> Diagnosis:
    hint = f"The form is {_SHAPE}"
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
    return _bad_part(parts) or Diagnosis("malformed-header", error, hint)


_SHAPES = tuple(
    (mistake, reason, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for mistake, reason, pattern in (
        ("quoted-header", "quotes around the header's value", r"[\"'`]"),
        ("name-in-value", "the header's name in its value", r"tiktok-signature\s*:"),
        ("sha256-prefix", "sha256= in front, as in GitHub's and Meta's", r"sha(1|256|512)[=:]"),
        ("bare-hex", "the hex alone, without t= and s=", r"[0-9a-f]{64}\Z"),
        ("stripe-style", "v1= in place of s=, as in Stripe's", r"(?!.*\bs\s*=).*\bv[01]="),
        ("semicolons", "semicolons between the parts, not commas", r"t=\d+\s*;"),
        ("ampersands", "ampersands between the parts, not commas", r"t=\d+&"),
        ("spaces-around-equals", "spaces around an equals sign", r"(.*,)?\s*[ts](\s+=|=\s)"),
        ("json-header", "JSON in the header", r"\{"),
        ("colons", "colons in place of equals signs", r"(.*,)?\s*[ts]\s*:"),
    )
)


def _bad_part(parts: dict[str, str]) -> Diagnosis | None:
    hint = f"The form is {_SHAPE}"
    if not parts.keys() & {"t", "s"} and parts.keys() & {"T", "S"}:
        return Diagnosis("upper-case-keys", "T= and S= in upper case", hint)
    if "t" not in parts or "s" not in parts:
        name = "t" if "t" not in parts else "s"
        return Diagnosis(f"no-{name}", f"no {name}= in the header", hint)
    if not (parts["t"].isascii() and parts["t"].isdigit()):
        return _bad_timestamp(parts["t"])
    return _bad_signature(parts["s"])


def _bad_signature(given: str) -> Diagnosis | None:
    hint = f"The form is {_SHAPE}"
    if re.match(r"sha(1|256|512)[=:]", given):
        return Diagnosis("sha256-prefix", "sha256= in front of the hex", hint)
    if len(given) == 66 and given[0] == given[-1] and given[0] in "\"'":
        return Diagnosis("quoted-signature", "quotes around the signature", hint)
    other = {128: "SHA-512", 96: "SHA-384", 40: "SHA-1", 32: "MD5"}.get(len(given))
    if other and re.fullmatch(r"[0-9a-fA-F]+", given):
        return Diagnosis("other-hash", f"as long as {other}", "TikTok's is HMAC-SHA256, in hex.")
    if from_base64(given) is not None:
        return Diagnosis("base64", "base64 in place of hex", "Send the 32 bytes as hex.")
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
