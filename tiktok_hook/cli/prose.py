"""Sentences for people on stderr, wrapped where stderr is a terminal."""

import sys

import click

_INDENT = "  "


def note(text: str) -> None:
    """Print lines to stderr, on a terminal wrapped at blanks and indented below their first line.

    Args:
        text: Harmless already; words that are longer than a line, such as a URL, are kept whole.
    """
    click.echo("\n".join(map(_wrapped, text.split("\n"))), err=True)


def _wrapped(line: str) -> str:
    from tiktok_hook.terminal.cells import terminal_width

    width = terminal_width(sys.stderr)
    if width is None or len(line) <= width:
        return line
    import textwrap

    lead = line[: len(line) - len(line.lstrip(" "))]
    return textwrap.fill(
        line,
        width,
        subsequent_indent=lead + _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
