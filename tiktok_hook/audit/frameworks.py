"""The framework behind an app, by the headers of its answers, and where it has the raw body."""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Framework:
    """A web framework.

    Attributes:
        name: As people call it.
        raw_body: Code that gives the bytes of the request before anything parses them.
        header: Code that gives the signature header.
    """

    name: str
    raw_body: str
    header: str


_PHP_HEADER = '$_SERVER["HTTP_TIKTOK_SIGNATURE"]'
_MAPPING = 'request.headers["Tiktok-Signature"]'

# In this order: Laravel answers with PHP's header too, Django with its server's.
_KNOWN: tuple[tuple[str, str, Framework], ...] = (
    (
        "set-cookie",
        "laravel_session|laravel-session|XSRF-TOKEN=eyJ",
        Framework("Laravel", "$request->getContent()", '$request->header("Tiktok-Signature")'),
    ),
    (
        "x-powered-by",
        "Next\\.js",
        Framework("Next.js", "await request.text()", 'request.headers.get("Tiktok-Signature")'),
    ),
    (
        "x-powered-by",
        "Express",
        Framework(
            "Express",
            'express.raw({ type: "*/*" }) on the webhook\'s route, before express.json()',
            'req.get("Tiktok-Signature")',
        ),
    ),
    (
        "x-powered-by",
        "PHP",
        Framework("PHP", 'file_get_contents("php://input")', _PHP_HEADER),
    ),
    (
        "x-powered-by",
        "ASP\\.NET",
        Framework(
            "ASP.NET",
            "Request.Body, read before model binding",
            'Request.Headers["Tiktok-Signature"]',
        ),
    ),
    (
        "set-cookie",
        "csrftoken=|sessionid=",
        Framework("Django", "request.body, read before request.POST", _MAPPING),
    ),
    (
        "server",
        "WSGIServer",
        Framework("Django", "request.body, read before request.POST", _MAPPING),
    ),
    (
        "server",
        "Werkzeug",
        Framework("Flask", "request.get_data(), called before request.json", _MAPPING),
    ),
    ("server", "aiohttp", Framework("aiohttp", "await request.read()", _MAPPING)),
    (
        "server",
        "uvicorn|hypercorn|daphne",
        Framework("FastAPI or Starlette", "await request.body()", _MAPPING),
    ),
    (
        "server",
        "Kestrel",
        Framework(
            "ASP.NET",
            "Request.Body, read before model binding",
            'Request.Headers["Tiktok-Signature"]',
        ),
    ),
    (
        "x-runtime",
        r"\d",
        Framework("Rails", "request.raw_post", 'request.headers["Tiktok-Signature"]'),
    ),
)


def framework_of(headers: Iterable[tuple[str, str]]) -> Framework | None:
    """The framework that headers of an answer show; None if they show none."""
    found = [(name.lower(), value) for name, value in headers]
    for name, pattern, framework in _KNOWN:
        if any(key == name and re.search(f"(?i){pattern}", value) for key, value in found):
            return framework
    return None
