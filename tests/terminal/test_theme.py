"""The theme is legible on every background, and used only where it is wanted."""

import os
import pty

import pytest

from tiktok_hook.terminal.drawing import line, render
from tiktok_hook.terminal.theme import (
    COLOURED,
    PLAIN,
    STYLES,
    Style,
    bare,
    hyperlink,
    knows_links,
    paint_for,
    wants_color,
)

LEAST_CONTRAST = 4.5
"""WCAG 2.1, success criterion 1.4.3: https://www.w3.org/TR/WCAG21/#contrast-minimum"""

# Text and background of each terminal as it is set up, and the colours 0 to 15 of its palette:
# black, red, green, yellow, blue, magenta, cyan, white, then the bright ones.
TERMINALS = {
    "xterm": (
        "000000", "ffffff",
        "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 "
        "7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff",
    ),
    "macOS Terminal": (
        "000000", "ffffff",
        "000000 990000 00a600 999900 0000b2 b200b2 00a6b2 bfbfbf "
        "666666 e50000 00d900 e5e500 0000ff e500e5 00e5e5 e5e5e5",
    ),
    "Windows Terminal": (
        "cccccc", "0c0c0c",
        "0c0c0c c50f1f 13a10e c19c00 0037da 881798 3a96dd cccccc "
        "767676 e74856 16c60c f9f1a5 3b78ff b4009e 61d6d6 f2f2f2",
    ),
    "Solarized light": (
        "657b83", "fdf6e3",
        "073642 dc322f 859900 b58900 268bd2 d33682 2aa198 eee8d5 "
        "002b36 cb4b16 586e75 657b83 839496 6c71c4 93a1a1 fdf6e3",
    ),
}  # fmt: skip

STEPS = (0, 95, 135, 175, 215, 255)


def rgb(number: int, palette: str) -> tuple[int, int, int]:
    """A colour of the 256: 16 of the palette, a cube of 216 that is the same everywhere, greys."""
    if number < 16:
        red, green, blue = bytes.fromhex(palette.split()[number])
        return red, green, blue
    if number < 232:
        return STEPS[(number - 16) // 36], STEPS[(number - 16) // 6 % 6], STEPS[(number - 16) % 6]
    grey = 8 + 10 * (number - 232)
    return grey, grey, grey


def luminance(color: tuple[int, int, int]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
              for c in (each / 255 for each in color)]  # fmt: skip
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def of_hex(text: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(text)
    return red, green, blue


def legible(style: Style, terminal: str) -> bool:
    """Whether text of a style is; in the terminal's own two colours it is as its user wants it."""
    text, background, palette = TERMINALS[terminal]
    if style.foreground is None and style.background is None:
        return not style.dim
    front = of_hex(text) if style.foreground is None else rgb(style.foreground, palette)
    behind = of_hex(background) if style.background is None else rgb(style.background, palette)
    return contrast(front, behind) >= LEAST_CONTRAST


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("name", sorted(set(STYLES) - {"rule"}))
def test_every_style_is_legible_in_every_palette(name: str, terminal: str) -> None:
    assert legible(STYLES[name], terminal)


@pytest.mark.parametrize("number", range(1, 16))
def test_no_colour_of_the_palette_is_legible_everywhere_on_the_terminals_own_background(
    number: int,
) -> None:
    assert not all(legible(Style(foreground=number), terminal) for terminal in TERMINALS)


def test_only_lines_are_dim() -> None:
    assert [name for name, style in STYLES.items() if style.dim] == ["rule"]


def test_contrast_is_measured_as_wcag_does() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)
    assert contrast((0x77, 0x77, 0x77), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", sorted(STYLES))
def test_rich_draws_the_same_styles_as_lines_made_by_hand(name: str) -> None:
    by_hand = COLOURED.styled("x", name)
    assert render([line(("x", name))], COLOURED) == f"{by_hand}\n"
    assert render([(("x", name),)], COLOURED) == f"{by_hand}\n"
    assert render([line(("x", name))], PLAIN) == "x\n"
    assert bare(by_hand) == "x"


@pytest.mark.parametrize(
    ("variables", "color", "wanted"),
    [
        ({"TERM": "xterm"}, None, True),
        ({"TERM": "dumb"}, None, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, None, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, None, True),
        ({"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "1"}, None, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, None, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, True),
        ({"TERM": "xterm", "FORCE_COLOR": "1"}, False, False),
    ],
)
def test_a_terminal_is_coloured_unless_it_is_not_wanted(
    variables: dict[str, str],
    color: bool | None,  # noqa: FBT001 - a table's column
    wanted: bool,  # noqa: FBT001 - a table's column
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wants_color(is_terminal=True, color=color) is wanted


@pytest.mark.parametrize(("force", "wanted"), [("", False), ("0", False), ("1", True)])
def test_what_is_not_a_terminal_is_coloured_only_by_force(
    force: str,
    wanted: bool,  # noqa: FBT001 - a table's column
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", force)
    assert wants_color(is_terminal=False) is wanted


def test_the_colours_of_a_stream_are_those_of_where_it_leads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, open(os.devnull, "w") as nowhere:  # noqa: PTH123
        assert paint_for(terminal) is COLOURED
        assert paint_for(nowhere) is PLAIN
    os.close(ours)


@pytest.mark.parametrize(
    "environ",
    [
        {"TERM": "xterm-kitty"},
        {"TERM": "foot-extra"},
        {"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"},
        {"TERM": "xterm-256color", "VTE_VERSION": "6800"},
        {"TERM": "xterm-256color", "WT_SESSION": "1"},
        {"TERM": "xterm-256color", "FORCE_HYPERLINK": "1"},
    ],
    ids=str,
)
def test_links_are_for_terminals_that_are_known_to_show_them(environ: dict[str, str]) -> None:
    assert knows_links(environ)
    assert not knows_links({**environ, "FORCE_HYPERLINK": "0"})


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"TERM": "linux"},
        {"TERM": "xterm-256color"},
        {"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"},
        {"TERM": "xterm-256color", "VTE_VERSION": "4601"},
        {"TERM": "dumb", "TERM_PROGRAM": "vscode"},
        {"TERM": "screen-256color", "TMUX": "/tmp/t", "VTE_VERSION": "6800"},
        {"TERM": "screen", "STY": "1.pts", "WT_SESSION": "1"},
    ],
    ids=str,
)
def test_other_terminals_get_no_links(environ: dict[str, str]) -> None:
    assert not knows_links(environ)


def test_a_link_is_left_out_of_the_bare_text() -> None:
    assert (
        bare(f"{COLOURED.strong}{hyperlink('#12', 'http://x/?id=12#t=a')}{COLOURED.off}!") == "#12!"
    )
    assert hyperlink("#12", "") == "#12"
