"""The inspector: a local web page, its API, and a copy of the ngrok agent's API.

It listens on separate sockets. The tunnel publishes only the receiver's port, so the inspector is
not reachable from outside.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktok_hook.inspector.context import InspectorContext
    from tiktok_hook.inspector.server import Inspector, serving, url
    from tiktok_hook.inspector.status import Status, StatusProvider

__all__ = ["Inspector", "InspectorContext", "Status", "StatusProvider", "serving", "url"]

_MODULES = {"InspectorContext": "context", "Status": "status", "StatusProvider": "status"}


def __getattr__(name: str) -> Any:
    """Import the inspector when it is asked for: it brings aiohttp, and ``--help`` needs none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'server')}"), name)
