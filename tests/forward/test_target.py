"""Addresses of apps: parsing, joining, rejecting loops."""

import pytest

from tiktok_hook.errors import UsageError
from tiktok_hook.forward import (
    join,
    local_port,
    parse_target,
    reject_loop,
)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("3000", "http://localhost:3000"),
        (" 3000 ", "http://localhost:3000"),
        (":3000", "http://localhost:3000"),
        (":3000/hook", "http://localhost:3000/hook"),
        ("3000/hook?a=1", "http://localhost:3000/hook?a=1"),
        (":3000?a=1", "http://localhost:3000/?a=1"),
        ("app:8000", "http://app:8000"),
        ("app:8000/a//b%2F", "http://app:8000/a//b%2F"),
        ("127.0.0.1:80", "http://127.0.0.1"),
        ("[::1]:3000/x", "http://[::1]:3000/x"),
        ("http://localhost:3000/", "http://localhost:3000"),
        ("HTTPS://App.Example:443/Hook/", "https://app.example/Hook/"),
        ("https://app.example:8443", "https://app.example:8443"),
        ("http://bücher.example/x", "http://xn--bcher-kva.example/x"),
        ("http://host.docker.internal:3000", "http://host.docker.internal:3000"),
    ],
)
def test_a_target_is_read_in_every_documented_form(text: str, url: str) -> None:
    assert parse_target(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "0",
        "65536",
        pytest.param("9" * 5000, id="5000-digits"),
        pytest.param(f"http://app:{'9' * 5000}/", id="5000-digits-in-a-url"),
        "app:port",
        "ftp://app:21",
        "http://",
        "http://:3000",
        "http://a b/",
        "http://app/a b",
        "http://app/\x00",
        "http://app/#part",
        "http://app/ü",
        "http://user:secret@app/",
        "http://[::zz]:1/",
        "//app/x",
        "-x:3",
    ],
)
def test_an_invalid_target_is_a_usage_error_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)
    assert caught.value.hint
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "path", "query", "url"),
    [
        ("http://a", "/", "", "http://a/"),
        ("http://a", "/", "x=1", "http://a/?x=1"),
        ("http://a/hook", "/", "", "http://a/hook"),
        ("http://a/hook", "/", "x=1", "http://a/hook?x=1"),
        ("http://a/hook/", "/", "", "http://a/hook/"),
        ("http://a/hook", "/in", "", "http://a/hook/in"),
        ("http://a/hook/", "/in", "", "http://a/hook/in"),
        ("http://a", "/in/", "", "http://a/in/"),
        ("http://a", "//in", "", "http://a//in"),
        ("http://a/hook?k=v", "/in", "x=%20+", "http://a/hook/in?k=v&x=%20+"),
        ("http://a", "/a//b/../c%2f", "x=%20+&&y", "http://a/a//b/../c%2f?x=%20+&&y"),
    ],
)
def test_paths_are_joined_with_one_slash_and_queries_kept(
    target: str, path: str, query: str, url: str
) -> None:
    assert join(target, path, query) == url


@pytest.mark.parametrize(
    "target",
    [
        "http://localhost:3000",
        "http://127.0.0.1:3000/x",
        "http://127.9.9.9:3000",
        "http://[::1]:3000",
        "http://0.0.0.0:3000",
        "http://app.localhost:3000",
        "http://[::ffff:127.0.0.1]:3000",
        "http://127.1:3000",
        "http://0:3000",
        "http://2130706433:3000",
        "http://0x7f000001:3000",
        "http://0177.0.0.1:3000",
        "http://localhost.:3000",
        "http://localhost:4040/webhook",
        "https://me.ngrok-free.app/webhook",
    ],
)
def test_a_target_that_is_our_own_receiver_is_rejected(target: str) -> None:
    with pytest.raises(UsageError, match="every delivery would be received again") as caught:
        reject_loop(
            [parse_target(target)],
            receiver_port=3000,
            inspector_port=4040,
            callback_url="https://me.ngrok-free.app/hook",
        )
    assert caught.value.hint.startswith("Name the address your app listens on")
    assert ("--inspect-port" in caught.value.hint) == ("inspector" in str(caught.value))


def test_other_targets_are_not_loops() -> None:
    reject_loop(
        ["http://localhost:3001", "http://app:3000", "https://you.ngrok-free.app"],
        receiver_port=3000,
        inspector_port=None,
        callback_url="https://me.ngrok-free.app/",
    )
    assert local_port("http://localhost:3001/x") == 3001
    assert local_port("http://app:3000") is None
