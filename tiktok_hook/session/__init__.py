"""The `listen` session: wires up store, receiver, relay, tunnel and inspector, and closes them."""

from tiktok_hook.session import demo
from tiktok_hook.session.blocking import BlockingSession, listening
from tiktok_hook.session.ingress import find_ingress
from tiktok_hook.session.inspector_server import inspect, run_page
from tiktok_hook.session.lifecycle import listen, open_session
from tiktok_hook.session.options import AttachOptions, ListenOptions, check_edge
from tiktok_hook.session.state import Session
from tiktok_hook.session.terminal import run

__all__ = [
    "AttachOptions",
    "BlockingSession",
    "ListenOptions",
    "Session",
    "check_edge",
    "demo",
    "find_ingress",
    "inspect",
    "listen",
    "listening",
    "open_session",
    "run",
    "run_page",
]
