"""The receiver: the HTTP server that TikTok's deliveries reach.

The path of a request: `guard` (limits and deadlines of a connection; `input_queue` for large
requests, `guarded_transport` between guard and aiohttp) → aiohttp's server (HTTP/1.1) → `exchange`
(reads the request) → `handler` (`policy` decides; store, forward) → the response back through
`exchange`. `server.serve` runs it on bound sockets; all connections share `limits` and `reports`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktok_hook.receiver.handler import WebhookHandler
    from tiktok_hook.receiver.limits import Limits
    from tiktok_hook.receiver.messages import OK, IncomingRequest, ReceiverResponse
    from tiktok_hook.receiver.policy import Policy
    from tiktok_hook.receiver.reports import ReceiverReports
    from tiktok_hook.receiver.server import serve

__all__ = [
    "OK",
    "IncomingRequest",
    "Limits",
    "Policy",
    "ReceiverReports",
    "ReceiverResponse",
    "WebhookHandler",
    "serve",
]

_MODULES = {
    "Limits": "limits",
    "Policy": "policy",
    "ReceiverReports": "reports",
    "WebhookHandler": "handler",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is used: ``--help`` needs only the options."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'messages')}"), name)
