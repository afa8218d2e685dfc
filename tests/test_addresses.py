from urllib.parse import urlsplit

import pytest

from tests.store.samples import delivery
from tiktok_hook.addresses import target_of, url_of, valid_url


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/hook", "", "/hook"),
        ("/a%20b", "c=%C3%A9", "/a%20b?c=%C3%A9"),
        ("/100%", "x=%zz", "/100%25?x=%25zz"),
        ("/\xe9", "[]", "/%C3%A9?%5B%5D"),
        ("/\udce9", "", "/%ED%B3%A9"),
        ("*", "", "/*"),
        ("//other.test/", "", "//other.test/"),
        ('/"<>`', "", "/%22%3C%3E%60"),
    ],
)
def test_a_target_is_made_of_characters_that_addresses_may_have(
    path: str, query: str, target: str
) -> None:
    assert target_of(delivery(path=path, query=query)) == target


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ((), "http://localhost/"),
        ((("Host", "name.ngrok.app"),), "http://name.ngrok.app/"),
        ((("host", "[::1]:3000"), ("x-forwarded-proto", "HTTPS")), "https://[::1]:3000/"),
        ((("Host", "a b/?c@d"),), "http://localhost/"),
        ((("Host", "a"), ("X-Forwarded-Proto", "javascript")), "http://a/"),
    ],
    ids=["none", "host", "ipv6", "hostile-host", "hostile-scheme"],
)
def test_the_address_of_an_imported_delivery_comes_from_its_headers(
    headers: tuple[tuple[str, str], ...], url: str
) -> None:
    assert url_of(delivery(headers=headers)) == url


def test_the_address_of_an_attempt_keeps_its_brackets() -> None:
    assert valid_url("http://[::1]:3000/a b?c=%") == "http://[::1]:3000/a%20b?c=%25"


@pytest.mark.parametrize("url", ["http://[", "http://[x]/a", "http://x\x1b[31m/", "//[", "[", "]:"])
def test_an_address_that_is_none_is_made_one_that_readers_take(url: str) -> None:
    assert urlsplit(valid_url(url)).port is None
