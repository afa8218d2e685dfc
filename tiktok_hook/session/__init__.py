"""One `listen`, wired together: store, receiver, relay, tunnel, inspector, and their end."""

from tiktok_hook.session import demo
from tiktok_hook.session.checks import check_edge
from tiktok_hook.session.ingress import find_ingress
from tiktok_hook.session.inspector_server import inspect, run_page
from tiktok_hook.session.state import Session
from tiktok_hook.session.terminal import run
from tiktok_hook.session.wiring import listen

__all__ = ["Session", "check_edge", "demo", "find_ingress", "inspect", "listen", "run", "run_page"]
