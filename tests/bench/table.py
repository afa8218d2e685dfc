"""Rows, what was measured for each, and the one table that shows it."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.bench.machine import Cores
from tests.bench.programs import Answered, NotMeasuredError
from tests.bench.setup import Peers

BUSY = 0.9
"""When the load's core was busy for more of the time, that side may have been the bottleneck."""


@dataclass(frozen=True)
class Row:
    """One goal.

    Attributes:
        name: What ``--only`` takes.
        goal: What is compared, in words.
        bar: What has to be reached; None for what is only reported.
        aim: Where the ceiling is; None when there is none beyond the bar.
        unit: Of all figures.
        at_most: Less is better.
    """

    name: str
    goal: str
    bar: float | None
    aim: float | None
    unit: str = "x"
    at_most: bool = False

    def verdict(self, value: float) -> str:
        """Which of the two a value reaches, in words."""
        if self.aim is not None and self._reaches(value, self.aim):
            return "aim"
        if self.bar is None:
            return ""
        return "bar" if self._reaches(value, self.bar) else "short"

    def text(self, value: float | None) -> str:
        """Write a figure with its unit."""
        if value is None:
            return ""
        return f"{value:.3g} {self.unit}" if value < 100 else f"{value:.0f} {self.unit}"

    def limit(self, value: float | None) -> str:
        """Write a bar or an aim with its direction."""
        sign = "≤" if self.at_most else "≥"
        return "" if value is None else f"{sign} {self.text(value)}"

    def _reaches(self, value: float, goal: float) -> bool:
        return value <= goal if self.at_most else value >= goal


@dataclass
class Bench:
    """One run of the command, handed to every measurement.

    Attributes:
        quick: Everything in a few minutes.
        cores: Where to run what.
        peers: What to compare with.
        wanted: Names of the rows that are asked for.
        say: Takes a line about what is under way.
        samples: One figure for each repetition, by row.
        missing: Why a row has no figure, by row.
        notes: What else was seen, in the words to print.
        crowded: What was loaded from a core that had no more to give.
    """

    quick: bool
    cores: Cores
    peers: Peers
    wanted: frozenset[str]
    log: Callable[[str], None]
    samples: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    crowded: list[str] = field(default_factory=list)

    @property
    def repetitions(self) -> int:
        return 2 if self.quick else 6

    @property
    def seconds(self) -> float:
        """How long one variant is loaded in one repetition."""
        return 0.8 if self.quick else 4.0

    def wants(self, *rows: Row) -> bool:
        """Whether any of these rows is asked for and can still be measured."""
        return any(row.name in self.wanted and row.name not in self.missing for row in rows)

    def add(self, row: Row, value: float) -> None:
        """Keep one repetition's figure, if it is asked for."""
        if self.wants(row):
            self.samples.setdefault(row.name, []).append(value)

    def watch(self, seen: Answered, what: str) -> None:
        """Add a note when it may have been the load's core that could not go faster.

        Args:
            seen: What the load saw.
            what: What was loaded, in words.
        """
        if seen.busy > BUSY and what not in self.crowded:
            self.crowded.append(what)

    def in_turn(self, number: int, measures: Mapping[str, Callable[[], float]]) -> dict[str, float]:
        """Measure variants one after the other, in every other repetition backwards.

        Args:
            number: Of the repetition.
            measures: What gives each variant's figure, by its name.
        """
        names = list(measures)
        return {name: measures[name]() for name in (names[::-1] if number % 2 else names)}

    def remarks(self) -> list[str]:
        """Everything that is to be read below the table."""
        if not self.crowded:
            return self.notes
        crowded = (
            f"The load's core, where apps and the stand-in run too, was busy for more than "
            f"{BUSY:.0%} of the time with {', '.join(self.crowded)}: that may have been the limit."
        )
        return [*self.notes, crowded]

    def note(self, text: str) -> None:
        """Keep something to be printed below the table, once."""
        if text not in self.notes:
            self.notes.append(text)

    @contextmanager
    def without(self, *rows: Row) -> Iterator[None]:
        """Name these rows as not measured when the block cannot measure them."""
        try:
            yield
        except NotMeasuredError as reason:
            for row in rows:
                if len(self.samples.get(row.name, ())) < self.repetitions:
                    self.missing[row.name] = str(reason)


@dataclass(frozen=True)
class Measurement:
    """Rows that are measured together, because they share what runs.

    Attributes:
        rows: What it can give.
        measure: Puts figures for the wanted ones into the run.
    """

    rows: Sequence[Row]
    measure: Callable[[Bench], None]


def cells(row: Row, bench: Bench) -> list[str]:
    """Write a row: goal, median, spread, bar, aim, verdict."""
    goals = [row.limit(row.bar), row.limit(row.aim)]
    samples = bench.samples.get(row.name, [])
    reason = bench.missing.get(row.name)
    if reason is not None or not samples:
        return [row.goal, f"not measured: {reason or 'interrupted'}", "", *goals, ""]
    median = statistics.median(samples)
    spread = f"{row.text(min(samples)).removesuffix(row.unit).strip()} to {row.text(max(samples))}"
    return [row.goal, row.text(median), spread, *goals, row.verdict(median)]


HEADINGS = ["", "measured", "spread", "bar", "aim", "reached"]


def markdown(rows: Sequence[Row], bench: Bench) -> str:
    """Write the table for docs/performance.md and the screen."""
    lines = [HEADINGS, *(cells(row, bench) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]

    def line(texts: Sequence[str]) -> str:
        padded = (text.ljust(width) for text, width in zip(texts, widths, strict=True))
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(lines[0]), rule, *map(line, lines[1:])])
