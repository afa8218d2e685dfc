"""An app's answers to a case, judged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tiktok_hook.audit.case import Case, Expected
from tiktok_hook.audit.cases import CHALLENGE
from tiktok_hook.forward import Reply, explain
from tiktok_hook.hints import names_signature
from tiktok_hook.signature import State


class Outcome(StrEnum):
    """How a case went."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    """Not judged: the app limits how often it may be called."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a case.

    Attributes:
        case: What was played.
        outcome: How it went.
        status: The app's, of the answer that decided; None when it did not answer.
        duration_ms: Of that answer.
        observed: What the app did, in a few words: ``answered 202``.
        means: What that means in production; empty when it passed.
        likely: The likely mistake; empty when it passed or nothing is known.
        echoed: Whether the answer held the challenge that was sent.
        same_as: The plainer case that went in the same way, and explains this one; empty if none.
    """

    case: Case
    outcome: Outcome
    status: int | None
    duration_ms: float
    observed: str
    means: str = ""
    likely: str = ""
    echoed: bool = False
    same_as: str = ""

    @property
    def is_bad(self) -> bool:
        """True if it failed or is a warning."""
        return self.outcome in {Outcome.FAIL, Outcome.WARN}

    @property
    def accepted(self) -> bool:
        """True if the app answered with any success."""
        return self.status is not None and 200 <= self.status < 300


def judge(
    case: Case,
    replies: Sequence[Reply],
    *,
    target: str,
    slow: float,
    before: Sequence[Result] = (),
) -> Result:
    """Judge what an app answered.

    A likely mistake is named only if the answer and those before it are evidence of it.

    Args:
        case: What was played.
        replies: One for each of its requests, at least one.
        target: The app's address, for the words.
        slow: Seconds from which on an answer is called slow.
        before: The results so far.
    """
    limited = next((reply for reply in replies if is_limited(reply)), None)
    if limited is not None:
        return _result(
            case,
            Outcome.SKIP,
            limited,
            means="The app limits how often it may be called, so the case is not judged.",
        )
    if case.expected is Expected.ACCEPTED:
        result = _accepted(case, replies, before, target=target, slow=slow)
    elif case.expected is Expected.REJECTED:
        result = _rejected(case, replies, target=target)
    else:
        result = _ignored(case, replies)
    return _like_an_earlier_one(result, before)


_PLAINER = {"x-header": "missing-header", "future": "stale-week", "nonsense-t": "stale-week"}
"""Cases whose acceptance proves nothing of its own where a plainer one is accepted."""


def _like_an_earlier_one(result: Result, before: Sequence[Result]) -> Result:
    """The result without a guess of its own if a plainer case went in the same way."""
    if result.outcome is Outcome.PASS or result.echoed:
        return result
    earlier = {each.case.id: each for each in before}
    if result.accepted and result.case.expected is Expected.REJECTED:
        # An app that accepts those accepts this one for the same reason.
        for name in ("forged", _PLAINER.get(result.case.id)):
            if name in earlier and earlier[name].accepted:
                return _same_as(earlier[name], result)
        return result
    for name in ("valid", "forged"):
        plain = earlier.get(name)
        if plain is not None and plain.is_bad and plain.observed == result.observed:
            means = plain.means if result.outcome is plain.outcome else result.means
            return _same_as(plain, replace(result, means=means))
    return result


def _same_as(earlier: Result, result: Result) -> Result:
    name = earlier.case.id
    return replace(result, likely=f"The same as with the case {name}.", same_as=name)


def is_limited(reply: Reply) -> bool:
    """True if a rate limiter answered: 429, or 503 with a time to retry after."""
    return reply.status == 429 or (reply.status == 503 and reply.header("Retry-After") is not None)


def _accepted(
    case: Case, replies: Sequence[Reply], before: Sequence[Result], *, target: str, slow: float
) -> Result:
    wrong = next((reply for reply in replies if reply.status != 200), None)
    if wrong is not None:
        if case.likely and _is_about_the_case(case, wrong, replies, before):
            return _result(case, Outcome.FAIL, wrong, likely=case.likely)
        explained = _explained(wrong, target, State.VALID)
        return _result(case, Outcome.FAIL, wrong, likely=explained)
    slowest = max(replies, key=lambda reply: reply.duration_ms)
    if slowest.duration_ms > slow * 1000:
        return _result(
            case,
            Outcome.WARN,
            slowest,
            observed=f"took {slowest.duration_ms / 1000:.1f} s to answer 200",
            means="TikTok wants its answer at once; how long it waits is not documented. What it "
            "gives up on it counts as failed and delivers again.",
            likely="Whatever the handler does before it answers takes this long: answer 200 first, "
            "then work.",
        )
    return _result(case, Outcome.PASS, slowest)


def _is_about_the_case(
    case: Case, wrong: Reply, replies: Sequence[Reply], before: Sequence[Result]
) -> bool:
    """Whether the app rejected a valid delivery for what distinguishes the case from others.

    It has accepted another valid delivery, and this one got a 4xx. A server error is evidence of
    no more than an error, and a 202, a redirect or silence is explained by its hint.
    """
    if wrong.status is None or not 400 <= wrong.status < 500:
        return False
    if len(replies) > 1 and wrong is replies[0]:
        return False  # it is the repetition that is tried
    others = [each for each in before if each.case.expected is Expected.ACCEPTED]
    if len(replies) == 1 and not any(each.accepted for each in others):
        return False
    if not case.blames_signature or wrong.status in {401, 403}:
        return True
    return names_signature(wrong.headers, wrong.body)


def _rejected(case: Case, replies: Sequence[Reply], *, target: str) -> Result:
    reply = replies[-1]
    if reply.status is not None and 200 <= reply.status < 300:
        return _result(case, Outcome.FAIL, reply, means=case.means, likely=case.likely)
    if reply.status is not None and reply.status < 500:
        return _result(case, Outcome.PASS, reply)
    likely = ""
    if case.has_odd_header:
        likely = "The header is taken apart without expecting anything else than the usual"
        likely += "." if reply.status is None else ": answer 401 or 403."
    elif reply.error != "timeout":  # whose advice is to answer 200
        likely = _explained(reply, target, State.INVALID)
    if reply.status is None:
        means = "A stranger's request makes the app hang or fall over."
        return _result(case, Outcome.FAIL, reply, means=means, likely=likely)
    means = "It is rejected, but by an error: strangers can fill the app's log with them."
    return _result(case, Outcome.WARN, reply, means=means, likely=likely)


def _explained(reply: Reply, target: str, verdict: State) -> str:
    """What an answer shows by itself, without the status, which is shown next to it."""
    words = explain(reply, target=target, verdict=verdict).removeprefix(f"{reply.status}: ")
    return words[:1].upper() + words[1:]


def _ignored(case: Case, replies: Sequence[Reply]) -> Result:
    reply = replies[-1]
    if CHALLENGE.encode() in reply.body and reply.status is not None and reply.status < 300:
        return _result(
            case,
            Outcome.FAIL,
            reply,
            observed=f"answered {reply.status} with the challenge",
            means=case.means,
            likely=case.likely,
            echoed=True,
        )
    # 501 means the same as 405: Python's own server answers so to a GET.
    if reply.status is None or (reply.status >= 500 and reply.status != 501):
        return _result(
            case,
            Outcome.WARN,
            reply,
            means="Whatever looks at the address, the portal's reviewer included, makes the app "
            "fail.",
            likely="The route takes a GET and fails at it: take POST only.",
        )
    return _result(case, Outcome.PASS, reply)


def _result(
    case: Case,
    outcome: Outcome,
    reply: Reply,
    *,
    observed: str = "",
    means: str | None = None,
    likely: str = "",
    echoed: bool = False,
) -> Result:
    if not observed:
        observed = f"answered {reply.status}" if reply.status else f"gave no answer: {reply.detail}"
    if means is None:
        means = "" if outcome is Outcome.PASS else case.means
    return Result(case, outcome, reply.status, reply.duration_ms, observed, means, likely, echoed)
