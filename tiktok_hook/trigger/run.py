"""Many samples: at a rate, several at a time, counted and timed."""

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from tiktok_hook import moments
from tiktok_hook.errors import UsageError
from tiktok_hook.exact_json import Json
from tiktok_hook.forward import Forwarder, ForwardRequest, Reply, parse_target
from tiktok_hook.trigger.listener_api import ListenerApi
from tiktok_hook.trigger.sample import request


@dataclass(slots=True)
class TriggerResults:
    """The counts and durations of a run, also while it runs.

    Attributes:
        sent: How many were sent and answered, or failed.
        outcomes: How often each status, or each error word, came back.
        durations_ms: One for each that was answered.
        seconds: How long the run has taken.
        first_bad: The first reply that was not 200; None when there was none.
    """

    sent: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    durations_ms: "array[float]" = field(default_factory=lambda: array("d"))
    seconds: float = 0.0
    first_bad: Reply | None = None

    @property
    def bad(self) -> int:
        """How many were not answered 200."""
        return self.sent - self.outcomes["200"]

    @property
    def rejected(self) -> int:
        """How many were answered with a 4xx."""
        return sum(
            number for name, number in self.outcomes.items() if len(name) == 3 and name[0] == "4"
        )

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        self.sent += 1
        self.outcomes[str(reply.status or reply.error)] += 1
        if reply.status is not None:
            self.durations_ms.append(reply.duration_ms)
        if reply.status != 200 and self.first_bad is None:
            self.first_bad = reply

    def percentile(self, percent: float) -> float | None:
        """The percentile of the durations in milliseconds; None without an answer."""
        ordered = sorted(self.durations_ms)
        if not ordered:
            return None
        rank = -(-len(ordered) * percent // 100)  # rounded up: the nearest-rank method
        return ordered[max(0, int(rank) - 1)]

    def as_json(self) -> dict[str, Json]:
        """The results as an object for programs."""
        marks = {f"p{each}_ms": self.percentile(each) for each in (50, 95, 99)}
        return {
            "sent": self.sent,
            "outcomes": dict(self.outcomes.most_common()),
            "seconds": round(self.seconds, 3),
            **{name: None if ms is None else round(ms, 2) for name, ms in marks.items()},
        }


async def send(request: ForwardRequest, *, timeout: float = 10.0) -> Reply:
    """Send one request and give back what was answered; an error is in the reply, not raised."""
    async with Forwarder() as forwarder:
        return await forwarder.send(request, timeout=timeout)


async def send_signed(
    forwarder: Forwarder,
    body: bytes,
    url: str,
    *,
    secret: str | None,
    age: float,
    bad_signature: bool,
    timeout: float,
    through: ListenerApi | None,
) -> Reply:
    """Sign a body here and send it, or have a running listener do both; see `run`."""
    if through is not None:
        return await through.send(
            forwarder, body, age=age, bad_signature=bad_signature, timeout=timeout
        )
    made = request(url, body, secret=secret, age=age, bad_signature=bad_signature)
    return await forwarder.send(made, timeout=timeout)


async def run(
    bodies: Iterable[bytes],
    url: str | int,
    *,
    secret: str | None,
    age: float | timedelta = 0.0,
    bad_signature: bool = False,
    rate: float | None = None,
    concurrency: int = 1,
    timeout: float = 10.0,
    insecure: bool = False,
    through: ListenerApi | None = None,
    pauses: Iterable[float] = (),
    tally: TriggerResults | None = None,
    on_reply: Callable[[bytes, Reply], None] | None = None,
) -> TriggerResults:
    """Send many bodies, each signed as it leaves; with one at a time, in order.

    Args:
        bodies: Asked for one by one, so there may be any number.
        url: Where to: a URL, or a port.
        secret: The client secret; None sends them without a signature.
        age: Seconds, or a `timedelta`, since they were signed.
        bad_signature: Get one digit of each signature wrong.
        rate: Requests per second at most, evenly; None is as fast as they are answered.
        concurrency: How many may wait for their answers at a time.
        timeout: Seconds for each.
        insecure: Do not check the certificate of an https address.
        through: A running listener that signs and sends them; then neither `url` nor `secret` is
            used.
        pauses: Seconds to wait before each body; as many as there are bodies, or fewer.
        tally: Counted into while it runs, for who wants to know when it is cancelled.
        on_reply: Called with each as it ends.

    Raises:
        TypeError: `bodies` is a single body.
        UsageError: The address, or the number at a time, cannot be used.
    """
    given: object = bodies
    if isinstance(given, str | bytes):
        raise TypeError("bodies must be an iterable of bytes: put a single one into a list")
    if concurrency < 1:
        raise UsageError(f"concurrency={concurrency} is less than 1, so nothing would be sent.")
    target = "" if through is not None else parse_target(url)
    seconds_ago = moments.seconds(age)
    counted = TriggerResults() if tally is None else tally
    started = time.perf_counter()
    pace = _Pace(iter(bodies), 0.0 if rate is None else 1 / rate, iter(pauses))

    async def work() -> None:
        while (body := await pace.next()) is not None:
            reply = await send_signed(
                forwarder,
                body,
                target,
                secret=secret,
                age=seconds_ago,
                bad_signature=bad_signature,
                timeout=timeout,
                through=through,
            )
            counted.add(reply)
            if on_reply is not None:
                on_reply(body, reply)

    try:
        async with Forwarder(insecure=insecure) as forwarder:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(concurrency):
                        group.create_task(work())
            except BaseExceptionGroup as failed:
                # The caller made it fail: by a body, or in `on_reply`.
                raise failed.exceptions[0] from failed
    finally:
        counted.seconds = time.perf_counter() - started
    return counted


class _Pace:
    """Gives out bodies, one at a time and no faster than it may.

    Invariant: `_turn` is held while a body waits for its time, so the tasks that ask get bodies in
    the order of `bodies`, and neither iterator is advanced by two of them at once.
    """

    def __init__(
        self, bodies: Iterator[bytes], gap_seconds: float, pauses: Iterator[float]
    ) -> None:
        self._pauses = pauses
        self._bodies = bodies
        self._gap = gap_seconds
        self._due = time.perf_counter()
        self._turn = asyncio.Lock()

    async def next(self) -> bytes | None:
        """The next one when its time has come; None at the end, without waiting for it."""
        async with self._turn:
            body = next(self._bodies, None)
            if body is not None and (pause := next(self._pauses, 0.0)):
                await asyncio.sleep(pause)
            if body is None or not self._gap:
                return body
            await asyncio.sleep(max(0.0, self._due - time.perf_counter()))
            self._due = max(self._due, time.perf_counter()) + self._gap
            return body
