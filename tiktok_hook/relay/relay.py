"""Stores and forwards what the receiver accepts, and decides when and what TikTok is answered."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from tiktok_hook.delivery import (
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Delivery,
    DeliveryAnswered,
    DeliveryStored,
    Headers,
    Notice,
    QueueChanged,
    Skipped,
)
from tiktok_hook.errors import StoreError
from tiktok_hook.forward import Forwarder, Reply, compose, join
from tiktok_hook.hints import LISTENER_FAILURE, LISTENER_RULES
from tiktok_hook.receiver import OK, IncomingRequest, ReceiverResponse
from tiktok_hook.relay import retry_policy
from tiktok_hook.relay.health_check import HealthCheck
from tiktok_hook.relay.options import AckMode, RelayOptions
from tiktok_hook.relay.queue_runner import QueueRunner
from tiktok_hook.relay.retry_policy import DELAYS, Delays
from tiktok_hook.relay.routing import AnswerRule, AnswerRules, targets_for
from tiktok_hook.relay.sender import Sender
from tiktok_hook.store import QUEUE_MODES, QueueEntry, QueueMode, Store

CLOSE_SECONDS = 5.0
"""How long attempts in progress may take to end when the relay is closed."""

QUEUE_REPORT_SECONDS = 0.2
"""Minimum time between two counts of the waiting deliveries."""

MAX_DELAYED = 64
"""Maximum number of responses that answer rules delay at a time; more are not delayed."""

_MAX_RECEIVED = 100_000
"""How many deliveries received here are remembered until they are read back from the history; of
more, the oldest is published twice."""

_UNROUTED = "no --route matches it"

_MAX_BACKGROUND = 256
"""Maximum number of attempts in the background; with that many, a new one waits for one to end,
and with it the response to TikTok."""

_MAX_PASSED_BYTES = 8 << 20
"""Maximum size of the app's response to a request that is passed through."""

_CONNECTION_HEADERS = frozenset(
    {"connection", "content-length", "content-type", "keep-alive", "transfer-encoding", "upgrade"}
)


