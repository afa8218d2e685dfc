"""One theme for everything that people read, and the one rule for when colour is used.

A foreground colour alone is legible on a dark or on a light background, never on both: none of the
16 colours of a terminal reaches a contrast of 4.5:1 on xterm's white, Windows Terminal's black and
Solarized's cream. A coloured word therefore brings its own background, and both colours come from
the fixed part of the 256-colour palette, which themes leave alone. Everything else is in the
terminal's default colour, bold where it should stand out.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TextIO, TypeAlias

_CODES = re.compile("\x1b\\[[0-9;]+m|\x1b\\]8;[^\x1b]*\x1b\\\\")

_LINKING_TERMS = ("alacritty", "contour", "foot", "xterm-ghostty", "xterm-kitty", "wezterm")
_LINKING_PROGRAMS = {"ghostty", "Hyper", "iTerm.app", "rio", "Tabby", "vscode", "WezTerm"}
_LINKING_VTE = 5000
"""VTE 0.50; older ones of GNOME Terminal and its kin had defects in it, one of them a crash.

Source: https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda
"""


Part: TypeAlias = str | tuple[str, str]
"""Text, or text with the name of a style."""

Parts: TypeAlias = Sequence[Part]
"""One line, in parts."""


class Style(NamedTuple):
    """How a kind of text looks; colours are numbers of the 256-colour palette."""

    foreground: int | None = None
    background: int | None = None
    bold: bool = False
    underline: bool = False
    dim: bool = False

    @property
    def code(self) -> str:
        """The escape sequence that turns it on."""
        numbers = [
            *(["1"] if self.bold else []),
            *(["2"] if self.dim else []),
            *(["4"] if self.underline else []),
            *([f"38;5;{self.foreground}"] if self.foreground is not None else []),
            *([f"48;5;{self.background}"] if self.background is not None else []),
        ]
        return f"\x1b[{';'.join(numbers)}m"


STYLES: Final[Mapping[str, Style]] = {
    "good": Style(16, 114),
    "caution": Style(16, 221),
    "bad": Style(231, 124),
    "label": Style(16, 153),
    "strong": Style(bold=True),
    "url": Style(bold=True, underline=True),
    "rule": Style(dim=True),
}
"""``rule`` is for lines and separators only: dim text is too faint to read in some terminals."""


class Paint:
    """The theme as plain attributes, each empty when there is to be no colour.

    ``f"{paint.good}valid{paint.off}"`` is right with and without colour, and costs 20 ns where
    styled text of rich costs 100 µs: it is for lines that may come thousands in a second.

    Args:
        enabled: False makes every code the empty string.
    """

    __slots__ = ("bad", "caution", "enabled", "good", "label", "off", "rule", "strong", "url")

    def __init__(self, *, enabled: bool) -> None:
        self.enabled: Final = enabled
        self.off = "\x1b[0m" if enabled else ""
        for name, style in STYLES.items():
            setattr(self, name, style.code if enabled else "")

    bad: str
    caution: str
    good: str
    label: str
    rule: str
    strong: str
    url: str

    def styled(self, text: str, style: str) -> str:
        """Return the text in a style of the theme; an empty style name leaves it as it is."""
        return f"{getattr(self, style)}{text}{self.off}" if style and text else text

    def join(self, parts: Parts) -> str:
        """Return the parts of a line, each in its style."""
        return "".join(each if isinstance(each, str) else self.styled(*each) for each in parts)


PLAIN = Paint(enabled=False)
COLOURED = Paint(enabled=True)


def bare(text: str) -> str:
    """Return the text without the codes of `Paint` and of `hyperlink`."""
    return _CODES.sub("", text)


def hyperlink(text: str, url: str) -> str:
    """Return the text as a link that a terminal opens at a click (OSC 8); no link without `url`.

    Args:
        text: Harmless already.
        url: ASCII without blanks and control characters.
    """
    return f"\x1b]8;;{url}\x1b\\{text}\x1b]8;;\x1b\\" if url else text


def knows_links(environ: Mapping[str, str]) -> bool:
    """Return whether the terminal is known to show hyperlinks; ``FORCE_HYPERLINK`` decides first.

    Others should ignore the sequence, and some print it instead. Inside tmux and screen the
    terminal around them is not known.
    """
    forced = environ.get("FORCE_HYPERLINK")
    if forced:
        return forced != "0"
    term = environ.get("TERM", "")
    if term == "dumb" or "TMUX" in environ or "STY" in environ:
        return False
    vte = environ.get("VTE_VERSION", "")
    return (
        term.startswith(_LINKING_TERMS)
        or environ.get("TERM_PROGRAM") in _LINKING_PROGRAMS
        or "WT_SESSION" in environ
        or "KONSOLE_VERSION" in environ
        or (vte.isdigit() and int(vte) >= _LINKING_VTE)
    )


def wants_color(*, is_terminal: bool, color: bool | None = None) -> bool:
    """Decide whether an output is coloured: as asked for, by environment, or if it is a terminal.

    Args:
        is_terminal: Whether the output is a terminal.
        color: What the user asked for with ``--color``; None for ``auto``.

    ``NO_COLOR`` (https://no-color.org) wins over ``FORCE_COLOR``; either counts when it is set to
    anything but the empty text. ``TERM=dumb`` has no colours.
    """
    if color is None:
        color = color_of_environment()
    if color is not None:
        return color
    return is_terminal and os.environ.get("TERM") != "dumb"


def color_of_environment() -> bool | None:
    """Return what ``NO_COLOR`` or ``FORCE_COLOR`` asks for; None if neither is set."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR", "0") not in {"", "0"} else None


def paint_for(stream: TextIO, *, color: bool | None = None) -> Paint:
    """Return the colours for a text stream, by the rules of `wants_color`."""
    return COLOURED if wants_color(is_terminal=stream.isatty(), color=color) else PLAIN
