"""The way to ngrok's ingress: name, connection, TLS."""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress

from tiktok_hook.doctor.account import config
from tiktok_hook.doctor.finding import Finding, bad, good
from tiktok_hook.doctor.subject import Subject
from tiktok_hook.doctor.waiting import UnresolvedError, resolve
from tiktok_hook.errors import UsageError
from tiktok_hook.tunnel.order import checked_cas, checked_server

DEFAULT = "connect.ngrok-agent.com:443"
_CONNECT_SECONDS = 5.0


async def ingress(subject: Subject) -> list[Finding]:
    """Whether the ingress can be reached, step by step; the first that fails is the last."""
    kept = config()
    try:
        server = checked_server(_first(subject.connect_url, kept.connect_url, DEFAULT))
        cas = checked_cas(_first(subject.connect_cas, kept.connect_cas, "trusted"))
    except UsageError as error:
        return [bad("ingress", str(error).removesuffix("."), error.hint)]
    host, _, port = server.rpartition(":")
    findings: list[Finding] = []
    addresses = await _resolve(host, int(port), findings)
    if not addresses:
        return findings
    connected = await _connect(addresses, server, findings)
    if connected is not None:
        await _shake_hands(connected, host, cas, findings)
    return findings


def _first(*values: str | None) -> str:
    return next(value for value in values if value is not None)


async def _resolve(host: str, port: int, findings: list[Finding]) -> Sequence[str]:
    hint = f"Is there a network? Ask your name server for {host}.{_proxy()}"
    try:
        addresses = await resolve(host, port)
    except UnresolvedError as error:
        findings.append(bad("ingress-dns", str(error), hint))
        return ()
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    findings.append(good("ingress-dns", f"{host} is {addresses[0]}{more}"))
    return addresses


async def _connect(
    addresses: Sequence[str], server: str, findings: list[Finding]
) -> socket.socket | None:
    port = int(server.rpartition(":")[2])
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    failure = ""
    for address in addresses[:4]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(0)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS / min(len(addresses), 4)):
                await loop.sock_connect(connection, (address, port))
        except TimeoutError:
            failure = "no answer in time"
        except OSError as error:
            # asyncio puts the address into the text.
            failure = os.strerror(error.errno) if error.errno else str(error)
        else:
            took = (time.perf_counter() - started) * 1000
            findings.append(good("ingress-tcp", f"connected to {server} in {took:.0f} ms"))
            return connection
        connection.close()
    hint = f"Let connections out to {server}: a firewall or network may forbid them.{_proxy()}"
    findings.append(bad("ingress-tcp", f"{server} cannot be reached: {failure.lower()}", hint))
    return None


async def _shake_hands(
    connection: socket.socket, host: str, cas: str, findings: list[Finding]
) -> None:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(
                sock=connection, ssl=_context(cas), server_hostname=host
            )
    except ssl.SSLCertVerificationError as error:
        findings.append(
            bad(
                "ingress-tls",
                f"the certificate of {host} is not trusted: {error.verify_message}",
                "Something between here and there may answer in its place; name the right "
                "authority with --connect-cas host or --connect-cas PATH.",
            )
        )
    except (OSError, TimeoutError) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else _words(error)
        findings.append(
            bad(
                "ingress-tls",
                f"no TLS with {host}: {why}",
                "Is that ngrok's ingress? A proxy or firewall on the way may take TLS apart.",
            )
        )
    else:
        version = writer.get_extra_info("ssl_object").version()
        # ngrok's own authority is known to its SDK alone.
        whose = "ngrok's SDK checks the certificate" if cas == "trusted" else "certificate trusted"
        findings.append(good("ingress-tls", f"{version}; {whose}"))
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
    finally:
        connection.close()


def _context(cas: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None if cas in {"trusted", "host"} else cas)
    if cas == "trusted":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    return (error.strerror or str(error) or "the connection was closed").lower()


def _proxy() -> str:
    """A word on proxies, where one is set: the SDK uses none, so a browser's success misleads."""
    names = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")
    name = next((each for each in names if os.environ.get(each)), None)
    return "" if name is None else f" {name} is set, but ngrok's SDK cannot use a proxy."
