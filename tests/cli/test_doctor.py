"""``tiktok-hook doctor`` as a user runs it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apps import free_port, running_app
from tests.cli.in_process import run as run_in_process
from tests.cli.runner import Result, invoke
from tests.ngrok_service import NgrokService

TOKEN = "2exampleToken0123456789abcd_5EXAMPLEexample123456"
SECRET = "example0client0secret0example000"


@pytest.fixture
async def service() -> AsyncIterator[NgrokService]:
    async with NgrokService() as service:
        yield service


async def run(service: NgrokService, *arguments: str) -> Result:
    """The command, with the stand-in as ngrok's ingress."""
    ingress = ("--connect-url", service.connect_url, "--connect-cas", str(service.ca_file))
    ports = ("--port", "0", "--inspect-port", "0")
    return await asyncio.to_thread(invoke, "doctor", *ingress, *ports, *arguments)


async def test_a_machine_without_problems_ends_with_0_and_nothing_secret_is_shown(
    service: NgrokService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    monkeypatch.setenv("TIKTOK_CLIENT_SECRET", SECRET)
    async with running_app() as app:
        done = await run(service, "--forward-to", app.url)
    assert done.exit_code == 0, done.output
    assert "pass  ingress-tls   TLSv1.3; certificate trusted" in done.stdout
    assert "pass  authtoken     from NGROK_AUTHTOKEN, shaped like one" in done.stdout
    assert "0 failed." in done.stdout
    assert TOKEN not in done.output
    assert SECRET not in done.output
    assert "\x1b" not in done.output


async def test_what_failed_has_a_next_step_and_ends_with_1(service: NgrokService) -> None:
    done = await run(service, "--forward-to", f"127.0.0.1:{free_port()}")
    assert done.exit_code == 1
    assert "fail  authtoken     none was found" in done.stdout
    assert "→ Get a free one at" in done.stdout
    assert "fail  target" in done.stdout
    assert "2 failed." in done.stdout
    texts = [line for line in done.stdout.splitlines() if "/" not in line]
    assert max(len(line) for line in texts) <= 80


async def test_json_is_one_object_with_every_check(service: NgrokService) -> None:
    done = await run(service, "--json", "--authtoken", TOKEN, "--secret", SECRET)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["passed"] is True
    found = {check["id"]: check for check in report["checks"]}
    assert found["authtoken"]["found"].startswith("from --authtoken")
    assert set(found["port"]) == {"id", "status", "found", "next_step"}
    assert TOKEN not in done.output
    assert SECRET not in done.output


async def test_a_secret_that_cannot_be_used_is_a_finding_not_an_end(
    service: NgrokService, tmp_path: Path
) -> None:
    done = await run(service, "--authtoken", TOKEN, "--secret-file", str(tmp_path / "none"))
    assert done.exit_code == 1
    assert "fail  secret" in done.stdout
    assert "pass  ingress-tls" in done.stdout


def test_the_settings_of_listen_count(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        f"port = 1\nclient-key = 'awother'\nauthtoken = '{TOKEN}'\n"
        '[listen]\nport = 3555\nkeep = 5\nforward-to = 3999\nroute = [["post.*", "3998"]]\n'
        "[doctor]\nforward-to = 3997\n"
    )
    done = run_in_process("doctor", "--json", "--connect-url", "127.0.0.1:1", "--config", str(file))
    found = [(each["id"], each["found"]) for each in json.loads(done.stdout)["checks"]]
    assert ("authtoken", "from config.toml, shaped like one (49 characters)") in found
    assert [text.split()[0] for name, text in found if name == "port"] == ["3555"]
    targets = [text.split()[0] for name, text in found if name == "target"]
    assert targets == ["http://localhost:3997", "http://localhost:3998"]


def test_an_unknown_key_of_the_settings_of_listen_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[doctor]\nkeep = 5\n")
    done = run_in_process("doctor", "--config", str(file))
    assert done.exit_code == 2
    assert "unknown key 'keep'" in done.stderr
