"""Combines the parts of wrong signatures until one gives the digest that came.

A match proves what was done, since nothing else gives these 32 bytes. A wrong explanation would
need the secret, or one of the few keys that everybody knows (empty, a placeholder, the client key).
Nothing here accepts a delivery, so digests need not be compared in constant time.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tiktok_hook.signature import parts, rare_keys, rare_texts
from tiktok_hook.signature.parts import RIGHT, Part
from tiktok_hook.signature.scheme import key_of

MAX_THOROUGH_BYTES = 64 * 1024
"""Longer bodies get the three cheapest tries, so that a flood of forgeries costs little.

TikTok's own have a few hundred bytes.
"""

MAX_TRIED_BYTES = 1024 * 1024
"""Longer bodies get none."""

MAX_SECRETS = 8
"""How many of the given secrets are tried with every recipe."""

_BUDGET = 10_000.0
_BUDGET_OF_SHORT = 16_000.0
"""Work for one signature, in microseconds of the machine on which it was measured: at most 20 ms
for a body of 64 KiB. Counted instead of timed, so that the result never depends on the load. What
hashes little may count more, since its time is that of the calls, which is measured better."""

_SHORT_BYTES = 1024

_COMMON_TEXTS = 5
"""How many of the first texts are tried with every wrong key."""

_COST_OF_DIGEST = 4.0
_COST_OF_BYTE = 0.003


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a signature does not match, and what to do.

    Args:
        mistake: A stable word for it, such as ``body-only``; several joined by ``+``.
        reason: A few words; they never quote what a stranger sent, nor a secret.
        hint: The fix.
    """

    mistake: str
    reason: str
    hint: str


class _SpentError(Exception):
    """The budget is used up."""


class _Work:
    """Counts what is spent, and computes digests with prepared keys.

    HMAC is put together from two copied SHA-256 states here: that takes half the time of the
    standard library's, and thousands are needed.
    """

    def __init__(self, budget: float) -> None:
        self._left = budget
        self._states: dict[bytes, tuple[Any, Any]] = {}

    def spend(self, size: int, *, times: int = 1) -> None:
        """Count a digest, or the making of a text."""
        self._left -= (_COST_OF_DIGEST + size * _COST_OF_BYTE) * times
        if self._left < 0:
            raise _SpentError

    def digest(self, key: bytes, message: bytes) -> bytes:
        """HMAC-SHA256."""
        self.spend(len(message))
        states = self._states.get(key)
        if states is None:
            block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
            states = (
                hashlib.sha256(bytes(byte ^ 0x36 for byte in block)),
                hashlib.sha256(bytes(byte ^ 0x5C for byte in block)),
            )
            self._states[key] = states
        inner, outer = states[0].copy(), states[1].copy()
        inner.update(message)
        outer.update(inner.digest())
        result: bytes = outer.digest()
        return result


def recognise(
    timestamp: str | None,
    digests: Collection[bytes],
    body: bytes,
    secrets: Sequence[str],
    *,
    nonce: str | None = None,
) -> Diagnosis | None:
    """Find the mistake that gives one of these signatures; None if no known one does.

    Args:
        timestamp: ``t`` as its text; None if none came.
        digests: The signatures that came, 32 bytes each.
        body: As received.
        secrets: The app's own; blank ones are left out.
        nonce: From a header of that name.
    """
    if len(body) > MAX_TRIED_BYTES or not digests:
        return None
    usable = [secret for secret in secrets if secret.strip()][:MAX_SECRETS]
    found = _find(timestamp, frozenset(digests), body, usable, nonce)
    return None if found is None else combined(found)


def combined(found: Sequence[Part]) -> Diagnosis:
    """One diagnosis of several parts."""
    wrong = [part for part in found if part.name]
    words = ", ".join(part.words for part in wrong)
    if not words.startswith(("over", "with the given")) and any(
        part.name == "body-only" for part in wrong
    ):
        words = f"over the body alone, {words}"
    fixes = dict.fromkeys(part.fix for part in wrong)
    return Diagnosis("+".join(part.name for part in wrong), f"made {words}", " ".join(fixes))


