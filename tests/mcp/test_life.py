"""How the server starts and ends: without its SDK, and when its client disappears."""

import asyncio
import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.deadline import DEADLINE
from tests.mcp.client import TOKEN, connected, environment
from tests.store.samples import delivery, event_body
from tiktok_hook import mcp
from tiktok_hook.errors import UsageError
from tiktok_hook.mcp.output import WITHHELD
from tiktok_hook.store import open_store, parse_location


@pytest.mark.parametrize("missing", ["mcp.server.lowlevel.server", "mcp.types"])
def test_without_the_sdk_the_error_names_how_to_install_it(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UsageError) as caught:
        mcp.run(mcp.McpOptions(history=parse_location(tmp_path / "history.db")))
    assert "pip install 'tiktok-hook[mcp]'" in caught.value.hint


class Wire:
    """A client by hand: lines of JSON-RPC over the pipes of a server."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.number = 0

    def send(self, method: str, **params: Any) -> None:
        assert self.process.stdin is not None
        line: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if not method.startswith("notifications/"):
            self.number += 1
            line["id"] = self.number
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        while True:
            line = json.loads(self.process.stdout.readline())
            if line.get("id") == self.number:
                return dict(line["result"])

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        self.send("tools/call", name=name, arguments=arguments)
        return self.answer()


@contextmanager
def served(home: Path, *options: str, capabilities: dict[str, Any] | None = None) -> Iterator[Wire]:
    """A server of its own, with a client that has initialized."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tiktok_hook", "mcp", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(home),
    )
    wire = Wire(process)
    try:
        wire.send(
            "initialize",
            protocolVersion="2025-06-18",
            capabilities=capabilities or {},
            clientInfo={"name": "by hand", "version": "1"},
        )
        assert wire.answer()["serverInfo"]["name"] == "tiktok-hook"
        wire.send("notifications/initialized")
        yield wire
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()


def wait_until_gone(number: int, *, seconds: float = DEADLINE) -> None:
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.05)


@pytest.mark.parametrize("ending", ["closes its pipe", "is killed", "terminates the server"])
def test_a_client_that_disappears_ends_the_server_and_its_listener(
    tmp_path: Path, ending: str
) -> None:
    options = ("--allow-listen", "--db", str(tmp_path / "history.db"))
    with served(tmp_path, *options) as wire:
        started = wire.call("start_listener", tunnel=False, port=0)
        assert not started["isError"], started
        (listener,) = psutil.Process(wire.process.pid).children()
        wire.send("tools/call", name="wait_for_delivery", arguments={"timeout_seconds": 50})
        match ending:
            case "closes its pipe":
                assert wire.process.stdin is not None
                wire.process.stdin.close()
            case "is killed":  # with the server, as a client's process group is
                wire.process.send_signal(signal.SIGKILL)
            case _:
                wire.process.send_signal(signal.SIGTERM)
        wire.process.wait(DEADLINE)
        wait_until_gone(listener.pid)


