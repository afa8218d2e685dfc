"""Lines that begin with pass, warn or fail."""

import os
import pty
import sys

import pytest

from tiktok_hook.cli.report_lines import Marks

PLAIN = Marks(width=60, coloured=False)


def test_a_long_finding_is_wrapped_under_itself() -> None:
    lines = PLAIN.line("warn", "clock", "word " * 20, title_width=8)
    assert lines[0].startswith("  warn  clock     word word")
    assert all(line.startswith(" " * 18 + "word") for line in lines[1:])
    assert max(map(len, lines)) <= 60


def test_without_a_finding_nothing_trails() -> None:
    assert PLAIN.line("pass", "clock", "", title_width=8) == ["  pass  clock"]


def test_paragraphs_are_indented_and_empty_ones_left_out() -> None:
    assert PLAIN.below("one", "", "two") == ["        one", "        two"]


def test_hostile_text_is_made_visible() -> None:
    lines = PLAIN.line("fail", "x", "a\x1b[2Jb", title_width=1) + PLAIN.below("c\x07d")
    assert lines == ["  fail  x  a\\x1b[2Jb", "        c\\x07d"]


def test_colours_stand_around_the_mark_alone() -> None:
    (line,) = Marks(width=60, coloured=True).line("fail", "x", "y", title_width=1)
    assert line == "  \x1b[31mfail\x1b[0m  x  y"


def test_counts_are_put_in_words() -> None:
    assert PLAIN.counts([("pass", 2), ("fail", 0)]) == "2 passed, 0 failed"


@pytest.mark.parametrize(
    ("name", "value", "coloured"),
    [("TERM", "xterm", True), ("NO_COLOR", "1", False), ("TERM", "dumb", False)],
    ids=["terminal", "no-color", "dumb"],
)
def test_a_terminal_is_coloured_unless_asked_not_to(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, *, coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        marks = Marks.for_stdout()
    os.close(ours)
    assert ("\x1b" in marks.counts([("pass", 1)])) is coloured
