"""An app's answers to a case, judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tiktok_hook.audit.case import Case, Expected
from tiktok_hook.audit.cases import CHALLENGE
from tiktok_hook.forward import Reply, explain
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
    """

    case: Case
    outcome: Outcome
    status: int | None
    duration_ms: float
    observed: str
    means: str = ""
    likely: str = ""
    echoed: bool = False

    @property
    def accepted(self) -> bool:
        """True if the app answered with any success."""
        return self.status is not None and 200 <= self.status < 300


def judge(case: Case, replies: Sequence[Reply], *, target: str, slow: float) -> Result:
    """Judge what an app answered.

    Args:
        case: What was played.
        replies: One for each of its requests, at least one.
        target: The app's address, for the words.
        slow: Seconds from which on an answer is called slow.
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
        return _accepted(case, replies, target=target, slow=slow)
    if case.expected is Expected.REJECTED:
        return _rejected(case, replies)
    return _ignored(case, replies)


def is_limited(reply: Reply) -> bool:
    """True if a rate limiter answered: 429, or 503 with a time to retry after."""
    return reply.status == 429 or (reply.status == 503 and reply.header("Retry-After") is not None)


def _accepted(case: Case, replies: Sequence[Reply], *, target: str, slow: float) -> Result:
    wrong = next((reply for reply in replies if reply.status != 200), None)
    if wrong is not None:
        explanation = explain(wrong, target=target, verdict=State.VALID)
        # A 4xx is about the case itself; a 202, a redirect or silence is explained by its hint.
        ours = wrong.status is not None and wrong.status >= 400 and case.likely
        return _result(case, Outcome.FAIL, wrong, likely=case.likely if ours else explanation)
    slowest = max(replies, key=lambda reply: reply.duration_ms)
    if slowest.duration_ms > slow * 1000:
        return _result(
            case,
            Outcome.WARN,
            slowest,
            observed=f"took {slowest.duration_ms / 1000:.1f} s to answer 200",
            means="TikTok wants its answer at once; how long it waits is not documented. What it "
            "gives up on it counts as failed and delivers again.",
            likely="The work is done before the answer: answer 200 first, then work.",
        )
    return _result(case, Outcome.PASS, slowest)


def _rejected(case: Case, replies: Sequence[Reply]) -> Result:
    reply = replies[-1]
    if reply.status is None:
        return _result(
            case,
            Outcome.FAIL,
            reply,
            means="A stranger's request makes the app hang or fall over.",
            likely="The header is taken apart without expecting anything else than the usual.",
        )
    if 200 <= reply.status < 300:
        return _result(case, Outcome.FAIL, reply, means=case.means, likely=case.likely)
    if reply.status >= 500:
        return _result(
            case,
            Outcome.WARN,
            reply,
            means="It is rejected, but by an error: strangers can fill the app's log with them.",
            likely="The header is taken apart without expecting anything else than the usual: "
            "answer 401 or 403.",
        )
    return _result(case, Outcome.PASS, reply)


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
            likely="The handler reads a body that a GET does not have: take POST only.",
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
