"""TikTok's signature: made by `sign`, verified by `check`.

    Tiktok-Signature: t=<unix seconds>,s=<64 hex digits>
    s = HMAC-SHA256(key: the app's client secret, message: t as text + "." + the body's bytes)

Source: https://developers.tiktok.com/doc/webhooks-verification
"""

import hmac
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime, timedelta

HEADER = "Tiktok-Signature"
"""The header's name, spelled as TikTok's sample has it; names are case-insensitive."""

MAX_HEADER_CHARS = 1024
"""A longer header is rejected unread; a real one has 79 characters."""

MAX_SIGNATURES = 5
"""How many ``s=`` one header may carry; TikTok documents one."""

MAX_TIMESTAMP_DIGITS = 20
"""Ten today, thirteen in milliseconds, nineteen in nanoseconds."""


_USUAL = re.compile(r"t=([0-9]{1,20}),s=([0-9a-fA-F]{64})")
"""What TikTok sends; other forms are read part by part."""


class State(StrEnum):
    """What the signature check found, in one word."""

    VALID = "valid"
    STALE = "stale"
    INVALID = "invalid"
    MISSING = "missing"
    UNCHECKED = "unchecked"


# `State.VALID` calls a function of the enum module in Python 3.11, several times a delivery.
_VALID, _INVALID, _MISSING = State.VALID, State.INVALID, State.MISSING


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the signature check found.

    Args:
        state: ``stale`` is a right signature whose ``t`` is too old or too new.
        reason: A few words on why it is not valid; empty when it is.
        hint: What to do about it; never holds a secret.
        age_seconds: ``now - t``; negative from the future, None without a readable ``t``.
        secret: Which secret matched, counted from 1; None when none did.
    """

    state: State
    reason: str = ""
    hint: str = ""
    age_seconds: float | None = None
    secret: int | None = None

    @property
    def ok(self) -> bool:
        """True if the delivery may be acted on: ``valid``, and nothing else."""
        return self.state is _VALID

    @property
    def rejected(self) -> bool:
        """True when the delivery must not be acted on: forged, malformed or unsigned."""
        return self.state is _INVALID or self.state is _MISSING


class MalformedError(ValueError):
    """A header that is not what TikTok sends; the message is safe to show."""


class Signature(NamedTuple):
    """A header taken apart: ``t`` as its original text, every ``s`` as 32 bytes."""

    timestamp: str
    digests: tuple[bytes, ...]


def sign(body: bytes, secret: str, *, timestamp: float) -> str:
    """Make the header value that TikTok would send with a body.

    Args:
        body: The final bytes; whatever changes them afterwards breaks the signature.
        secret: The app's client secret.
        timestamp: Unix seconds; a fraction, as of ``time.time()``, is left out.

    Returns:
        ``t=…,s=…`` with lower-case hex.

    Raises:
        TypeError: The body is not bytes, or the timestamp not a number.
    """
    _check_body(body)
    text = str(int(_number("timestamp", timestamp, "timestamp")))
    return f"t={text},s={_digest(_keyed(secret), text, body).hex()}"


def with_wrong_digit(header: str) -> str:
    """Return a header with its last digit changed, which looks to an app like a wrong secret."""
    return header[:-1] + ("0" if header[-1] != "0" else "1")


def check(
    header: str | None,
    body: bytes,
    secret: str | Sequence[str],
    *,
    now: "float | datetime | None" = None,
    tolerance: "float | timedelta" = 300.0,
) -> Verdict:
    """Verify a Tiktok-Signature header against the body it came with.

    Args:
        header: ``t=<unix seconds>,s=<hex>``; None when the request had none. One sent twice
            is given joined by a comma, and rejected for its two ``t``.
        body: Bytes exactly as received; re-encoded JSON never matches.
        secret: The app's client secret, or several to try in order (rotation, sandbox and
            production). An empty sequence means that nothing can be checked: ``unchecked``. A
            blank secret, or one that begins with ``#``, never matches.
        now: Current time in Unix seconds, or a `datetime`; None reads the clock.
        tolerance: Greatest acceptable distance between ``t`` and now, in seconds or as a
            `timedelta`, either way. TikTok gives no figure; 300 is ours.

    Returns:
        The verdict. A forged request never raises: it is data to show, not a failure.

    Raises:
        TypeError: The body is not bytes, the secret is not text, or a time not a number: a mistake
            of the caller, which must not pass for a verdict.

    Source: https://developers.tiktok.com/doc/webhooks-verification
    """
    secrets = _checked(header, body, secret)
    now = time.time() if now is None else _number("now", now, "timestamp")
    tolerance = _number("tolerance", tolerance, "total_seconds")
    try:
        found = take_apart(header)
    except MalformedError as error:
        if not secrets:
            return Verdict(State.UNCHECKED, "no secret given")
        return Verdict(State.INVALID if header and header.strip() else State.MISSING, str(error))
    age = now - int(found.timestamp)
    if not secrets:
        return Verdict(State.UNCHECKED, "no secret given", age_seconds=age)
    number = matching(found, body, secrets)
    if number is None:
        return _mismatch(secrets, age)
    # Asked this way round, a NaN on either side is stale and never valid.
    if abs(age) <= tolerance:
        return Verdict(_VALID, age_seconds=age, secret=number)
    return _stale(found.timestamp, age, tolerance, number)


_BYTES = (bytes, bytearray, memoryview)
_NUMBERS = (int, float)
_SEQUENCES = (tuple, list, Sequence)  # asking for the usual ones first spares the slow look


def _checked(header: object, body: object, secret: object) -> Sequence[str]:
    """The secrets as a sequence.

    Raises:
        TypeError: With what to pass instead; never with the value itself.
    """
    _check_body(body)
    if header is not None and not isinstance(header, str):
        raise TypeError(f"header must be a str or None, not {type(header).__name__}")
    secrets = (secret,) if isinstance(secret, str) else secret
    if isinstance(secrets, bytes) or not isinstance(secrets, _SEQUENCES):
        name = type(secret).__name__
        raise TypeError(f"secret must be a str or a sequence of str, not {name}: is it set?")
    for each in secrets:
        if not isinstance(each, str):
            raise TypeError("every secret must be a str: is one of them not set?")
    return secrets


def _check_body(body: object) -> None:
    if not isinstance(body, _BYTES):
        name = type(body).__name__
        raise TypeError(
            f"body must be the raw bytes of the request, not {name}: read them before anything "
            "parses them"
        )


def _number(name: str, given: Any, method: str) -> float:
    """Seconds, which a `datetime` or a `timedelta` gives by a method of this name.

    Asked by its method, so that this module does not import `datetime` for nothing.
    """
    if isinstance(given, _NUMBERS):
        return given
    if hasattr(given, method):
        return float(getattr(given, method)())
    raise TypeError(f"{name} must be a number of seconds, not {type(given).__name__}")


def matching(found: Signature, body: bytes, secrets: Sequence[str]) -> int | None:
    """Number of the first secret that made one of the signatures, from 1; None if none did."""
    for number, secret in enumerate(secrets, 1):
        if _is_public(secret):
            continue
        expected = _digest(_keyed(secret), found.timestamp, body)
        for given in found.digests:
            if hmac.compare_digest(expected, given):
                return number
    return None


def right_digests(timestamp: str, body: bytes, secrets: Sequence[str]) -> frozenset[bytes]:
    """What each of the secrets makes of a timestamp and a body."""
    return frozenset(
        _digest(_keyed(secret), timestamp, body) for secret in secrets if not _is_public(secret)
    )


def take_apart(header: str | None) -> Signature:
    """Read a header value.

    Raises:
        MalformedError: With a few words that never quote the header: it is a stranger's.
    """
    if header is None:
        raise MalformedError(f"no {HEADER} header")
    usual = _USUAL.fullmatch(header)
    if usual is not None:
        return Signature(usual[1], (bytes.fromhex(usual[2]),))
    if len(header) > MAX_HEADER_CHARS:
        raise MalformedError(f"header longer than {MAX_HEADER_CHARS} characters")
    timestamp: str | None = None
    digests: list[bytes] = []
    for part in header.split(","):
        key, _, value = part.strip(" \t").partition("=")
        if key == "s":
            digests.append(_digest_in(value))
            if len(digests) > MAX_SIGNATURES:
                raise MalformedError(f"more than {MAX_SIGNATURES} s= in the header")
        elif key == "t":
            if timestamp is not None:
                raise MalformedError("two t= in the header")
            if not is_timestamp(value):
                raise MalformedError("t is not a plain number of seconds")
            timestamp = value
    if timestamp is None:
        raise MalformedError("no t= in the header" if header.strip() else "empty header")
    if not digests:
        raise MalformedError("no s= in the header")
    return Signature(timestamp, tuple(digests))


def _digest(keyed: hmac.HMAC, timestamp: str, body: bytes) -> bytes:
    """The 32 bytes that TikTok would send as ``s`` (in hex) for this timestamp and body."""
    # `hmac.digest` in one call releases the GIL each time, and waits to acquire it again.
    copy = keyed.copy()
    copy.update(b"%b.%b" % (timestamp.encode(), body))
    return copy.digest()


@lru_cache(maxsize=16)
def _keyed(secret: str) -> hmac.HMAC:
    return hmac.new(key_of(secret), digestmod="sha256")


@lru_cache(maxsize=16)
def _is_public(secret: str) -> bool:
    """Whether everybody knows it: a blank secret, and the comment sign of an env file."""
    return not secret or secret.isspace() or secret.lstrip().startswith("#")


def key_of(secret: str) -> bytes:
    """The key's bytes. Undecodable ones from the environment become what they were there."""
    try:
        return secret.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return secret.encode("utf-8", "surrogatepass")


