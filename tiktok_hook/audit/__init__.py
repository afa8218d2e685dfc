"""Plays good, forged, stale, repeated and odd deliveries at an app, and judges its answers."""

from tiktok_hook import background, suggestions
from tiktok_hook.audit.case import Case, Expected, RequestFactory
from tiktok_hook.audit.cases import ALL_CASES, CASES, select
from tiktok_hook.audit.judging import Outcome, Result
from tiktok_hook.audit.junit import junit
from tiktok_hook.audit.mistakes import Mistake
from tiktok_hook.audit.playing import play
from tiktok_hook.audit.report import AuditReport

play_blocking = background.blocking(play)
"""`play` for programs without an event loop, and for notebooks."""

suggestions.explain_call(
    __name__, "Call audit.play_blocking(URL, secret=…), or await audit.play(…)."
)

__all__ = [
    "ALL_CASES",
    "CASES",
    "AuditReport",
    "Case",
    "Expected",
    "Mistake",
    "Outcome",
    "RequestFactory",
    "Result",
    "junit",
    "play",
    "play_blocking",
    "select",
]
