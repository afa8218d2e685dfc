"""Encryption: certificates that are checked, and servers without TLS."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import trustme

from tests.cli.runner import invoke
from tests.postgres import PostgresServer, wait_for
from tiktok_hook.doctor import Subject, history
from tiktok_hook.store import open_history, open_store, parse_location, report_server

OTHER_NAME = "127.1"
"""Resolves to 127.0.0.1, and is not among the names that count as this machine."""


@dataclass(frozen=True)
class Encrypted:
    """A history on a server with TLS, whose certificate is for localhost.

    Attributes:
        address: Without host and options.
        authority: The certificate of who signed the server's.
        stranger: The certificate of another authority.
    """

    port: int
    database: str
    authority: Path
    stranger: Path

    def url(self, host: str = "localhost", **options: object) -> str:
        """The address by a name of the server, with options."""
        words = "&".join(f"{name}={value}" for name, value in options.items())
        end = f"?{words}" if words else ""
        return f"postgresql://postgres@{host}:{self.port}/{self.database}{end}"


@pytest.fixture
def encrypted(server: PostgresServer, database: str, tmp_path: Path) -> Iterator[Encrypted]:
    """The server of this process, with TLS until the end of the test."""
    open_store(server.url(database)).close()
    authority, stranger = trustme.CA(), trustme.CA()
    issued = authority.issue_cert("localhost")
    files = {"ssl_cert_file": server.folder / "tls.crt", "ssl_key_file": server.folder / "tls.key"}
    issued.cert_chain_pems[0].write_to_path(str(files["ssl_cert_file"]))
    issued.private_key_pem.write_to_path(str(files["ssl_key_file"]))
    files["ssl_key_file"].chmod(0o600)
    for each in files.values():
        server.give(each)
    found = Encrypted(server.port, database, tmp_path / "ca.crt", tmp_path / "stranger.crt")
    authority.cert_pem.write_to_path(str(found.authority))
    stranger.cert_pem.write_to_path(str(found.stranger))
    settings = {**files, "ssl": "on"}
    for name, value in settings.items():
        try:
            server.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        except psycopg.errors.InvalidParameterValue:  # as in the wheel of PostgreSQL 18
            pytest.skip("this server was built without TLS")
    _reload(server, "on")
    yield found
    for name in settings:
        server.execute(f"ALTER SYSTEM RESET {name}")
    _reload(server, "off")


def _reload(server: PostgresServer, ssl: str) -> None:
    server.execute("SELECT pg_reload_conf()")
    wait_for(lambda: server.execute("SHOW ssl") == [(ssl,)])


async def test_a_certificate_that_is_right_is_accepted(encrypted: Encrypted) -> None:
    url = encrypted.url(sslmode="verify-full", sslrootcert=encrypted.authority)
    with open_store(url) as store:
        assert store.history().newest_id() == 0
    assert report_server(parse_location(url)).encrypted
    found = {each.id: each for each in await history.database(Subject(db=url))}
    assert ", encrypted, " in found["database-server"].found
    assert "encrypted" in invoke("team", "status", url).stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("host", "options", "message", "advice"),
    [
        ("localhost", {"sslrootcert": "{stranger}"}, "certificate that cannot be trusted", "CA"),
        ("127.0.0.1", {"sslrootcert": "{authority}"}, "certificate of another name", "localhost"),
        ("localhost", {"sslrootcert": "/nowhere/ca.crt"}, "/nowhere/ca.crt does not exist", "sslr"),
        (
            "localhost",
            {"sslrootcert": "/x", "sslmode": "verify"},
            'sslmode value: "verify"',
            "veri",
        ),
    ],
    ids=["stranger's certificate", "another name", "no root certificate", "mistyped mode"],
)
def test_a_certificate_that_cannot_be_checked_ends_with_5(
    encrypted: Encrypted, host: str, options: dict[str, str], message: str, advice: str
) -> None:
    files = {"authority": encrypted.authority, "stranger": encrypted.stranger}
    filled = {name: value.format(**files) for name, value in options.items()}
    url = encrypted.url(host, **{"sslmode": "verify-full", **filled})
    result = invoke("events", "--db", url)
    assert result.exit_code == 5
    error, hint = result.stderr.splitlines()[0], " ".join(result.stderr.split("Hint:")[1].split())
    assert message in " ".join(result.stderr.split())
    assert error.startswith("Error: ")
    assert advice in hint


def test_a_server_by_another_name_is_encrypted_or_not_used(
    encrypted: Encrypted, server: PostgresServer
) -> None:
    url = encrypted.url(OTHER_NAME)
    assert report_server(parse_location(url)).encrypted
    server.execute("ALTER SYSTEM RESET ssl")
    _reload(server, "off")
    result = invoke("events", "--db", url)
    assert result.exit_code == 5
    assert f"{OTHER_NAME}:{encrypted.port}/{encrypted.database} offers no TLS" in result.stderr
    assert "sslmode=disable" in result.stderr
    allowed = encrypted.url(OTHER_NAME, sslmode="disable")
    with open_history(allowed) as found:
        assert found.newest_id() == 0
    assert not report_server(parse_location(allowed)).encrypted
    assert invoke("events", "--db", encrypted.url("localhost")).exit_code == 0
