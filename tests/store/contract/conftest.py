"""The backends that the contract is checked with: each test runs once for each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tiktok_hook.store import Store, open_store

BACKENDS = ("sqlite-file", "sqlite-memory", "postgres")
LASTING_BACKENDS = ("sqlite-file", "postgres")
"""Those whose history is still there when it is opened a second time."""


def new_location(backend: str, folder: Path, *, shared: bool = False) -> str:
    """The address of an empty history.

    Args:
        backend: One of `BACKENDS`.
        folder: For a file.
        shared: Whether on a server it may be the one that tests use one after the other.
    """
    if backend == "postgres":
        server = postgres.server()
        return server.empty_history() if shared else server.url(server.new_database())
    return {"sqlite-file": f"sqlite:///{folder / 'history.db'}", "sqlite-memory": ":memory:"}[
        backend
    ]


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty history."""
    with open_store(new_location(request.param, tmp_path, shared=True)) as opened:
        yield opened


@pytest.fixture(params=LASTING_BACKENDS)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a test may open the same history several times."""
    return new_location(request.param, tmp_path, shared=True)
