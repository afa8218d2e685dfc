"""Options that cannot work are errors before the SDK sees them."""

from pathlib import Path
from typing import Any

import pytest

from tests.tunnel.conftest import SECRET, TOKEN
from tiktok_hook.errors import TunnelError, UsageError
from tiktok_hook.tunnel import Timing, open_tunnel
from tiktok_hook.tunnel.options import TunnelOptions
from tiktok_hook.tunnel.order import make_order
from tiktok_hook.tunnel.protocol import Order

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBIjCByaADAgECAgEBMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBHRlc3QwHhcN
"""


def order(**changes: Any) -> Order:
    secret = changes.pop("verify_secret", None)
    options = TunnelOptions(**{"authtoken": TOKEN} | changes)
    upstream = "http://127.0.0.1:3000"
    return make_order(options, upstream=upstream, verify_secret=secret, timing=Timing())


def test_an_order_without_options_asks_for_nothing_special() -> None:
    assert order() == Order(upstream="http://127.0.0.1:3000", authtoken=TOKEN)


@pytest.mark.parametrize("token", [None, "", "  \n"], ids=["none", "empty", "blank"])
def test_a_missing_authtoken_is_the_tunnels_error_with_the_way_to_one(token: str | None) -> None:
    with pytest.raises(TunnelError, match="authtoken") as caught:
        order(authtoken=token)
    assert "--no-tunnel" in caught.value.hint


def test_whitespace_around_a_token_is_the_clipboards() -> None:
    assert order(authtoken=f" {TOKEN}\n").authtoken == TOKEN


@pytest.mark.parametrize("secret", ["", "  "])
def test_an_empty_secret_to_verify_with_is_a_usage_error(secret: str) -> None:
    with pytest.raises(UsageError, match="empty client secret"):
        order(verify_secret=secret)


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("x.ngrok.app", "x.ngrok.app"),
        ("https://X.ngrok.app/", "x.ngrok.app"),
        (" http://x.ngrok.app ", "x.ngrok.app"),
        ("x_y.example.com.", "x_y.example.com"),
        ("localhost", "localhost"),
    ],
)
def test_a_domain_may_be_pasted_as_a_url(given: str, host: str) -> None:
    assert order(domain=given).domain == host


@pytest.mark.parametrize(
    "domain",
    ["", "https://", "x.ngrok.app/hook", "x.ngrok.app:443", "a b", "*.x.app", "a..b", "-a", "ü.de"],
)
def test_what_is_more_or_less_than_a_host_is_not_a_domain(domain: str) -> None:
    with pytest.raises(UsageError, match="is not a domain") as caught:
        order(domain=domain)
    assert "--domain" in caught.value.hint


@pytest.mark.parametrize(
    ("given", "server"),
    [
        ("connect.example.com:443", "connect.example.com:443"),
        ("connect.example.com", "connect.example.com:443"),
        ("127.0.0.1:0443", "127.0.0.1:443"),
        ("my_host:65535", "my_host:65535"),
    ],
)
def test_a_connect_url_is_host_and_port(given: str, server: str) -> None:
    assert order(connect_url=given).server_addr == server


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("https://example.com:443/x", "has a scheme"),
        ("[::1]:443", "IPv6"),
        ("::1", "IPv6"),
        ("a:b:1", "IPv6"),
        ("", "no usable host"),
        (":443", "no usable host"),
        ("exa mple.com:443", "no usable host"),
        (" example.com:443", "no usable host"),
        ("-a:1", "no usable host"),
        ("*.a:1", "no usable host"),
        ("a..b:1", "no usable host"),
        ("a\x1b[31m:1", "no usable host"),
        ("example.com:", "no port"),
        ("example.com:0", "no port"),
        ("example.com:65536", "no port"),
        ("example.com:https", "no port"),
        ("example.com:²", "no port"),
        ("example.com:-1", "no port"),
        ("example.com:" + "9" * 5000, "no port"),
    ],
)
def test_a_connect_url_that_the_sdk_would_panic_on_is_a_usage_error(given: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        order(connect_url=given)
    assert "--connect-url" in caught.value.hint
    assert "\x1b" not in str(caught.value)


def test_the_hint_for_a_scheme_is_the_right_value() -> None:
    with pytest.raises(UsageError) as caught:
        order(connect_url="https://example.com:4443/x")
    assert "example.com:4443 alone" in caught.value.hint


@pytest.mark.parametrize("word", ["trusted", "host"])
def test_certificates_may_be_named_by_a_word(word: str) -> None:
    assert order(connect_cas=word).cas == word


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"", "no certificate"),
        (b"rubbish", "no certificate"),
        (CERTIFICATE.encode(), "no certificate"),
        (b"\xff\xfe\x00", "no certificate"),
    ],
    ids=["missing", "empty", "rubbish", "cut", "binary"],
)
def test_a_certificate_file_must_hold_a_certificate(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        order(connect_cas=str(file))
    assert str(file) in str(caught.value)
    assert caught.value.hint


def test_a_folder_is_not_a_certificate_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="certificate file"):
        order(connect_cas=str(tmp_path))


async def test_nothing_is_started_for_options_that_cannot_be_used() -> None:
    with pytest.raises(UsageError):
        await open_tunnel(
            TunnelOptions(authtoken=TOKEN, connect_url="[::1]:1"), upstream="http://127.0.0.1:1"
        ).__aenter__()


def test_an_orders_repr_holds_no_secret() -> None:
    shown = repr(order(verify_secret=SECRET, traffic_policy=f"secret: {SECRET}"))
    assert TOKEN not in shown
    assert SECRET not in shown
