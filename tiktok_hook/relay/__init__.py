"""From the receiver to the store and the app, and back with the response to TikTok."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktok_hook.relay.relay import Relay, open_relay

__all__ = ["Relay", "open_relay"]


def __getattr__(name: str) -> Any:
    """Import the relay when it is asked for: ``--help`` needs its options alone."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tiktok_hook.relay import relay

    return getattr(relay, name)
