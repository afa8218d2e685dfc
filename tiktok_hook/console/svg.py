"""A terminal's text as a picture, for the README."""

import io


def picture(text: str, *, title: str, width: int = 100) -> str:
    """Draw what a session printed as an SVG of a terminal window.

    Args:
        text: As it came out, colours included.
        title: Stands in the window's bar.
        width: Columns; longer lines are folded.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=width, file=io.StringIO(), color_system="standard")
    console.print(Text.from_ansi(text), soft_wrap=False)
    return console.export_svg(title=title)
