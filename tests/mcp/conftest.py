from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mcp.client import Agent, connected


@pytest.fixture(scope="module")
def agent_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of the user whose agent it is."""
    return tmp_path_factory.mktemp("agent-home")


@pytest.fixture(scope="module")
def agent(agent_home: Path) -> Iterator[Agent]:
    """A client of one running ``tiktok-hook mcp``, whose user accepts everything."""
    with connected(agent_home, "--db", str(agent_home / "history.db")) as agent:
        yield agent
