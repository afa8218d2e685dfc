"""The table of ``events``: one line for each delivery, fitted to the terminal.

Written by hand: a library for it would take longer to load than the whole command takes to run.
"""

import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Sequence

from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.sanitize import visible

GAP = "  "
LONGEST_EVENT = 44
"""The longest name of the catalogue has 40 characters; anybody may send a longer one."""

NARROW = 100
"""With fewer columns than this, times lose their seconds and answers their milliseconds."""

_GREEN, _AMBER, _RED, _DIM, _BOLD = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m", "\x1b[1m"
_OFF = "\x1b[0m"
_VERDICT_COLOUR = {"valid": _GREEN, "stale": _AMBER, "unchecked": _DIM}


FIELDS = ("time", "id", "event", "summary", "verdict", "answer", "app")
HEADINGS = tuple(name.upper() for name in FIELDS)
_LEAST = ("", "", " " * 20, " " * 20, "valid", "", "200 in 999 ms")
_LEAST_NARROW = (*_LEAST[:-1], "")
"""Room for what may follow rows that need less."""

Row = tuple[str, ...]
"""The cells of a line, safe to print; a named tuple would take a millisecond to make."""


class Table:
    """Widths and form of the lines, settled by the first rows.

    Args:
        found: The first deliveries, each with its last attempt.
        now: Unix seconds, for how much of a date is worth showing.
        width: Columns that a line may take; None cuts nothing.
        coloured: Whether to colour.
    """

    def __init__(
        self,
        found: Sequence[tuple[Delivery, Attempt | None]],
        *,
        now: float,
        width: int | None,
        coloured: bool,
    ) -> None:
        self._coloured = coloured
        self._cut = width is not None
        self._narrow = width is not None and width < NARROW
        self._time = _time_format([each.received_at for each, _ in found], now, narrow=self._narrow)
        rows = [
            HEADINGS,
            _LEAST_NARROW if self._narrow else _LEAST,
            *(self._row(*each) for each in found),
        ]
        widths = [max(columns(row[place]) for row in rows) for place in range(len(HEADINGS))]
        self._widths = _fitted(FIELDS, widths, width)

    def heading(self) -> str:
        """The line above all."""
        return self._line(HEADINGS, dict.fromkeys(FIELDS, _BOLD))

    def line(self, delivery: Delivery, attempt: Attempt | None) -> str:
        """A delivery's line.

        Args:
            delivery: As stored.
            attempt: Its last one, if there was any.
        """
        row = self._row(delivery, attempt)
        colours = {
            "time": _DIM,
            "event": _BOLD,
            "verdict": _VERDICT_COLOUR.get(delivery.verdict.state.value, _RED),
            "answer": _GREEN if delivery.status == 200 else _AMBER,
        }
        if attempt is not None and attempt.ended:
            colours["app"] = _RED if attempt.failed or attempt.error else _GREEN
        return self._line(row, colours)

    def _row(self, delivery: Delivery, attempt: Attempt | None) -> Row:
        event = delivery.event
        name = f"{delivery.method} {delivery.path}" if event is None else event.name
        summary = delivery.summary
        if delivery.redelivery_of is not None:
            number, first = delivery.redelivery_number, delivery.redelivery_of
            summary = f"redelivery {number} of #{first}: {summary}"
        return (
            time.strftime(self._time, time.localtime(delivery.received_at)),
            str(delivery.id),
            cut_inside(visible(name), LONGEST_EVENT),
            visible(summary),
            delivery.verdict.state.value,
            "waiting" if delivery.status is None else str(delivery.status),
            outcome(attempt, timed=not self._narrow),
        )

    def _line(self, row: Row, colours: dict[str, str]) -> str:
        cells = []
        for name, text, room in zip(FIELDS, row, self._widths, strict=True):
            if room == 0:
                continue
            shown = text
            if self._cut:
                shown = (cut_inside if name == "event" else cut)(text, room)
            padding = " " * (room - columns(shown))
            colour = colours.get(name, "") if self._coloured else ""
            cell = f"{colour}{shown}{_OFF}" if colour and shown else shown
            cells.append(padding + cell if name == "id" else cell + padding)
        return GAP.join(cells).rstrip()


def outcome(attempt: Attempt | None, *, timed: bool = True) -> str:
    """What the app said to the last attempt, in few words; empty without one.

    Args:
        attempt: The last one.
        timed: Whether to say how long it took.
    """
    if attempt is None:
        return ""
    if attempt.duration_ms is None:
        return "..."
    if attempt.error is not None or attempt.status is None:
        return visible(attempt.error or "no answer")
    took = attempt.duration_ms
    if not timed:
        return str(attempt.status)
    return f"{attempt.status} in {f'{took:.0f} ms' if took < 1000 else f'{took / 1000:.1f} s'}"


def columns(text: str) -> int:
    """How many columns a terminal gives the text."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def cut(text: str, room: int) -> str:
    """The text in at most `room` columns; three dots stand for what did not fit."""
    if columns(text) <= room:
        return text
    dots = "..." if room > 6 else ""
    kept, used = [], len(dots)
    for each in text:
        used += columns(each)
        if used > room:
            break
        kept.append(each)
    return "".join(kept) + dots


def cut_inside(text: str, room: int) -> str:
    """The same for names, whose last part tells more than the middle: ``minis.sub...cancel``."""
    if len(text) <= room or room < 12 or not text.isascii():
        return cut(text, room)
    tail = (room - 3) // 2
    return f"{text[: room - 3 - tail]}...{text[-tail:]}"


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def colours_wanted() -> bool:
    """Whether stdout is a terminal, and nobody asked for no colours."""
    dumb = os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and not dumb


def _time_format(times: Sequence[float], now: float, *, narrow: bool) -> str:
    """No more of the date than tells the times apart from today's."""
    today, days = time.localtime(now)[:3], {time.localtime(each)[:3] for each in times}
    if days <= {today}:
        return "%H:%M:%S"
    date = "%m-%d" if {day[0] for day in days} == {today[0]} else "%Y-%m-%d"
    return f"{date} %H:%M" if narrow else f"{date} %H:%M:%S"


def _fitted(names: Sequence[str], widths: Sequence[int], width: int | None) -> list[int]:
    """Widths that fit a line: the summary gives way first, then the event's name."""
    result = dict(zip(names, widths, strict=True))
    if width is None:
        return list(result.values())
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    for name, least in (("summary", 16), ("event", 20), ("summary", 0), ("event", 4)):
        taken = min(max(excess, 0), max(result[name] - least, 0))
        result[name] -= taken
        excess -= taken
    return list(result.values())
