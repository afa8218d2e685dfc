"""Addresses that other programs accept, made from what was received."""

import re
from urllib.parse import quote, urlsplit

from tiktok_hook.delivery import Delivery

_AUTHORITY = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")

_SAFE = "/!$&'()*+,;=:@%~?-._"
"""What may stand in a path and query as it is; the rest is percent-encoded."""

_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


def target_of(delivery: Delivery) -> str:
    """Path and query in characters that every reader of addresses takes."""
    path = delivery.target if delivery.target.startswith("/") else f"/{delivery.target}"
    text = quote(path, safe=_SAFE, errors="surrogatepass")
    return _LONE_PERCENT.sub("%25", text)


def url_of(delivery: Delivery) -> str:
    """The address that a delivery was sent to, as far as its headers show."""
    host = (delivery.header("Host") or "").strip()
    scheme = delivery.scheme or (delivery.header("X-Forwarded-Proto") or "").strip().lower()
    if not _AUTHORITY.fullmatch(host):
        host = "localhost"
    return f"{'https' if scheme == 'https' else 'http'}://{host}{target_of(delivery)}"


def valid_url(url: str) -> str:
    """An address that every reader of addresses takes, in characters that it takes.

    What files and teammates recorded may be anything, such as ``http://[`` or ``http://[x]``.
    """
    safe = _SAFE + "[]#"
    try:
        urlsplit(url)
    except ValueError:
        safe = _SAFE + "#"
    return _LONE_PERCENT.sub("%25", quote(url, safe=safe, errors="surrogatepass"))
