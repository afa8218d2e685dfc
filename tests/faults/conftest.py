import subprocess
from pathlib import Path

import pytest

from tests import disk_shim


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes a disk slow or full."""
    return disk_shim.for_tests(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="session")
def moved_clock(shim: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that moves one process's wall clock; there is a compiler, as for the disk."""
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return library
