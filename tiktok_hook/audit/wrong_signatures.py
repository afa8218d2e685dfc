"""Wrong ways to sign, each of them the right one to an app with the mistake that it stands for."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tiktok_hook.audit.case import RequestFactory
from tiktok_hook.exact_json import dumps, loads
from tiktok_hook.signature.scheme import key_of

Signed = tuple[bytes, str]
"""The body as it is sent, and the value of its signature header."""

Recipe = Callable[[RequestFactory], Signed]


def right(kit: RequestFactory) -> Signed:
    """As TikTok does it."""
    body = kit.sample()
    return body, kit.sign(body)


def _spaced(kit: RequestFactory) -> Signed:
    body = kit.sample()
    return body, kit.sign(_with_spaces(body))


def _compact(kit: RequestFactory) -> Signed:
    body = kit.sample()
    return _with_spaces(body), kit.sign(body)


def _sorted(kit: RequestFactory) -> Signed:
    body = kit.sample()
    return body, kit.sign(dumps(loads(body), sort_keys=True).encode())


def _newline(kit: RequestFactory) -> Signed:
    body = kit.sample()
    return body, kit.sign(body + b"\n")


def _body_alone(kit: RequestFactory) -> Signed:
    body = kit.sample()
    return body, f"t={int(kit.now)},s={digest(kit, body).hex()}"


def _no_dot(kit: RequestFactory) -> Signed:
    body = kit.sample()
    t = str(int(kit.now))
    return body, f"t={t},s={digest(kit, t.encode() + body).hex()}"


def _base64(kit: RequestFactory) -> Signed:
    body = kit.sample()
    t, s = taken_apart(kit.sign(body))
    return body, f"t={t},s={base64.b64encode(bytes.fromhex(s)).decode()}"


def _prefixed(kit: RequestFactory) -> Signed:
    body = kit.sample()
    t, s = taken_apart(kit.sign(body))
    return body, f"t={t},s=sha256={s}"


def _empty_secret(kit: RequestFactory) -> Signed:
    body = kit.sample()
    return body, kit.sign(body, secret="")


def _bare(kit: RequestFactory) -> Signed:
    body = kit.sample()
    return body, digest(kit, body).hex()


def _bare_prefixed(kit: RequestFactory) -> Signed:
    body = kit.sample()
    return body, f"sha256={digest(kit, body).hex()}"


def _bare_base64(kit: RequestFactory) -> Signed:
    body = kit.sample()
    return body, base64.b64encode(digest(kit, body)).decode()


WRONG: Mapping[str, Recipe] = MappingProxyType(
    {
        "reserialised-spaced": _spaced,
        "reserialised-compact": _compact,
        "reserialised-sorted": _sorted,
        "newline": _newline,
        "body-alone": _body_alone,
        "no-dot": _no_dot,
        "base64": _base64,
        "sha256-prefix": _prefixed,
        "empty-secret": _empty_secret,
        "digest": _bare,
        "digest-prefix": _bare_prefixed,
        "digest-base64": _bare_base64,
    }
)
"""By the id of the case that sends it; the last three are sent only when looking for a mistake."""


def digest(kit: RequestFactory, message: bytes) -> bytes:
    """The HMAC-SHA256 of a message with the app's secret."""
    return hmac.digest(key_of(kit.secret), message, hashlib.sha256)


def taken_apart(header: str) -> tuple[str, str]:
    """``t`` and ``s`` of a header that we made."""
    t, s = (part.partition("=")[2] for part in header.split(","))
    return t, s


def _with_spaces(body: bytes) -> bytes:
    return json.dumps(json.loads(body)).encode()
