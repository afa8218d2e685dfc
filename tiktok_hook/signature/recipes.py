"""Combines the parts of wrong signatures until one gives the digest that came.

A match proves what was done, since nothing else gives these 32 bytes. A wrong explanation would
need the secret, or one of the few keys that everybody knows (empty, a placeholder, the client key).
Nothing here accepts a delivery, so digests need not be compared in constant time.
"""

import hashlib
import json
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tiktok_hook.signature import clocks, parts, rare_keys, rare_texts, request_texts
from tiktok_hook.signature.parts import RIGHT, Part
from tiktok_hook.signature.request_texts import RequestParts
from tiktok_hook.signature.scheme import key_of

MAX_THOROUGH_BYTES = 64 * 1024
"""Longer bodies get the three cheapest tries, so that a flood of forgeries costs little.

TikTok's own have a few hundred bytes.
"""

MAX_TRIED_BYTES = 1024 * 1024
"""Longer bodies get none."""

MAX_SECRETS = 8
"""How many of the given secrets are tried with every recipe."""

MAX_SECONDS = 0.02
"""Processor time for one diagnosis, after which no further recipe is tried."""

_MIN_STEP_SECONDS, _MAX_STEP_SECONDS = 0.002, 0.006
"""What may be done after the clock was read for the last time: for a short body, and for one of
`MAX_THOROUGH_BYTES`."""

_BUDGET = 15_000.0
_BUDGET_OF_SHORT = 35_000.0
"""Work for one signature, in microseconds of the machine on which it was measured. For most bodies
it ends before `MAX_SECONDS`, so that the result does not depend on the load. The clock limits what
is slow to rewrite, and slow machines: the rarest mistakes come last, and are not reached there."""

_SHORT_BYTES = 1024

_MAX_PARSED_BRACKETS = 200
"""JSON with more of them is not rewritten: it may be nested as deep as Python can parse, and not
write. TikTok's has two or three."""

_WORK_BETWEEN_LOOKS = 400.0
"""After how many microseconds of counted work the clock is read."""

_COMMON_TEXTS, _COMMON_TEMPLATES = 5, 3
"""How many of the first are tried with every wrong key."""

_PAIRED_KEYS = 10
"""How many of the wrong keys are tried with every template and text."""

_FIRST_TEXTS, _FIRST_KEYS = 20, 12
"""How many are tried before the rest: a long body uses up the budget soon after."""

_COST_OF_DIGEST = 4.0
_COST_OF_BYTE = 0.0035


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
    """The budget or the time is used up."""


_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))

Try = tuple[tuple[Part, ...], bytes]
"""What was done wrong, and the digest that it gives."""


class _Work:
    """Counts what is spent, and computes digests with prepared keys.

    HMAC is put together from two copied SHA-256 states here: that takes half the time of the
    standard library's, and thousands are needed.
    """

    def __init__(self, budget: float, ends_at: float) -> None:
        self._left = budget
        self._ends_at = ends_at
        self._next_look = budget - _WORK_BETWEEN_LOOKS
        self._states: dict[bytes, tuple[Any, Any]] = {}

    def spend(self, size: int, *, times: int = 1) -> None:
        """Count a digest, or the making of a text.

        The clock is read each time: how long a text takes depends on more than its length.
        """
        self._left -= (_COST_OF_DIGEST + size * _COST_OF_BYTE) * times
        self._look()

    def _look(self) -> None:
        if self._left < 0 or time.thread_time() > self._ends_at:
            raise _SpentError
        self._next_look = max(0.0, self._left - _WORK_BETWEEN_LOOKS)

    def digest(self, key: bytes, message: bytes) -> bytes:
        """HMAC-SHA256."""
        self._left -= _COST_OF_DIGEST + len(message) * _COST_OF_BYTE
        if self._left < self._next_look:
            self._look()
        states = self._states.get(key)
        if states is None:
            block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
            states = (
                hashlib.sha256(block.translate(_INNER)),
                hashlib.sha256(block.translate(_OUTER)),
            )
            self._states[key] = states
        inner, outer = states[0].copy(), states[1].copy()
        inner.update(message)
        outer.update(inner.digest())
        result: bytes = outer.digest()
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSigned:
    """What a signature may have been made of, next to t and the body.

    Attributes:
        nonce: From a header of that name; None without one.
        clocks: Times in other headers, in Unix seconds as text, that may have been signed as t.
        request: The parts of the request that may have been signed; None if they are unknown.
    """

    nonce: str | None = None
    clocks: tuple[str, ...] = ()
    request: RequestParts | None = None


