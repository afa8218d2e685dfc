"""Looks at everything that `listen` needs, and shows what to do about what is missing."""

from tiktok_hook.doctor.examination import CHECKS, examine
from tiktok_hook.doctor.finding import CheckStatus, Finding
from tiktok_hook.doctor.report import DoctorReport
from tiktok_hook.doctor.subject import Subject

__all__ = ["CHECKS", "CheckStatus", "DoctorReport", "Finding", "Subject", "examine"]
