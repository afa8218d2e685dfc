"""Sends a stored delivery again: edited, signed, sent, and recorded as a replay."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tiktok_hook import edits, signature
from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import Forwarder, ForwardRequest, begun, compose, ended, join, with_header
from tiktok_hook.signature import State
from tiktok_hook.store import History, Store

TOLERANCE_SECONDS = 300.0
"""The age at which the usual verifier begins to refuse a right signature."""

_METHOD = re.compile(r"[A-Z][A-Z0-9_-]{0,30}")
_UNFIT_IN_PATH = re.compile(r"[^\x21-\x7e]|#")


class Mode(StrEnum):
    """How a replay is signed."""

    FRESH = "fresh"
    AS_IS = "as-is"
    AGED = "age"
    BAD = "bad"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Signing:
    """How a replay is signed.

    Attributes:
        mode: ``fresh`` is right and new; ``as-is`` leaves the stored header; ``age`` is right but
            old; ``bad`` is new and wrong; ``none`` takes the header out.
        age_seconds: For ``age``.
    """

    mode: Mode = Mode.FRESH
    age_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a replay would send.

    Attributes:
        request: Ready to go out.
        resigned: Whether its signature was made here.
        verdict: What a right check says of it; None when no secret was given to know it by.
    """

    request: ForwardRequest
    resigned: bool
    verdict: State | None


def prepare(
    delivery: Delivery,
    target: str,
    *,
    secrets: Sequence[str] = (),
    signing: Signing = Signing(),
    sets: Sequence[str] = (),
    unsets: Sequence[str] = (),
    body: bytes | None = None,
    headers: Sequence[tuple[str, str]] = (),
    method: str | None = None,
    path: str | None = None,
    whole_target: bool = False,
    now: float,
) -> Prepared:
    """Make the request of a replay; nothing is sent.

    Args:
        delivery: As stored.
        target: Where to, as `parse_target` gave it; the delivery's path is joined to it.
        secrets: Client secrets; the one that the delivery was signed with is used, else the first.
        signing: How to sign.
        sets: ``PATH=VALUE`` each, see `edits`.
        unsets: Paths to take out of the body.
        body: A whole new body, from an editor; `sets` and `unsets` are made on it.
        headers: Set on the request, each replacing those of its name; they come last, so a
            Tiktok-Signature among them wins.
        method: Instead of the delivery's own.
        path: Path and query instead of the delivery's own.
        whole_target: `target` is an attempt's address, path included, and is used as it is.
        now: Unix seconds, to sign with.

    Raises:
        UsageError: There is no secret to sign with, or an edit, method or path cannot be used.
    """
    verb = (method or delivery.method).upper()
    if not _METHOD.fullmatch(verb):
        raise UsageError(f"{verb!r} is not an HTTP method.", hint="For instance --method PUT.")
    final = edits.apply(delivery.body if body is None else body, sets=sets, unsets=unsets)
    header, verdict = _signature(delivery, final, secrets, signing, now)
    resigned = signing.mode not in {Mode.AS_IS, Mode.NONE}
    kept = delivery.headers
    if signing.mode is not Mode.AS_IS:
        kept = with_header(kept, signature.HEADER, header)
    request = compose(
        verb,
        _address(delivery, target, path, whole_target=whole_target),
        kept,
        final,
        extra_headers=headers,
    )
    return Prepared(request, resigned, verdict)


def _signature(
    delivery: Delivery, body: bytes, secrets: Sequence[str], signing: Signing, now: float
) -> tuple[str | None, State | None]:
    """The header to send and what a right check says of it."""
    if signing.mode is Mode.NONE:
        return None, State.MISSING
    if signing.mode is Mode.AS_IS:
        header = delivery.header(signature.HEADER)
        if not secrets:
            return header, None
        checked = signature.check(header, body, secrets, now=now, tolerance=TOLERANCE_SECONDS)
        return header, checked.state
    if not secrets:
        raise UsageError(
            "There is no client secret to sign the replay with.",
            hint="Give it with TIKTOK_CLIENT_SECRET, or send the stored signature with --as-is.",
        )
    number = delivery.verdict.secret
    matched = number is not None and number <= len(secrets)
    secret = secrets[number - 1] if matched and number is not None else secrets[0]
    age = signing.age_seconds if signing.mode is Mode.AGED else 0.0
    header = signature.sign(body, secret, timestamp=max(0, int(now - age)))
    if signing.mode is Mode.BAD:
        # One digit is off, which is what a wrong secret looks like to an app.
        return header[:-1] + ("0" if header[-1] != "0" else "1"), State.INVALID
    return header, State.VALID if abs(age) <= TOLERANCE_SECONDS else State.STALE


