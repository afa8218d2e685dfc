"""Addresses of a developer's app: reading them, joining paths, seeing loops."""

import asyncio
import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from socket import gethostname

from tiktok_hook.errors import UsageError

DEFAULT_PORTS = {"http": 80, "https": 443}

_FORMS = "Use a port (3000), :3000/path, host:port or a URL like http://localhost:3000/webhook."
_URL = re.compile(
    r"(?i)(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL
)
_SHORT = re.compile(
    r"(?P<authority>\[[0-9a-fA-F:.]+\]:\d+|[^/?#:\[\]@]*:\d+)(?P<rest>[/?].*)?", re.DOTALL
)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-fA-F:.%a-z]+\]|[^\[\]:@]+)(?::(?P<port>\d*))?")
_UNFIT = re.compile(r"[\x00-\x20\x7f]")
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL that a connection needs; `path` holds the query too, as written."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What stands in a ``Host`` header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if DEFAULT_PORTS[self.scheme] == self.port else f"{host}:{self.port}"


def parse_target(text: str) -> str:
    """The URL of an app, from what a user typed.

    Args:
        text: ``3000``, ``:3000/path``, ``host:port``, ``host:port/path`` or an http(s) URL. Without
            a host it is ``localhost``, so that apps on 127.0.0.1 and on ::1 are both found.

    Returns:
        A URL in one spelling: scheme and host in lower case, no default port, no lone ``/``. Path
        and query stay exactly as written.

    Raises:
        UsageError: It is none of these.
    """
    given = text.strip()
    if re.fullmatch(r"[0-9]+", given):
        given = f":{given}"
    if short := _SHORT.fullmatch(given):
        authority = short["authority"]
        authority = f"localhost{authority}" if authority.startswith(":") else authority
        given = f"http://{authority}{short['rest'] or ''}"
    address = split(given, shown=text)
    if "#" in address.path or not address.path.isascii() or _UNFIT.search(address.path):
        raise UsageError(
            f"The path of the target {text!r} has characters that no URL path may have.",
            hint="Percent-encode them, and leave out a #fragment.",
        )
    path = "" if address.path == "/" else address.path
    return f"{address.scheme}://{address.authority}{path}"


def split(url: str, *, shown: str | None = None) -> Address:
    """Take a URL apart without changing a byte of its path.

    Args:
        url: An http or https URL.
        shown: What the user typed, for the message; None shows the URL.

    Raises:
        UsageError: It is no such URL, or it carries a user name.
    """
    return _split(url, url if shown is None else shown)


# Asked three times for each delivery, nearly always for the same few addresses.
@lru_cache(maxsize=256)
def _split(url: str, shown: str) -> Address:
    quoted = repr(shown)
    found = _URL.fullmatch(url)
    if found is None:
        raise UsageError(f"The target {quoted} is not an address.", hint=_FORMS)
    scheme = found["scheme"].lower()
    if scheme not in DEFAULT_PORTS:
        raise UsageError(f"The target {quoted} is neither http nor https.", hint=_FORMS)
    if "@" in found["authority"]:
        raise UsageError(
            "The target carries a user name or password.",
            hint="Take it out and give --header 'Authorization: Basic …' instead.",
        )
    parts = _AUTHORITY.fullmatch(found["authority"])
    if parts is None:
        raise UsageError(f"The target {quoted} names no host.", hint=_FORMS)
    path = found["rest"]
    port = int(parts["port"]) if parts["port"] else DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise UsageError(
            f"The port of the target {quoted} is not between 1 and 65535.", hint=_FORMS
        )
    path = path if path.startswith("/") else f"/{path}"
    return Address(scheme, _host(parts["host"], quoted), port, path)


def _host(text: str, quoted: str) -> str:
    """A host as it is connected to: no brackets, lower case, international names in ASCII."""
    if text.startswith("["):
        with suppress(ValueError):
            return str(ipaddress.IPv6Address(text[1:-1]))
    else:
        with suppress(UnicodeError):
            name = text.encode("idna").decode("ascii").lower()
            if _HOST_NAME.fullmatch(name):
                return name
    raise UsageError(f"The target {quoted} names no host.", hint=_FORMS)


def join(target: str, path: str, query: str) -> str:
    """Where a request for `path` goes at `target`.

    A bare ``/`` adds nothing to the target's path; any other is put behind it with one slash. Both
    queries are kept, the target's first. Nothing is quoted or unquoted.
    """
    base, _, own_query = target.partition("?")
    start = base.index("://") + 3
    has_path = "/" in base[start:]
    if path in {"", "/"}:
        base = base if has_path else f"{base}/"
    else:
        base = f"{base.removesuffix('/')}/{path.removeprefix('/')}"
    queries = [part for part in (own_query, query) if part]
    return f"{base}?{'&'.join(queries)}" if queries else base


def is_local(host: str) -> bool:
    """Whether a host is this machine, as far as its name tells."""
    if host in {"localhost", gethostname().lower()} or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address.is_loopback or address.is_unspecified or bool(mapped and mapped.is_loopback)


def local_port(target: str) -> int | None:
    """The port of a target on this machine; None when it is elsewhere."""
    address = split(target)
    return address.port if is_local(address.host) else None


def refuse_loop(
    targets: Iterable[str],
    *,
    receiver_port: int | None = None,
    inspector_port: int | None = None,
    callback_url: str | None = None,
) -> None:
    """Refuse targets that would bring every delivery back to us.

    Args:
        targets: As `parse_target` gave them.
        receiver_port: Of our receiver on this machine; None when it is not known yet.
        inspector_port: Of our inspector on this machine; None without one.
        callback_url: Our public URL; None when it is not known yet.

    Raises:
        UsageError: One of the targets is one of these.
    """
    public = None if callback_url is None else split(callback_url)
    for target in targets:
        address = split(target)
        local = address.port if is_local(address.host) else None
        if local is not None and local == receiver_port:
            ours, flag = "tiktok-hook's own receiver", "--port"
        elif local is not None and local == inspector_port:
            ours, flag = "tiktok-hook's own inspector", "--inspect-port"
        elif public is not None and (address.host, address.port) == (public.host, public.port):
            ours, flag = "the Callback URL itself", ""
        else:
            continue
        move = f", or move ours with {flag}" if flag else ""
        raise UsageError(
            f"The target {target} is {ours}: deliveries would go round in circles.",
            hint=f"Name the address your app listens on{move}.",
        )


async def reachable(target: str, *, timeout: float = 1.0) -> bool:
    """Whether something accepts a TCP connection at a target, within `timeout` seconds."""
    address = split(target)
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(address.host, address.port)
    except OSError:  # TimeoutError is one of its kind
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
