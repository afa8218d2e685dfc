"""Connections to a server: encryption, and what its errors mean."""

import subprocess
import sys

import pytest

from tests.postgres import PostgresServer
from tiktok_hook.errors import StoreError
from tiktok_hook.store import open_history
from tiktok_hook.store.postgres.connection import Server
from tiktok_hook.store.server_address import parse_server


@pytest.mark.parametrize(
    ("url", "required"),
    [
        ("postgresql://db.example.com/hooks", True),
        ("postgresql://db.example.com/hooks?sslmode=disable", False),
        ("postgresql://localhost/hooks", False),
    ],
)
def test_tls_is_required_unless_it_is_local_or_the_url_sets_another_mode(
    url: str,
    required: bool,  # noqa: FBT001 - a table
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    found = Server(parse_server(url, where="--db"), "test").options(writing=False)
    assert (found.get("sslmode") == "require") is required


def test_a_server_without_tls_is_not_spoken_to_where_it_is_required(
    server: PostgresServer, database: str
) -> None:
    url = f"{server.url(database, port=server.port)}?sslmode=require"
    with pytest.raises(StoreError, match="offers no TLS") as raised:
        open_history(url)
    assert "sslmode=disable" in raised.value.hint


def test_without_psycopg_the_message_names_what_to_install() -> None:
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from tiktok_hook.cli import main; sys.argv[1:] = ['events', '--db', 'postgresql:///x']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 5
    assert "A history on PostgreSQL needs psycopg, which is not installed." in done.stderr
    assert "pip install 'tiktok-hook[postgres]'" in done.stderr


def test_psycopg_is_only_loaded_for_a_server() -> None:
    script = (
        "import sys, tiktok_hook.store as s; s.open_store(':memory:').close();"
        "sys.exit('psycopg' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