def _address(delivery: Delivery, target: str, path: str | None, *, whole_target: bool) -> str:
    if path is None:
        return target if whole_target else join(target, delivery.path, delivery.query)
    if not path.startswith("/") or _UNFIT_IN_PATH.search(path):
        raise UsageError(
            f"The path {path!r} cannot be sent.",
            hint="It begins with a slash; percent-encode what is not plain ASCII.",
        )
    own, _, query = path.partition("?")
    base = target
    if whole_target:
        scheme, _, rest = target.partition("://")
        base = f"{scheme}://{re.split('[/?]', rest, maxsplit=1)[0]}"
    return join(base, own, query)


def recorded_target(history: History, delivery_id: int) -> str | None:
    """The whole address of a delivery's first attempt that was not a replay, else of its last.

    None when it was never sent anywhere.
    """
    attempts = history.attempts(delivery_id)
    own = [attempt for attempt in attempts if not attempt.replay]
    return own[0].target if own else attempts[-1].target if attempts else None


async def replay(
    delivery: Delivery,
    prepared: Prepared,
    *,
    forwarder: Forwarder,
    store: Store | None = None,
    dequeue: Collection[str] = (),
    timeout: float = 10.0,
) -> Attempt:
    """Send what `prepare` made and record it.

    Args:
        delivery: What it was made of; with a store, it has to be in it.
        prepared: What to send.
        forwarder: Sends it.
        store: Where the attempt is recorded, as begun before its bytes leave; None records nothing.
        dequeue: Targets that it waits for no more once the app had it, for ``--pending``.
        timeout: Seconds that the app may take.

    Returns:
        The attempt with its outcome; what the app does is never an exception.

    Raises:
        StoreError: It could not be recorded.
    """
    request = prepared.request
    attempt = begun(delivery, request, now=time.time(), replay=True, resigned=prepared.resigned)
    if store is not None:
        attempt = await store.begin_attempt(attempt)
    reply = await forwarder.send(request, timeout=timeout)
    done = ended(attempt, reply, verdict=prepared.verdict)
    if store is not None:
        await store.end_attempt(done)
        for target in dequeue if done.error is None else ():
            store.dequeue(delivery.id, target)
    return done


async def replay_all(
    deliveries: Iterable[Delivery],
    make: Callable[[Delivery], Prepared | None],
    *,
    forwarder: Forwarder,
    store: Store | None = None,
    rate: float | None = None,
    dequeue: Collection[str] = (),
    timeout: float = 10.0,
) -> AsyncIterator[Attempt]:
    """Replay several, one after the other in the order they are given.

    Args:
        deliveries: Asked for one by one, so there may be any number.
        make: Calls `prepare`, right before each is sent, so that its signature is fresh; None
            leaves the delivery out.
        forwarder: Sends them.
        store: Where the attempts are recorded; None records nothing.
        rate: At most so many a second, evenly; None is as fast as they are answered.
        dequeue: Targets that each waits for no more once the app had it.
        timeout: Seconds that the app may take for each.

    Yields:
        Each attempt as it ends.

    Raises:
        StoreError: One could not be recorded.
    """
    due = time.monotonic()
    for delivery in deliveries:
        if rate is not None:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic()) + 1 / rate
        prepared = make(delivery)
        if prepared is None:
            continue
        yield await replay(
            delivery,
            prepared,
            forwarder=forwarder,
            store=store,
            dequeue=dequeue,
            timeout=timeout,
        )
