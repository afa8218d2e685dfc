"""The progress line."""

import io

from tiktok_hook.terminal.progress import Progress


class Screen(io.StringIO):
    """A stream that passes for a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_line_has_the_label_and_the_count_and_is_erased_at_the_end() -> None:
    screen = Screen()
    with Progress("Sending", 1200, stream=screen) as progress:
        first = screen.getvalue()
        progress.erase()
        progress.advance()
    drawn = screen.getvalue()
    assert first.startswith("\r\x1b[KSending ")
    assert first.endswith(" 0 of 1 200\r")
    assert " 1 of 1 200, " in drawn, "with an estimate of the time left"
    assert drawn.endswith(" left\r\r\x1b[K")


def test_the_line_is_not_drawn_for_each_step() -> None:
    screen = Screen()
    with Progress("Sending", 2, stream=screen) as progress:
        progress.erase()
        progress.advance()
        progress.advance()
    assert screen.getvalue().count("Sending") == 2


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    pipe = io.StringIO()
    with Progress("Sending", 2, stream=pipe) as progress:
        progress.advance()
    assert pipe.getvalue() == ""
