"""Plays the cases at an app, one by one or several at a time."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence

from tiktok_hook import hints, signature
from tiktok_hook.audit.case import CLIENT_KEY, Case, Expected, RequestFactory
from tiktok_hook.audit.cases import CASES
from tiktok_hook.audit.frameworks import framework_of
from tiktok_hook.audit.judging import Outcome, Result, is_limited, judge
from tiktok_hook.audit.report import AuditReport
from tiktok_hook.audit.searching import find_way
from tiktok_hook.errors import AppError
from tiktok_hook.forward import Forwarder, ForwardRequest, Reply, explain, parse_target

_NO_WAY_THERE = {"refused", "dns", "tls", "unreachable"}
_PATIENCE_SECONDS = 60.0
"""Longest time in all that the audit waits for a rate limiter."""


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
    rate: float | None = None,
    insecure: bool = False,
    on_result: Callable[[Result], None] | None = None,
) -> AuditReport:
    """Play cases at an app and judge its answers.

    The app gets real deliveries with sample data, most of them with a valid signature: give it a
    database that may be filled with them. Where a rate limiter answers, the audit waits as long as
    it demands and tries again, at most 60 s in all. If the first delivery shows that the handler
    is not reached (no route, a redirect, a login), the other cases are not played.

    Args:
        target: The app's webhook: ``:3000/webhook``, ``host:port/path`` or a URL.
        secret: Its client secret.
        client_key: What the bodies carry, for an app that checks it.
        cases: What to play, from `CASES`.
        tolerance: The greatest age of a signature that the app should accept, in seconds.
        slow: Seconds from which on an answer is called slow.
        timeout: Seconds to wait for an answer.
        concurrency: Cases played at a time.
        rate: Requests per second at most; None for no limit.
        insecure: Do not check the certificate of an https target.
        on_result: Called with each result, in the order of the cases.

    Raises:
        UsageError: The target is not an address, or the secret cannot be a client secret.
        AppError: The app cannot be reached.
    """
    url = parse_target(target)
    signature.checked_secret(secret, where="secret")
    started_at, started = time.time(), time.perf_counter()
    turns = asyncio.Semaphore(concurrency)
    seen: list[tuple[str, str]] = []

    async with Forwarder(insecure=insecure) as forwarder:
        sender = _Sender(forwarder, timeout=timeout, rate=rate)

        def kit() -> RequestFactory:
            return RequestFactory(url, secret, time.time(), client_key, tolerance)

        async def one(case: Case) -> tuple[Case, list[Reply]]:
            async with turns:
                while True:
                    # Built again for each try: a signature must not grow old while it waits.
                    replies = [await sender.send(request) for request in case.build(kit())]
                    seen.extend(header for reply in replies for header in reply.headers)
                    limited = next((each for each in replies if is_limited(each)), None)
                    if limited is None or not await sender.wait_for_limiter(limited):
                        return case, replies

        async def accepts(request: ForwardRequest) -> bool:
            reply = await sender.send(request)
            return reply.status is not None and 200 <= reply.status < 300

        # The first alone: if the handler is not reached, nothing else is worth a try.
        first = await one(cases[0])
        _require_way(url, first[1][0])
        results: list[Result] = []

        def add(played: tuple[Case, list[Reply]]) -> None:
            results.append(judge(*played, target=url, slow=slow, before=results))
            if on_result is not None:
                on_result(results[-1])

        add(first)
        obstacle = _obstacle(url, first[0], first[1][0])
        way = None
        if not obstacle[0]:
            async with asyncio.TaskGroup() as group:
                for task in [group.create_task(one(case)) for case in cases[1:]]:
                    add(await task)
            if any(result.outcome is Outcome.SKIP for result in results):
                obstacle = _LIMITED
            elif _baffling(results):
                way = await find_way(kit, accepts)
    return AuditReport(
        url,
        started_at,
        time.perf_counter() - started,
        tuple(results),
        way,
        obstacle=obstacle[0],
        stopped=obstacle[1],
        framework=framework_of(seen),
    )


_LIMITED = (
    "rate-limited",
    "The app limits how often it may be called, so the cases that met the limit were not judged. "
    "Play it slower with --rate 1, or lift the limit for this address.",
)
_REDIRECTS = (
    "redirects",
    "It redirects: register and serve the exact address, slash at the end and https included.",
)
_NO_ROUTE = (
    "no-route",
    "There is no route for a POST at that address: give the audit the address that is registered, "
    "with its path.",
)


class _Sender:
    """Sends requests at a rate, and waits where a rate limiter asks for it.

    Invariant: `_patience` only shrinks and is shared by all cases, so an app that limits for ever
    costs 60 s and not that much for each case.
    """

    def __init__(self, forwarder: Forwarder, *, timeout: float, rate: float | None) -> None:
        self._forwarder = forwarder
        self._timeout = timeout
        self._gap = 0.0 if rate is None else 1 / rate
        self._due = 0.0
        self._patience = _PATIENCE_SECONDS

    async def send(self, request: ForwardRequest) -> Reply:
        """Send a request when its turn has come."""
        now = asyncio.get_running_loop().time()
        self._due = max(now, self._due)
        wait, self._due = self._due - now, self._due + self._gap
        if wait > 0:
            await asyncio.sleep(wait)
        return await self._forwarder.send(request, timeout=self._timeout)

    async def wait_for_limiter(self, reply: Reply) -> bool:
        """Wait as long as a rate limiter demands; False if that is longer than the time left."""
        text = reply.header("Retry-After") or ""
        seconds = max(0.1, float(text)) if re.fullmatch(r"[0-9]{1,6}", text) else 1.0
        if seconds > self._patience:
            self._patience = 0.0
            return False
        self._patience -= seconds
        await asyncio.sleep(seconds)
        return True


def _obstacle(url: str, case: Case, reply: Reply) -> tuple[str, str]:
    """Name and words of what keeps deliveries from the handler; empty if nothing does."""
    if is_limited(reply):
        return _LIMITED
    if case.expected is not Expected.ACCEPTED or reply.status is None or reply.status < 300:
        return "", ""
    shown = hints.cause(
        status=reply.status,
        target=url,
        headers=reply.headers,
        body=reply.body,
        evidence=reply.evidence,
    )
    if shown is not None:
        name, words = shown
        return name, f"{words[:1].upper()}{words[1:]}"
    if reply.status < 400:
        return _REDIRECTS
    return _NO_ROUTE if reply.status in {404, 405, 410} else ("", "")


def _baffling(results: Sequence[Result]) -> bool:
    """True if the plainest delivery was rejected and the answer does not show why."""
    first = results[0]
    rejected = first.status is not None and (first.status in {400, 401, 403} or first.status >= 500)
    return first.case.id == "valid" and rejected


def _require_way(url: str, reply: Reply) -> None:
    """Raise an `AppError` when the app could not be reached at all."""
    if reply.error in _NO_WAY_THERE:
        raise AppError(
            f"{url} could not be reached: {reply.detail}.",
            hint=explain(reply, target=url, verdict=None),
        )
