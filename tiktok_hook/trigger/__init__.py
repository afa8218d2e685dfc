"""Sample events, signed as TikTok would, for a listener or any address."""

from tiktok_hook import background, suggestions
from tiktok_hook.trigger.address import listener_url
from tiktok_hook.trigger.listener_api import ListenerApi, signing_listener
from tiktok_hook.trigger.retries import GIVEN_UP_SECONDS, Try, retry, schedule
from tiktok_hook.trigger.run import TriggerResults, run, send
from tiktok_hook.trigger.sample import CONTENT_TYPE, bodies, body_of, request
from tiktok_hook.trigger.scenario_file import Step, planned, read_scenario
from tiktok_hook.trigger.scenarios import SCENARIOS, scenario

run_blocking = background.blocking(run)
"""`run` for programs without an event loop, and for notebooks."""

suggestions.explain_call(
    __name__,
    "Call trigger.run_blocking(trigger.bodies(EVENT, 1), URL, secret=…), or await trigger.run(…).",
)

__all__ = [
    "CONTENT_TYPE",
    "GIVEN_UP_SECONDS",
    "SCENARIOS",
    "ListenerApi",
    "Step",
    "TriggerResults",
    "Try",
    "bodies",
    "body_of",
    "listener_url",
    "planned",
    "read_scenario",
    "request",
    "retry",
    "run",
    "run_blocking",
    "scenario",
    "schedule",
    "send",
    "signing_listener",
]
