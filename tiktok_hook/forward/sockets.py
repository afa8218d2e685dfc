"""Opens TCP connections to an app by Happy Eyeballs, and finds out whether it listens."""

import asyncio
import errno
import ipaddress
import socket
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tiktok_hook.forward.target import (
    INSPECTOR,
    RECEIVER,
    Address,
    is_local,
    loop_error,
    reject_loop,
    split,
)

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
"""One entry of what `socket.getaddrinfo` returns."""

_NEXT_ADDRESS_SECONDS = 0.25
"""Head start of one address over the next; the value that RFC 8305 recommends."""

ANY_ADDRESS = "::"
"""The address to listen on for connections to every address of this machine."""

_LOOKUP_SECONDS = 2.0
_DISCARD_PORT = 9
_LISTEN = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


class UnconnectedError(OSError):
    """No address of a name accepted a connection.

    Attributes:
        failures: The error of each IP address, in the order in which the attempts ended.
    """

    def __init__(self, failures: dict[str, OSError]) -> None:
        super().__init__("; ".join(f"{ip}: {_reason(error)}" for ip, error in failures.items()))
        self.failures = failures


async def resolve(host: str, port: int) -> list[AddressInfo]:
    """The addresses of a name, IPv6 and IPv4 in turn, beginning with the system's preference.

    ``localhost`` has both loopback addresses, even if the hosts file lists only one.

    Raises:
        OSError: The name is unknown, or no file descriptor was free for the lookup.
    """
    loop = asyncio.get_running_loop()
    found: list[AddressInfo]
    if "%" in host:  # uvloop drops the scope, without which no link-local address is reached
        numeric = socket.AI_NUMERICHOST
        found = list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric))
    else:
        found = list(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    if host == "localhost":
        known = {str(endpoint[0]) for *_, endpoint in found}
        found += [info for ip, info in _loopback(port) if ip not in known]
    first = [info for info in found if info[0] == found[0][0]]
    others = [info for info in found if info[0] != found[0][0]]
    mixed: list[AddressInfo] = []
    while first or others:
        mixed += [rest.pop(0) for rest in (first, others) if rest]
    return mixed


async def reject_resolved_loop(
    targets: Iterable[str],
    *,
    listening: str = ANY_ADDRESS,
    receiver_port: int | None = None,
    inspector_port: int | None = None,
    callback_url: str | None = None,
) -> None:
    """Raise for targets that lead to this listener, by any name or address.

    A name is looked up only if the port is one of ours.

    Args:
        targets: As `parse_target` returned them.
        listening: Address that the receiver listens on. `ANY_ADDRESS` is every address of this
            machine; use it where the address is not known.
        receiver_port: Of our receiver; None without one.
        inspector_port: Of our inspector, which listens on a loopback address; None without one.
        callback_url: Our public URL; None without one.

    Raises:
        UsageError: A target leads to one of these addresses.
    """
    for target in targets:
        reject_loop(
            [target],
            receiver_port=receiver_port if is_local(listening) else None,
            inspector_port=inspector_port,
            callback_url=callback_url,
        )
        address = split(target)
        if address.port == receiver_port and await _reaches(address.host, listening):
            raise loop_error(target, RECEIVER)
        if address.port == inspector_port and await _reaches(address.host, "127.0.0.1"):
            raise loop_error(target, INSPECTOR)


async def _reaches(host: str, listening: str) -> bool:
    """True if a connection to a host may arrive at what listens on an address of this machine."""
    try:
        async with asyncio.timeout(_LOOKUP_SECONDS):
            found = await resolve(host, 0)
    except (OSError, UnicodeError):  # TimeoutError is an OSError
        return False
    if _is_wildcard(listening):
        families = {4} if _ip(listening).version == 4 else {4, 6}
        return any(
            _is_of_this_machine(info)
            for info in found
            if _ip(str(info[4][0])).version in families or is_local(str(info[4][0]))
        )
    if is_local(listening):
        return any(is_local(str(endpoint[0])) for *_, endpoint in found)
    wanted = _ip(listening)
    return any(_ip(str(endpoint[0])) == wanted for *_, endpoint in found)


def _is_of_this_machine(info: AddressInfo) -> bool:
    """True for a loopback address, and for one that an interface of this machine has.

    Connecting a datagram socket sends nothing: it makes the system choose the address that it
    would send from, which is the same one for an address of its own.
    """
    family, _, _, _, endpoint = info
    if is_local(str(endpoint[0])):
        return True
    with suppress(OSError, OverflowError), socket.socket(family, socket.SOCK_DGRAM) as chosen:
        chosen.connect((endpoint[0], _DISCARD_PORT, *endpoint[2:]))
        return _ip(str(chosen.getsockname()[0])) == _ip(str(endpoint[0]))
    return False


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address without its scope, and as IPv4 where it stands for one."""
    found = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _is_wildcard(address: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(address).is_unspecified
    return False


async def connect(addresses: Sequence[AddressInfo]) -> socket.socket:
    """Connect to whichever address accepts first (Happy Eyeballs, RFC 8305).

    Each address gets a head start of 0.25 s; one that fails at once gives way at once. A name
    whose first address is dead therefore costs 0.25 s and not the whole timeout. The standard
    loop has this as ``happy_eyeballs_delay``, uvloop does not; aiohappyeyeballs has it for both
    and drops which address failed for which reason, which the hints need.

    Raises:
        UnconnectedError: No address accepted; with the reason of each.
    """
    loop = asyncio.get_running_loop()
    failures: dict[str, OSError] = {}
    # Invariant: all sockets opened here but the winner are closed on every way out.
    opened: set[socket.socket] = set()

    async def attempt(info: AddressInfo) -> socket.socket | None:
        family, kind, protocol, _, endpoint = info
        try:
            made = socket.socket(family, kind, protocol)
            opened.add(made)
            made.setblocking(False)  # noqa: FBT003 - its only parameter
            await loop.sock_connect(made, endpoint)
        except OSError as error:
            failures[str(endpoint[0])] = error
            return None
        return made

    waiting = list(addresses)
    winner: socket.socket | None = None
    running: set[asyncio.Task[socket.socket | None]] = set()
    try:
        async with asyncio.TaskGroup() as group:
            while winner is None and (waiting or running):
                if waiting:
                    running.add(group.create_task(attempt(waiting.pop(0))))
                done, running = await asyncio.wait(
                    running,
                    timeout=_NEXT_ADDRESS_SECONDS if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                winner = next((made for task in done if (made := task.result())), None)
            for task in running:
                task.cancel()
        if winner is None:
            raise UnconnectedError(failures)
        opened.discard(winner)
        return winner
    finally:
        for made in opened:
            made.close()


def _loopback(port: int) -> list[tuple[str, AddressInfo]]:
    both = [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
    return [
        (ip, (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (ip, port)))
        for ip, family in both
    ]


async def accepts(host: str, port: int, *, timeout: float) -> bool:
    """True if something accepts a TCP connection there within `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            (await connect(await resolve(host, port))).close()
    except (OSError, UnicodeError):  # TimeoutError is an OSError
        return False
    return True


async def reachable(target: str, *, timeout: float = 1.0) -> bool:
    """True if something listens at a target.

    On Linux an app on this machine is found in the kernel's table of listening sockets: servers
    such as ``php -S`` log every connection, and this is called every few seconds. A target that is
    not in the table, or on another machine, is tried with a connection.

    Args:
        target: As `parse_target` returned it.
        timeout: Seconds for looking up the name and connecting.
    """
    address = split(target)
    try:
        async with asyncio.timeout(timeout):
            found = await resolve(address.host, address.port)
    except (OSError, UnicodeError):
        return False
    if any(listening_socket(str(endpoint[0]), address.port) for *_, endpoint in found):
        return True
    return await accepts(address.host, address.port, timeout=timeout)


def other_loopback(address: Address) -> str | None:
    """The loopback address of the other family; None if a target is not a loopback address."""
    with suppress(ValueError):
        given = ipaddress.ip_address(address.host)
        if given.is_loopback:
            return "::1" if given.version == 4 else "127.0.0.1"
    return None


def is_exhausted(error: OSError) -> bool:
    """True if this process or machine has no free file descriptor."""
    return error.errno in {errno.EMFILE, errno.ENFILE}


def listening_socket(ip: str, port: int) -> str | None:
    """The inode of the socket that listens at a loopback address, by the kernel's table.

    Returns:
        None if there is none, if the address is not a loopback one, and on other systems.

    Source: https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
    """
    with suppress(ValueError):
        wanted = ipaddress.ip_address(ip.partition("%")[0])
        if not wanted.is_loopback:
            return None
        hosts = [_in_table(wanted)]
        if wanted.version == 4:
            hosts.append(_in_table(ipaddress.ip_address("0.0.0.0")))  # noqa: S104 - compared only
        hosts.append(_in_table(ipaddress.ip_address("::")))
        inodes = _listening(port)
        return next((inodes[host] for host in hosts if host in inodes), None)
    return None


def _listening(port: int) -> dict[str, str]:
    """Local address and inode of each socket that listens on a port."""
    found: dict[str, str] = {}
    for table in _TABLES:
        with suppress(OSError):
            for line in table.read_text("ascii").splitlines()[1:]:
                fields = line.split()
                host, _, number = fields[1].partition(":")
                if fields[3] == _LISTEN and int(number, 16) == port:
                    found[host] = fields[9]
    return found


def _in_table(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """An address as the kernel prints it: 32-bit words in the machine's byte order."""
    packed = ip.packed
    words = (int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4))
    return "".join(f"{word:08X}" for word in words)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
