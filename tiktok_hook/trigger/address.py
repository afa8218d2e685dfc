"""Where samples go when no address is named."""

from tiktok_hook import paths
from tiktok_hook.errors import UsageError


def listener_url(*, through_tunnel: bool = False) -> str:
    """Where the newest running listener receives.

    Args:
        through_tunnel: Its public Callback URL instead of its own port, the way TikTok comes.

    Raises:
        UsageError: None runs, or it has no public URL.
    """
    newest = paths.newest_listener()
    if newest is None:
        raise UsageError(
            "No listener is running.",
            hint="Start one with tiktok-hook listen, or name an address with --to.",
        )
    if not through_tunnel:
        return newest.local_url
    if newest.callback_url is None:
        raise UsageError(
            "The newest listener has no public URL.",
            hint="Start it without --no-tunnel, or leave out --through-tunnel.",
        )
    return newest.callback_url
