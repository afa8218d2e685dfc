"""Serves the inspector, alongside a session or for a stored history alone."""

import asyncio
import secrets as random
import socket
import sys
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tiktok_hook import paths, ports
from tiktok_hook.bus import Bus
from tiktok_hook.delivery import Notice
from tiktok_hook.errors import ListenError, StoreError
from tiktok_hook.forward import Forwarder, parse_target
from tiktok_hook.session import browser
from tiktok_hook.session.signals import signals
from tiktok_hook.signature import checked_secrets
from tiktok_hook.store import Location, locate, open_history, open_store

if TYPE_CHECKING:
    from tiktok_hook.inspector import InspectorContext

PORTS = range(4040, 4050)


@asynccontextmanager
async def showing(
    parts: "InspectorContext",
    feed: Bus,
    *,
    port: int | None,
    host: str,
    avoid: Collection[int] = (),
    allow_hosts: Collection[str] = (),
    open_access: bool = False,
) -> AsyncIterator[str]:
    """Serve the inspector until the block ends, and yield its URL, including the token.

    Args:
        parts: The history, forwarder and settings that the inspector uses.
        feed: The event bus of this process.
        port: None selects the first free port from 4040 to 4049, or any free port if all of
            them are in use. 0 selects any free port.
        host: Address to listen on.
        avoid: Ports that are never selected automatically, because the user's apps use them.
        allow_hosts: Additional host names accepted in the Host header.
        open_access: Whether to allow requests without a token.

    Raises:
        ListenError: The given port is in use.
    """
    # Imported here because it takes a third of the start-up time and scripts do not need it.
    from tiktok_hook import inspector

    sockets = _sockets(port, host, avoid)
    number = sockets[0].getsockname()[1]
    fallback = random.token_urlsafe(16)  # this run only; used if the state folder is not writable

    def token() -> str:
        try:
            return paths.user_token()
        except StoreError:
            return fallback

    try:
        paths.user_token()
    except StoreError as error:
        parts.publish(Notice(str(error), hint=error.hint))
    page = inspector.Inspector(
        parts,
        feed=feed,
        token=token,
        names=[host, *allow_hosts],
        open_access=open_access,
    )
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
    *,
    db: Location | Path | str | None = None,
    secrets: Sequence[str] = (),
    forward_to: str | None = None,
    insecure: bool = False,
    port: int | None = None,
    host: str = "127.0.0.1",
    allow_hosts: Collection[str] = (),
    open_access: bool = False,
) -> AsyncIterator[str]:
    """Serve the inspector for a stored history, and yield its URL, including the token.

    Args:
        db: Path or URL of the history; None means the one in the user's data folder.
        secrets: Client secrets that sign replays.
        forward_to: Default target of replays; None means that each replay must name a target.
        insecure: Do not verify the certificate of an https target.
        port: See `showing`.
        host: Address to listen on.
        allow_hosts: Additional host names accepted in the Host header.
        open_access: Whether to allow requests without a token.

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
    with open_store(location, keep=sys.maxsize, keep_bytes=sys.maxsize) as store:
        async with Forwarder(insecure=insecure) as forwarder:
            parts = inspector.InspectorContext(
                history=store.history(),
                store=store,
                forwarder=forwarder,
                secrets=secrets,
                status=lambda: inspector.Status(targets=targets, signed=bool(secrets)),
                publish=feed.publish,
            )
            async with showing(
                parts,
                feed,
                port=port,
                host=host,
                allow_hosts=allow_hosts,
                open_access=open_access,
            ) as url:
                yield url


def run_page(
    page: AbstractAsyncContextManager[str],
    *,
    say: Callable[[str], None],
    open_browser: bool = False,
) -> None:
    """Serve a page until Ctrl-C, SIGTERM or SIGHUP.

    Args:
        page: The context manager that `inspect` returns.
        say: Called with the URL once the page is served.
        open_browser: Open the URL in the user's browser.
    """

    async def main() -> None:
        stopping = asyncio.Event()
        with signals(lambda _number, **_: stopping.set()):
            async with page as url:
                say(url)
                if open_browser:
                    browser.open_page(url, lambda: None)
                await stopping.wait()

    asyncio.run(main())
