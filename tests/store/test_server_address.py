"""The address of a PostgreSQL database, as people write it."""

from pathlib import Path

import pytest

from tiktok_hook.errors import UsageError
from tiktok_hook.store import parse_location
from tiktok_hook.store.server_address import ServerAddress, parse_server


@pytest.fixture(autouse=True)
def _no_libpq_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)


def address(url: str) -> ServerAddress:
    return parse_server(url, where="--db")


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("postgresql://db.example.com/hooks", "db.example.com/hooks"),
        ("postgresql://anna@db.example.com:5433/hooks", "db.example.com:5433/hooks"),
        ("postgres://anna:hidden@db.example.com/hooks", "db.example.com/hooks"),
        ("postgresql://anna:hid%40den@[::1]:5433/hooks", "[::1]:5433/hooks"),
        ("postgresql://a.example,b.example:5433/hooks", "a.example,b.example:5433/hooks"),
        ("postgresql:///hooks?host=/run/postgresql", "/run/postgresql/hooks"),
        ("postgresql://db.example.com/?dbname=hooks", "db.example.com/hooks"),
        ("postgresql://db.example.com", "db.example.com"),
        ("postgresql:///hooks", "the local server/hooks"),
        ("postgresql://?service=hooks", "service hooks"),
        ("POSTGRESQL://anna:hidden@db.example.com/hooks", "db.example.com/hooks"),
        ("postgresql://h/d?user=anna&password=hidden&sslmode=disable", "h/d"),
        ("postgresql://localhost/hooks?host=db.example.com", "db.example.com/hooks"),
        ("postgresql://localhost/hooks?hostaddr=203.0.113.9", "203.0.113.9/hooks"),
    ],
)
def test_it_is_called_by_its_host_and_database(url: str, label: str) -> None:
    assert address(url).label == label
    location = parse_location(url)
    assert location.label == label
    assert location.identity == f"postgresql://{label}"
    assert (location.path, location.folder, location.in_memory) == (None, None, False)


def test_a_password_is_in_no_text_of_an_address() -> None:
    for url in (
        "postgresql://anna:hidden@db.example.com/hooks",
        "postgresql://anna@db.example.com/hooks?password=hidden",
    ):
        location = parse_location(url)
        texts = f"{location} {location!r} {location.identity} {location.label} {location.argument}"
        assert "hidden" not in texts
        assert location.server is not None
        assert "hidden" in location.server.url


@pytest.mark.parametrize(
    "password",
    [
        "hid/den",
        "hid@den",
        "hid#den",
        "hid?den",
        "hid den",
        "12/hidden",
        "12?hidden",
        "hid%zz",
    ],
)
def test_a_password_that_is_not_escaped_is_an_error_that_does_not_show_it(password: str) -> None:
    with pytest.raises(UsageError, match="cannot be read") as raised:
        parse_location(f"postgresql://anna:{password}@db.example.com/hooks", where="--db")
    assert password not in str(raised.value) + raised.value.hint
    assert "hid" not in str(raised.value) + raised.value.hint


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("postgresql:///hooks", True),
        ("postgresql:///hooks?host=/run/postgresql", True),
        ("postgresql://%2Frun%2Fpostgresql/hooks", True),
        ("postgresql://localhost/hooks", True),
        ("postgresql://127.0.0.1:5433/hooks", True),
        ("postgresql://[::1]/hooks", True),
        ("postgresql://db.example.com/hooks?hostaddr=127.0.0.1", True),
        ("postgresql://db.example.com/hooks", False),
        ("postgresql://localhost,db.example.com/hooks", False),
        ("postgresql://localhost.example.com/hooks", False),
        ("postgresql://10.0.0.1/hooks", False),
        ("postgresql:///hooks?host=db.example.com", False),
        ("postgresql://?service=hooks", False),
    ],
)
def test_it_knows_whether_a_host_is_this_machine(url: str, local: bool) -> None:  # noqa: FBT001 - a table
    assert address(url).is_local is local
    assert address(url).tls_is_optional is local


@pytest.mark.parametrize(("variable", "value"), [("PGHOST", "db.example.com"), ("PGSERVICE", "x")])
def test_the_environment_may_name_another_machine(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert not address("postgresql:///hooks").is_local


def test_an_address_of_the_environment_goes_before_the_host_of_the_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOSTADDR", "203.0.113.9")
    found = address("postgresql://localhost/hooks")
    assert (found.is_local, found.tls_is_optional) == (False, False)
    assert found.label == "203.0.113.9/hooks"
    assert address("postgresql://localhost/hooks?hostaddr=127.0.0.1").is_local


def test_the_url_or_the_environment_may_set_how_to_encrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert address("postgresql://db.example.com/hooks?sslmode=prefer").tls_is_optional
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert address("postgresql://db.example.com/hooks").tls_is_optional


@pytest.mark.parametrize(
    ("lines", "local", "optional"),
    [
        ("host=db.example.com", False, False),
        ("host=db.example.com\nsslmode=verify-full", False, True),
        ("host=127.0.0.1", True, True),
        ("host=127.0.0.1\nhostaddr=203.0.113.9", False, False),
        ("#sslmode=disable\nhost=10.0.0.1", False, False),
        ("[other]\nsslmode=disable", False, False),
        ("dbname=hooks", False, False),
    ],
)
def test_a_service_file_may_set_how_to_encrypt(  # a mode that we add would go before its own
    lines: str,
    local: bool,  # noqa: FBT001 - a table
    optional: bool,  # noqa: FBT001 - a table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "services"
    monkeypatch.setenv("PGSERVICEFILE", str(path))
    assert not address("postgresql://?service=hooks").tls_is_optional
    path.write_text(f"[first]\nsslmode=disable\n\n[hooks]\n{lines}\n")
    for url in ("postgresql://?service=hooks", "postgresql:///d?service=hooks"):
        found = address(url)
        assert (found.is_local, found.tls_is_optional) == (local, optional)
    assert not address("postgresql://db.example.com/d?service=none").tls_is_optional


@pytest.mark.parametrize(
    ("url", "passwords"),
    [
        ("postgresql://anna:hid%40den@h/d", {"hid%40den", "hid@den"}),
        ("postgresql://h/d?user=anna&password=hid%40den", {"hid%40den", "hid@den"}),
        ("postgresql://anna@h/d", set()),
    ],
)
def test_its_passwords_are_known_to_those_who_hide_them(url: str, passwords: set[str]) -> None:
    assert {*address(url).passwords} == passwords


def test_a_password_that_is_to_be_typed_is_put_in_its_place() -> None:
    for url in ("postgresql://anna@h/d", "postgresql://anna:x-@h/d", "postgresql://h/d"):
        assert not address(url).asks_for_password
    given = address("postgresql://anna:-@db.example.com:5433/d?sslmode=require")
    assert given.asks_for_password
    typed = given.with_password("a/b@c:%?")
    assert typed.url == "postgresql://anna:a%2Fb%40c%3A%25%3F@db.example.com:5433/d?sslmode=require"
    assert "a/b@c:%?" in typed.passwords
    assert (typed.label, typed.is_local) == (given.label, given.is_local)