def test_a_listener_needs_the_users_own_authtoken(tmp_path: Path) -> None:
    with served(tmp_path, "--allow-listen", "--db", str(tmp_path / "history.db")) as wire:
        result = wire.call("start_listener")
        assert result["isError"]
        error = json.loads(result["content"][0]["text"])
        assert error["exit_code"] == 3
        assert "authtoken" in error["message"]
        status = wire.call("status")["structuredContent"]
        assert status["listeners"] == []


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history with 10 000 deliveries."""
    folder = tmp_path_factory.mktemp("many")

    async def fill() -> None:
        with open_store(folder / "history.db") as store:
            for start in range(0, 10_000, 500):
                numbers = range(start, start + 500)
                bodies = [event_body(publish_id=f"v_pub_url~{each}") for each in numbers]
                await asyncio.gather(*(store.add(delivery(body)) for body in bodies))

    asyncio.run(fill())
    return folder


def test_memory_stays_flat_over_10_000_deliveries(many: Path) -> None:
    with served(many, "--db", str(many / "history.db")) as wire:

        def walk(pages: int, before: int | None) -> int | None:
            for _ in range(pages):
                given = {} if before is None else {"before": before}
                page = wire.call("list_deliveries", limit=100, **given)["structuredContent"]
                seen.extend(row["delivery"]["id"] for row in page["deliveries"])
                before = page["next"]
            return before

        server = psutil.Process(wire.process.pid)
        seen: list[int] = []
        before = walk(20, None)
        at_first = server.memory_info().rss
        while before is not None:
            before = walk(1, before)
        assert seen == list(range(10_000, 0, -1))
        assert server.memory_info().rss - at_first < 16 << 20


def test_the_token_of_the_environment_is_in_no_result(tmp_path: Path) -> None:
    body = json.dumps({"event": "x.leak", "content": TOKEN}).encode()

    async def fill() -> None:
        with open_store(tmp_path / "history.db") as store:
            await store.add(delivery(body))
            packed = (("Content-Encoding", "gzip"),)
            await store.add(delivery(gzip.compress(body), headers=packed))

    asyncio.run(fill())
    options = ("--db", str(tmp_path / "history.db"))
    with connected(tmp_path, *options, variables={"NGROK_AUTHTOKEN": TOKEN}) as agent:
        agent.call("list_deliveries")
        agent.call("get_delivery", id=1)
        agent.call("doctor")
        assert TOKEN.encode() not in agent.bytes_of("tiktok-hook://deliveries/1/body")
        assert agent.call("get_delivery", id=2)["delivery"]["body"] == WITHHELD
        assert agent.bytes_of("tiktok-hook://deliveries/2/body") == WITHHELD.encode()
        assert [text for text in agent.texts if TOKEN in text] == []


def test_no_token_or_password_is_in_a_result_wherever_it_is_kept(tmp_path: Path) -> None:
    """Also one that a file has got since the server was started."""
    token = "2{}Token0123456789abcd_5EXAMPLEexample123456".format
    project, settings = tmp_path / "project", tmp_path / ".config"
    for folder in (project, settings / "ngrok", settings / "tiktok-hook"):
        folder.mkdir(parents=True)
    (settings / "ngrok" / "ngrok.yml").write_text(f"authtoken: {token('yaml')}\n")
    (settings / "tiktok-hook" / "config.toml").write_text(
        f'authtoken = "{token("settings")}"\n[listen]\nsecret = "{token("secret")}"\n'
    )
    kept = settings / "tiktok-hook" / "credentials"
    kept.write_text(f'ngrok_authtoken = "{token("kept")}"\n')
    kept.chmod(0o600)
    names = ("yaml", "settings", "secret", "kept", "env", "password", "later")
    tokens = [token(each) for each in names]
    body = json.dumps({"event": "x.leak", "content": " ".join(tokens)}).encode()

    async def fill() -> None:
        with open_store(tmp_path / "history.db") as store:
            await store.add(delivery(body))

    asyncio.run(fill())
    (project / ".env").write_text(f"NGROK_AUTHTOKEN={token('env')}\n")
    options = ("--db", str(tmp_path / "history.db"))
    variables = {"PGPASSWORD": token("password")}
    with connected(tmp_path, *options, variables=variables, folder=project) as agent:
        shown = agent.call("get_delivery", id=1)["delivery"]["body"]
        assert [each for each in tokens if each in shown] == [token("later")]
        (project / ".env").write_text(f"NGROK_AUTHTOKEN={token('later')}\n")
        assert token("later").encode() not in agent.bytes_of("tiktok-hook://deliveries/1/body")
        assert token("later") not in agent.call("get_delivery", id=1)["delivery"]["body"]


def test_doctor_checks_what_the_settings_file_names(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "tiktok-hook"
    folder.mkdir(parents=True)
    token = "2settingsToken0123456789abcd_5EXAMPLEexample123456"
    (folder / "config.toml").write_text(
        f'authtoken = "{token}"\nconnect-url = "127.0.0.1:9"\n'
        'forward-to = ["127.0.0.1:9", "https://elsewhere.example"]\n'
    )
    with connected(tmp_path) as agent:
        checks = {each["id"]: each["found"] for each in agent.call("doctor")["checks"]}
        text = " ".join(checks.values())
        assert "config.toml" in checks["authtoken"]
        assert "127.0.0.1:9" in text
        assert "elsewhere" not in text  # not on this machine
        (folder / "config.toml").write_text("port = 99999\n")
        assert "port" in agent.error("doctor")["message"]
        (folder / "config.toml").write_text("[doctor")
        assert "config.toml" in agent.error("doctor")["message"]
        assert [each for each in agent.texts if token in each] == []
