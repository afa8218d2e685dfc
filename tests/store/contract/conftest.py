"""The backends that the contract is checked with: each test runs once for each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tiktok_hook.store import Store, open_store

BACKENDS = ("sqlite-file", "sqlite-memory")
LASTING_BACKENDS = ("sqlite-file",)
"""Those whose history is still there when it is opened a second time."""


def new_location(backend: str, folder: Path) -> str:
    """The address of a history that does not exist yet."""
    return {"sqlite-file": f"sqlite:///{folder / 'history.db'}", "sqlite-memory": ":memory:"}[
        backend
    ]


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty history."""
    with open_store(new_location(request.param, tmp_path)) as opened:
        yield opened


@pytest.fixture(params=LASTING_BACKENDS)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a test may open the same history several times."""
    return new_location(request.param, tmp_path)
