"""Plays the cases at an app, one after the other or a few at a time."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from tiktok_hook import signature
from tiktok_hook.audit.case import CLIENT_KEY, Case, Expected, RequestFactory
from tiktok_hook.audit.cases import CASES
from tiktok_hook.audit.judging import Outcome, Result, judge
from tiktok_hook.audit.report import AuditReport
from tiktok_hook.audit.searching import find_way
from tiktok_hook.errors import AppError
from tiktok_hook.forward import Forwarder, ForwardRequest, Reply, explain, parse_target

_NO_WAY_THERE = {"refused", "dns", "tls", "unreachable"}


async def play(
    target: str,
    *,
    secret: str,
    client_key: str = CLIENT_KEY,
    cases: Sequence[Case] = CASES,
    tolerance: float = 300.0,
    slow: float = 3.0,
    timeout: float = 10.0,
    concurrency: int = 1,
    insecure: bool = False,
    on_result: Callable[[Result], None] | None = None,
) -> AuditReport:
    """Play cases at an app and judge its answers.

    The app gets real deliveries with sample data, most of them rightly signed: give it a database
    that may be filled with them.

    Args:
        target: The app's webhook: ``:3000/webhook``, ``host:port/path`` or a URL.
        secret: Its client secret.
        client_key: What the bodies carry, for an app that checks it.
        cases: What to play, from `CASES`.
        tolerance: The greatest age of a signature that the app should accept, in seconds.
        slow: Seconds from which on an answer is called slow.
        timeout: Seconds to wait for an answer.
        concurrency: How many cases are played at a time.
        insecure: Do not check the certificate of an https target.
        on_result: Told each result as soon as it and all before it are there.

    Raises:
        UsageError: The target is not an address, or the secret cannot be a client secret.
        AppError: No way leads to the app.
    """
    url = parse_target(target)
    signature.checked_secret(secret, where="secret")
    started_at, started = time.time(), time.perf_counter()
    turns = asyncio.Semaphore(concurrency)

    async with Forwarder(insecure=insecure) as forwarder:

        def kit() -> RequestFactory:
            return RequestFactory(url, secret, time.time(), client_key, tolerance)

        async def one(case: Case) -> tuple[Case, list[Reply]]:
            async with turns:
                requests = case.build(kit())
                return case, [await forwarder.send(each, timeout=timeout) for each in requests]

        async def accepts(request: ForwardRequest) -> bool:
            reply = await forwarder.send(request, timeout=timeout)
            return reply.status is not None and 200 <= reply.status < 300

        # The first alone: where no way leads, nothing else is worth a try.
        first = await one(cases[0])
        _require_way(url, first[1][0])
        results: list[Result] = []

        def add(played: tuple[Case, list[Reply]]) -> None:
            result = judge(*played, target=url, slow=slow)
            results.append(_plainer(result, results[0]) if results else result)
            if on_result is not None:
                on_result(results[-1])

        add(first)
        async with asyncio.TaskGroup() as group:
            for task in [group.create_task(one(case)) for case in cases[1:]]:
                add(await task)
        way = None
        if _baffling(results):
            way = await find_way(kit, accepts)
    return AuditReport(url, started_at, time.perf_counter() - started, tuple(results), way)


def _baffling(results: Sequence[Result]) -> bool:
    """Whether the plainest delivery was refused, for a reason that its answer does not tell."""
    first = results[0]
    refused = first.status is not None and (first.status in {400, 401, 403} or first.status >= 500)
    return first.case.id == "valid" and refused


def _plainer(result: Result, first: Result) -> Result:
    """A result without a guess of its own where the plainest delivery failed in the same way."""
    same = result.outcome is Outcome.FAIL and result.said == first.said
    if result.accepted and result.case.expected is Expected.REFUSED:
        return result  # a 202 to a forgery is no matter of the status
    if first.case.id == "valid" and first.outcome is Outcome.FAIL and same:
        return replace(result, means=first.means, likely="The same as with the case valid.")
    return result


def _require_way(url: str, reply: Reply) -> None:
    """Raise an `AppError` when the app could not be reached at all."""
    if reply.error in _NO_WAY_THERE:
        raise AppError(
            f"{url} could not be reached: {reply.detail}.",
            hint=explain(reply, target=url, verdict=None),
        )
