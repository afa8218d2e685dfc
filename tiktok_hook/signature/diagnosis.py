"""Explains why a signature is rejected: the mistake by name, and its fix."""

import hmac
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tiktok_hook import client_keys
from tiktok_hook.signature import clocks, header_forms
from tiktok_hook.signature.header_forms import HeaderReading
from tiktok_hook.signature.parts import Part
from tiktok_hook.signature.pasted import Candidate, candidates, nonce_in
from tiktok_hook.signature.recipes import (
    MAX_SECONDS,
    MAX_THOROUGH_BYTES,
    MAX_TRIED_BYTES,
    Diagnosis,
    OtherSigned,
    envelope_of,
    recognise,
)
from tiktok_hook.signature.request_texts import of_request
from tiktok_hook.signature.scheme import (
    HEADER,
    MAX_HEADER_CHARS,
    MAX_TIMESTAMP_DIGITS,
    MalformedError,
    Verdict,
    is_milliseconds,
    is_timestamp,
    key_of,
    matching,
    right_digests,
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
    now: float | None = None,
    headers: Sequence[tuple[str, str]] = (),
    method: str = "POST",
    target: str = "",
    max_seconds: float = MAX_SECONDS,
) -> Diagnosis | None:
    """Name the mistake behind a signature that `check` does not find valid.

    Args:
        header: The signature header's value; None if the request had none.
        body: Bytes exactly as received.
        secrets: The app's own secrets.
        now: Current time in Unix seconds; None reads the clock.
        headers: All headers of the request, for a signature under another name, and for a
            timestamp or nonce in a header of its own.
        method: Of the request.
        target: Its path and query, which a signature may contain; empty if they are unknown.
        max_seconds: Processor time of this thread after which no further mistake is tried. By
            default 20 ms, for bodies of up to 64 KiB; longer ones get three tries, bodies over
            1 MiB none. On a slow machine the rarest mistakes are not reached.

    Returns:
        The mistake and its fix; None for a valid signature, and if no known mistake gives this
        one. Never raises and never contains a secret.
    """
    ends_at = time.thread_time() + max_seconds
    secrets = (secrets,) if isinstance(secrets, str) else secrets
    given = _Given(header, body, secrets, headers, method, target, ends_at)
    if header is None or not header.strip():
        return _missing(given)
    try:
        found = take_apart(header)
    except MalformedError as error:
        return _malformed(header.strip(), str(error), given)
    if matching(found, body, secrets) is not None:
        return _untimely(found.timestamp, time.time() if now is None else now)
    recipe = given.recognise(found.timestamp, found.digests)
    return _another_secret(body) if recipe is None else recipe[0]


@dataclass(frozen=True, slots=True)
class _Given:
    """What is known of a request."""

    header: str | None
    body: bytes
    secrets: Sequence[str]
    headers: Sequence[tuple[str, str]]
    method: str
    target: str
    ends_at: float

    def recognise(
        self, timestamp: str | None, digests: Collection[bytes], *, share: float = 1.0
    ) -> tuple[Diagnosis, bytes] | None:
        """The mistake that gives one of the digests, and that digest; see `recipes.recognise`."""
        path, _, query = self.target.partition("?")
        evidence = OtherSigned(
            nonce=nonce_in(self.headers),
            clocks=tuple(text for _, text in clocks.of_headers(self.headers)),
            request=of_request(self.method, path, query, self.headers) if self.target else None,
        )
        found = recognise(
            timestamp,
            digests,
            self.body,
            self.secrets,
            ends_at=self.ends_at,
            evidence=evidence,
            share=share,
        )
        if found is None or found[0].mistake not in clocks.WHICH:
            return found
        return _with_another_t(found[0]), found[1]

    def right(self, readings: Sequence[HeaderReading]) -> HeaderReading | None:
        """The first reading whose digest is the right one for its t."""
        if len(self.body) > MAX_TRIED_BYTES:
            return None
        right: dict[str, frozenset[bytes]] = {}
        for reading in readings:
            for timestamp in reading.timestamps:
                if timestamp not in right:
                    if right and time.thread_time() > self.ends_at:
                        return None
                    right[timestamp] = right_digests(timestamp, self.body, self.secrets)
                if reading.digest in right[timestamp]:
                    return reading
        return None

    def recognise_any(
        self, readings: Sequence[HeaderReading]
    ) -> tuple[Diagnosis, HeaderReading] | None:
        """The first mistake that explains one of the readings.

        All readings together cost what one does: those with one timestamp are compared at once,
        and two timestamps share the budget.
        """
        groups: dict[str | None, list[HeaderReading]] = {}
        for reading in readings:
            plain = filter(is_timestamp, reading.timestamps)
            groups.setdefault(next(plain, None), []).append(reading)
        chosen = list(groups.items())[:_MAX_TIMESTAMPS]
        for timestamp, group in chosen:
            found = self.recognise(
                timestamp, {reading.digest for reading in group}, share=1 / len(chosen)
            )
            if found is not None:
                return found[0], next(each for each in group if each.digest == found[1])
        return None

    def sent_secret(self) -> str | None:
        """Name of the header that contains one of the secrets; None if there is none."""
        for name, value in ((HEADER, self.header or ""), *self.headers):
            for secret in self.secrets:
                bare = secret.strip()
                if len(bare) >= _MIN_SECRET_CHARS and bare in value:
                    return name
        return None


