"""Without a terminal, nothing waits for ever for input that never comes."""

import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import fork_server
from tests.cli.history import filled
from tests.deadline import DEADLINE
from tests.listener import run
from tiktok_hook import paths
from tiktok_hook.cli import COMMANDS

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


PARTS = """
import sys
from tiktok_hook import pipes
from tiktok_hook.cli import standard_input
from tiktok_hook.errors import UsageError
pipes.standard_input.__defaults__ = (0.2,)
standard_input.ANSWER_SECONDS = 0.2
try:
    print(eval(sys.argv[1]))
except UsageError as error:
    sys.exit(str(error))
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
    assert "No body arrived on standard input within 0.2 s." in done.stderr


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


@pytest.mark.parametrize(
    ("read", "text", "result"),
    [
        ("read('body')", b"some", "The body on standard input was not complete: neither"),
        ("read('secret', line_bytes=9)", b"some", "The secret on standard input was not complete"),
        ("read('secret', line_bytes=9)", b"some\nmore", "b'some\\n'"),
        ("confirmed('Sure?')", b"y", "None"),
        ("confirmed('Sure?')", b"y\nmore", "True"),
        ("confirmed('Sure?')", b"n\n", "False"),
        ("confirmed('Sure?')", b"\n", "False"),
    ],
)
def test_input_that_does_not_end_is_waited_for_no_longer(
    read: str, text: bytes, result: str
) -> None:
    reading, writing = os.pipe()
    os.write(writing, text)
    try:
        done = subprocess.run(
            [sys.executable, "-c", PARTS, f"standard_input.{read}"],
            stdin=reading,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    finally:
        os.close(reading)
        os.close(writing)
    assert result in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


NOT_STARTED = {"attach", "demo", "inspect", "mcp"}
"""Servers, which run until they are stopped, and what takes seconds."""

MIGHT_ASK = """
listen
trigger
trigger tiktok.ping --to 127.0.0.1:9 --count 3
events
show last
wait --timeout 0.1
replay 1 --to 127.0.0.1:9
replay 1 --to 127.0.0.1:9 --edit
export
import
clear
team add anna
team status --db postgresql://anna@127.0.0.1:1/hooks
team leave anna
sign
verify last
types
audit
help
config show
agent install --dir skills
agent remove --dir skills
completion bash
doctor --connect-url 127.0.0.1:9
"""
"""Each command, and what may ask for a secret, an authtoken, a password or a confirmation."""


def test_nothing_waits_for_input_without_a_terminal(
    home: Path, open_pipe: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDITOR", "sh -c 'read line'")
    filled(paths.history_path())
    usages = [shlex.split(line) for line in MIGHT_ASK.strip().splitlines()]
    assert {words[0] for words in usages} | NOT_STARTED == {*COMMANDS}
    with ThreadPoolExecutor(4) as pool:
        ended = pool.map(lambda words: code_of(words, open_pipe), usages)
        codes = dict(zip(map(shlex.join, usages), ended, strict=True))
    assert codes["clear"] == codes["agent install --dir skills"] == 2
    assert codes["listen"] == 3


def code_of(words: list[str], stdin: int) -> int:
    """The exit code of a command that has to end by itself."""
    with tempfile.TemporaryFile() as output:
        process = fork_server.fork(
            words, dict(os.environ), (stdin, output.fileno(), output.fileno())
        )
        with os.fdopen(process.status, "rb") as status:
            if not select.select([status], [], [], DEADLINE)[0]:
                os.kill(process.pid, signal.SIGKILL)
                pytest.fail(f"{shlex.join(words)} waits for input")
            code = int(status.read())
        output.seek(0)
        assert b"Traceback" not in output.read(), words
    return code
