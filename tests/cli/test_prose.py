"""Sentences on stderr: wrapped on a terminal, one line each without one."""

import pytest

from tiktok_hook.cli import prose

LONG = "Hint: " + "word " * 30 + "https://example.com/" + "x" * 90


def test_without_a_terminal_a_sentence_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    prose.note(LONG)
    assert capsys.readouterr().err == LONG + "\n"


def test_on_a_terminal_it_is_wrapped_and_no_word_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    prose.note(f"first\n    {LONG}")
    first, start, *more, url = capsys.readouterr().err.splitlines()
    assert first == "first"
    assert start.startswith("    Hint: word")
    assert all(each.startswith("      word") and len(each) <= 80 for each in more)
    assert url.strip() == LONG.rsplit(maxsplit=1)[-1]
