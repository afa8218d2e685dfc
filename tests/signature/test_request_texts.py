"""Signatures over the URL, the path or the method, as other services have them, are named."""

import base64
import hashlib

import pytest

from tests.signature.samples import diagnosed, mac
from tests.signature.vectors import BODY, SECRET, T

pytestmark = pytest.mark.timeless

STEM = str(T).encode()
HOST = "calm-otter.ngrok-free.app"
URL = f"https://{HOST}/webhook".encode()
HASH = hashlib.sha256(BODY).hexdigest().encode()


def named(message: bytes, target: str = "/webhook", host: str = HOST) -> str | None:
    header = f"t={T},s={mac(message).hex()}"
    found = diagnosed(header, BODY, [SECRET], now=T, headers=[("Host", host)], target=target)
    return None if found is None else found.mistake


@pytest.mark.parametrize(
    "message",
    [
        URL + BODY,
        URL + b"." + STEM + b"." + BODY,
        URL + STEM + b"." + BODY,
        b"/webhook" + BODY,
        STEM + b"./webhook." + BODY,
        STEM + b".POST./webhook." + BODY,
        b"POST/webhook" + STEM + BODY,
        b"POST\n/webhook\n" + STEM + b"\n" + BODY,
        STEM + b"POST/webhook" + BODY,
        b"POST" + URL + BODY + STEM + b"000",
        b"POST\n/webhook\n" + STEM + b"\n" + HASH,
        b"POST\n" + STEM + b"\n/webhook\n" + HASH,
        HOST.encode() + b"." + STEM + b"." + BODY,
        b"POST /webhook" + STEM + b"." + BODY,
        b"POST" + URL + b"." + STEM + b"." + BODY,
        b"post/webhook" + STEM + b"." + BODY,
        b"POST /webhook HTTP/1.1\n" + STEM + b"." + BODY,
        URL + b"|" + STEM + b"|" + BODY,
        URL,
        URL + STEM,
    ],
)
def test_a_part_of_the_request_in_the_text_is_named(message: bytes) -> None:
    assert named(message) == "url-in-text"


@pytest.mark.parametrize(
    ("message", "target", "host"),
    [
        (URL + b"?a=1" + BODY, "/webhook?a=1", HOST),
        (URL + BODY, "/webhook?a=1", HOST),
        (b"/webhook?a=1" + STEM + BODY, "/webhook?a=1", HOST),
        (f"https://{HOST}".encode() + BODY, "/", HOST),
        (b"http://localhost:3000/hook" + BODY, "/hook", "localhost:3000"),
    ],
)
def test_the_query_and_the_host_count(message: bytes, target: str, host: str) -> None:
    assert named(message, target, host) == "url-in-text"


@pytest.mark.parametrize("name", ["X-Twilio-Signature", "X-Square-Hmacsha256-Signature"])
def test_another_service_s_header_over_the_url_is_named(name: str) -> None:
    value = base64.b64encode(mac(URL + BODY)).decode()
    headers = [("Host", HOST), (name, value)]
    found = diagnosed(None, BODY, [SECRET], now=T, headers=headers, target="/webhook")
    assert found is not None
    assert found.mistake == "wrong-header-name+base64+url-in-text"


def test_nothing_of_the_request_is_guessed() -> None:
    header = f"t={T},s={mac(URL + BODY).hex()}"
    found = diagnosed(header, BODY, [SECRET], now=T)
    assert found is not None
    assert found.mistake == "another-secret"


def test_a_request_line_of_great_length_is_left_out() -> None:
    assert named(b"/" + b"a" * 4000 + BODY, "/" + "a" * 4000) == "another-secret"