def is_timestamp(text: str) -> bool:
    """True for what ``t`` may be: ASCII digits, at most `MAX_TIMESTAMP_DIGITS` of them."""
    return text.isascii() and text.isdigit() and len(text) <= MAX_TIMESTAMP_DIGITS


def is_milliseconds(timestamp: str) -> bool:
    """True for a ``t`` that only makes sense as milliseconds (as seconds: past the year 5000)."""
    return len(timestamp.lstrip("0")) in {12, 13}


def words_for(seconds: float) -> str:
    """A length of time in words, rounded to one unit: ``40 s``, ``12 min``, ``3 h``, ``3 days``.

    Not `terminal.words.duration`, which has two units: this package imports nothing of the screen,
    and an age in a verdict's reason is compared with a tolerance, so one unit is easier to read.
    """
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:,.0f} days"


def _digest_in(value: str) -> bytes:
    try:
        given = bytes.fromhex(value)
    except ValueError:
        given = b""
    # fromhex skips spaces, so both lengths are asked.
    if len(value) != 64 or len(given) != 32:
        raise MalformedError("s is not 64 hex digits")
    return given


def _mismatch(secrets: Sequence[str], age: float) -> Verdict:
    if any(secret.strip() for secret in secrets):
        return Verdict(State.INVALID, "signature does not match", age_seconds=age)
    hint = "Give the app's client secret; an empty one proves nothing."
    return Verdict(State.INVALID, "the secret is empty", hint, age)


def _stale(timestamp: str, age: float, tolerance: float, number: int) -> Verdict:
    if is_milliseconds(timestamp):
        reason = "right signature, but t is in milliseconds"
        hint = "TikTok's t counts seconds: sign with whole seconds."
    elif age > 0:
        reason = f"right signature, signed {words_for(age)} ago (tolerance {words_for(tolerance)})"
        hint = (
            "A late retry, a replay of an old one, or a clock that drifted; a replay signs again."
        )
    else:
        reason = f"right signature, from {words_for(-age)} in the future"
        hint = "One of the two clocks is wrong: compare this machine's with a time server."
    return Verdict(State.STALE, reason, hint, age, number)
