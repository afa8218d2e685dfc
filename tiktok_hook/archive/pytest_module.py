"""A test module that sends captured deliveries to the user's own app, each signed when it runs."""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from tiktok_hook.addresses import target_of, valid_url
from tiktok_hook.archive.entry import Entry
from tiktok_hook.delivery import Attempt, Source
from tiktok_hook.sanitize import visible

_HEAD = '''\
"""Deliveries that tiktok-hook captured, sent to your app with a new signature.

    TIKTOK_WEBHOOK_URL=http://127.0.0.1:3000 TIKTOK_CLIENT_SECRET=... pytest {name}

Or put your aiohttp, ASGI or WSGI application in APP: then nothing has to run.
"""

import os

import pytest

APP = os.environ.get("TIKTOK_WEBHOOK_URL", "http://127.0.0.1:3000")
SECRET = os.environ.get("TIKTOK_CLIENT_SECRET", "")


@pytest.fixture(autouse=True)
def secret_is_given():
    if not SECRET:
        pytest.fail("Set TIKTOK_CLIENT_SECRET to the client secret that your app verifies with.")
'''

_GENUINE = """

@pytest.mark.parametrize(
    ("path", "body"),
    [
{cases}    ],
)
def test_a_delivery_is_answered_200(tiktok_webhook, path, body):
    send = tiktok_webhook(APP, secret=SECRET, path=path)
    assert send(body).status == 200
"""

_REJECTED = """

@pytest.mark.parametrize(
    ("path", "body"),
    [
{cases}    ],
)
def test_a_forged_delivery_is_rejected(tiktok_webhook, path, body):
    send = tiktok_webhook(APP, secret=SECRET, path=path)
    status = send(body, bad_signature=True).status
    assert status != 404, f"there is no route at {path}"
    assert 400 <= status < 500
"""

_LINE_BYTES = 64
_UNFIT_IN_ID = re.compile(r"[^A-Za-z0-9._-]+")


def write(entries: Iterable[Entry], name: str = "test_tiktok_webhooks.py") -> Iterator[bytes]:
    """The pieces of one module for pytest with ``tiktok_hook.testing``; no secret is in it.

    Deliveries whose signature was right, or was not checked, have to be answered 200; forged ones
    are sent with a wrong signature and have to be rejected with a 4xx.

    Args:
        entries: What to send.
        name: The file's name, for its own words.
    """
    yield _HEAD.replace("{name}", visible(name).replace("\\", "/").replace('"', "")).encode()
    genuine: list[Entry] = []
    rejected: list[Entry] = []
    routes: dict[str, str] = {}
    for entry in entries:
        (rejected if entry.delivery.verdict.rejected else genuine).append(entry)
        if _was_forwarded(entry):
            routes.setdefault(target_of(entry.delivery), _route(entry.own_attempts[0]))
    for some, template in ((genuine, _GENUINE), (rejected, _REJECTED)):
        if some:
            cases = (_case(entry, routes) for entry in some)
            yield template.replace("{cases}", "".join(cases)).encode()


def _case(entry: Entry, routes: Mapping[str, str]) -> str:
    event = entry.delivery.event
    name = _UNFIT_IN_ID.sub("_", "delivery" if event is None else event.name)[:60]
    lines = [
        f"        # {visible(entry.delivery.summary)}",
        "        pytest.param(",
        f"            {_path(entry, routes)!r},",
        *(f"            {line}" for line in _literal(entry.delivery.body)),
        f'            id="{entry.delivery.id}-{name}",',
        "        ),",
    ]
    return "\n".join(lines) + "\n"


def _path(entry: Entry, routes: Mapping[str, str]) -> str:
    """Path and query at the app: where the first attempt went, otherwise as TikTok sent it.

    What was never forwarded, such as forged ones, goes where others with the same path went.
    """
    if _was_forwarded(entry):
        return _route(entry.own_attempts[0])
    received = target_of(entry.delivery)
    return routes.get(received, received)


def _was_forwarded(entry: Entry) -> bool:
    """Whether its first attempt shows the app's route; an imported file is not believed that."""
    return bool(entry.own_attempts) and entry.delivery.source is not Source.IMPORT


def _route(attempt: Attempt) -> str:
    url = urlsplit(valid_url(attempt.target))
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _literal(body: bytes) -> Iterator[str]:
    """A bytes literal over as many lines as it takes, with a comma at its end."""
    pieces = [body[start : start + _LINE_BYTES] for start in range(0, len(body), _LINE_BYTES)]
    if len(pieces) < 2:
        yield f"{body!r},"
        return
    yield "("
    for piece in pieces:
        yield f"    {piece!r}"
    yield "),"
