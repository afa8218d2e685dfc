import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.runner import invoke
from tests.listener import BODY, listening, post
from tiktok_hook.forward import Forwarder, Request


async def ask(url: str, path: str) -> bytes:
    base, _, token = url.partition("/?token=")
    async with Forwarder() as forwarder:
        bearer = (("Authorization", f"Bearer {token}"),)
        return (await forwarder.send(Request("GET", base + path, bearer))).body


def test_a_page_that_shall_not_be_served_is_not_asked_for() -> None:
    done = invoke("inspect", "--no-inspect")
    assert done.exit_code == 2
    assert "--no-inspect" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
async def test_the_page_shows_a_stored_history_until_it_is_ended(
    tmp_path: Path, number: signal.Signals
) -> None:
    db = str(tmp_path / "history.db")
    async with listening("--no-tunnel", "--db", db) as listener:
        await post(listener.local_url)
    page = subprocess.Popen(  # noqa: ASYNC220 - returns at once
        [sys.executable, "-m", "tiktok_hook", "inspect", "--db", db, "--inspect-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    with page:
        assert page.stdout is not None
        assert page.stderr is not None
        url = page.stdout.readline().strip()
        found = json.loads(await ask(url, "/api/v1/deliveries/1"))
        page.send_signal(number)
        assert page.wait(10) == 0
        assert page.stderr.read() == ""
    assert found["delivery"]["body"] == BODY.decode()


def test_without_a_history_there_is_nothing_to_inspect_and_none_is_made(tmp_path: Path) -> None:
    db = tmp_path / "history.db"
    result = invoke("inspect", "--db", str(db))
    assert result.exit_code == 5
    assert "There is no history" in result.stderr
    assert not db.exists()
