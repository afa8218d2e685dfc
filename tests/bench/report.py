"""What a run gave, as JSON and on the page about performance."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.machine import Machine
from tests.bench.table import Bench, Row, markdown

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN = {
    "product": "<!-- measured: make bench BENCH=--readme -->",
    "postgres": "<!-- measured on PostgreSQL: make bench BENCH=--readme -->",
}
"""The line before each section."""

END = "<!-- end of measured -->"


def as_json(rows: Sequence[Row], bench: Bench, machine: Machine) -> dict[str, object]:
    """Everything, with each repetition's figure."""
    return {
        "date": _today(),
        "machine": str(machine),
        "quick": bench.quick,
        "rows": [_row(row, bench) for row in rows],
        "notes": bench.remarks(),
    }


def _row(row: Row, bench: Bench) -> dict[str, object]:
    samples = bench.samples.get(row.name, [])
    median = statistics.median(samples) if samples else None
    return {
        "name": row.name,
        "goal": row.goal,
        "unit": row.unit,
        "at_most": row.at_most,
        "bar": row.bar,
        "aim": row.aim,
        "samples": samples,
        "median": median,
        "reached": None if median is None else row.verdict(median),
        "not_measured": bench.missing.get(row.name),
    }


def text(rows: Sequence[Row], bench: Bench, machine: Machine) -> str:
    """Write date, machine, table and notes, as they are printed and are on the page."""
    return "\n".join(
        [
            f"{_today()}, {machine}.",
            "",
            markdown(rows, bench),
            *("\n" + each for each in bench.remarks()),
        ]
    )


def put(section: str, measured: str) -> None:
    """Write it into its section of the page."""
    before, begin, rest = PAGE.read_text("utf-8").partition(BEGIN[section])
    _, end, after = rest.partition(END)
    PAGE.write_text(f"{before}{begin}\n{measured}\n{end}{after}", "utf-8")


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())
