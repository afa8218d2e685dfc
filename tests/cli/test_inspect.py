import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.apps import https_app
from tests.cli.runner import invoke
from tests.deadline import DEADLINE
from tests.listener import BODY, listening, post
from tiktok_hook.forward import Forwarder, ForwardRequest


async def ask(url: str, path: str, sent: object = None) -> bytes:
    base, _, token = url.partition("/#token=")
    headers = (("Authorization", f"Bearer {token}"), ("Content-Type", "application/json"))
    request = ForwardRequest("GET", base + path, headers)
    if sent is not None:
        request = ForwardRequest("POST", base + path, headers, json.dumps(sent).encode())
    async with Forwarder() as forwarder:
        return (await forwarder.send(request)).body


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
        assert page.wait(DEADLINE) == 0
        assert page.stderr.read() == ""
    assert found["delivery"]["body"] == BODY.decode()


@asynccontextmanager
async def inspecting(db: str, *options: str) -> AsyncIterator[str]:
    words = ["inspect", "--db", db, "--inspect-port", "0", *options]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tiktok_hook", *words, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield (await asyncio.wait_for(process.stdout.readline(), DEADLINE)).decode().strip()
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), DEADLINE)


@pytest.mark.parametrize(("options", "status"), [((), None), (("--insecure",), 200)])
async def test_a_replay_reaches_an_app_with_a_certificate_of_its_own_when_asked_for(
    tmp_path: Path, options: tuple[str, ...], status: int | None
) -> None:
    db = str(tmp_path / "history.db")
    async with listening("--no-tunnel", "--db", db) as listener:
        await post(listener.local_url)
    async with https_app() as app, inspecting(db, *options) as url:
        answer = await ask(url, "/api/v1/deliveries/1/replay", {"target": app})
    assert json.loads(answer)["attempt"]["status"] == status


def test_without_a_history_there_is_nothing_to_inspect_and_none_is_made(tmp_path: Path) -> None:
    db = tmp_path / "history.db"
    result = invoke("inspect", "--db", str(db))
    assert result.exit_code == 5
    assert "There is no history" in result.stderr
    assert not db.exists()
