"""The inspector's page: beside a session, or over a stored history alone."""

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
from tiktok_hook.store import open_history, open_store

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
    """Serve the inspector until the block ends, and yield its address, token included.

    Args:
        parts: What it shows and uses.
        feed: What happens in this process.
        port: None takes the first free one of 4040 to 4049, else any; 0 takes any.
        host: Where it listens.
        avoid: Ports never taken unasked: the user's own apps belong there.
        allow_hosts: Further names that it may be asked by.
        open_access: Let in who has no token.

    Raises:
        ListenError: The port that was named is taken.
    """
    # Imported here: it is a third of the start, and scripts leave it out.
    from tiktok_hook import inspector

    sockets = _sockets(port, host, avoid)
    number = sockets[0].getsockname()[1]
    fallback = random.token_urlsafe(16)  # for this run, where the state folder is not writable

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
    db: Path | str | None = None,
    secrets: Sequence[str] = (),
    forward_to: str | None = None,
    insecure: bool = False,
    port: int | None = None,
    host: str = "127.0.0.1",
    allow_hosts: Collection[str] = (),
    open_access: bool = False,
) -> AsyncIterator[str]:
    """Serve the page over a stored history, and yield its address, token included.

    Args:
        db: The history; None is the one in the user's data folder.
        secrets: To sign replays with.
        forward_to: Where replays go when the page names no other address; None without.
        insecure: Do not check the certificate of an https address that is replayed to.
        port: See `showing`, as for the others.
        host: Where it listens.
        allow_hosts: Further names that it may be asked by.
        open_access: Let in who has no token.

    Raises:
        UsageError: The target is not an address, or a secret cannot be one.
        StoreError: There is no history, or it cannot be opened.
        ListenError: The port that was named is taken.
    """
    from tiktok_hook import inspector

    secrets = checked_secrets(secrets, where="secrets")
    path = paths.history_file(db, where="db")
    open_history(path).close()  # it has to be there: looking makes none
    targets = () if forward_to is None else (parse_target(forward_to),)
    feed = Bus()
    # What is only looked at is never made shorter.
    with open_store(path, keep=sys.maxsize, keep_bytes=sys.maxsize) as store:
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
        page: From `inspect`.
        say: Told the address once it is up.
        open_browser: Show it in the user's browser.
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
