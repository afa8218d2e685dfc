"""Single keys, on a pseudo-terminal under job control."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.deadline import DEADLINE
from tests.terminal.terminal import Terminal
from tiktok_hook.terminal import keys
from tiktok_hook.terminal.keys import KeyParser

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@contextmanager
def job(*words: str, start: str = "foreground") -> Iterator[Terminal]:
    """A terminal with a shell's job on it that reads keys."""
    child = [sys.executable, "-m", "tests.terminal.keys_child", *words]
    shell = [sys.executable, "-m", "tests.terminal.job_control", start, *child]
    with Terminal() as terminal:
        slave = terminal.slave
        process = subprocess.Popen(
            shell,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "PYTHON_COLORS": "0"},  # newer Pythons colour tracebacks
        )
        try:
            yield terminal
            assert process.wait(DEADLINE) == 0
        finally:
            process.kill()
            process.wait(DEADLINE)


@LOOPS
def test_single_keys_arrive_and_the_terminal_is_put_back(loop: str) -> None:
    with job(loop) as terminal:
        terminal.wait_for("keys True")
        terminal.type("r")
        terminal.wait_for("key 'r'")
        terminal.type("\x1b[A")  # an arrow
        terminal.type("é?")
        raw = terminal.wait_for("key '?'")
        assert "key 'é'" in raw
        assert "[A" not in raw
        terminal.type("q")
        terminal.wait_for("[ended with 0, lines True, echo True]")


@LOOPS
def test_ctrl_z_and_fg_leave_and_retake_the_terminal(loop: str) -> None:
    with job(loop) as terminal:
        terminal.wait_for("keys True")
        terminal.wait_for_bottom("● online")
        for _ in range(2):
            terminal.type("\x1a")
            terminal.wait_for("[stopped, lines True, echo True]")
            screen = "\n".join(terminal.screen.rows)
            assert "● online" not in screen
            assert "Stopped: nothing is received or forwarded until fg or bg." in screen
            terminal.type("fg\n")
            terminal.wait_for_bottom("● online")
            terminal.raw = ""
        terminal.type("r")
        terminal.wait_for("key 'r'")
        terminal.type("q")
        terminal.wait_for("[ended with 0, lines True, echo True]")


def test_a_crash_puts_the_terminal_back() -> None:
    with job() as terminal:
        terminal.wait_for("keys True")
        terminal.type("x")
        terminal.wait_for("RuntimeError: crash")
        terminal.wait_for("[ended with 1, lines True, echo True]")


def test_a_narrower_terminal_gets_a_shorter_status_line() -> None:
    with job() as terminal:
        terminal.wait_for("keys True")
        terminal.wait_for_bottom("● online 23 ms · 0 received · ? keys")
        terminal.raw = ""
        terminal.resize(30)
        assert terminal.wait_for_bottom("received").bottom == "● online 23 ms · 0 received"
        terminal.type("q")
        terminal.wait_for("[ended with 0")


def test_a_job_in_the_background_leaves_the_terminal_alone_until_it_is_fetched() -> None:
    with job(start="background") as terminal:
        terminal.wait_for("[in background, lines True, echo True]")
        terminal.wait_for("keys True")
        terminal.type("fg\n")
        while "key 'r'" not in terminal.raw:  # the job takes the terminal at its own time
            terminal.type("r")
            terminal.pause()
        terminal.type("q")
        terminal.wait_for("[ended with 0, lines True, echo True]")


async def test_without_a_terminal_no_key_is_read() -> None:
    read_end, write_end = os.pipe()
    try:
        async with keys.read(pytest.fail, Deaf(), stdin=read_end) as works:
            assert not works
    finally:
        os.close(read_end)
        os.close(write_end)


def fed(*pieces: str) -> str:
    parser = KeyParser()
    return "".join(parser.feed(piece.encode()) for piece in pieces)


@pytest.mark.parametrize(
    ("pieces", "typed"),
    [
        (["r"], "r"),
        (["é"], "é"),
        (["\x1b[A", "p"], "p"),
        (["\x1b[1;5D"], ""),
        (["\x1bOP", "q"], "q"),
        (["\x1b"], ""),
        (["\x1b", "q"], "q"),
        (["\x1b[", "A", "q"], "q"),
        (["\x1b[200~pip install requests\x1b[201~"], ""),
        (["\x1b[200~pip install", " requests\x1b[201~", "r"], "r"),
        (["\x1b[200~q", "\x1b[20", "1~", "r"], "r"),
        (["\x1b[20", "0~qqq\x1b[201~", "r"], "r"),
        (["r\x1b[200~q\x1b[201~p"], "rp"),
        (["\x1b[200~q\x1b[201~\x1b[200~q\x1b[201~"], ""),
        (["pip install requests"], ""),
        (["pp"], "pp"),
    ],
)
def test_a_key_is_what_was_typed_and_nothing_that_was_pasted(pieces: list[str], typed: str) -> None:
    assert fed(*pieces) == typed


def test_a_character_that_comes_in_two_parts_is_one_key() -> None:
    parser = KeyParser()
    first, second = "é".encode()[:1], "é".encode()[1:]
    assert (parser.feed(first), parser.feed(second)) == ("", "é")


def test_pasted_text_is_ignored_and_the_terminal_marks_it_only_meanwhile() -> None:
    with job() as terminal:
        terminal.wait_for("keys True")
        terminal.wait_for("\x1b[?2004h")
        terminal.type("\x1b[200~pip install requests\x1b[201~")
        terminal.type("r")
        assert terminal.wait_for("key 'r'").count("key '") == 1
        terminal.type("q")
        raw = terminal.wait_for("[ended with 0, lines True, echo True]")
        assert raw.rindex("\x1b[?2004l") > raw.rindex("\x1b[?2004h")


class Deaf:
    def suspend(self) -> None: ...

    def resume(self) -> None: ...

    def resized(self) -> None: ...
