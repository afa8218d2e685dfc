"""Without a terminal, nothing waits for ever for input that never comes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.history import filled
from tests.deadline import DEADLINE
from tests.listener import run
from tiktok_hook import paths

WAIT = """
import sys
from tiktok_hook.cli import standard_input
from tiktok_hook.errors import UsageError
try:
    standard_input.require_input("body", seconds=0.2)
except UsageError as error:
    sys.exit(str(error))
print(sys.stdin.read())
"""


@pytest.fixture
def open_pipe() -> Iterator[int]:
    """The reading end of a pipe into which nothing is written."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


def waited(**how: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", WAIT],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        **how,
    )


def test_an_open_pipe_without_input_is_an_error(open_pipe: int) -> None:
    done = waited(stdin=open_pipe)
    assert done.returncode == 1
    assert "No body came on standard input within 0.2 s." in done.stderr


@pytest.mark.parametrize("text", ["some", ""], ids=["input", "its end"])
def test_input_and_its_end_are_read(text: str) -> None:
    assert waited(input=text).stdout == f"{text}\n"


def test_clear_does_not_wait_for_an_answer_without_a_terminal(home: Path, open_pipe: int) -> None:
    filled(paths.history_path())
    done = subprocess.run(
        run(["clear"]),
        stdin=open_pipe,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 2
    assert "Without a terminal, add --yes." in done.stderr
