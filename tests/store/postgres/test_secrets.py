"""A team at work, and then a search for what none of its programs may show, store or log."""

import asyncio
import base64
import re
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import postgres
from tests.apps import App, running_app
from tests.cli.runner import invoke
from tests.listener import BODY, SECRET, TOKEN, listening, post, run, signed
from tests.ngrok_service import NgrokService
from tests.postgres import PostgresServer, wait_for
from tiktok_hook.forward import Forwarder, ForwardRequest

WRONG = "a-mistyped-password"


@pytest.fixture
def talkative(server: PostgresServer, database: str) -> Iterator[PostgresServer]:
    """The server, which asks for passwords over TCP and logs every statement with its values."""
    rules = server.folder / "data/pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host {database} all 127.0.0.1/32 scram-sha-256\n{before}")
    settings = ("log_statement", "log_connections")
    server.execute(f"ALTER SYSTEM SET {settings[0]} = 'all'")
    server.execute(f"ALTER SYSTEM SET {settings[1]} = on")
    server.execute("SELECT pg_reload_conf()")
    wait_for(lambda: server.execute("SHOW log_statement") == [("all",)])
    yield server
    rules.write_text(before)
    for each in settings:
        server.execute(f"ALTER SYSTEM RESET {each}")
    server.execute("SELECT pg_reload_conf()")
    wait_for(lambda: server.execute("SHOW log_statement") == [("none",)])


class Team:
    """The passwords of a team, and all that its programs have printed."""

    def __init__(self, server: PostgresServer, database: str) -> None:
        self.server = server
        self.database = database
        self.printed: list[str] = []
        created = invoke("team", "create", server.url(database)).stdout
        self.passwords = {"owner": self._password(created)}
        for name, role in (("staging", "listener"), ("anna", "developer")):
            user = f"{name}_{database}"
            words = (user, server.url(database), "--role", role)
            self.passwords[name] = self._password(invoke("team", "add", *words).stdout)

    @staticmethod
    def _password(shown: str) -> str:
        """The one that is shown once, to be handed out."""
        (found,) = re.findall(r"^  \S+:\d+:\S+:(\S+)$", shown, re.MULTILINE)
        return str(found)

    def url(self, name: str, password: str = "") -> str:
        """The address of a member, over TCP."""
        user = f"{name}_{self.database}" + (f":{quote(password)}" if password else "")
        return f"postgresql://{user}@127.0.0.1:{self.server.port}/{self.database}"

    def invoke(self, *words: str) -> None:
        """Run a command, and keep what it prints."""
        result = invoke(*words)
        self.printed.append(result.output)

    @property
    def secrets(self) -> Mapping[str, str]:
        """By what they are called."""
        return {"client secret": SECRET, "authtoken": TOKEN, "wrong password": WRONG} | {
            f"password of {name}": password for name, password in self.passwords.items()
        }

    def found_in(self, what: Mapping[str, bytes]) -> list[str]:
        """Which secret is in which text, in any of the forms in which bytes are written."""
        return [
            f"{secret} in {place}"
            for secret, value in self.secrets.items()
            for place, text in what.items()
            if any(form in text for form in _forms(value.encode()))
        ]


def _forms(value: bytes) -> set[bytes]:
    whole = {base64.b64encode(value[at:]).rstrip(b"=")[:-1] for at in range(3)}
    return {value, value.hex().encode(), value[::-1], *whole}


@asynccontextmanager
async def _attached(folder: Path, *words: str) -> AsyncIterator[None]:
    """An `attach` in a process of its own, whose output goes to a file."""
    with (folder / "attach.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *run(["attach", *words]), stdout=log, stderr=log
        )
        try:
            yield
        finally:
            process.terminate()
            await process.wait()


async def _at_work(team: Team, folder: Path, app: App, service: NgrokService) -> None:
    """A listener behind a tunnel, an attached app and every command, with all secrets in use."""
    lines = folder / "pgpass"
    lines.write_text(f"*:*:*:staging_{team.database}:{team.passwords['staging']}\n")
    lines.chmod(0o600)
    with_password = team.url("anna", team.passwords["anna"])
    tunnel = ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]
    environment = {"NGROK_AUTHTOKEN": TOKEN, "PGPASSFILE": str(lines)}
    attach = ["--db", with_password, "-f", app.url, "--as", "anna@laptop", "--secret", SECRET]
    async with listening(*tunnel, "--db", team.url("staging"), environment=environment) as listener:
        log = folder / "attach.log"
        async with _attached(folder, *attach, "--format", "full", "--inspect-port", "0"):
            await asyncio.to_thread(wait_for, lambda: b"anna@laptop" in log.read_bytes())
            await post(listener.url)
            await post(listener.url)
            await post(listener.url, BODY, signed(BODY, secret="another"))
            await app.wait_for(2)
        page, _, token = listener.ready["inspector_url"].partition("/#token=")
        async with Forwarder() as forwarder:
            for path in ("status", "deliveries", "deliveries/1", "deliveries/3"):
                request = ForwardRequest(
                    "GET", f"{page}/api/v1/{path}", (("Authorization", f"Bearer {token}"),)
                )
                reply = await forwarder.send(request)
                assert reply.status == 200, path
                team.printed.append(reply.body.decode())
    team.printed += [str(each) for each in listener.lines] + [listener.errors]
    export = folder / "all.jsonl"
    for words in (
        ["events", "--format", "json"],
        ["show", "1"],
        ["show", "3", "--json"],
        ["export", "--output", str(export)],
        ["export", "--format", "har"],
        ["replay", "1", "--to", app.url, "--secret", SECRET],
        ["doctor", "--secret", SECRET],
        ["team", "status"],
        ["team", "status", "--json"],
        ["config", "show", "--secret", SECRET],
    ):
        await asyncio.to_thread(team.invoke, *words, "--db", with_password)
    for password in (WRONG, f"{WRONG}@", ""):
        await asyncio.to_thread(team.invoke, "events", "--db", team.url("staging", password))


async def test_no_secret_authtoken_or_password_is_shown_stored_or_logged(
    talkative: PostgresServer, database: str, home: Path, tmp_path: Path
) -> None:
    team = await asyncio.to_thread(Team, talkative, database)
    async with running_app() as app, NgrokService() as service:
        await _at_work(team, tmp_path, app, service)
        await asyncio.to_thread(_check, team, home, tmp_path)


def _check(team: Team, home: Path, folder: Path) -> None:
    programs = postgres.programs()
    assert programs is not None
    dump = subprocess.run(
        [programs / "pg_dump", team.server.url(team.database)], stdout=subprocess.PIPE, check=True
    ).stdout
    log = (team.server.folder / "log").read_bytes()
    files = {
        str(each): each.read_bytes()
        for root in (home, folder)
        for each in root.rglob("*")
        if each.is_file() and each.name != "pgpass"
    }
    printed = {f"output {number}": text.encode() for number, text in enumerate(team.printed)}
    # That they were in use, and that this search would find them.
    assert b"post.publish.complete" in dump
    assert b"tiktok_hook.add_1" in log
    assert "rejects the password" in " ".join(team.printed)
    assert any(name.endswith("all.jsonl") for name in files)
    assert team.found_in({"pgpass": (folder / "pgpass").read_bytes()}) == [
        "password of staging in pgpass"
    ]
    assert team.found_in({"dump": dump, "server's log": log, **files, **printed}) == []


def test_the_search_finds_a_secret_in_any_form() -> None:
    value = b"tiktok-client-secret"
    for text in (value, value.hex().encode(), base64.b64encode(b"a:" + value + b"!")):
        assert any(form in b"..." + text + b"..." for form in _forms(value))
