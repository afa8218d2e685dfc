"""A test module that sends captured deliveries to the user's own app, each signed when it runs."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from tiktok_hook.archive.addresses import target_of, valid_url
from tiktok_hook.archive.entry import Entry
from tiktok_hook.plain import visible

_HEAD = '''\
"""Deliveries that tiktok-hook captured, sent to your app and signed afresh.

    TIKTOK_WEBHOOK_URL=http://127.0.0.1:3000 TIKTOK_CLIENT_SECRET=... pytest {name}

Or put your aiohttp, ASGI or WSGI application in APP: then nothing has to run.
"""

import os

import pytest

pytest_plugins = ["tiktok_hook.testing"]

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

_REFUSED = """

@pytest.mark.parametrize(
    ("path", "body"),
    [
{cases}    ],
)
def test_a_forged_delivery_is_refused(tiktok_webhook, path, body):
    send = tiktok_webhook(APP, secret=SECRET, path=path)
    assert not 200 <= send(body, bad_signature=True).status < 300
"""

_LINE_BYTES = 64
_UNFIT_IN_ID = re.compile(r"[^A-Za-z0-9._-]+")


def write(entries: Iterable[Entry], name: str = "test_tiktok_webhooks.py") -> Iterator[bytes]:
    """The pieces of one module for pytest with ``tiktok_hook.testing``; no secret is in it.

    Deliveries whose signature was right, or was not checked, have to be answered 200; forged ones
    are sent with a wrong signature and must not be.

    Args:
        entries: What to send.
        name: The file's name, for its own words.
    """
    yield _HEAD.replace("{name}", visible(name).replace("\\", "/").replace('"', "")).encode()
    genuine: list[str] = []
    refused: list[str] = []
    for entry in entries:
        (refused if entry.delivery.verdict.refused else genuine).append(_case(entry))
    for cases, template in ((genuine, _GENUINE), (refused, _REFUSED)):
        if cases:
            yield template.replace("{cases}", "".join(cases)).encode()


def _case(entry: Entry) -> str:
    event = entry.delivery.event
    name = _UNFIT_IN_ID.sub("_", "delivery" if event is None else event.name)[:60]
    lines = [
        f"        # {visible(entry.delivery.summary)}",
        "        pytest.param(",
        f"            {_path(entry)!r},",
        *(f"            {line}" for line in _literal(entry.delivery.body)),
        f'            id="{entry.delivery.id}-{name}",',
        "        ),",
    ]
    return "\n".join(lines) + "\n"


def _path(entry: Entry) -> str:
    """Path and query at the app: where the first attempt went, else as TikTok sent it."""
    if not entry.attempts:
        return target_of(entry.delivery)
    url = urlsplit(valid_url(entry.attempts[0].target))
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
