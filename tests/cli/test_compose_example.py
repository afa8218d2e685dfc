"""The compose file of the docs: what can be checked without Docker."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tiktok_hook.cli.listen import command
from tiktok_hook.store import parse_location

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
