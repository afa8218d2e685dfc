"""Large input waits its turn, and small requests do not wait for it."""

import asyncio
from collections.abc import Callable

import pytest

from tests.receiver.listening import BODY, HOST, get, listening, post
from tiktok_hook.delivery import Delivery
from tiktok_hook.receiver import (
    OK,
    IncomingRequest,
    Policy,
    ReceiverReports,
    ReceiverResponse,
    WebhookHandler,
    input_queue,
)
from tiktok_hook.receiver.handler import LARGE_BODY_BYTES
from tiktok_hook.receiver.input_queue import PIECE_BYTES, TURN_SECONDS, InputQueue


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Waiting:
    """Input whose pieces take a millisecond each."""

    def __init__(self, name: str, pieces: int, clock: Clock, log: list[str]) -> None:
        self.name = name
        self.pieces = pieces
        self._clock = clock
        self._log = log

    def delegate_piece(self) -> bool:
        self._clock.now += 0.001
        self._log.append(self.name)
        self.pieces -= 1
        return self.pieces > 0


async def turns(log: list[str], done: Callable[[], bool]) -> list[str]:
    """What each turn of the event loop has added to the log."""
    found = []
    while not done():
        before = len(log)
        await asyncio.sleep(0)
        found.append("".join(log[before:]))
    return [each for each in found if each]


async def test_each_turn_is_short_and_all_connections_come_in_turn() -> None:
    clock, log = Clock(), list[str]()
    queue = InputQueue(clock)
    waiting = [Waiting(name, 3, clock, log) for name in "abcd"]
    for each in waiting:
        queue.add(each)
    assert log == []
    per_turn = int(TURN_SECONDS / 0.001)
    found = await turns(log, lambda: not any(each.pieces for each in waiting))
    assert "".join(found) == "abcdabcdabcd"
    assert {len(each) for each in found} == {per_turn}


async def test_a_connection_may_wait_again_when_it_has_nothing_left() -> None:
    clock, log = Clock(), list[str]()
    queue = InputQueue(clock)
    for name in "ab":
        one = Waiting(name, 2, clock, log)
        queue.add(one)
        await turns(log, lambda one=one: one.pieces == 0)  # type: ignore[misc]
    assert log == ["a", "a", "b", "b"]


async def test_a_connection_may_wait_while_another_is_delegated() -> None:
    clock, log = Clock(), list[str]()
    queue = InputQueue(clock)
    late = Waiting("late", 1, clock, log)

    class Adding(Waiting):
        def delegate_piece(self) -> bool:
            queue.add(late)
            return super().delegate_piece()

    queue.add(Adding("first", 1, clock, log))
    await turns(log, lambda: late.pieces == 0)
    assert log == ["first", "late"]


@pytest.mark.parametrize(
    "size", [PIECE_BYTES - 300, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES]
)
async def test_what_follows_a_large_request_in_one_write_keeps_its_place(size: int) -> None:
    async def echo(delivery: Delivery) -> ReceiverResponse:
        return ReceiverResponse(200, delivery.body[-5:], "text/plain")

    bodies = [b"%05d" % number + b"x" * size + b"%05d" % number for number in range(12)]
    async with listening(echo, secrets=[]) as seen, seen.connect() as client:
        await client.send(b"".join(post(body=body, signed=False) for body in bodies) + get())
        assert [(await client.answer()).body for _ in bodies] == [body[-5:] for body in bodies]
        assert b"is listening" in (await client.answer()).body
        await client.send(post())
        assert (await client.answer()).status == 200
    assert [delivery.body for delivery in seen.deliveries] == [*bodies, BODY]
    assert not seen.bugs


async def test_the_end_of_input_behind_a_large_request_is_seen_after_it() -> None:
    async with listening() as seen, seen.connect() as client:
        client.writer.write(post(body=b"x" * 900_000))
        client.writer.write_eof()
        assert (await client.answer()).status == 200
        assert await client.rest() == b""
    assert len(seen.deliveries[0].body) == 900_000


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_request_is_parsed_in_many_turns_of_the_event_loop(
    chunked: bool,  # noqa: FBT001 - a table
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(input_queue, "TURN_SECONDS", 0.0)
    turn = 0

    def count() -> None:
        nonlocal turn
        turn += 1
        if not seen.deliveries:
            asyncio.get_running_loop().call_soon(count)

    body = b"x" * 20_000 if chunked else b"x" * 400_000
    request = post(body=body, signed=False)
    if chunked:
        head = f"POST / HTTP/1.1\r\n{HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        request = head + b"1\r\nx\r\n" * len(body) + b"0\r\n\r\n"
    async with listening(secrets=[]) as seen:
        count()
        assert (await seen.ask(request)).status == 200
    assert seen.deliveries[0].body == body
    assert turn >= len(request) // PIECE_BYTES


async def test_large_bodies_are_verified_in_different_turns_of_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turn = 0
    decided: list[int] = []
    decide = Policy.decide

    def noted(*arguments: object) -> object:
        decided.append(turn)
        return decide(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Policy, "decide", noted)
    body = b"x" * (LARGE_BODY_BYTES + 1)
    policy = Policy(secrets=("example-secret",))
    webhook = WebhookHandler(policy, Rejecting(), ReceiverReports())
    request = IncomingRequest("POST", "/", (), body, "1.1", "127.0.0.1")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(webhook(request)) for _ in range(10)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            turn += 1
    assert len(set(decided)) == len(decided) == 10


class Rejecting:
    async def handle(self, delivery: Delivery) -> ReceiverResponse:
        raise AssertionError(delivery)

    async def reject(self, delivery: Delivery, status: int) -> ReceiverResponse:
        assert (len(delivery.body), status) == (16 * 1024, 403)
        return OK

    async def pass_through(self, request: IncomingRequest) -> ReceiverResponse:
        raise AssertionError(request)
