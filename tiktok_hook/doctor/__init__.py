"""Looks at everything that `listen` needs, and shows what to do about what is missing."""

from tiktok_hook import background, suggestions
from tiktok_hook.doctor.examination import CHECKS, examine
from tiktok_hook.doctor.finding import CheckStatus, Finding
from tiktok_hook.doctor.report import DoctorReport
from tiktok_hook.doctor.subject import Subject

examine_blocking = background.blocking(examine)
"""`examine` for programs without an event loop, and for notebooks."""

suggestions.explain_call(
    __name__, "Call doctor.examine_blocking(doctor.Subject(…)), or await doctor.examine(…)."
)

__all__ = [
    "CHECKS",
    "CheckStatus",
    "DoctorReport",
    "Finding",
    "Subject",
    "examine",
    "examine_blocking",
]
