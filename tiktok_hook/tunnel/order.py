"""What the child process is asked for, made of the options.

The options are checked before the SDK sees them: it panics or is silent on bad ones.
"""

import re
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from tiktok_hook.errors import TunnelError, UsageError
from tiktok_hook.sanitize import visible
from tiktok_hook.text_files import read_input
from tiktok_hook.tunnel.options import TunnelOptions
from tiktok_hook.tunnel.protocol import Order
from tiktok_hook.tunnel.rejections import TOKEN_PAGE
from tiktok_hook.tunnel.timing import Timing

_MAX_CAS_BYTES = 16 << 20
"""Of a file with certificates. A system's own has about 200 kB."""

# What the SDK and a resolver take: labels of letters, digits, hyphens and underscores.
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
_DOMAIN_LIMIT = 253


def make_order(
    options: TunnelOptions, *, upstream: str, verify_secret: str | None = None, timing: Timing
) -> Order:
    """The order for a tunnel with these options.

    Args:
        options: The authtoken is in them, wherever it came from.
        upstream: Where requests go, with scheme and port.
        verify_secret: Have ngrok check TikTok's signature with this secret; None for not.
        timing: How long things may take.

    Raises:
        UsageError: An option cannot be used as given.
        TunnelError: There is no authtoken.
    """
    token = (options.authtoken or "").strip()
    if not token:
        raise TunnelError(
            "ngrok wants an authtoken and none was given.",
            hint=f"Get one at {TOKEN_PAGE} and set NGROK_AUTHTOKEN, or use --no-tunnel.",
        )
    if verify_secret is not None and not verify_secret.strip():
        raise UsageError(
            "ngrok cannot verify webhooks with an empty client secret.",
            hint="Give the secret (TIKTOK_CLIENT_SECRET), or leave out --verify-webhook.",
        )
    return Order(
        upstream=upstream,
        authtoken=token,
        domain=None if options.domain is None else checked_domain(options.domain),
        webhook_secret=verify_secret,
        server_addr=None if options.connect_url is None else checked_server(options.connect_url),
        cas=None if options.connect_cas is None else checked_cas(options.connect_cas),
        traffic_policy=options.policy_text or None,
        pooling=options.pooling,
        heartbeat_interval=timing.heartbeat_interval,
        heartbeat_tolerance=timing.heartbeat_tolerance,
    )


def checked_domain(text: str) -> str:
    """The host of a domain, which may have been pasted as a URL.

    Raises:
        UsageError: It is empty, or there is more than a host in it.
    """
    bare = re.sub(r"\Ahttps?://", "", text.strip(), flags=re.IGNORECASE).rstrip("/")
    if not _HOST.fullmatch(bare) or len(bare) > _DOMAIN_LIMIT:
        raise UsageError(
            f"{_quoted(text)} is not a domain.",
            hint="Give --domain the host alone, such as name.ngrok.app; --path adds a path.",
        )
    return bare.rstrip(".").lower()


def checked_server(text: str) -> str:
    """``host:port`` of the server to connect to.

    Raises:
        UsageError: A scheme, an IPv6 address, a bad port or anything else the SDK cannot use.
    """
    hint = "Give --connect-url HOST:PORT, such as connect.ngrok-agent.com:443."
    if "://" in text:
        host = urlsplit(text).netloc or "HOST:PORT"
        raise UsageError(
            f"The connect URL {_quoted(text)} has a scheme.",
            hint=f"Give --connect-url {visible(host)} alone, without a scheme or path.",
        )
    host, colon, port = text.rpartition(":")
    if ":" in host:
        raise UsageError(
            f"The connect URL {_quoted(text)} is an IPv6 address, which ngrok's SDK cannot use.",
            hint=hint,
        )
    if not colon:
        host, port = text, "443"
    if not _HOST.fullmatch(host) or len(host) > _DOMAIN_LIMIT:
        raise UsageError(f"The connect URL {_quoted(text)} has no usable host.", hint=hint)
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise UsageError(
            f"The connect URL {_quoted(text)} has no port between 1 and 65535.", hint=hint
        )
    return f"{host}:{int(port)}"


def checked_cas(text: str) -> str:
    """``trusted``, ``host`` or the absolute path of a file with certificates in it.

    Raises:
        UsageError: The file is missing, unreadable or holds no certificate.
    """
    if text in {"trusted", "host"}:
        return text
    path = Path(text).expanduser()
    hint = "Give --connect-cas trusted, host or the path of a PEM file."
    try:
        content = read_input(path, what="certificate file", hint=hint, max_bytes=_MAX_CAS_BYTES)
    except FileNotFoundError as error:
        raise UsageError(
            f"The certificate file {_quoted(text)}: does not exist.", hint=hint
        ) from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
            cadata=content.decode("ascii", "ignore")
        )
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(
            f"The certificate file {_quoted(text)} holds no certificate that can be read.",
            hint="It must be PEM text: a line BEGIN CERTIFICATE, base64, a line END CERTIFICATE.",
        ) from error
    return str(path.resolve())


def _quoted(text: str) -> str:
    return f'"{visible(text)}"'
