"""The commands, doctor and the Python API over a history on a server."""

import asyncio
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
import time_machine

import tiktok_hook
from tests import postgres
from tests.apps import http, running_app
from tests.cli.history import fill
from tests.cli.runner import invoke
from tests.deadline import DEADLINE
from tests.listener import SECRET, post, run
from tests.postgres import PostgresServer, wait_for
from tests.pty_terminal import Terminal
from tests.store.postgres.proxy import Proxy
from tiktok_hook.doctor import Subject, history
from tiktok_hook.errors import UsageError
from tiktok_hook.session import ListenOptions
from tiktok_hook.store import open_store

PASSWORD = "the-password-of-anna"


@pytest.fixture
def url(server: PostgresServer, database: str) -> str:
    """The address of a history with some deliveries; with a password, which is not asked for."""
    found = server.url(database, port=server.port).replace("@", f":{PASSWORD}@")
    with open_store(found) as store:
        asyncio.run(fill(store))
    return found


def test_every_command_takes_the_address(url: str, tmp_path: Path) -> None:
    listed = invoke("events", "--db", url, "--format", "json")
    lines = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [each["id"] for each in lines if each["type"] == "delivery"] == [1, 2, 3, 4, 5, 6]
    shown = invoke("show", "2", "--json", "--db", url)
    assert [each["status"] for each in json.loads(shown.stdout)["attempts"]] == [500, 200]
    exported = tmp_path / "all.jsonl"
    results = [
        listed,
        shown,
        invoke("export", "--db", url, "--output", str(exported)),
        invoke("import", str(exported), "--db", url),
        invoke("clear", "--yes", "--db", url),
    ]
    assert [each.exit_code for each in results] == [0] * len(results)
    assert "Deleted 6 deliveries" in results[-1].output
    with tiktok_hook.History(url) as found:
        assert list(found) == []
    assert all(PASSWORD not in each.output for each in results)
    assert PASSWORD not in exported.read_text()


async def test_listen_receives_into_it_and_forwards(url: str) -> None:
    async with (
        running_app(http(200)) as app,
        tiktok_hook.listen(
            tunnel=False, inspect=False, secret=SECRET, db=url, forward_to=app.url
        ) as session,
    ):
        reply = await post(session.local_url)
        assert reply.status == 200
        await asyncio.to_thread(postgres.wait_for, lambda: len(app.requests) == 1)
    with tiktok_hook.History(url) as found:
        received = found.get(7)
        assert received is not None
        assert received.status == 200
        assert [each.status for each in found.attempts(received)] == [200]


async def test_tiktok_is_answered_503_while_the_server_is_away(
    server: PostgresServer, database: str
) -> None:
    """And 200 again once it is back; the listener continues."""
    url = server.url(database)
    async with tiktok_hook.listen(tunnel=False, inspect=False, secret=SECRET, db=url) as session:
        assert (await post(session.local_url)).status == 200
        server.execute(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS false")
        server.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        )
        for _ in range(3):
            reply = await post(session.local_url)
            assert (reply.status, bool(reply.header("Retry-After"))) == (503, True)
        server.execute(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true")
        async with asyncio.timeout(DEADLINE):
            while (await post(session.local_url)).status != 200:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.05)
    with tiktok_hook.History(url) as found:
        assert [each.status for each in found] == [200, 200]


async def test_the_app_of_a_listener_gets_what_another_one_receives(url: str) -> None:
    """Each delivery once and in order, and each is shown once."""
    async with (
        running_app(http(200)) as app,
        tiktok_hook.listen(
            tunnel=False, inspect=False, secret=SECRET, db=url, forward_to=app.url
        ) as session,
        tiktok_hook.listen(tunnel=False, inspect=False, secret=SECRET, db=url) as other,
    ):
        for address in (session.local_url, other.local_url, session.local_url):
            assert (await post(address)).status == 200
        await asyncio.to_thread(postgres.wait_for, lambda: len(app.requests) == 3)
        await asyncio.to_thread(postgres.wait_for, lambda: session.relay.waiting == 0)
        assert session.summary().received == 3
        assert other.summary().received == 1
        second = tiktok_hook.listen(
            tunnel=False, inspect=False, secret=SECRET, db=url, forward_to="9", attach_as="ben"
        )
        async with second:
            pass
    with tiktok_hook.History(url) as found:
        assert [len(found.attempts(each)) for each in (7, 8, 9)] == [1, 1, 1]


def test_the_default_of_ack_depends_on_the_history(url: str, tmp_path: Path) -> None:
    shared = ListenOptions(db=url, forward_to="3000")
    assert (shared.ack_mode, shared.is_attached) == ("first", True)
    typed = ListenOptions(db=url, forward_to="3000", ack="app")
    assert (typed.ack_mode, typed.is_attached) == ("app", False)
    of_a_file = ListenOptions(db=tmp_path / "history.db", forward_to="3000")
    assert (of_a_file.ack_mode, of_a_file.is_attached) == ("app", False)