_MAX_TIMESTAMPS = 2
_MIN_SECRET_CHARS = 8


def _with_another_t(recipe: Diagnosis) -> Diagnosis:
    """Words for a signature that is right for another t than the header's.

    A forger who changes t of a captured header leaves the same bytes as a signer who used the wrong
    t, so neither may be called the cause.
    """
    which = clocks.WHICH[recipe.mistake]
    return Diagnosis(
        "create-time" if recipe.mistake == "create-time" else "t-changed",
        "signature does not match: it belongs to another t",
        f"It is right for a t {which}: the header was forged or altered, or the signer used the "
        f"wrong t. {recipe.hint}",
    )


def explain(
    verdict: Verdict,
    header: str | None,
    body: bytes,
    secrets: Sequence[str],
    *,
    now: float,
    headers: Sequence[tuple[str, str]] = (),
    method: str = "POST",
    target: str = "",
) -> Verdict:
    """The verdict with the diagnosis as its reason and hint.

    Unchanged if it is not rejected, has a hint already, or no known mistake matches.
    """
    if not verdict.rejected or verdict.hint:
        return verdict
    found = diagnose(header, body, secrets, now=now, headers=headers, method=method, target=target)
    return verdict if found is None else replace(verdict, reason=found.reason, hint=found.hint)


def _missing(given: _Given) -> Diagnosis:
    if _is_shop_body(given.body):
        return _SHOP
    found = candidates(given.headers)
    proven = _proven_elsewhere(found, given)
    if proven is not None:
        return proven
    if (name := given.sent_secret()) is not None:
        return _secret_sent(name)
    named = next((each for each in found if each.is_named), None)
    if named is not None:
        return Diagnosis("wrong-header-name", *_other_header(named))
    if _has_shop_header(given.headers):
        return _SHOP
    if given.header is not None:
        hint = f"A proxy removed its value, or the signer sent nothing. The form is {_SHAPE}"
        return Diagnosis("empty-header", "empty header", hint)
    hint = "TikTok signs what it sends: this came from elsewhere, or a proxy removed the header."
    return Diagnosis("no-header", f"no {HEADER} header", hint)


def _secret_sent(name: str) -> Diagnosis:
    hint = (
        "Everybody who sees the request knows it now: create a new one in the portal. Send an "
        f"HMAC made with it: {_SHAPE}"
    )
    return Diagnosis("secret-sent", f"the client secret itself is in {_shown(name)}", hint)


def _proven_elsewhere(found: Sequence[Candidate], given: _Given) -> Diagnosis | None:
    """A signature under other headers' names whose value is right, or is explained by a recipe."""
    for each in found:
        reading = given.right(each.readings)
        if reading is not None:
            return _under_other_name(each, reading, "its value is right")
    recognised = given.recognise_any([reading for each in found for reading in each.readings])
    if recognised is None:
        return None
    recipe, reading = recognised
    header = next(each for each in found if reading in each.readings)
    return _together(_under_other_name(header, reading), recipe)


def _under_other_name(header: Candidate, reading: HeaderReading, value: str = "") -> Diagnosis:
    reason, hint = _other_header(header)
    return _in_form("wrong-header-name", reason, hint, header_forms.specific(reading.how), value)


def _other_header(found: Candidate) -> tuple[str, str]:
    """Reason and hint for a signature that came under another header's name."""
    reason = f"signed under {_shown(found.name)}"
    if found.companion:
        reason += f", with t in {found.companion}"
        return reason, f"TikTok sends one header for both: {_SHAPE}"
    return reason, f"TikTok sends {HEADER}, without X- in front: sign and read that name."


def _shown(name: str) -> str:
    usual = "-".join(part[:1].upper() + part[1:] for part in name.split("-"))
    return _NAMES.get(name.lower(), usual)


def _in_form(
    mistake: str, reason: str, hint: str, how: Sequence[Part], value: str = ""
) -> Diagnosis:
    """A diagnosis with what is unusual about the form of the value."""
    for part in how:
        if part.name not in mistake.split("+"):
            mistake += f"+{part.name}"
            reason += f", {part.words}"
            hint += f" {part.fix}"
    return Diagnosis(mistake, f"{reason}; {value}" if value else reason, hint)


def _together(first: Diagnosis, second: Diagnosis) -> Diagnosis:
    return Diagnosis(
        f"{first.mistake}+{second.mistake}",
        f"{first.reason}, {second.reason}",
        f"{first.hint} {second.hint}",
    )


