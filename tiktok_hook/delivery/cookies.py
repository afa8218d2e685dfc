"""Removes our own cookies from headers, so that they are never stored, forwarded or exported."""

from tiktok_hook.delivery.records import Headers

OWN_COOKIE_PREFIX = "tiktok_hook_"
"""Reserved prefix of cookie names. The inspector sets no cookie, but a browser may still send an
old one that contains its token: cookies ignore ports, so all servers on 127.0.0.1 receive them."""


def without_own_cookies(headers: Headers) -> Headers:
    """Remove every cookie whose name begins with ``tiktok_hook_``, in any case.

    Args:
        headers: Headers of a request (``Cookie``) or a response (``Set-Cookie``). Proxies copy them
            under other names, such as ``X-Original-Cookie``.

    Returns:
        The same object if there is nothing to remove. Other cookies in the same header are kept.
        All other headers keep their bytes and order.
    """
    if not any(OWN_COOKIE_PREFIX in value.lower() for _, value in headers):
        return headers
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        key = name.lower()
        if "cookie" not in key or OWN_COOKIE_PREFIX not in value.lower():
            kept.append((name, value))
        elif "set-cookie" in key:
            if not _is_own(value):
                kept.append((name, value))
        else:
            # RFC 6265 does not allow commas, but older clients and some proxies separate with them.
            others = [
                rest
                for part in value.split(";")
                if (rest := ",".join(each for each in part.split(",") if not _is_own(each))).strip()
            ]
            if others:
                kept.append((name, ";".join(others).strip()))
    return tuple(kept)


def _is_own(cookie: str) -> bool:
    return cookie.strip(' \t"').lower().startswith(OWN_COOKIE_PREFIX)
