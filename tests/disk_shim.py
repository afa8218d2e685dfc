"""The library that makes a disk slow or full for one process, ``store/sqlite/disk.c``."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deadline import DEADLINE

SOURCE = Path(__file__).parent / "store" / "sqlite" / "disk.c"


class UnavailableError(Exception):
    """The library cannot be built here."""


def build(folder: Path) -> Path:
    """Compile the library into `folder`.

    Raises:
        UnavailableError: This is not Linux, or there is no working C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        raise UnavailableError("needs Linux and a C compiler")
    library = folder / "disk.so"
    words = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(SOURCE), "-ldl"]
    try:
        subprocess.run(words, check=True, timeout=DEADLINE)
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"{SOURCE.name} could not be compiled: {error}") from error
    return library


def for_tests(folder: Path) -> Path:
    """Compile the library into `folder`; where that is not possible, skip, or fail on a CI."""
    try:
        return build(folder)
    except UnavailableError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{error}: apt-get install gcc")
        pytest.skip(str(error))
