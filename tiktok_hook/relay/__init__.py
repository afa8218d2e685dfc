"""From the receiver to the store and the app, and back with the response to TikTok."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktok_hook.relay.queue_runner import RETRY_FOR_SECONDS
    from tiktok_hook.relay.relay import Ack, Relay, open_relay

__all__ = ["RETRY_FOR_SECONDS", "Ack", "Relay", "open_relay"]


def __getattr__(name: str) -> Any:
    """Import the relay when it is asked for: ``--help`` needs its options alone."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tiktok_hook.relay import queue_runner, relay

    return getattr(queue_runner if name == "RETRY_FOR_SECONDS" else relay, name)
