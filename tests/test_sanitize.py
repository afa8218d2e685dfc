import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_hook.sanitize import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b[31mred", r"\x1b[31mred", id="terminal-escape"),
        pytest.param("a\x00b\x7f", r"a\x00b\x7f", id="nul-and-del"),
        pytest.param("\x9b2J", r"\x9b2J", id="c1-control"),
        pytest.param("line\nnext\r\t", r"line\x0anext\x0d\x09", id="line-breaks"),
        pytest.param("\u202egnp.exe", r"\u202egnp.exe", id="bidi-override"),
        pytest.param("\u2066x\u2069", r"\u2066x\u2069", id="bidi-isolate"),
        pytest.param("pay\u200bpal", r"pay\u200bpal", id="zero-width"),
        pytest.param("pay\u200dpal", r"pay\u200dpal", id="joiner-between-letters"),
        pytest.param(
            "\U0001f468\u200d\u200d\U0001f469",
            "\U0001f468\\u200d\\u200d\U0001f469",
            id="two-joiners",
        ),
        pytest.param("\U0001f468\u200d", "\U0001f468\\u200d", id="joiner-at-the-end"),
        pytest.param("\ufeffx", r"\ufeffx", id="byte-order-mark"),
        pytest.param("\ud800", r"\ud800", id="lone-surrogate"),
        pytest.param("a\u2028b", r"a\u2028b", id="line-separator"),
        pytest.param("\U000e0041", r"\U000e0041", id="tag-character"),
    ],
)
def test_what_could_deceive_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain text",
        "café ✓",
        "日本語",
        "❤\ufe0f",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f3f3\ufe0f\u200d\U0001f308",
        "\U0001f9d1\U0001f3fd\u200d\U0001f680",
        "[bold]markup[/]",
        r"C:\x1b",
    ],
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert visible(text) is text or visible(text) == text


def test_line_feeds_and_tabs_stay_when_asked_but_carriage_returns_do_not() -> None:
    assert visible("a\n\tb\r\x1b", keep_newlines=True) == "a\n\tb\\x0d\\x1b"


@given(st.text(st.characters()))
def test_the_result_always_encodes_and_holds_no_control_character(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", shown)
