"""Lines that begin with pass, warn or fail."""

import pytest

from tiktok_hook.terminal.report import Report
from tiktok_hook.terminal.theme import COLOURED, PLAIN

REPORT = Report(width=60, paint=PLAIN)


def test_a_long_finding_is_wrapped_below_itself() -> None:
    lines = REPORT.line("warn", "clock", "word " * 20, title_width=8).splitlines()
    assert lines[0].startswith("  warn  clock     word word")
    assert all(line.startswith(" " * 18 + "word") for line in lines[1:])
    assert max(map(len, lines)) <= 60


def test_a_command_in_a_finding_is_not_broken() -> None:
    command = "tiktok-hook-listen-with-a-very-long-name-that-does-not-fit-into-sixty-columns"
    assert command in REPORT.below(f"→ {command} does it").replace("\n", " ")


def test_without_a_finding_nothing_trails() -> None:
    assert REPORT.line("pass", "clock", "", title_width=8) == "  pass  clock\n"


def test_paragraphs_are_indented_and_empty_ones_left_out() -> None:
    assert REPORT.below("one", "", "two") == "        one\n        two\n"


def test_hostile_text_is_made_visible() -> None:
    lines = REPORT.line("fail", "x", "a\x1b[2Jb", title_width=1) + REPORT.below("c\x07d")
    assert lines == "  fail  x  a\\x1b[2Jb\n        c\\x07d\n"


def test_only_the_mark_is_coloured() -> None:
    line = Report(width=60, paint=COLOURED).line("fail", "x", "y", title_width=1)
    assert line == f"  {COLOURED.bad}fail{COLOURED.off}  x  y\n"


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([("pass", 2), ("fail", 0)], "2 passed, 0 failed.\n"),
        ([("pass", 0), ("warn", 1), ("fail", 3)], "0 passed, 1 warned, 3 failed.\n"),
    ],
)
def test_counts_are_put_in_words(counts: list[tuple[str, int]], expected: str) -> None:
    assert REPORT.counts(counts) == expected
