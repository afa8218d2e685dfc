"""The public URL: ngrok's SDK in a child process, and the supervisor that keeps it online."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktok_hook.tunnel.supervisor import Tunnel, open_tunnel
    from tiktok_hook.tunnel.timing import Timing

__all__ = ["Timing", "Tunnel", "open_tunnel"]


def __getattr__(name: str) -> Any:
    """Import the supervisor when it is asked for: the child imports this package without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tiktok_hook.tunnel import supervisor

    return getattr(supervisor, name)
