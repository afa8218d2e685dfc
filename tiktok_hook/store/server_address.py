"""The address of a PostgreSQL database, read without its driver."""

import ipaddress
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from tiktok_hook.errors import UsageError


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A database on a PostgreSQL server.

    Attributes:
        url: As libpq takes it; may hold a password, so it is left out of the repr.
        label: Host and database, for messages.
        has_password: Whether the URL holds one.
        is_local: Whether every host is this machine.
        tls_is_optional: Whether plain text may be accepted: it is local, or the URL or PGSSLMODE
            names how to encrypt.
    """

    url: str = field(repr=False)
    label: str
    has_password: bool
    is_local: bool
    tls_is_optional: bool

    @property
    def asks_for_password(self) -> bool:
        """Whether the user is to type the password: the URL has - in its place."""
        return urlsplit(self.url).netloc.rpartition("@")[0].partition(":")[2] == "-"

    def with_password(self, password: str) -> "ServerAddress":
        """The same address, with a password in place of the URL's."""
        user_info, at, hosts = urlsplit(self.url).netloc.rpartition("@")
        user = user_info.partition(":")[0]
        netloc = f"{user}:{quote(password, safe='')}{at}{hosts}"
        return replace(self, url=urlunsplit(urlsplit(self.url)._replace(netloc=netloc)))

    @property
    def passwords(self) -> tuple[str, ...]:
        """The URL's passwords, as they are written and unescaped; never to be shown."""
        parts = urlsplit(self.url)
        written = [parts.netloc.rpartition("@")[0].partition(":")[2]]
        written += [each[9:] for each in parts.query.split("&") if each.startswith("password=")]
        return tuple({text for each in written for text in (each, unquote(each)) if text})


def parse_server(url: str, *, where: str) -> ServerAddress:
    """Read a URL, as strictly as it takes to separate a password from the other parts.

    A character that is not escaped would move the end of the password into a host's or a
    database's name, and these are shown.

    Args:
        url: ``postgresql://USER@HOST:PORT/DATABASE?NAME=VALUE``.
        where: The option or argument that it came from, for the message.

    Raises:
        UsageError: It cannot be read. The message quotes no part of it.
    """
    if not _URL.fullmatch(url) or re.search(r"%(?![0-9A-Fa-f]{2})|%00", url):
        raise UsageError(
            f"{where} is a postgresql: address that cannot be read.",
            hint="Write postgresql://USER@HOST:PORT/DATABASE, with @ : / ? # % and blanks in names "
            "and passwords as %40 %3A %2F %3F %23 %25 %20.",
        )
    scheme, _, rest = url.partition(":")
    url = f"{scheme.lower()}:{rest}"  # libpq knows it in lower case only
    parts = urlsplit(url)
    user_info, _, hosts = parts.netloc.rpartition("@")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    names = _host_names(hosts, options)
    address = options.get("hostaddr") or os.environ.get("PGHOSTADDR")
    # An option replaces the URL's own host, and an address replaces both: what is shown is where
    # the connection goes.
    shown = address or options.get("host") or unquote(hosts) or ",".join(names)
    shown = shown or "the local server"
    service = options.get("service") or (not names and os.environ.get("PGSERVICE")) or ""
    if service and not hosts:
        shown = f"service {service}"
    database = options.get("dbname") or unquote(parts.path.removeprefix("/"))
    of_service = _service_options(service) if service else {}
    is_local = all(map(_is_local, names)) and not service
    if service and not names and of_service.keys() & {"host", "hostaddr"}:
        is_local = all(map(_is_local, _host_names("", of_service)))
    encryption_is_named = bool(
        "sslmode" in options or "sslmode" in of_service or os.environ.get("PGSSLMODE")
    )
    return ServerAddress(
        url=url,
        label=f"{shown}/{database}" if database else shown,
        has_password=":" in user_info or "password" in options,
        is_local=is_local,
        tls_is_optional=is_local or encryption_is_named,
    )


def _service_options(service: str) -> dict[str, str]:
    """What a service file has under a name; empty without it.

    libpq reads it too, but what we add to a URL goes before it: a mode of TLS, for instance.
    """
    given = os.environ.get("PGSERVICEFILE")
    paths = [Path(given) if given else Path("~/.pg_service.conf").expanduser()]
    if folder := os.environ.get("PGSYSCONFDIR"):
        paths.append(Path(folder) / "pg_service.conf")
    for path in paths:
        found = _section(path, service)
        if found is not None:
            return found
    return {}


def _section(path: Path, name: str) -> dict[str, str] | None:
    """One section of a service file; None where it is not."""
    found: dict[str, str] | None = None
    with suppress(OSError):
        if path.is_file():
            for line in map(str.strip, path.read_text("utf-8", "replace").splitlines()):
                if line.startswith("["):
                    if found is not None:
                        break
                    found = {} if line == f"[{name}]" else None
                elif found is not None and "=" in line and not line.startswith("#"):
                    option, _, value = line.partition("=")
                    found[option] = value
    return found


_HOST = r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._~%-]*)(?::[0-9]{0,5})?"
_TEXT = r"[^@:/?#\s\x00]*"
_URL = re.compile(
    rf"postgres(?:ql)?://(?:{_TEXT}(?::{_TEXT})?@)?{_HOST}(?:,{_HOST})*(?:/{_TEXT})?"
    r"(?:\?(?:[A-Za-z_]+=[^=&@#?\s\x00]*(?:&|$))+)?",
    re.IGNORECASE,
)


def _host_names(hosts: str, options: dict[str, str]) -> list[str]:
    """The hosts: from the URL's own place for them, its options, or the environment."""
    # libpq reads PGHOSTADDR whenever there is no `hostaddr`, also if the URL names a host.
    given = options.get("hostaddr") or os.environ.get("PGHOSTADDR") or options.get("host") or ""
    if not given:
        given = ",".join(_without_port(each) for each in hosts.split(","))
    if not given.strip(","):
        given = os.environ.get("PGHOST") or ""
    return [unquote(each) for each in given.split(",") if each]


def _without_port(host: str) -> str:
    return host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]


def _is_local(host: str) -> bool:
    """Whether a host is this machine: a socket's folder, ``localhost``, or a loopback address."""
    if host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
