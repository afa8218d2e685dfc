"""Finds a port to listen on, and explains in one sentence why there is none."""

import errno
import socket
from collections.abc import Collection
from contextlib import closing, suppress

from tiktok_hook.errors import ListenError

_BACKLOG = 1024
_KNOCK_SECONDS = 0.25
_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - not bound to, only recognised


def bind(
    port: int | None,
    *,
    host: str = "127.0.0.1",
    preferred: int,
    avoid: Collection[int] = (),
    flag: str = "--port",
) -> list[socket.socket]:
    """Bind a listening port.

    Args:
        port: None takes `preferred` if it is free, otherwise any free port; 0 takes any free one. A
            port that was named is never moved.
        host: Address to listen on.
        preferred: Taken when no port was named.
        avoid: Ports never taken unasked: the user's own apps belong there.
        flag: The option that names the port, for the message.

    Returns:
        Sockets that listen already, so that the port stays ours, and accept nothing yet;
        ``[0].getsockname()[1]`` is the port.

    Raises:
        ListenError: A named port is in use, here or on the other family's loopback, or may not be
            bound; or no address of this machine is `host`.
    """
    if port is None:
        if preferred not in avoid and not _answers(preferred, host):
            with suppress(OSError):
                return [_bound(host, preferred)]
        return [_any_free(host, avoid, flag)]
    if port == 0:
        return [_any_free(host, avoid, flag)]
    where = _answers(port, host)
    if where:
        raise _taken(port, where, host, avoid, flag)
    try:
        return [_bound(host, port)]
    except OverflowError as error:
        raise ListenError(
            f"{flag} {port} is not a port.", hint="Ports go from 0 (any free one) to 65535."
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _taken(port, host, host, avoid, flag) from error
        if isinstance(error, PermissionError):
            hint = f"Ports below 1024 need privileges: try {flag} {_free_number(host, avoid)}"
            raise ListenError(f"{flag} {port} may not be used here.", hint=hint) from error
        raise _no_address(host, error) from error


def local_url(host: str, port: int) -> str:
    """The URL by which programs of this machine reach what listens.

    Args:
        host: Address that it listens on; a wildcard address becomes 127.0.0.1.
        port: Its port.
    """
    name = "127.0.0.1" if host in _WILDCARDS else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _answers(port: int, host: str) -> str:
    """Where a program listens on a port already: an address of this machine, or nothing.

    A program on ``[::1]`` alone leaves 127.0.0.1 free to bind, and then ``localhost`` leads to it
    and not to us.
    """
    if not 0 < port < 65536:
        return ""
    addresses = dict.fromkeys(("127.0.0.1", "::1", host))
    for address in addresses:
        if address in _WILDCARDS:
            continue
        with suppress(OSError), closing(socket.socket(_family(address))) as knock:
            knock.settimeout(_KNOCK_SECONDS)
            knock.connect((address, port))
            return address
    return ""


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket(_family(host))
    try:
        # Elsewhere than on Windows this only skips the wait after an earlier listener's end.
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        # Two that were bound with SO_REUSEADDR meet only here.
        bound.listen(_BACKLOG)
        bound.settimeout(0)
    except BaseException:
        bound.close()
        raise
    return bound


def _any_free(host: str, avoid: Collection[int], flag: str) -> socket.socket:
    for _ in range(50):
        try:
            bound = _bound(host, 0)
        except OSError as error:
            raise _no_address(host, error) from error
        if bound.getsockname()[1] not in avoid:
            return bound
        bound.close()
    raise ListenError("No free port was found.", hint=f"Name one with {flag}.")


def _free_number(host: str, avoid: Collection[int]) -> int:
    with closing(_any_free(host, avoid, "--port")) as bound:
        port: int = bound.getsockname()[1]
        return port


def _taken(port: int, where: str, host: str, avoid: Collection[int], flag: str) -> ListenError:
    shown = f"[{where}]" if ":" in where else where
    return ListenError(
        f"{flag} {port} is in use: something listens on {shown}:{port} already.",
        hint=f"End that program, or use a free port: {flag} {_free_number(host, avoid)}",
    )


def _no_address(host: str, error: OSError) -> ListenError:
    return ListenError(
        f"Cannot listen on {host}: {error.strerror or error}.",
        hint="Name an address of this machine, such as 127.0.0.1.",
    )


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
