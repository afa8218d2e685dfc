"""Sends stored deliveries again: edited, signed, sent, and recorded as replays.

`Replayer` is the one place that decides where a replay goes, which secret signs it, and which
addresses are never replayed to. The command, the Python API, both HTTP APIs and the key ``r`` use
it.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from tiktok_hook import edits, hints, paths, signature
from tiktok_hook.delivery import Attempt, BodyState, Delivery, Source
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import (
    Forwarder,
    ForwardRequest,
    begun,
    compose,
    ended,
    join,
    parse_target,
    reject_resolved_loop,
    with_header,
)
from tiktok_hook.signature import State
from tiktok_hook.signature.scheme import words_for
from tiktok_hook.store import Filter, HistoryReader, Location, Store

TOLERANCE_SECONDS = 300.0
"""The age at which the usual verifier begins to reject a valid signature."""

REPLAY_OF_HEADER = "Tiktok-Hook-Replay-Of"
"""Carries the id of the original delivery, for apps that want to know; sent only on request."""

_METHOD = re.compile(r"[A-Z][A-Z0-9_-]{0,30}")
_UNFIT_IN_PATH = re.compile(r"[^\x21-\x7e]|#")
_ACCEPTED_STATES = (State.VALID, State.STALE, State.UNCHECKED)


class NoTargetError(UsageError):
    """No target is known for a replay."""


class NoSecretError(UsageError):
    """There is no client secret to sign a replay with."""


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
        mode: ``fresh`` is valid and new; ``as-is`` keeps the stored header; ``age`` is valid but
            old; ``bad`` is new and wrong; ``none`` leaves the header out.
        age_seconds: For ``age``; negative is in the future.
    """

    mode: Mode = Mode.FRESH
    age_seconds: float = 0.0

    @property
    def description(self) -> str:
        """``wrong signature``, ``10 min old``; empty for ``fresh``."""
        if self.mode is Mode.AGED:
            words = words_for(abs(self.age_seconds))
            return f"{words} old" if self.age_seconds >= 0 else f"{words} in the future"
        return {
            Mode.AS_IS: "original signature",
            Mode.BAD: "wrong signature",
            Mode.NONE: "no signature",
        }.get(self.mode, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What one replay should be like.

    Attributes:
        to: The target as a user typed it, to which the delivery's path is joined; None uses the
            default target.
        signing: How to sign; None signs freshly, or keeps the stored header without a secret.
        sets: ``PATH=VALUE`` each, see `edits`.
        unsets: Paths to remove from the body.
        body: Replaces the body; `sets` and `unsets` apply to it.
        headers: Set on the request, each replacing those of its name; they are applied last, so a
            Tiktok-Signature among them wins.
        method: Replaces the delivery's method.
        path: Replaces the delivery's path and query.
        with_id: Add `REPLAY_OF_HEADER`.
    """

    to: str | None = None
    signing: Signing | None = None
    sets: Sequence[str] = ()
    unsets: Sequence[str] = ()
    body: bytes | None = None
    headers: Sequence[tuple[str, str]] = ()
    method: str | None = None
    path: str | None = None
    with_id: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedReplay:
    """One request that is ready to be sent.

    Attributes:
        delivery: The delivery it was made of.
        request: The request.
        resigned: Whether we signed it.
        verdict: Result of a correct check of its signature; None without a secret to check with.
        variant: How it differs from the delivery, in words; empty when it does not.
        expects_rejection: Whether a 4xx is the right answer.
    """

    delivery: Delivery
    request: ForwardRequest
    resigned: bool
    verdict: State | None
    variant: str = ""
    expects_rejection: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAddresses:
    """Addresses of one running listener, to which nothing is replayed.

    Attributes:
        receiver_port: On this machine; None when there is no receiver.
        inspector_port: On this machine; None without an inspector.
        callback_url: The public URL; None without one.
    """

    receiver_port: int | None = None
    inspector_port: int | None = None
    callback_url: str | None = None

    @classmethod
    def of_urls(
        cls, local_url: str | None, inspector_url: str | None, callback_url: str | None
    ) -> "OwnAddresses":
        """The addresses of a listener that is known by its URLs."""
        return cls(
            receiver_port=None if local_url is None else urlsplit(local_url).port,
            inspector_port=None if inspector_url is None else urlsplit(inspector_url).port,
            callback_url=callback_url,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayTargets:
    """Where replays go when no target is named, and where they never go.

    Attributes:
        listener: First target of the running listener; None without one.
        setting: ``forward-to`` of the settings; None without one.
        own: Addresses of the listeners that run now.
    """

    listener: str | None = None
    setting: str | None = None
    own: Sequence[OwnAddresses] = ()


def running_targets(history: Location, *, setting: str | None = None) -> ReplayTargets:
    """The targets that other processes know: those of the listeners that run now.

    Args:
        history: The history; a listener that writes to it is asked before others.
        setting: ``forward-to`` of the settings.
    """
    with_target = [each for each in paths.listeners() if each.target]
    same = [each for each in with_target if each.history and each.history == history.identity]
    return ReplayTargets(
        listener=next((each.target for each in same or with_target), None),
        setting=setting,
        own=running_listeners(),
    )


def running_listeners() -> list[OwnAddresses]:
    """Addresses of every listener of this user on this machine."""
    return [
        OwnAddresses.of_urls(each.local_url, each.inspector_url, each.callback_url)
        for each in paths.listeners()
    ]


@dataclass(slots=True)
class Replayer:
    """Prepares and sends replays.

    Args:
        store: Holds the deliveries; each attempt is recorded in it, as begun before its bytes
            leave.
        forwarder: Sends the requests.
        secrets: Client secrets; the one that signed a delivery signs its replay; without a
            match the first one signs.
        targets: Called for every replay, since listeners start and stop meanwhile.
    """

    store: Store
    forwarder: Forwarder
    secrets: Sequence[str] = field(repr=False)
    targets: Callable[[], ReplayTargets] = ReplayTargets

    async def prepare(
        self, delivery: Delivery, options: ReplayOptions = ReplayOptions()
    ) -> PreparedReplay:
        """Make the request of a replay; nothing is sent.

        Raises:
            NoTargetError: No target was named, and none is known.
            NoSecretError: It should be signed, and there is no secret.
            UsageError: The target is one of our own addresses, the body is incomplete, or an edit,
                method or path cannot be used.
            StoreError: The history cannot be read.
        """
        if options.to is not None:
            target, is_whole = parse_target(options.to), False
        else:
            target, is_whole = await asyncio.to_thread(
                default_target, self.store.history(), delivery, self.targets()
            )
        await self._reject_loop(target)
        return prepare(
            delivery,
            target,
            options,
            secrets=self.secrets,
            whole_target=is_whole,
            now=time.time(),
        )

    async def send(
        self,
        prepared: PreparedReplay,
        *,
        dequeue: Collection[str] = (),
        timeout: float = 10.0,
    ) -> Attempt:
        """Send one replay and record it.

        Args:
            prepared: From `prepare`.
            dequeue: Targets whose queue the delivery leaves once the app has answered.
            timeout: Seconds that the app may take.

        Returns:
            The attempt with its outcome; what the app does is never an exception.

        Raises:
            StoreError: It could not be recorded.
        """
        request = prepared.request
        attempt = begun(
            prepared.delivery,
            request,
            now=time.time(),
            replay=True,
            resigned=prepared.resigned,
        ).replace(variant=prepared.variant, expects_rejection=prepared.expects_rejection)
        attempt = await self.store.begin_attempt(attempt)
        reply = await self.forwarder.send(request, timeout=timeout)
        done = ended(attempt, reply, verdict=prepared.verdict)
        if done.expects_rejection and done.status == 200 and prepared.verdict is State.STALE:
            done = done.replace(hint=hints.for_accepted_old_signature())
        await self.store.end_attempt(done)
        for target in dequeue if done.error is None else ():
            self.store.dequeue(prepared.delivery.id, target)
        return done

    async def send_all(
        self,
        replays: AsyncIterable[PreparedReplay],
        *,
        rate: float | None = None,
        dequeue: Collection[str] = (),
        timeout: float = 10.0,
    ) -> AsyncIterator[Attempt]:
        """Send several replays one after the other.

        Args:
            replays: The next one is asked for right before it is sent, so a generator signs each
                with the time at which it leaves.
            rate: Greatest number per second; None sends the next as soon as one is answered.
            dequeue: Targets whose queue each delivery leaves once the app has answered.
            timeout: Seconds that the app may take for each.

        Yields:
            Each attempt when it has ended.

        Raises:
            StoreError: One could not be recorded.
        """
        due = time.monotonic()
        iterator = aiter(replays)
        while True:
            if rate is not None:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due = max(due, time.monotonic()) + 1 / rate
            try:
                prepared = await anext(iterator)
            except StopAsyncIteration:
                return
            yield await self.send(prepared, dequeue=dequeue, timeout=timeout)

    async def _reject_loop(self, target: str) -> None:
        """Raise for a target that is a listener of ours, under whatever name it goes.

        Which of its addresses a listener listens on is not known here, so its port on any address
        of this machine counts.
        """
        for own in self.targets().own:
            await reject_resolved_loop(
                [target],
                receiver_port=own.receiver_port,
                inspector_port=own.inspector_port,
                callback_url=own.callback_url,
            )


def newest_received(history: HistoryReader, *, failed: bool = False) -> Delivery | None:
    """The newest delivery that was accepted here; imported and rejected ones do not count.

    Args:
        history: Where to look.
        failed: Whether its last attempt must have failed.

    Raises:
        StoreError: The history cannot be read.
    """
    found = [
        delivery
        for source in (Source.TIKTOK, Source.TRIGGER)
        for delivery in history.page(
            Filter(verdicts=_ACCEPTED_STATES, source=source, failed=failed), limit=1
        )
    ]
    return max(found, key=lambda delivery: delivery.id, default=None)


def recorded_target(history: HistoryReader, delivery: Delivery) -> str | None:
    """Full URL of a delivery's first attempt; a replay counts only where nothing else was sent.

    None when it was never sent anywhere, and for imported deliveries: an address in a
    file is not trusted with a request that we sign.
    """
    if delivery.source is Source.IMPORT:
        return None
    # In a shared history the addresses of others mean something else on this machine.
    attempts = [each for each in history.attempts(delivery.id) if each.app == history.app]
    forwarded = [attempt for attempt in attempts if not attempt.replay]
    return forwarded[0].target if forwarded else attempts[-1].target if attempts else None


def default_target(
    history: HistoryReader, delivery: Delivery, targets: ReplayTargets
) -> tuple[str, bool]:
    """The target when none was named, and whether it includes the delivery's path.

    Raises:
        NoTargetError: None is known.
    """
    if queues := history.queues_of(delivery.id):
        return queues[0].target, False
    if recorded := recorded_target(history, delivery):
        return recorded, True
    if target := targets.listener or targets.setting:
        return parse_target(target), False
    if delivery.source is Source.IMPORT:
        message = f"Delivery {delivery.id} was imported, and no target is known for it."
    else:
        message = f"Delivery {delivery.id} was never forwarded, and no target is known for it."
    raise NoTargetError(message, hint="Name your app: --to 3000")


def prepare(
    delivery: Delivery,
    target: str,
    options: ReplayOptions = ReplayOptions(),
    *,
    secrets: Sequence[str] = (),
    whole_target: bool = False,
    now: float,
) -> PreparedReplay:
    """Make the request of a replay.

    Args:
        delivery: As stored.
        target: From `parse_target`; the delivery's path is joined to it. ``options.to`` is ignored.
        options: Edits and signing.
        secrets: Client secrets.
        whole_target: `target` is an attempt's URL, path included, and is used unchanged.
        now: Unix seconds, to sign with.

    Raises:
        NoSecretError: There is no secret to sign with.
        UsageError: The body is incomplete, or an edit, method or path cannot be used.
    """
    verb = (options.method or delivery.method).upper()
    if not _METHOD.fullmatch(verb):
        raise UsageError(f"{verb!r} is not an HTTP method.", hint="For instance --method PUT.")
    if options.body is None and not delivery.has_whole_body:
        raise _incomplete(delivery)
    body = delivery.body if options.body is None else options.body
    final = edits.apply(body, sets=options.sets, unsets=options.unsets)
    signing = options.signing or (Signing() if secrets else Signing(Mode.AS_IS))
    header, verdict = _signature(delivery, final, secrets, signing, now)
    kept = delivery.headers
    if signing.mode is not Mode.AS_IS:
        kept = with_header(kept, signature.HEADER, header)
    if delivery.body_state is BodyState.DECOMPRESSED:
        kept = with_header(kept, "Content-Encoding", None)
    extra = list(options.headers)
    if options.with_id:
        extra.insert(0, (REPLAY_OF_HEADER, str(delivery.id)))
    request = compose(
        verb,
        _address(delivery, target, options.path, whole_target=whole_target),
        kept,
        final,
        extra_headers=extra,
    )
    is_edited = (
        final != delivery.body
        or bool(options.headers)
        or verb != delivery.method
        or options.path is not None
    )
    differences = ["edited" if is_edited else "", signing.description]
    rejected = signing.mode in {Mode.BAD, Mode.NONE}
    return PreparedReplay(
        delivery=delivery,
        request=request,
        resigned=signing.mode not in {Mode.AS_IS, Mode.NONE},
        verdict=verdict,
        variant=", ".join(filter(None, differences)),
        expects_rejection=rejected or (signing.mode is Mode.AGED and verdict is State.STALE),
    )


def _incomplete(delivery: Delivery) -> UsageError:
    if delivery.body_state is BodyState.MISSING:
        sent = f" ({delivery.body_bytes} bytes were sent)" if delivery.body_bytes else ""
        return UsageError(
            f"Delivery {delivery.id} cannot be replayed: the file it was imported from does not "
            f"contain its body{sent}.",
            hint="Record it again with request bodies, or write a body with --edit.",
        )
    return UsageError(
        f"Delivery {delivery.id} cannot be replayed: only {len(delivery.body)} of "
        f"{delivery.body_bytes} bytes of its body are stored.",
        hint="Rejected deliveries are stored in part. Write a body with --edit.",
    )


def _signature(
    delivery: Delivery, body: bytes, secrets: Sequence[str], signing: Signing, now: float
) -> tuple[str | None, State | None]:
    """The header to send and the result of a correct check of it."""
    if signing.mode is Mode.NONE:
        return None, State.MISSING
    stored = delivery.header(signature.HEADER)
    if signing.mode is Mode.AS_IS:
        if not secrets:
            return stored, None
        checked = signature.check(stored, body, secrets, now=now, tolerance=TOLERANCE_SECONDS)
        return stored, checked.state
    if not secrets:
        raise NoSecretError(
            "There is no client secret to sign the replay with.",
            hint="Give it with TIKTOK_CLIENT_SECRET, or send the stored signature with --as-is.",
        )
    # Found by trying: the recorded number counts the secrets of the process that received it.
    matched = signature.check(stored, delivery.body, secrets, now=now).secret
    secret = secrets[(matched or 1) - 1]
    age = signing.age_seconds if signing.mode is Mode.AGED else 0.0
    header = signature.sign(body, secret, timestamp=max(0, int(now - age)))
    if signing.mode is Mode.BAD:
        return signature.with_wrong_digit(header), State.INVALID
    return header, State.VALID if abs(age) <= TOLERANCE_SECONDS else State.STALE


def _address(delivery: Delivery, target: str, path: str | None, *, whole_target: bool) -> str:
    if path is None:
        return target if whole_target else join(target, delivery.path, delivery.query)
    if not path.startswith("/") or _UNFIT_IN_PATH.search(path):
        raise UsageError(
            f"The path {path!r} cannot be sent.",
            hint="A path begins with a slash; percent-encode whatever is not plain ASCII.",
        )
    own, _, query = path.partition("?")
    base = target
    if whole_target:
        scheme, _, rest = target.partition("://")
        base = f"{scheme}://{re.split('[/?]', rest, maxsplit=1)[0]}"
    return join(base, own, query)