async def test_no_secret_or_password_is_in_the_database(url: str, home: Path) -> None:
    async with tiktok_hook.listen(tunnel=False, inspect=False, secret=SECRET, db=url) as session:
        await post(session.local_url)
        found = await asyncio.to_thread(_dump, url)
        assert b"post.publish.failed" in found
        for secret in (SECRET, PASSWORD):
            assert secret.encode() not in found
            assert secret.encode().hex().encode() not in found
        files = await asyncio.to_thread(_contents, home)
        assert any(b"postgresql://127.0.0.1" in each for each in files)
        assert all(PASSWORD.encode() not in each for each in files)


def _dump(url: str) -> bytes:
    programs = postgres.programs()
    assert programs is not None
    return subprocess.run([programs / "pg_dump", url], stdout=subprocess.PIPE, check=True).stdout


def _contents(folder: Path) -> list[bytes]:
    return [each.read_bytes() for each in folder.rglob("*") if each.is_file()]


def test_a_password_is_typed_on_a_terminal(server: PostgresServer, database: str) -> None:
    url = server.url(database, port=server.port).replace("@", ":-@")
    with open_store(server.url(database)) as store:
        asyncio.run(fill(store))
    terminal = Terminal(run(["events", "--db", url]), columns=200, environment=dict(os.environ))
    terminal.read_until(f"Password for 127.0.0.1:{server.port}/{database}:")
    terminal.type(f"{PASSWORD}\n")
    assert terminal.end() == 0
    assert "post.publish.complete" in terminal.plain
    assert PASSWORD not in terminal.text
    rejected = invoke("events", "--db", url)
    assert rejected.exit_code == 2
    assert "standard input is not a terminal" in rejected.stderr


def test_one_listener_does_not_choose_how_much_is_kept(url: str) -> None:
    with pytest.raises(UsageError, match="has bounds of its own") as raised:
        tiktok_hook.listen(tunnel=False, db=url, keep=5)
    assert PASSWORD not in str(raised.value)


def test_wait_does_not_ask_for_a_listener_that_another_machine_may_have(url: str) -> None:
    waited = invoke("wait", "tiktok.ping", "--db", url, "--timeout", "0.1")
    assert waited.exit_code == 1
    assert "Waiting for" in waited.stderr
    assert "No listener" not in waited.stderr


async def test_doctor_checks_the_server(url: str) -> None:
    found = await history.database(Subject(db=url))
    assert [(each.id, each.status) for each in found] == [
        ("database", "pass"),
        ("database-server", "pass"),
        ("database-rights", "pass"),
        ("database-changes", "pass"),
    ]
    assert "writable, 6 deliveries" in found[0].found
    assert found[1].found.startswith("PostgreSQL ")
    assert all(PASSWORD not in each.found for each in found)


async def test_doctor_names_a_server_that_is_far(server: PostgresServer, url: str) -> None:
    with Proxy(server.port) as proxy:
        proxy.delay_seconds = 0.055
        far = url.replace(f":{server.port}/", f":{proxy.port}/")
        found = {each.id: each for each in await history.database(Subject(db=far))}
    assert found["database-server"].status == "warn"
    (away,) = re.findall(r", ([\d.]+) ms away", found["database-server"].found)
    assert float(away) >= 55
    assert "use a server that is nearer" in found["database-server"].next_step


async def test_doctor_and_team_status_name_a_clock_that_is_off(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_hook.store.postgres.presence.RENEW_SECONDS", 0.1)
    with time_machine.travel(time.time() + 3600):
        found = {each.id: each for each in await history.database(Subject(db=url))}
        with open_store(url) as store:
            wait_for(lambda: store.changes() != -1)
            presence = "SELECT clock_seconds FROM tiktok_hook.processes"
            server = postgres.server()
            name = url.rpartition("/")[2]
            wait_for(lambda: server.execute(presence, name) != [(None,)])
            shown = await asyncio.to_thread(invoke, "team", "status", url)
    clock = found["database-clock"]
    assert clock.status == "warn"
    assert re.search(r"clock is \+3[56]\d\d\.\d s from the server's", clock.found)
    assert re.search(r"clock \+3[56]\d\d\.\d s \(wrong\)", shown.stdout)


async def test_doctor_does_not_create_a_history(server: PostgresServer, database: str) -> None:
    (finding, *others) = await history.database(Subject(db=server.url(database)))
    assert (finding.status, len(others)) == ("pass", 2)
    assert "none yet" in finding.found
    assert server.execute("SELECT to_regclass('tiktok_hook.history')", database) == [(None,)]