def envelope_of(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; an empty one if it is none, or too long to look at."""
    if len(body) > MAX_THOROUGH_BYTES:
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _find(
    timestamp: str | None,
    digests: frozenset[bytes],
    body: bytes,
    secrets: Sequence[str],
    nonce: str | None,
) -> tuple[Part, ...] | None:
    thorough = len(body) <= MAX_THOROUGH_BYTES
    t = None if timestamp is None else timestamp.encode()
    work = _Work(_budget(len(body)))
    own = [key_of(secret) for secret in secrets]

    def tried(
        tries: Iterator[tuple[tuple[Part, ...], bytes, Sequence[bytes]]],
    ) -> tuple[Part, ...] | None:
        for wrong, message, keys in tries:
            for key in keys:
                if work.digest(key, message) in digests:
                    return wrong
        return None

    if not thorough:
        return tried(_cheap(t, body, own))
    envelope = envelope_of(body)
    templates = list(parts.templates(t, envelope, nonce=None if nonce is None else nonce.encode()))
    right = _right(t)
    other_keys = list(parts.keys(secrets, envelope.get("client_key")))
    try:
        found = tried(((part,), template(body), own) for part, template in templates)
        if found or right is None:
            return found or tried(_texts_by_templates(work, body, envelope, templates, own))
        found = tried(((part,), right(body), [key]) for part, key in other_keys)
        found = found or _by_construction(work, right(body), own, digests)
        found = found or tried(
            ((part,), template(body), [key])
            for key in own
            for part, template in parts.with_secret(t or b"", key)
        )
        texts = list(_made(work, body, envelope))
        found = found or tried(((part,), right(text), own) for part, text in texts)
        # Two mistakes at once: the commonest with every wrong key.
        found = found or tried(
            ((template_part, key_part), template(body), [key])
            for template_part, template in templates[:3]
            for key_part, key in other_keys
        )
        found = found or tried(
            ((text_part, key_part), right(text), [key])
            for key_part, key in other_keys
            for text_part, text in texts[:_COMMON_TEXTS]
        )
        found = found or _by_rare_parts(work, t or b"", body, envelope, own, digests, nonce)
        # The commonest templates first, with every text.
        return found or tried(
            ((text_part, part), template(text), own)
            for part, template in templates
            for text_part, text in texts
        )
    except _SpentError:
        return None


def _budget(size: int) -> float:
    if size > MAX_THOROUGH_BYTES:
        return float("inf")  # it gets three tries
    return _BUDGET if size > _SHORT_BYTES else _BUDGET_OF_SHORT


def _right(t: bytes | None) -> Callable[[bytes], bytes] | None:
    if t is None:
        return None
    return lambda text: b"%b.%b" % (t, text)


def _cheap(
    t: bytes | None, body: bytes, own: Sequence[bytes]
) -> Iterator[tuple[tuple[Part, ...], bytes, Sequence[bytes]]]:
    for part, template in list(parts.templates(t, {}))[:2]:
        yield (part,), template(body), own
    stripped = body.strip()
    if t is not None and stripped != body:
        yield (parts.STRIPPED,), b"%b.%b" % (t, stripped), own


def _made(work: _Work, body: bytes, envelope: dict[str, Any]) -> Iterator[tuple[Part, bytes]]:
    """The texts that apply to this body; making one costs about as much as a digest of it."""
    for part, make in parts.texts(body, envelope):
        work.spend(len(body))
        text = make()
        if text is not None:
            yield part, text


def _texts_by_templates(
    work: _Work,
    body: bytes,
    envelope: dict[str, Any],
    templates: Sequence[parts.Template],
    own: Sequence[bytes],
) -> Iterator[tuple[tuple[Part, ...], bytes, Sequence[bytes]]]:
    texts = list(_made(work, body, envelope))
    for part, template in templates:
        for text_part, text in texts:
            yield (text_part, part), template(text), own


def _by_rare_parts(
    work: _Work,
    t: bytes,
    body: bytes,
    envelope: dict[str, Any],
    own: Sequence[bytes],
    digests: frozenset[bytes],
    nonce: str | None,
) -> tuple[Part, ...] | None:
    """One rare mistake by itself."""
    right = b"%b.%b" % (t, body)
    extras = () if nonce is None else (nonce.encode(),)
    for part, key in rare_keys.keys(own, t, envelope):
        if work.digest(key, right) in digests:
            return (part,)
    for key in own:
        for part, digest in rare_keys.digests(t, body, key, envelope, extras=extras):
            work.spend(len(body))
            if digest in digests:
                return (part,)
    tried: set[bytes] = set()
    for part, make, cost in rare_texts.messages(t, body, envelope, extras=extras):
        work.spend(len(body), times=cost)
        try:
            message = make()
        except (ValueError, RecursionError, TypeError):  # as in `parts`: it does not apply
            continue
        if message in tried:
            continue
        tried.add(message)
        for key in own:
            if work.digest(key, message) in digests:
                return (part,)
    return None


def _by_construction(
    work: _Work, message: bytes, own: Sequence[bytes], digests: frozenset[bytes]
) -> tuple[Part, ...] | None:
    for key in own:
        for part, digest in parts.constructions(message, key):
            work.spend(len(message))
            if digest in digests:
                return (part,)
    return None


__all__ = ["RIGHT", "Diagnosis", "combined", "envelope_of", "recognise"]