class Relay:
    """Stores each delivery, forwards it, and returns the response to TikTok.

    Made by `open_relay`. The queue of ``--ack first`` is filled in one of two ways: together with
    storing the delivery, or, if `attached`, by an `AttachedApp` that reads the history. The second
    way is that of `attach`, and of `listen` with a shared history, where the app also gets the
    deliveries that other listeners receive.

    Invariants, all on one event loop and without locks:

    - A delivery is stored before anything is published about it, sent to an app or answered.
    - Every task belongs to `_group`: `_background` has those that send, each of which holds one of
      the `_MAX_BACKGROUND` places of `_room` from before it begins until it has ended;
      `_watchers` and `_workers` run until `close`.
    - Order under a release: while one is under way, new deliveries are queued behind it.
    - `_report_queue` counts the queue on a thread, at most once in `QUEUE_REPORT_SECONDS`.

    Attributes:
        targets: Where deliveries go; TikTok gets the response of the first one.
        ack: When TikTok is answered.
        paused: Whether the user paused forwarding: deliveries wait until `release`.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        sender: Sender,
        options: RelayOptions,
        *,
        store: Store,
        forwarder: Forwarder,
        delays: Delays,
        publish: Callable[[object], None],
        attached: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.targets = tuple(dict.fromkeys(options.targets))
        self.ack: AckMode = options.ack_mode
        self.paused = False
        self._group = group
        # The part of the queue that is forwarded without a release.
        self._in_order: QueueMode = "attached" if attached else "first"
        self._attached = attached
        self._received: OrderedDict[int, None] = OrderedDict()
        self._sender = sender
        self._store = store
        self._forwarder = forwarder
        self._targets_for_all = options.targets_for_all
        self._routes = options.parsed_routes
        self._answers = AnswerRules(options.parsed_answers)
        self._delayed = 0
        self._timeout = options.forward_timeout
        self._publish = publish
        self._queue_changed = asyncio.Event()
        self._queue_published = QueueChanged(paused=False, waiting=0)
        self._background: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_MAX_BACKGROUND)
        self._watchers: list[asyncio.Task[None]] = []
        self._workers: dict[str, asyncio.Task[None]] = {}
        self.retry_for = options.retry_seconds
        self._health_checks = {target: HealthCheck(target, publish) for target in self.targets}
        self._queues = {
            target: QueueRunner(
                target,
                store=store,
                health=health,
                sender=sender,
                publish=publish,
                changed=self._queue_changed,
                retry_for=self.retry_for,
                delays=delays,
                clock=clock,
            )
            for target, health in self._health_checks.items()
        }

    # For the session.

    @property
    def queue_mode(self) -> QueueMode | None:
        """Which part of the queue this session forwards; None if it queues only during a pause."""
        if self.ack == "first":
            return self._in_order
        return "hold" if self.ack == "hold" else None

    @property
    def target_up(self) -> bool | None:
        """Whether the first target accepts connections; None without one."""
        return self.is_up(self.targets[0]) if self.targets else None

    def is_up(self, target: str) -> bool | None:
        """Whether one of the targets accepts connections; None before the first check."""
        return self._health_checks[target].up

    @property
    def waiting(self) -> int:
        """Number of deliveries in the longest queue of a target; queries the store."""
        return max((queue.waiting for queue in self._queues.values()), default=0)

    @property
    def last_waiting(self) -> int:
        """Number of deliveries that waited when they were counted last; no query."""
        return max((queue.last_waiting for queue in self._queues.values()), default=0)

    @property
    def waited_for(self) -> str | None:
        """The target with the longest queue; None with fewer than two targets. No query."""
        if len(self.targets) < 2:
            return None
        return max(self.targets, key=lambda target: self._queues[target].last_waiting)

    async def check(self) -> None:
        """Check at once whether the targets are up, for instance after their app was started."""
        await asyncio.gather(*(health.check() for health in self._health_checks.values()))

    def pause(self) -> None:
        """Queue deliveries, each answered 200, until `release`; does nothing without a target."""
        if not self.targets or self.ack == "hold":
            return
        self.paused = True
        if self.ack == "first":
            for queue in self._queues.values():
                queue.withhold()
        self._publish_queue(self._queue_published.waiting)

    async def release(self) -> None:
        """Forward the queue: with ``hold`` what is in it now, otherwise until it is empty.

        Raises:
            StoreError: The history cannot be read.
        """
        if self.ack == "first":
            self.paused = False
            self._start_draining(self._in_order)
        elif self.ack == "hold":
            await self._store.flush()
            newest = await asyncio.to_thread(self._store.history().newest_id)
            for mode in QUEUE_MODES:  # also what an earlier session with ``first`` has left
                self._start_draining(mode, up_to=newest)
        elif self.paused:
            # New deliveries are queued behind the waiting ones, so that the order is kept.
            self._start_draining("hold")

    def _start_draining(self, mode: QueueMode, *, up_to: int | None = None) -> None:
        for queue in self._queues.values():
            queue.start_draining(mode, up_to=up_to)
        self._publish_queue(self._queue_published.waiting)

    @property
    def holding(self) -> bool:
        """Whether new deliveries wait because of `pause`; False while a release is in progress."""
        return self.paused and not self._queues[self.targets[0]].is_draining("hold")

    def _emptied(self, target: str, mode: QueueMode) -> None:
        if mode == "hold" or self.ack == "hold":
            self._queues[target].stop_draining(mode)
            if target == self.targets[0]:  # the other targets do not change the response
                self.paused = False
                self._publish_queue(self._queue_published.waiting)

    def _publish_queue(self, waiting: int) -> None:
        event = QueueChanged(paused=self.holding, waiting=waiting)
        if event != self._queue_published:
            self._queue_published = event
            self._publish(event)

    async def _report_queue(self) -> None:
        """Publish how many deliveries wait whenever that may have changed; does not return.

        Counting queries the store, so it is done in a thread, and at most five times a second.
        """
        while True:
            await self._queue_changed.wait()
            self._queue_changed.clear()
            self._publish_queue(await asyncio.to_thread(lambda: self.waiting))
            await asyncio.sleep(QUEUE_REPORT_SECONDS)

    # For the `AttachedApp` that fills the queue.

    def targets_of(self, delivery: Delivery) -> tuple[str, ...]:
        """The targets that get a delivery, the main one first."""
        return targets_for(delivery, self._targets_for_all, self._routes)

    def forward_queued(self, deliveries: Sequence[Delivery]) -> None:
        """Publish and forward deliveries that were read from the history and put into the queue.

        Those that this process received were published when they were stored, and their ids are
        in `_received`. They are always there in time: the commit that puts a delivery into the
        queue follows the one that stored it, and both resolve their futures on this event loop in
        that order.
        """
        for each in deliveries:
            if each.id in self._received:
                del self._received[each.id]
            else:
                self._publish(DeliveryStored(each))
                self._publish(DeliveryAnswered(each))
            if not self.targets_of(each):
                self._publish(Skipped(each, _UNROUTED))
        self._queue_changed.set()
        if not self.paused:
            self._start_draining(self._in_order)

    # For the receiver.

    def handle(self, delivery: Delivery) -> Awaitable[ReceiverResponse]:
        """Store an accepted delivery, forward it, and return the response to TikTok.

        Raises:
            StoreError: It could not be stored; nothing has been sent anywhere.
        """
        rule = self._answers.choose(delivery)
        if not self.targets and rule is None:
            status = self.ack if isinstance(self.ack, int) else 200
            return self._store.add_nowait(delivery, status=status, then=self._publish_and_respond)
        return self._forward(delivery, rule)

    def reject(self, delivery: Delivery, status: int) -> Awaitable[ReceiverResponse]:
        """Store a delivery that the receiver rejected and answers `status`; no app gets it.

        Raises:
            StoreError: It could not be stored.
        """
        return self._store.add_nowait(delivery, status=status, then=self._publish_and_respond)

    async def _forward(self, delivery: Delivery, rule: AnswerRule | None) -> ReceiverResponse:
        status = self.ack if isinstance(self.ack, int) else 200
        if rule is not None:
            status = rule.status
        if self._attached:
            stored = await self._store.add(delivery.replace(status=status))
            self._received[stored.id] = None  # before `forward_queued`; see there
            if len(self._received) > _MAX_RECEIVED:
                self._received.popitem(last=False)
            return await self._respond(stored, rule)
        targets = self.targets_of(delivery)
        if not targets:
            stored = await self._store.add(delivery.replace(status=status))
            self._publish(DeliveryStored(stored, queued=False))
            await self._delay(stored, rule)
            skipped = bool(self.targets)
            self._publish(DeliveryAnswered(stored, skipped=skipped, rule=_described(rule)))
            if self.targets:
                self._publish(Skipped(stored, _UNROUTED))
            return _set_by("--ack" if rule is None else "--answer", status)
        if self.ack in {"first", "hold"} or self.paused:
            mode: QueueMode = "first" if self.ack == "first" else "hold"
            deadline = delivery.received_at + self.retry_for
            queues = [
                QueueEntry(mode, target, secondary=number > 0, deadline=deadline)
                for number, target in enumerate(targets)
            ]
            status = 200 if rule is None else rule.status
            stored = await self._store.add(delivery.replace(status=status), queues=queues)
            self._queue_changed.set()
            if mode == "first" and not self.paused:
                self._start_draining("first")
            elif mode == "hold" and self.ack != "hold" and not self.holding:
                self._start_draining("hold")  # a release is in progress, or just ended
            return await self._respond(stored, rule, queued=True)
        if isinstance(self.ack, int):
            stored = await self._store.add(delivery.replace(status=status))
            await self._send_in_background(stored, targets)
            return await self._respond(stored, rule)
        return await self._through_the_app(delivery, targets, rule)

    async def _respond(
        self, stored: Delivery, rule: AnswerRule | None, *, queued: bool = False
    ) -> ReceiverResponse:
        """Publish a stored delivery, and return the response after the delay of its rule."""
        if rule is None:
            return self._publish_and_respond(stored, queued=queued)
        self._publish(DeliveryStored(stored, queued=queued))
        await self._delay(stored, rule)
        self._publish(DeliveryAnswered(stored, rule=_described(rule)))
        return _set_by("--answer", rule.status)

    async def _delay(self, stored: Delivery, rule: AnswerRule | None) -> None:
        """Wait for the delay of a rule; a stored delivery that is cut off then is published so."""
        try:
            await self._hold_back(rule)
        except asyncio.CancelledError:
            self._publish(DeliveryAnswered(stored.replace(status=None)))  # TikTok got no response
            raise

    async def _hold_back(self, rule: AnswerRule | None) -> None:
        """Wait for the delay of a rule; beyond `MAX_DELAYED` at once not at all."""
        if rule is None or not rule.delay_seconds or self._delayed >= MAX_DELAYED:
            return
        self._delayed += 1
        try:
            await asyncio.sleep(rule.delay_seconds)
        finally:
            self._delayed -= 1

    async def _through_the_app(
        self, delivery: Delivery, targets: Sequence[str], rule: AnswerRule | None
    ) -> ReceiverResponse:
        """Forward to the first target, and return its response or that of a rule."""
        request, attempt = self._sender.prepare(delivery, targets[0])
        stored = await self._store.add(delivery, attempt=attempt)
        attempt = _numbered(attempt, stored.id)
        self._publish(DeliveryStored(stored, queued=False))
        self._publish(AttemptStarted(attempt))
        announced = asyncio.Event()
        await self._send_in_background(stored, targets[1:], after=announced)
        try:
            attempt, reply = await self._sender.finish(stored, request, attempt)
            self._note_health(targets[0], attempt)
            answer = _from_app(reply) if rule is None else _set_by("--answer", rule.status)
            self._store.set_status(stored.id, answer.status)
            # The attempt first: the response to TikTok is made from it.
            self._publish(AttemptEnded(attempt))
            announced.set()
            await self._hold_back(rule)
            answered = stored.replace(status=answer.status)
            self._publish(DeliveryAnswered(answered, rule=_described(rule)))
        except asyncio.CancelledError:
            self._publish(DeliveryAnswered(stored))  # with no status: TikTok got no response
            raise
        finally:
            announced.set()
        return answer

    async def pass_through(self, request: IncomingRequest) -> ReceiverResponse:
        """Forward a non-webhook request to the first target, unstored, for ``--pass``."""
        path, _, query = request.target.partition("?")
        url = join(self.targets[0], path, query)
        outgoing = compose(request.method, url, request.headers, request.body)
        reply = await self._forwarder.send(
            outgoing, timeout=self._timeout, keep_bytes=_MAX_PASSED_BYTES
        )
        if reply.status is None:
            return replace(_from_app(reply), note=reply.detail or str(reply.error))
        if reply.truncated:  # part of a page must not look like a complete one
            words = "the answer is too long to pass"
            return ReceiverResponse(502, b'{"ok":false,"error":"%s"}' % words.encode(), note=words)
        kept = tuple(
            (name, value)
            for name, value in reply.headers
            if name.lower() not in _CONNECTION_HEADERS
        )
        return ReceiverResponse(reply.status, reply.body, reply.header("content-type") or "", kept)

    def _publish_and_respond(self, stored: Delivery, *, queued: bool = False) -> ReceiverResponse:
        """Publish a stored delivery and return a fixed response."""
        self._publish(DeliveryStored(stored, queued=queued))
        self._publish(DeliveryAnswered(stored))
        status = stored.status or 200
        if stored.rejected or stored.verdict.rejected:
            return _plain(status)
        return _set_by("--ack", status)

    # In the background.

    async def _send_in_background(
        self,
        delivery: Delivery,
        targets: Sequence[str],
        *,
        after: asyncio.Event | None = None,
    ) -> None:
        for target in targets:
            await self._room.acquire()
            self._begin(self._attempt_in_background(delivery, target, after))

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._group.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        self._room.release()

    async def _attempt_in_background(
        self, delivery: Delivery, target: str, after: asyncio.Event | None
    ) -> None:
        try:
            attempt = await self._sender.send(delivery, target)
        except StoreError as error:
            self._publish(Notice(f"Not forwarded to {target}: {error}", error.hint, "error"))
            return
        if after is not None:
            await after.wait()
        self._note_health(target, attempt)
        self._publish(AttemptEnded(attempt))

    def _note_health(self, target: str, attempt: Attempt) -> None:
        """Record what an attempt shows about the health of its target."""
        outcome = retry_policy.classify(attempt)
        if retry_policy.responded(attempt):
            self._health_checks[target].responded()
        elif outcome is retry_policy.AttemptOutcome.UNREACHED:
            self._health_checks[target].connection_failed()
        elif attempt.error == "reset":
            self._health_checks[target].accepted_only(retry_policy.symptom(attempt))

    async def start(self) -> None:
        """Check the targets, and resume forwarding what was queued by an earlier session."""
        await self.check()
        for target, queue in self._queues.items():
            self._watchers.append(self._group.create_task(self._health_checks[target].run()))
            emptied = partial(self._emptied, target)
            self._workers[target] = self._group.create_task(queue.run(emptied))
        self._watchers.append(self._group.create_task(self._report_queue()))
        self._queue_changed.set()
        if self.ack == "first":
            self._start_draining(self._in_order)

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Start no more attempts, let those in progress end, and cancel what takes longer."""
        working = set(self._background)
        for target, worker in self._workers.items():
            self._queues[target].stop()
            if self._queues[target].busy:
                working.add(worker)
            else:
                worker.cancel()
        if working:
            await asyncio.wait(working, timeout=seconds)
        for task in (*self._watchers, *self._workers.values(), *self._background):
            task.cancel()
        for queue in self._queues.values():
            await queue.close()


