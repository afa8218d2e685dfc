"""All findings as one record."""

from collections import Counter
from dataclasses import dataclass

from tiktok_hook.doctor.finding import CheckStatus, Finding
from tiktok_hook.exact_json import Json


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """All findings.

    Attributes:
        findings: In the order of the checks.
    """

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing keeps `listen` from its work; warnings do not count."""
        return not any(finding.status is CheckStatus.FAIL for finding in self.findings)

    @property
    def counts(self) -> dict[str, int]:
        """How many findings passed, warned and failed."""
        counted = Counter(finding.status for finding in self.findings)
        return {status.value: counted[status] for status in CheckStatus}

    def as_json(self) -> dict[str, Json]:
        """The report for programs."""
        return {
            "passed": self.passed,
            "counts": dict(self.counts),
            "checks": [
                {
                    "id": each.id,
                    "status": each.status.value,
                    "found": each.found,
                    "next_step": each.next_step,
                }
                for each in self.findings
            ],
        }
