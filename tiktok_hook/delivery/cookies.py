"""Removes cookies of our own name from headers, so that none is stored, forwarded or exported."""

from tiktok_hook.delivery.records import Headers

OWN_COOKIE_PREFIX = "tiktok_hook_"
"""Reserved. The inspector sets no cookie; one of this name may still hold its token, because
cookies ignore ports and a browser sends those of one server on 127.0.0.1 to all others."""


def without_own_cookies(headers: Headers) -> Headers:
    """Remove every cookie whose name begins with ``tiktok_hook_``, in any case.

    Args:
        headers: Of a request (``Cookie``) or a response (``Set-Cookie``).

    Returns:
        The same object when there is nothing to remove. A ``Cookie`` header that held other
        cookies as well keeps those; all other headers keep their bytes and order.
    """
    if not any(OWN_COOKIE_PREFIX in value.lower() for _, value in headers):
        return headers
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        key = name.lower()
        if key == "cookie" and OWN_COOKIE_PREFIX in value.lower():
            # RFC 6265 knows no comma; older clients write one, and a proxy may join lines with it.
            others = [
                rest
                for part in value.split(";")
                if (rest := ",".join(each for each in part.split(",") if not _is_own(each))).strip()
            ]
            if others:
                kept.append((name, ";".join(others).strip()))
        elif key != "set-cookie" or not _is_own(value):
            kept.append((name, value))
    return tuple(kept)


def _is_own(cookie: str) -> bool:
    return cookie.strip(' \t"').lower().startswith(OWN_COOKIE_PREFIX)
