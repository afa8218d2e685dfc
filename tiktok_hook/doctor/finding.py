"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    """How a check went."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Args:
        id: A stable name.
        status: A warning is worth a look; a failure keeps `listen` from its work.
        found: What was found, never a token or secret.
        next_step: What to do about it; empty when there is nothing to do.
    """

    id: str
    status: CheckStatus
    found: str
    next_step: str = ""


def good(name: str, found: str) -> Finding:
    """All is well."""
    return Finding(name, CheckStatus.PASS, found)


def warning(name: str, found: str, next_step: str) -> Finding:
    """Worth a look."""
    return Finding(name, CheckStatus.WARN, found, next_step)


def bad(name: str, found: str, next_step: str) -> Finding:
    """It keeps `listen` from its work."""
    return Finding(name, CheckStatus.FAIL, found, next_step)