_NOTHING_ELSE = OtherSigned()


def recognise(
    timestamp: str | None,
    digests: Collection[bytes],
    body: bytes,
    secrets: Sequence[str],
    *,
    ends_at: float,
    evidence: OtherSigned = _NOTHING_ELSE,
    share: float = 1.0,
) -> tuple[Diagnosis, bytes] | None:
    """Find the mistake that gives one of these signatures; None if no known one does.

    Args:
        timestamp: ``t`` as its text; None if none came.
        digests: The signatures that came, 32 bytes each.
        body: As received.
        secrets: The app's own; blank ones are left out.
        ends_at: When to stop trying, in seconds of `time.thread_time`.
        evidence: What else may have been signed.
        share: The part of the budget that may be used, up to 1.

    Returns:
        The diagnosis, and the signature that it explains.
    """
    if len(body) > MAX_TRIED_BYTES or not digests:
        return None
    wanted = frozenset(digests)
    budget = _budget(len(body)) * share
    share_of_size = min(1.0, len(body) / MAX_THOROUGH_BYTES)
    margin = _MIN_STEP_SECONDS + share_of_size * (_MAX_STEP_SECONDS - _MIN_STEP_SECONDS)
    try:
        tries = _Tries(timestamp, body, secrets, evidence, _Work(budget, ends_at - margin))
        for wrong, digest in tries.every():
            if digest in wanted:
                return combined(wrong), digest
    except _SpentError:
        pass
    return None


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


