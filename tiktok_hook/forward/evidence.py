"""Searches for the cause of a failed attempt at its target, without sending a request."""

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path

from tiktok_hook.forward import sockets
from tiktok_hook.forward.target import Address

_SECONDS = 0.5
"""Maximum duration of a search, in seconds; it delays the result of the failed attempt."""


async def look(address: Address, error: str | None) -> str:
    """Find out why an attempt failed; returns one of the words of `Reply.evidence`.

    Args:
        address: The target of the attempt.
        error: As in `Reply.error`; None for a 404.
    """
    with suppress(OSError, UnicodeError):  # TimeoutError is an OSError
        async with asyncio.timeout(_SECONDS):
            if error == "refused":
                other = sockets.other_loopback(address)
                if other and await sockets.accepts(other, address.port, timeout=_SECONDS):
                    return "other-family"
            elif error is None:
                if address.host == "localhost" and await asyncio.to_thread(
                    _two_programs, address.port
                ):
                    return "two-programs"
            elif address.scheme == "http" and await _speaks_tls(address):
                return "tls"
    return ""


def _two_programs(port: int) -> bool:
    """True if different processes listen at 127.0.0.1 and ::1.

    One program often opens a socket for each family, and workers share sockets, so the owners are
    compared. Docker forwards a published port with one process for each family.
    """
    inodes = [sockets.listening_socket(ip, port) for ip in ("127.0.0.1", "::1")]
    first, second = (_owners(inode) if inode else set() for inode in inodes)
    names = {(process / "comm").read_text().strip() for process in first | second}
    return bool(first and second) and not first & second and names != {"docker-proxy"}


def _owners(inode: str) -> set[Path]:
    """The processes that hold a socket, as far as this user may see."""
    wanted, found = f"socket:[{inode}]", set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(each.readlink()) == wanted for each in (process / "fd").iterdir()):
                found.add(process)
    return found


async def _speaks_tls(address: Address) -> bool:
    """True if a TLS handshake succeeds; no certificate is checked, nothing is sent over it."""
    # Not the default context: loading the system's certificates takes longer than the deadline.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    made: socket.socket = await sockets.connect(await sockets.resolve(address.host, address.port))
    _, writer = await asyncio.open_connection(sock=made, ssl=context, server_hostname=address.host)
    writer.transport.abort()
    return True
