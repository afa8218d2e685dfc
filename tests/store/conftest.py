from collections.abc import Iterator
from pathlib import Path

import pytest

from tiktok_hook.store import Store, open_store


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty history, once in a file and once in memory."""
    path = tmp_path / "history.db" if request.param == "file" else None
    with open_store(path) as opened:
        yield opened
