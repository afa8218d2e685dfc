"""`tiktok-hook attach`: usage errors, and one run to its end."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import postgres
from tests.apps import running_app
from tests.cli.in_process import run
from tests.cli.runner import invoke
from tests.deadline import DEADLINE
from tests.store.samples import delivery, event_body
from tiktok_hook.store import ATTACHMENT, Attachment, open_store
from tiktok_hook.store.app_name import MAX_CHARS, checked_app_name, default_app_name


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = tmp_path / "history.db"
    open_store(path).close()
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--as", "a", "-f", "3000", "user:"], "user: has no value"),
        (["--as", " ", "-f", "3000"], "--as ' ' is not a name"),
        (["--as", "a\x1b[2J", "-f", "3000"], "is not a name"),
        (["--as", "a" * (MAX_CHARS + 1), "-f", "3000"], "is not a name"),
        (["--as", "a"], "--as needs a target"),
        (["--retry-for", "1h"], "--retry-for needs a target"),
        (["--from", "soon", "-f", "3000", "--no-inspect"], "--from 'soon' is neither"),
        (["--from", "soon", "--no-inspect"], "--from 'soon' is neither"),
        (["--", "npm", "start"], "A command was given without a target"),
        (["--ephemeral"], "--ephemeral"),
    ],
)
def test_what_cannot_be_used_is_a_usage_error(db: str, arguments: list[str], message: str) -> None:
    result = run("attach", "--db", db, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_history_in_memory_cannot_be_attached_to() -> None:
    result = run("attach", "--db", ":memory:", "-f", "3000")
    assert (result.exit_code, "belongs to one process" in result.stderr) == (2, True)


def test_a_history_that_does_not_exist_is_not_created(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    result = run("attach", "--db", str(missing), "-f", "3000")
    assert result.exit_code == 5
    assert "tiktok-hook listen creates it" in result.stderr
    assert not missing.exists()


def test_a_name_that_is_taken_is_a_usage_error(db: str) -> None:
    async def attached() -> None:
        with open_store(db, app="anna") as store:
            async with store.queue_lock(ATTACHMENT) as lock:
                assert await lock.acquire()
                here = socket.gethostname()
                await store.attach(Attachment(app="anna", host=here, pid=os.getppid()))
                result = await asyncio.to_thread(
                    invoke, "attach", "--db", db, "-f", "9", "--as", "anna", "--no-inspect"
                )
        assert result.exit_code == 2
        assert f"anna is attached already, from {here} (process {os.getppid()})." in result.stderr

    asyncio.run(attached())


async def test_it_forwards_what_matches_and_the_next_run_continues(db: str) -> None:
    with open_store(db) as store:
        for event in ("post.publish.failed", "authorization.removed", "post.publish.complete"):
            await store.add(delivery(event_body(event), status=200))
    async with running_app() as app:
        words = ["attach", "post.publish.*", "--db", db, "-f", app.url, "--format", "json"]
        words += ["--no-inspect", "--as", "anna", "--exit-after"]
        first = await asyncio.to_thread(
            invoke, *words, "2", "--timeout", "20", "--from", "start", "--", "sleep", "60"
        )
        again = await asyncio.to_thread(invoke, *words, "1", "--timeout", "0.5")
    lines = [json.loads(line) for line in first.stdout.splitlines()]
    assert first.exit_code == 0, first.stderr
    assert lines[0]["type"] == "ready"
    assert (lines[0]["app"], lines[0]["filter"], lines[0]["cursor"]) == ("anna", words[1], 0)
    assert lines[0]["callback_url"] is None
    assert [line["id"] for line in lines if line["type"] == "delivery"] == [1, 3]
    assert [line["status"] for line in lines if line["type"] == "attempt"] == [200, 200]
    assert lines[-1]["type"] == "summary"
    assert len(app.requests) == 2
    assert again.exit_code == 1, "nothing more came"


_QUICK = """
from tiktok_hook.store.postgres import presence
presence.RENEW_SECONDS = 0.2
from tiktok_hook.cli import main
main()
"""
"""The command, which finds out within 0.2 s and not within 5 s that its name is another's now."""


def test_it_ends_with_5_when_another_process_has_taken_its_name() -> None:
    server = postgres.server()
    database = server.new_database()
    url = server.url(database)
    open_store(url).close()
    words = ["attach", "--db", url, "--as", "anna", "-f", "9", "--no-inspect"]
    with subprocess.Popen(
        [sys.executable, "-c", _QUICK, *words], stderr=subprocess.PIPE
    ) as process:
        postgres.wait_for(lambda: server.execute("SELECT * FROM tiktok_hook.queue_locks", database))
        server.execute("UPDATE tiktok_hook.queue_locks SET holder = gen_random_uuid()", database)
        _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 5, errors
    assert "Error: anna was taken over by another process." in errors.decode()
    assert "Hint: Its lease had ended" in errors.decode()


async def test_without_a_target_it_shows_what_matches(db: str) -> None:
    with open_store(db) as store:
        await store.add(delivery(event_body("post.publish.failed"), status=200))
    result = await asyncio.to_thread(
        invoke, "attach", "--db", db, "--from", "start", "--exit-after", "1", "--no-inspect"
    )
    assert result.exit_code == 0, result.stderr
    assert "Showing what is received" in result.stderr
    assert "post.publish.failed" in result.stdout


def test_the_name_is_this_user_on_this_machine() -> None:
    assert checked_app_name(None) == default_app_name()
    assert default_app_name().endswith(f"@{socket.gethostname()}")
    assert checked_app_name(" anna@laptop ") == "anna@laptop"


def test_leave_forgets_an_app_of_a_file(db: str) -> None:
    with open_store(db, app="anna") as store:
        asyncio.run(store.attach(Attachment(app="anna", target="http://localhost:3000")))
    left = invoke("team", "leave", "anna", "--db", db)
    assert (left.exit_code, left.stdout) == (0, "Forgot anna: its cursor and its queue are gone.\n")
    again = invoke("team", "leave", "anna", "--db", db)
    assert again.exit_code == 2
    assert "There is no app anna" in again.stderr
