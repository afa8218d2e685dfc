"""Serves the inspector, alongside a session or for a stored history alone."""

import asyncio
import secrets as random
import socket
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

from tiktok_hook import paths, ports
from tiktok_hook.bus import Bus
from tiktok_hook.delivery import Notice
from tiktok_hook.errors import ListenError, StoreError
from tiktok_hook.forward import Forwarder, parse_target
from tiktok_hook.inspector import InspectorContext
from tiktok_hook.inspector.options import InspectorPageOptions
from tiktok_hook.session import browser
from tiktok_hook.session.signals import signals
from tiktok_hook.signature import checked_secrets
from tiktok_hook.store import Location, locate, open_history, open_store

PORTS = range(4040, 4050)

_DEFAULTS = InspectorPageOptions()


@asynccontextmanager
async def showing(
    parts: InspectorContext,
    options: InspectorPageOptions,
    feed: Bus,
    *,
    avoid: Collection[int] = (),
) -> AsyncIterator[str]:
    """Serve the inspector until the block ends, and yield its URL, including the token.

    Args:
        parts: The history, forwarder and settings that the inspector uses.
        options: Where it listens, and the rules of access.
        feed: The event bus of this process.
        avoid: Ports that are never selected automatically, because the user's apps use them.

    Raises:
        ListenError: The given port is in use.
    """
    # Imported here because it takes a third of the start-up time and scripts do not need it.
    from tiktok_hook import inspector

    host = options.inspect_host
    sockets = _sockets(options.inspect_port, host, avoid)
    number = sockets[0].getsockname()[1]
    # For this run only, until one was read: the state folder may not be writable, and later the
    # file may not be readable for a moment.
    last = random.token_urlsafe(16)

    def token() -> str:
        nonlocal last
        with suppress(StoreError):
            last = paths.user_token()
        return last

    try:
        paths.user_token()
    except StoreError as error:
        parts.publish(Notice(str(error), hint=error.hint))
    page = inspector.Inspector(parts, options, feed=feed, token=token)
    async with inspector.serving(page, sockets):
        yield inspector.url(host, number, token())


def _sockets(port: int | None, host: str, avoid: Collection[int]) -> list[socket.socket]:
    for candidate in PORTS if port is None else ():
        if candidate not in avoid:
            with suppress(ListenError):
                return ports.bind(candidate, host=host, preferred=0, flag="--inspect-port")
    return ports.bind(port or 0, host=host, preferred=0, avoid=avoid, flag="--inspect-port")


@asynccontextmanager
async def inspect(
    options: InspectorPageOptions = _DEFAULTS,
    *,
    db: Location | Path | str | None = None,
    secrets: Sequence[str] = (),
    forward_to: str | None = None,
    insecure: bool = False,
) -> AsyncIterator[str]:
    """Serve the inspector for a stored history, and yield its URL, including the token.

    Args:
        options: Where it listens, and the rules of access.
        db: Path or URL of the history; None means the one in the user's data folder.
        secrets: Client secrets that sign replays.
        forward_to: Default target of replays; None means that each replay must name a target.
        insecure: Do not verify the certificate of an https target.

    Raises:
        UsageError: The target is not a valid address, or a secret is invalid.
        StoreError: The history does not exist or cannot be opened.
        ListenError: The given port is in use.
    """
    from tiktok_hook import inspector

    secrets = checked_secrets(secrets, where="secrets")
    location = locate(db, where="db")
    open_history(location).close()  # must exist: viewing a history never creates one
    targets = () if forward_to is None else (parse_target(forward_to),)
    feed = Bus()
    # No retention limits: viewing a history never deletes deliveries.
    with open_store(location, prune=False) as store:
        async with Forwarder(insecure=insecure) as forwarder:
            parts = inspector.InspectorContext(
                history=store.history(),
                store=store,
                forwarder=forwarder,
                secrets=secrets,
                status=lambda: inspector.Status(
                    targets=targets,
                    routes=tuple((None, each) for each in targets),
                    signed=bool(secrets),
                ),
                publish=feed.publish,
            )
            async with showing(parts, options, feed) as url:
                yield url


def run_page(
    page: AbstractAsyncContextManager[str],
    *,
    announce: Callable[[str], None],
    open_browser: bool = False,
) -> None:
    """Serve a page until Ctrl-C, SIGTERM or SIGHUP.

    Args:
        page: The context manager that `inspect` returns.
        announce: Called with the URL once the page is served.
        open_browser: Open the URL in the user's browser.
    """

    async def main() -> None:
        stopping = asyncio.Event()
        with signals(lambda _number, **_: stopping.set()):
            async with page as url:
                announce(url)
                if open_browser:
                    browser.open_page(url, lambda: None)
                await stopping.wait()

    asyncio.run(main())