# Spellings that no rule gives.
_NAMES = {
    name.lower(): name
    for name in ("X-TikTok-Signature", "TikTok-Webhook-Signature", "X-TikTok-Webhook-Signature",
                 "X-TikTok-Shop-Signature", "X-TikTok-Sign", "TikTok_Signature")
}  # fmt: skip


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


def _malformed(header: str, error: str, given: _Given) -> Diagnosis:
    shape = _misshapen(header, error)
    if len(header) > MAX_HEADER_CHARS or shape.mistake == "header-twice":
        return shape
    found = header_forms.readings(header)
    reading = given.right(found)
    if reading is not None:
        return _of_form(shape, reading.how, "its value is right")
    if shape.mistake == "timestamp-format" and _has_long_timestamp(found):
        return shape
    recognised = given.recognise_any(found)
    if recognised is not None:
        recipe, reading = recognised
        return _together(_of_form(shape, reading.how), recipe)
    if given.sent_secret() is not None:
        return _secret_sent(HEADER)
    cut = _cut_signature(header, given)
    if cut is not None:
        return cut
    how = found[0].how if found else header_forms.encoding_of(header)
    return _of_form(shape, how) if shape.mistake in _VAGUE else shape


_VAGUE = {"malformed-header", "no-t", "no-s"}


def _of_form(shape: Diagnosis, how: Sequence[Part], value: str = "") -> Diagnosis:
    """The shape with the form of its value, or the form alone where it is more precise."""
    if not how or shape.mistake not in _VAGUE:
        more = header_forms.specific(how)
        return _in_form(shape.mistake, shape.reason, shape.hint, more, value)
    first, *more = how
    return _in_form(first.name, first.words, first.fix, more, value)


def _has_long_timestamp(found: Sequence[HeaderReading]) -> bool:
    return any(
        len(timestamp) > MAX_TIMESTAMP_DIGITS for each in found for timestamp in each.timestamps
    )


_CUT = re.compile(r"(?:^|[,;\s])s=[\"']?([0-9a-fA-F]{16,140})[\"']?(?:[,;\s]|\Z)")
_OTHER_HASHES = ("sha1", "md5", "sha224", "sha384", "sha512")


def _cut_signature(header: str, given: _Given) -> Diagnosis | None:
    """What a hex of another length than 64 is: the right one cut, or another hash's."""
    text, t = _CUT.search(header), re.search(r"(?:^|[,;\s])t=(\d{1,20})(?:\D|\Z)", header)
    if text is None or t is None or len(given.body) > MAX_TRIED_BYTES:
        return None
    digits = text[1].lower()
    message = b"%b.%b" % (t[1].encode(), given.body)
    for secret in given.secrets:
        if not secret.strip():
            continue
        key = key_of(secret)
        right = hmac.digest(key, message, "sha256").hex()
        if right != digits and (
            right.startswith(digits) or right.endswith(digits) or right.lstrip("0") == digits
        ):
            reason = f"{len(digits)} of the 64 hex digits; they are right"
            return Diagnosis("hex-cut", reason, "Send all 32 bytes as 64 hex digits.")
        if 64 < len(digits) < 96 and right in digits:
            reason = f"{len(digits)} hex digits; 64 of them are right"
            return Diagnosis("hex-too-long", reason, "Send the 32 bytes as 64 hex digits.")
        for name in _OTHER_HASHES if len(given.body) <= MAX_THOROUGH_BYTES else ():
            if hmac.digest(key, message, name).hex() == digits:
                reason = f"made with HMAC-{name.upper().replace('SHA', 'SHA-')}"
                return Diagnosis("other-hash", reason, "TikTok's is HMAC-SHA256, in hex.")
    return None


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
    if _HEX_64.fullmatch(parts.get("t", "")) and parts.get("s", "").isdigit():
        return Diagnosis(*header_forms.SWAPPED)
    if _NOT_INSERTED.fullmatch(header):
        return Diagnosis("no-signature", "a word or variable in place of the signature", hint)
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
    other = {128: "SHA-512", 96: "SHA-384", 56: "SHA-224", 40: "SHA-1", 32: "MD5"}.get(len(given))
    if other and re.fullmatch(r"[0-9a-fA-F]+", given):
        return Diagnosis("other-hash", f"as long as {other}", "TikTok's is HMAC-SHA256, in hex.")
    if header_forms.from_base64(given) is not None:
        return Diagnosis(*header_forms.BASE64)
    if _NOT_INSERTED.fullmatch(given):
        return Diagnosis("no-signature", "a word or variable in place of the signature", hint)
    return None


_NOT_INSERTED = re.compile(
    r"""(?ix)\s*(?: ""|'' | undefined|null|none|nil|nan|true|false|array|promise.*
    | <.*\ object.*> | \[object\ \w+\] | \$?\{{0,2}[\w.\ -]+\}{1,2} | \$\w+ | %s | <\w+> )?\s*"""
)
"""What is there if nothing was inserted: a word, or the name of the variable."""


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
