"""Targets: parsing, joining paths, detecting loops."""

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from socket import gethostname, inet_aton

from tiktok_hook.errors import UsageError

DEFAULT_PORTS = {"http": 80, "https": 443}

EXAMPLE_TARGET = "http://127.0.0.1:3000"
"""What a command to paste names where no target is known."""

RECEIVER = "tiktok-hook's own receiver"
INSPECTOR = "tiktok-hook's own inspector"

_FORMS = "Use a port (3000), 3000/path, host:port or a URL like http://localhost:3000/webhook."
_URL = re.compile(
    r"(?i)(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL
)
_SHORT = re.compile(
    r"(?P<authority>\[[0-9a-fA-F:.]+\]:\d+|[^/?#:\[\]@]*:\d+)(?P<rest>[/?].*)?", re.DOTALL
)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-fA-F:.%a-z]+\]|[^\[\]:@]+)(?::(?P<port>\d*))?")
_CARRYING_IPV4 = {
    bytes(12),
    bytes(10) + b"\xff\xff",
    bytes.fromhex("0064ff9b") + bytes(8),
}
"""First 12 bytes of the IPv6 addresses whose last 4 bytes are an IPv4 address."""

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
        """Value of a ``Host`` header: with the port unless it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if DEFAULT_PORTS[self.scheme] == self.port else f"{host}:{self.port}"


def parse_target(text: str | int) -> str:
    """The URL of an app, from what a user typed.

    Args:
        text: ``3000``, ``3000/path``, ``:3000/path``, ``host:port``, ``host:port/path`` or an
            http(s) URL. Without a host it is ``localhost``, so that apps on 127.0.0.1 and on ::1
            are both found.

    Returns:
        A normalised URL: scheme and host in lower case, no default port, no bare ``/``. Path and
        query stay as written.

    Raises:
        UsageError: It has none of these forms.
    """
    text = _text_of(text)
    given = text.strip()
    if re.fullmatch(r"[0-9]+(?:/.*)?", given, re.DOTALL):
        given = f":{given}"
    if short := _SHORT.fullmatch(given):
        authority = short["authority"]
        authority = f"localhost{authority}" if authority.startswith(":") else authority
        given = f"http://{authority}{short['rest'] or ''}"
    address = split(given, shown=text)
    if "#" in address.path or not address.path.isascii() or _UNFIT.search(address.path):
        raise UsageError(
            f"The path of the target {text!r} has characters that a URL path cannot have.",
            hint="Percent-encode them, and leave out a #fragment.",
        )
    path = "" if address.path == "/" else address.path
    return f"{address.scheme}://{address.authority}{path}"


def _text_of(target: object) -> str:
    """The target as text, where a program gave a port as a number.

    Raises:
        UsageError: It is neither.
    """
    if isinstance(target, str):
        return target
    if isinstance(target, int) and not isinstance(target, bool):
        return str(target)
    raise UsageError(f"The target {target!r} is not an address.", hint=_FORMS)


def split(url: str, *, shown: str | None = None) -> Address:
    """Split a URL without changing its path.

    Args:
        url: An http or https URL.
        shown: The text that the user typed, for the message; None shows the URL.

    Raises:
        UsageError: It is not such a URL, or contains a user name.
    """
    return _split(url, url if shown is None else shown)


# Called three times per delivery, nearly always with the same few URLs.
@lru_cache(maxsize=256)
def _split(url: str, shown: str) -> Address:
    quoted = repr(shown)
    found = _URL.fullmatch(url)
    if found is None:
        raise UsageError(f"The target {quoted} is not an address.", hint=_FORMS)
    scheme = found["scheme"].lower()
    if scheme not in DEFAULT_PORTS:
        raise UsageError(f"The target {quoted} is not an http or https URL.", hint=_FORMS)
    if "@" in found["authority"]:
        raise UsageError(
            "The target contains a user name or password.",
            hint="Remove it and give --header 'Authorization: Basic …' instead.",
        )
    parts = _AUTHORITY.fullmatch(found["authority"])
    if parts is None:
        raise UsageError(f"The target {quoted} names no host.", hint=_FORMS)
    path = found["rest"]
    digits = parts["port"]
    # Python converts no integer of more than 4 300 digits; 0 is not a port either.
    port = int(digits if len(digits) <= 20 else 0) if digits else DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise UsageError(
            f"The port of the target {quoted} is not between 1 and 65535.", hint=_FORMS
        )
    path = path if path.startswith("/") else f"/{path}"
    return Address(scheme, _host(parts["host"], quoted), port, path)


def _host(text: str, quoted: str) -> str:
    """Normalise a host: no brackets, lower case, international names in ASCII."""
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
    """Join a received path and query to a target.

    A bare ``/`` adds nothing to the target's path; any other path is appended with one slash. Both
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
    """True if a host name or address means this machine."""
    host = host.rstrip(".")
    if host in {"localhost", gethostname().lower()} or host.endswith(".localhost"):
        return True
    try:
        return _is_loopback(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:  # 127.1, 0, 2130706433 and 0x7f000001 are IPv4 addresses to the system's resolver
        return _is_loopback(ipaddress.IPv4Address(inet_aton(host)))
    except (OSError, UnicodeError):
        return False


def is_loopback(target: str) -> bool:
    """True only if a target certainly stays on this machine, whatever a name server answers.

    Stricter than `is_local`, which has to recognise every spelling of a loop.
    """
    host = split(target).host
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        # ::ffff:127.0.0.1, ::127.0.0.1 and NAT64's 64:ff9b::7f00:1 all carry an IPv4 address.
        inner = ipaddress.IPv4Address(address.packed[-4:])
        prefix = address.packed[:12]
        if prefix in _CARRYING_IPV4 and (inner.is_loopback or inner.is_unspecified):
            return True
    return address.is_loopback or address.is_unspecified


def local_port(target: str) -> int | None:
    """The port of a target on this machine; None for another machine."""
    address = split(target)
    return address.port if is_local(address.host) else None


def reject_loop(
    targets: Iterable[str],
    *,
    receiver_port: int | None = None,
    inspector_port: int | None = None,
    callback_url: str | None = None,
) -> None:
    """Raise for targets that are addresses of this listener, without looking up any name.

    `reject_resolved_loop` looks names up as well.

    Args:
        targets: As `parse_target` returned them.
        receiver_port: Of our receiver on a loopback address; None if not known yet.
        inspector_port: Of our inspector on this machine; None without one.
        callback_url: Our public URL; None if not known yet.

    Raises:
        UsageError: A target is one of these addresses.
    """
    public = None if callback_url is None else split(callback_url)
    for target in targets:
        address = split(target)
        local = address.port if is_local(address.host) else None
        if local is not None and local == receiver_port:
            raise loop_error(target, RECEIVER)
        if local is not None and local == inspector_port:
            raise loop_error(target, INSPECTOR)
        if public is not None and _place(address) == _place(public):
            raise loop_error(target, "the Callback URL itself")


def loop_error(target: str, ours: str) -> UsageError:
    """The error for a target that is this listener itself.

    Args:
        target: As the user gave it.
        ours: `RECEIVER`, `INSPECTOR`, or another of our addresses in words.
    """
    flag = {RECEIVER: "--port", INSPECTOR: "--inspect-port"}.get(ours)
    move = f", or move ours with {flag}" if flag else ""
    return UsageError(
        f"The target {target} is {ours}: every delivery would be received again.",
        hint=f"Name the address your app listens on{move}.",
    )


def _place(address: Address) -> tuple[str, int]:
    return address.host.rstrip("."), address.port