class _Tries:
    """Every digest that a known mistake gives, the commonest first."""

    def __init__(
        self,
        timestamp: str | None,
        body: bytes,
        secrets: Sequence[str],
        evidence: OtherSigned,
        work: _Work,
    ) -> None:
        self._secrets = [secret for secret in secrets if secret.strip()][:MAX_SECRETS]
        self._own = [key_of(secret) for secret in self._secrets]
        self._t = None if timestamp is None else timestamp.encode()
        self._body = body
        is_plain = body.count(b"[") + body.count(b"{") <= _MAX_PARSED_BRACKETS
        self._envelope = envelope_of(body) if is_plain else {}
        self._evidence = evidence
        self._nonce = None if evidence.nonce is None else evidence.nonce.encode()
        self._work = work

    def every(self) -> Iterator[Try]:
        """Every try.

        Raises:
            _SpentError: The budget or the time is used up.
        """
        if len(self._body) > MAX_THOROUGH_BYTES:
            yield from self._cheap()
            return
        templates = list(parts.templates(self._t, self._envelope, nonce=self._nonce))
        for part, template in templates[:_COMMON_TEMPLATES]:
            yield from self._signed((part,), template(self._body))
        makes_texts = self._texts()
        texts = list(islice(makes_texts, _FIRST_TEXTS))
        if self._t is None:
            texts += makes_texts
            other_keys: list[tuple[Part, bytes]] = []
            for part, template in templates[_COMMON_TEMPLATES:]:
                yield from self._signed((part,), template(self._body))
            request = self._evidence.request
            for part, message in request_texts.messages(request, None, self._body):
                yield from self._signed((part,), message)
        else:
            yield from self._with_texts(self._t, texts)
            other_keys = list(parts.keys(self._secrets, self._envelope.get("client_key")))
            yield from self._with_keys(self._t, other_keys[:_FIRST_KEYS])
            more = list(makes_texts)
            yield from self._with_texts(self._t, more)
            texts += more
            yield from self._with_keys(self._t, other_keys[_FIRST_KEYS:])
            yield from self._with_constructions(self._t)
            for part, template in templates[_COMMON_TEMPLATES:]:
                yield from self._signed((part,), template(self._body))
            yield from self._with_t(self._t)
        # The commonest templates first, with every text.
        for part, template in templates:
            for text_part, text in texts:
                yield from self._signed((text_part, part), template(text))
        if self._t is not None:
            yield from self._with_two_mistakes(self._t, texts, templates, other_keys)
            yield from self._rare(self._t)
        if self._t is not None and len(self._body) <= _SHORT_BYTES:
            for part, other in clocks.within_second(self._t):
                yield from self._signed((part,), b"%b.%b" % (other, self._body))

    def _signed(self, wrong: tuple[Part, ...], message: bytes) -> Iterator[Try]:
        for key in self._own:
            yield wrong, self._work.digest(key, message)

    def _cheap(self) -> Iterator[Try]:
        for part, template in list(parts.templates(self._t, {}))[:2]:
            yield from self._signed((part,), template(self._body))
        stripped = self._body.strip()
        if self._t is not None and stripped != self._body:
            yield from self._signed((parts.STRIPPED,), b"%b.%b" % (self._t, stripped))

    def _with_t(self, t: bytes) -> Iterator[Try]:
        """The right text with a t that is not the header's."""
        for part, other in clocks.others(t, self._envelope, self._evidence.clocks):
            yield from self._signed((part,), b"%b.%b" % (other, self._body))

    def _with_texts(self, t: bytes, texts: Sequence[tuple[Part, bytes]]) -> Iterator[Try]:
        for part, text in texts:
            yield from self._signed((part,), b"%b.%b" % (t, text))

    def _with_keys(self, t: bytes, other_keys: Sequence[tuple[Part, bytes]]) -> Iterator[Try]:
        right = b"%b.%b" % (t, self._body)
        for part, key in other_keys:
            yield (part,), self._work.digest(key, right)

    def _with_constructions(self, t: bytes) -> Iterator[Try]:
        right = b"%b.%b" % (t, self._body)
        for key in self._own:
            for part, digest in parts.constructions(right, key):
                self._work.spend(len(right))
                yield (part,), digest
            for part, template in parts.with_secret(t, key):
                yield (part,), self._work.digest(key, template(self._body))

    def _texts(self) -> Iterator[tuple[Part, bytes]]:
        """The texts that apply to this body; making one costs about as much as a digest of it."""
        for part, make in parts.texts(self._body, self._envelope):
            self._work.spend(0)  # reads the clock: making the text may take long
            text = make()
            self._work.spend(len(self._body if text is None else text))
            if text is not None:
                yield part, text

    def _with_two_mistakes(
        self,
        t: bytes,
        texts: Sequence[tuple[Part, bytes]],
        templates: Sequence[parts.Template],
        other_keys: Sequence[tuple[Part, bytes]],
    ) -> Iterator[Try]:
        """Each template and text with the commonest wrong keys, and the commonest with all."""
        for number, (template_part, template) in enumerate(templates):
            message = template(self._body)
            for key_part, key in other_keys[: None if number < _COMMON_TEMPLATES else _PAIRED_KEYS]:
                yield (template_part, key_part), self._work.digest(key, message)
        for number, (text_part, text) in enumerate(texts):
            message = b"%b.%b" % (t, text)
            for key_part, key in other_keys[: None if number < _COMMON_TEXTS else _PAIRED_KEYS]:
                yield (text_part, key_part), self._work.digest(key, message)

    def _rare(self, t: bytes) -> Iterator[Try]:
        """One rare mistake by itself."""
        body, envelope, work = self._body, self._envelope, self._work
        right = b"%b.%b" % (t, body)
        extras = () if self._nonce is None else (self._nonce,)
        for part, key in rare_keys.keys(self._own, t, envelope):
            yield (part,), work.digest(key, right)
        for key in self._own:
            for part, digest in rare_keys.digests(t, body, key, envelope, extras=extras):
                work.spend(len(body))
                yield (part,), digest
        for part, message in request_texts.messages(self._evidence.request, t, body):
            yield from self._signed((part,), message)
        tried: set[bytes] = set()
        for part, make, cost in rare_texts.messages(t, body, envelope, extras=extras):
            work.spend(len(body), times=cost)
            try:
                message = make()
            except (ValueError, RecursionError, TypeError):  # as in `parts`: it does not apply
                continue
            if message not in tried:
                tried.add(message)
                yield from self._signed((part,), message)


def _budget(size: int) -> float:
    if size > MAX_THOROUGH_BYTES:
        return float("inf")  # it gets three tries
    return _BUDGET if size > _SHORT_BYTES else _BUDGET_OF_SHORT


__all__ = ["RIGHT", "Diagnosis", "OtherSigned", "combined", "envelope_of", "recognise"]
