"""This machine's clock, against another one: five minutes off, and every signature is stale."""

import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from tiktok_hook.doctor.finding import Finding, bad, good, warning
from tiktok_hook.doctor.received import newest
from tiktok_hook.doctor.subject import Subject
from tiktok_hook.doctor.waiting import UnresolvedError, in_thread, resolve
from tiktok_hook.errors import HookError
from tiktok_hook.forward import Forwarder, ForwardRequest, parse_target
from tiktok_hook.signature import State

NGROK_API = "https://api.ngrok.com"
"""Answers anybody, with an error and the time."""

_SECONDS = 4.0
_FINE_SECONDS = 5.0
"""A Date header counts whole seconds, and its way takes some of one."""
_TOO_MUCH_SECONDS = 60.0
_SET_IT = "Let this machine set its clock by itself (NTP)"


async def clock(subject: Subject) -> list[Finding]:
    """How far the clock is off, by a ``Date`` header or by TikTok's own newest deliveries."""
    asked = await _date_header(subject.clock_url)
    if isinstance(asked, Finding):
        return [asked]
    known = await in_thread(lambda: _by_deliveries(subject))
    if known is not None:
        return [known]
    return [warning("clock", asked, "Compare the clock with a time server's by hand.")]


async def _date_header(url: str | None) -> Finding | str:
    """The finding, or why there is none."""
    if url is None:
        return "not checked"
    try:
        target = parse_target(url)
    except HookError as error:
        return bad("clock", str(error).removesuffix("."), "Give --clock-url a URL.")
    try:
        await _named(target)
    except UnresolvedError as error:
        return f"{target} did not report the time: {error}"
    before = time.time()
    async with Forwarder() as forwarder:
        request = ForwardRequest("HEAD", target, (("User-Agent", "tiktok-hook doctor"),))
        reply = await forwarder.send(request, timeout=_SECONDS)
    middle = (before + time.time()) / 2
    try:
        server_time = parsedate_to_datetime(reply.header("Date") or "").timestamp()
    except ValueError:
        why = reply.detail or "its answer has no Date header"
        return f"{target} did not report the time: {why}"
    return _judged(middle - server_time, f"than {target} reports")


async def _named(target: str) -> None:
    """Look the name up under our own deadline: the forwarder's own look-up holds up the end."""
    parts = urlsplit(target)
    await resolve(parts.hostname or "", parts.port or 443)


def _by_deliveries(subject: Subject) -> Finding | None:
    """What the newest valid signatures show: TikTok signs just before it sends."""
    ages = [
        delivery.verdict.age_seconds
        for delivery in newest(subject)
        if delivery.verdict.state in {State.VALID, State.STALE}
        and delivery.verdict.age_seconds is not None
    ]
    # Late ones prove nothing; the quickest of them is nearest to the truth.
    return _judged(min(ages), "than TikTok's signatures show") if ages else None


def _judged(ahead: float, whose: str) -> Finding:
    """A finding on a clock that is `ahead` seconds ahead, or behind."""
    if abs(ahead) <= _FINE_SECONDS:
        return good("clock", "right to within 5 s")
    words = f"{abs(ahead):.0f} s {'later' if ahead > 0 else 'earlier'} {whose}"
    if abs(ahead) <= _TOO_MUCH_SECONDS:
        return warning("clock", words, f"{_SET_IT}.")
    return bad("clock", words, f"{_SET_IT}: signatures count as stale when it is 300 s off.")
