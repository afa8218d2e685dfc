from pathlib import Path

import pytest

from tests import disk_shim


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes a disk slow or full."""
    return disk_shim.for_tests(tmp_path_factory.mktemp("shim"))