@asynccontextmanager
async def open_relay(
    options: RelayOptions,
    *,
    store: Store,
    forwarder: Forwarder,
    publish: Callable[[object], None],
    secrets: Sequence[str] = (),
    delays: Delays = DELAYS,
    clock: Callable[[], float] = time.time,
    attached: bool = False,
) -> AsyncIterator[Relay]:
    """Relay deliveries until the end of the block; attempts in progress then have 5 s to end.

    Args:
        options: Where deliveries go, and when TikTok is answered.
        store: Where deliveries, attempts and the queue are kept.
        forwarder: Talks to the apps.
        publish: Called with `DeliveryStored`, `DeliveryAnswered`, `AttemptStarted`, `AttemptEnded`,
            `Skipped`, `QueueChanged`, `AppChanged` and `Notice`.
        secrets: Client secrets, to sign late deliveries again.
        delays: When queued deliveries are tried again.
        clock: Unix seconds.
        attached: Whether an `AttachedApp` fills the queue; only with the ack mode ``first``. See
            `Relay`.
    """
    sender = Sender(
        options,
        store=store,
        forwarder=forwarder,
        secrets=secrets,
        publish=publish,
        clock=clock,
    )
    async with asyncio.TaskGroup() as group:
        relay = Relay(
            group,
            sender,
            options,
            store=store,
            forwarder=forwarder,
            delays=delays,
            publish=publish,
            attached=attached,
            clock=clock,
        )
        await relay.start()
        try:
            yield relay
        finally:
            await relay.close()


def _numbered(attempt: Attempt, delivery_id: int) -> Attempt:
    return attempt.replace(delivery_id=delivery_id, number=1)


def _plain(status: int) -> ReceiverResponse:
    return OK if status == 200 else ReceiverResponse(status, b'{"ok":false}')


def _described(rule: AnswerRule | None) -> tuple[str, str] | None:
    return None if rule is None else rule.words


def _set_by(option: str, status: int) -> ReceiverResponse:
    """The response that an option of the user set, which its body names if it is not 200."""
    return OK if status == 200 else ReceiverResponse(status, LISTENER_RULES[option])


def _from_app(reply: Reply) -> ReceiverResponse:
    """The response to TikTok: the app's, or one that names why the app gave none."""
    if reply.status is None:
        status = 504 if reply.error == "timeout" else 502
        return ReceiverResponse(status, LISTENER_FAILURE % (reply.error or "").encode())
    coding = reply.header("content-encoding")
    headers: Headers = () if coding is None else (("Content-Encoding", coding),)
    return ReceiverResponse(reply.status, reply.body, reply.header("content-type") or "", headers)
