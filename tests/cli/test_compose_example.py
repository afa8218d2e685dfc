"""The compose file of the docs: what can be checked without Docker."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import postgres
from tests.listener import SECRET, TOKEN, listening, post
from tests.ngrok_service import NgrokService
from tiktok_hook.cli.listen import command
from tiktok_hook.store import parse_location

PASSWORD = "the-password-of-the-owner"
EXAMPLE = Path(__file__).parents[2] / "docs/examples/compose.yaml"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of the file."""
    found: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())["services"]
    return found


def test_the_listener_s_command_is_one_that_listen_takes(services: dict[str, Any]) -> None:
    program, name, *words = services["listener"]["command"]
    assert (program, name) == ("tiktok-hook", "listen")
    with command.make_context("listen", words) as context:
        location = parse_location(context.params["db"])
    assert location.server is not None
    assert location.label == "database/hooks"


def test_the_listener_uses_the_database_of_the_file(services: dict[str, Any]) -> None:
    database, listener = services["database"], services["listener"]
    (url,) = (each for each in listener["command"] if "://" in each)
    user, name = (database["environment"][f"POSTGRES_{each}"] for each in ("USER", "DB"))
    assert url.startswith(f"postgresql://{user}@database/{name}")
    assert listener["depends_on"] == {"database": {"condition": "service_healthy"}}


def test_no_secret_is_in_the_file_and_no_port_is_public(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, value in service["environment"].items():
            if not name.startswith("POSTGRES_") or "PASSWORD" in name:
                assert value.startswith("${")
        assert all(each.startswith("127.0.0.1:") for each in service.get("ports", ()))


@pytest.fixture
def database(services: dict[str, Any]) -> Iterator[int]:
    """The port of a server that is set up as the image does it, from the file's environment."""
    server = postgres.server()
    given = services["database"]["environment"]
    user, name = given["POSTGRES_USER"], given["POSTGRES_DB"]
    rules = server.folder / "data/pg_hba.conf"
    before = rules.read_text()
    server.execute(f"CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    server.execute(f"CREATE DATABASE {name} OWNER {user}")
    rules.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{before}")
    server.execute("SELECT pg_reload_conf()")
    yield server.port
    rules.write_text(before)
    server.execute("SELECT pg_reload_conf()")
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.execute(f"DROP ROLE {user}")


async def test_its_commands_run_with_its_environment(
    services: dict[str, Any], database: int
) -> None:
    """Without containers: `database` is an address of this machine, and ngrok is a stand-in."""
    secrets = {
        "POSTGRES_PASSWORD": PASSWORD, "TIKTOK_CLIENT_SECRET": SECRET, "NGROK_AUTHTOKEN": TOKEN
    }  # fmt: skip
    environment = {
        name: secrets[value.removeprefix("${").removesuffix(":?}")]
        for name, value in services["listener"]["environment"].items()
    }
    environment |= {"PGHOSTADDR": "127.0.0.1", "PGPORT": str(database)}
    program, *words = services["database"]["healthcheck"]["test"][1:]
    found = postgres.programs()
    assert found is not None
    healthy = await asyncio.create_subprocess_exec(
        found / program, *words, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    assert await healthy.wait() == 0
    listen = services["listener"]["command"][2:]
    assert listen[-2:] == ["--format", "compact"]  # another one for the test
    async with NgrokService() as service:
        tunnel = ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]
        async with listening(
            *listen[:-2], *tunnel, secret=None, environment=environment
        ) as listener:
            assert (await post(listener.url)).status == 200
            assert listener.ready["self_check"] == "ok"
            assert await listener.end(signal.SIGTERM) == 0  # as `docker compose stop` does
    assert listener.of("summary")[0]["received"] == 1
    rows = postgres.server().execute("SELECT count(*) FROM tiktok_hook.deliveries", "hooks")
    assert rows == [(1,)]
