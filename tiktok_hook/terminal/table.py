"""The table of ``tiktok-hook events``: one line for each delivery, fitted to the terminal.

Its lines are made by hand, like those of a session: a history has a million of them and may be
followed, where a row of rich's table takes 1 ms and has to wait for the last one.
"""

import time
from collections.abc import Sequence

from tiktok_hook.delivery import Attempt, Delivery, Source
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import lines, words
from tiktok_hook.terminal.cells import columns, cut, cut_inside
from tiktok_hook.terminal.theme import Paint

GAP = "  "
LONGEST_EVENT = 44
"""Columns for an event: the longest name of the catalogue has 40 characters."""

LONGEST_NAME = 24
"""Columns for the name of an app or a listener; only where there is more than one of them."""

NARROW = 100
"""With fewer columns than this, times lose their seconds and answers their milliseconds."""

LEAST_SUMMARY = 12
"""With less room than this the summary is left out."""

FIELDS = ("time", "id", "verdict", "event", "answer", "app", "listener", "summary")
_LEAST = ("", "", "", " " * 20, "200 in 999 ms", "", "", " " * 20)
_LEAST_NARROW = ("", "", "", " " * 20, "200", "", "", " " * 20)
"""Room for what may follow rows that need less."""

Row = tuple[str, ...]
"""The cells of a line, safe to print."""


class Table:
    """Widths and form of the lines, settled by the first rows.

    Args:
        found: The first deliveries, each with its last attempt.
        now: Unix seconds, for how much of a date is worth showing.
        width: Columns that a line may take; None cuts nothing.
        paint: Colours.
    """

    def __init__(
        self,
        found: Sequence[tuple[Delivery, Attempt | None]],
        *,
        now: float,
        width: int | None,
        paint: Paint,
    ) -> None:
        self._paint = paint
        self._cut = width is not None
        self._narrow = width is not None and width < NARROW
        self._time = _time_format([each.received_at for each, _ in found], now, narrow=self._narrow)
        least = _LEAST_NARROW if self._narrow else _LEAST
        self._names_apps = len({each.app for _, each in found if each is not None}) > 1
        self._names_listeners = len({each.listener for each, _ in found}) > 1
        rows = [self._headings(), least, *(self._row(*each) for each in found)]
        widths = [max(columns(row[place]) for row in rows) for place in range(len(FIELDS))]
        self._widths = _fitted(widths, width)

    def heading(self) -> str:
        """Return the line above all."""
        return self._line(self._headings(), dict.fromkeys(FIELDS, "strong"))

    def _headings(self) -> Row:
        left_out = {"app": not self._names_apps, "listener": not self._names_listeners}
        return tuple("" if left_out.get(each) else each.upper() for each in FIELDS)

    def line(self, delivery: Delivery, attempt: Attempt | None) -> str:
        """Return a delivery's line.

        Args:
            delivery: As stored.
            attempt: Its last one, if there was any.
        """
        styles = {
            "event": "strong",
            "verdict": lines.state_style(delivery.verdict.state),
            "answer": _answer_style(delivery, attempt),
        }
        return self._line(self._row(delivery, attempt), styles)

    def _row(self, delivery: Delivery, attempt: Attempt | None) -> Row:
        event = delivery.event
        name = f"{delivery.method} {delivery.path}" if event is None else event.name
        summary = delivery.summary
        if delivery.redelivery_of is not None:
            number, first = delivery.redelivery_number, delivery.redelivery_of
            summary = f"redelivery {number} of #{first}: {summary}"
        if delivery.source is Source.IMPORT:
            summary = f"imported: {summary}"
        return (
            time.strftime(self._time, time.localtime(delivery.received_at)),
            str(delivery.id),
            delivery.verdict.state.value,
            cut_inside(visible(name[:200]), LONGEST_EVENT),
            answer(delivery, attempt, timed=not self._narrow),
            _name(None if attempt is None else attempt.app) if self._names_apps else "",
            _name(delivery.listener) if self._names_listeners else "",
            lines.shown(summary),
        )

    def _line(self, row: Row, styles: dict[str, str]) -> str:
        cells = []
        for name, text, room in zip(FIELDS, row, self._widths, strict=True):
            if room == 0:
                continue
            shown = text
            if self._cut:
                shown = (cut_inside if name == "event" else cut)(text, room)
            padding = " " * (room - columns(shown))
            cell = self._paint.styled(shown, styles.get(name, ""))
            cells.append(padding + cell if name == "id" else cell + padding)
        return GAP.join(cells).rstrip()


def answer(delivery: Delivery, attempt: Attempt | None, *, timed: bool = True) -> str:
    """Return what TikTok was answered, and the app's status where it differs.

    Args:
        delivery: As stored.
        attempt: Its last one, if there was any.
        timed: Whether to include how long the app took.
    """
    if delivery.status is None and (attempt is None or not attempt.ended):
        return "waiting"
    answered = "cut" if delivery.status is None else str(delivery.status)
    if attempt is None:
        return answered
    if not attempt.ended:
        return f"{answered}, app waiting"
    if attempt.error is not None or attempt.status is None:
        return f"{answered}, app {visible(attempt.error or 'no answer')}"
    took = f" in {words.milliseconds(attempt.duration_ms or 0.0)}" if timed else ""
    if attempt.status == delivery.status:
        return f"{answered}{took}"
    return f"{answered}, app {attempt.status}{took}"


def _name(name: str | None) -> str:
    return cut_inside(visible(name or "-"), LONGEST_NAME)


def _answer_style(delivery: Delivery, attempt: Attempt | None) -> str:
    if attempt is not None and attempt.ended and (attempt.failed or attempt.error):
        return "bad"
    return lines.status_style(delivery.status)


def _time_format(times: Sequence[float], now: float, *, narrow: bool) -> str:
    """Return no more of the date than distinguishes the times from today's."""
    today, days = time.localtime(now)[:3], {time.localtime(each)[:3] for each in times}
    if days <= {today}:
        return "%H:%M:%S"
    date = "%m-%d" if {day[0] for day in days} == {today[0]} else "%Y-%m-%d"
    return f"{date} %H:%M" if narrow else f"{date} %H:%M:%S"


def _fitted(widths: Sequence[int], width: int | None) -> list[int]:
    """Return widths that fit a line: the summary gives way first, then the event's name."""
    result = dict(zip(FIELDS, widths, strict=True))
    if width is None:
        return list(result.values())
    excess = sum(widths) + len(GAP) * (sum(map(bool, widths)) - 1) - width
    for name, least in (("summary", LEAST_SUMMARY), ("event", 20), ("summary", 0), ("event", 4)):
        if excess > 0 and name == "summary" and least == 0:
            excess -= result[name] + len(GAP)
            result[name] = 0
            continue
        taken = min(max(excess, 0), max(result[name] - least, 0))
        result[name] -= taken
        excess -= taken
    return list(result.values())
