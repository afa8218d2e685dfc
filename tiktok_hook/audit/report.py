"""What an audit found, as one record."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from tiktok_hook.audit.case import Expected
from tiktok_hook.audit.frameworks import Framework
from tiktok_hook.audit.judging import Outcome, Result
from tiktok_hook.audit.mistakes import Mistake, mistakes
from tiktok_hook.audit.searching import Trial
from tiktok_hook.exact_json import Json


@dataclass(frozen=True)
class AuditReport:
    """What an audit found.

    Attributes:
        target: The app's address.
        started_at: Unix seconds.
        duration_seconds: From the first request to the last answer.
        results: One for each case, in the order of the table.
        way: The wrong signing that the app accepts, if it rejects the right one.
        stopped: Why the other cases were not played; empty if all were.
        obstacle: A name for that; empty if there is none.
        framework: The web framework behind the app, if its headers show one.
    """

    target: str
    started_at: float
    duration_seconds: float
    results: tuple[Result, ...]
    way: Trial | None = None
    stopped: str = ""
    obstacle: str = ""
    framework: Framework | None = None

    @property
    def passed(self) -> bool:
        """True if every case was played and none failed; warnings do not count."""
        outcomes = {result.outcome for result in self.results}
        return not self.stopped and not outcomes & {Outcome.FAIL, Outcome.SKIP}

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of cases by outcome."""
        counted = Counter(result.outcome for result in self.results)
        return {outcome.value: counted[outcome] for outcome in Outcome}

    @cached_property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The mistakes behind the answers, the gravest first."""
        if self.obstacle:
            return (Mistake(self.obstacle, self.stopped),)
        return mistakes(self.results, self.way, self.framework)

    @property
    def slowest_ms(self) -> float:
        """Longest time to answer a valid delivery, in milliseconds."""
        return max(
            (
                result.duration_ms
                for result in self.results
                if result.case.expected is Expected.ACCEPTED
            ),
            default=0.0,
        )

    @property
    def proves_rejections(self) -> bool:
        """Whether a rejection means anything: not in an app that rejects valid ones as well."""
        good = [each for each in self.results if each.case.expected is Expected.ACCEPTED]
        return not good or any(each.accepted for each in good)

    def as_json(self) -> dict[str, Json]:
        """The report for programs."""
        return {
            "target": self.target,
            "passed": self.passed,
            "duration_seconds": round(self.duration_seconds, 3),
            "counts": dict(self.counts),
            "stopped": self.stopped,
            "framework": None if self.framework is None else self.framework.name,
            "mistakes": [{"name": each.name, "words": each.words} for each in self.mistakes],
            "cases": [
                {
                    "id": each.case.id,
                    "title": each.case.title,
                    "expected": each.case.expected.value,
                    "outcome": each.outcome.value,
                    "status": each.status,
                    "duration_ms": round(each.duration_ms, 2),
                    "observed": each.observed,
                    "means": each.means,
                    "likely": each.likely,
                }
                for each in self.results
            ],
        }
