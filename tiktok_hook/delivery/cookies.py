"""Removes our own cookies from headers, so that they are never stored, forwarded or exported."""

import re

from tiktok_hook.delivery.records import Headers

# Reserved names of cookies. The inspector sets no cookie, but a browser may still send an old one
# that contains its token: cookies ignore ports, so all servers on 127.0.0.1 receive them.
_NAME = r"(?:__(?:Host|Secure)-)?tiktok(?:_|%5F)hook(?:_|%5F)"
_OWN = re.compile(rf"[ \t\"]*{_NAME}", re.IGNORECASE)
_OWN_INSIDE = re.compile(rf"(?<![A-Za-z0-9_-]){_NAME}[^=;,\s]{{0,64}}=", re.IGNORECASE)
"""Name and ``=`` after another separator than ``;``: a blank, a quote, a bracket, an ampersand."""


def without_own_cookies(headers: Headers) -> Headers:
    """Remove every cookie whose name begins with ``tiktok_hook_``, in any case.

    Args:
        headers: Headers of a request (``Cookie``) or a response (``Set-Cookie``). Proxies copy them
            under other names, such as ``X-Original-Cookie``.

    Returns:
        The same object if there is nothing to remove. Other cookies in the same header are kept.
        All other headers keep their bytes and order.
    """
    if not any(_mentions_own(name, value) for name, value in headers):
        return headers
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        key = name.lower()
        if not _mentions_own(name, value):
            kept.append((name, value))
        elif "set-cookie" not in key:
            # RFC 6265 does not allow commas, but older clients and some proxies separate with them.
            others = [
                rest
                for part in value.split(";")
                if (rest := ",".join(each for each in part.split(",") if not _is_own(each))).strip()
            ]
            if others:
                kept.append((name, ";".join(others).strip()))
    return tuple(kept)


def _mentions_own(name: str, value: str) -> bool:
    """Whether a header has such a cookie: one that begins like it, or another that contains it."""
    if "cookie" not in name.lower() or "tiktok" not in value.lower():
        return False
    return any(map(_is_own, re.split("[;,]", value)))


def _is_own(cookie: str) -> bool:
    return bool(_OWN.match(cookie) or _OWN_INSIDE.search(cookie))
