"""An inspector for every test that asks for one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.inspector.running import Running, running


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Running]:
    """One over an empty history in a file."""
    async with running(tmp_path / "history.db") as made:
        yield made
