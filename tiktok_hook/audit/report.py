"""What an audit found, as one record."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from tiktok_hook.audit.case import Expected
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
        way: The wrong way of signing that the app takes, where it does not take the right one.
    """

    target: str
    started_at: float
    duration_seconds: float
    results: tuple[Result, ...]
    way: Trial | None = None

    @property
    def passed(self) -> bool:
        """Whether no case failed; warnings do not count."""
        return not any(result.outcome is Outcome.FAIL for result in self.results)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many cases passed, warned and failed."""
        counted = Counter(result.outcome for result in self.results)
        return {outcome.value: counted[outcome] for outcome in Outcome}

    @cached_property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The mistakes behind the answers, the gravest first."""
        return mistakes(self.results, self.way)

    @property
    def slowest_ms(self) -> float:
        """The longest that a good delivery waited for its answer, in milliseconds."""
        return max(
            (
                result.duration_ms
                for result in self.results
                if result.case.expected is Expected.ACCEPTED
            ),
            default=0.0,
        )

    @property
    def proves_refusals(self) -> bool:
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
            "mistakes": [{"name": each.name, "words": each.words} for each in self.mistakes],
            "cases": [
                {
                    "id": each.case.id,
                    "title": each.case.title,
                    "expected": each.case.expected.value,
                    "outcome": each.outcome.value,
                    "status": each.status,
                    "duration_ms": round(each.duration_ms, 2),
                    "said": each.said,
                    "means": each.means,
                    "likely": each.likely,
                }
                for each in self.results
            ],
        }
