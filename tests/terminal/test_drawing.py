import pytest

from tests.terminal.drawn import drawn, drawn_lines
from tiktok_hook.terminal.cells import columns
from tiktok_hook.terminal.drawing import columns_of, hanging, line, rule
from tiktok_hook.terminal.theme import COLOURED, PLAIN

URL = "http://127.0.0.1:4040/#token=abcdefghijklmnopqrstuvwxyzabcdefghijk"


@pytest.mark.parametrize("text", ["[red]x[/red]", ":smile:", "1.5 True None http://a.b 'x'", "\\["])
def test_markup_emoji_and_values_are_only_text(text: str) -> None:
    assert drawn([line(text)], COLOURED) == f"{text}\n"


def test_prose_continues_below_its_beginning() -> None:
    lines = drawn_lines(hanging("  Receiver   ", "word " * 20, width=60))
    assert lines[0].startswith("  Receiver   word")
    assert all(each.startswith(" " * 13 + "word") for each in lines[1:])
    assert max(map(len, lines)) <= 60


def test_a_url_is_kept_whole_so_that_it_can_be_copied() -> None:
    lines = drawn_lines(hanging("  Inspector  ", f"is at {URL} now", width=50))
    assert lines == ["  Inspector  is at", f"{' ' * 13}{URL}", f"{' ' * 13}now"]


def test_a_header_s_value_is_folded_below_itself() -> None:
    lines = drawn_lines(hanging("  X: ", "y" * 100, width=50, indent=6, fold=True))
    assert "".join(each[5:] if number == 0 else each[6:] for number, each in enumerate(lines)) == (
        "y" * 100
    )
    assert max(map(len, lines)) <= 50


@pytest.mark.parametrize("width", [1, 10, 40, 79, 80, 200])
def test_wide_characters_keep_to_the_width(width: int) -> None:
    lines = drawn_lines(hanging("  ", "日本語 " * 30, width=width))
    assert max(map(columns, lines)) <= max(width, 32)
    assert "".join(lines).replace(" ", "") == "日本語" * 30


def test_styles_survive_the_wrapping() -> None:
    body = line(("bad " * 20, "bad"), "plain " * 20)
    text = drawn(hanging(("x: ", "label"), body, width=40), COLOURED)
    assert text.count(COLOURED.bad) >= 2
    assert drawn(hanging("x: ", line("bad " * 20, "plain " * 20), width=40), PLAIN).count("\n") > 3


def test_cells_are_aligned_and_the_last_one_is_as_long_as_it_is() -> None:
    rows = [("a", "日本", "end"), ("long", "b", "e" * 100)]
    assert drawn_lines(columns_of(rows)) == [
        "  a     日本  end",
        f"  long  b     {'e' * 100}",
    ]


def test_a_rule_fills_the_line() -> None:
    (text,) = drawn_lines([rule(line("title"), width=40)])
    assert columns(text) == 40
    assert text.startswith("── title ──")
