"""The product against what a developer would use instead, in one table.

Each figure is a ratio, or a difference, of what was measured within one repetition; the table has
their median, smallest and largest. Peers are set up once in the user's cache folder.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench import product, report
from tests.bench.machine import Cores, Machine
from tests.bench.programs import on_core
from tests.bench.rows import MEASUREMENTS, ROWS, SECTIONS
from tests.bench.setup import Peers
from tests.bench.table import Bench, Row

OTHERS = 0.03
"""More than this of the cores' time, taken by other programs, is worth a word."""


def main() -> int:
    """Measure what is asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="everything in a few minutes")
    names = [row.name for row in ROWS]
    only = f"{', '.join(names)}; or all of {' or '.join(SECTIONS)}"
    parser.add_argument("--only", metavar="NAME[,NAME]", help=only)
    parser.add_argument(
        "--json", metavar="FILE", nargs="?", const="-", help="write JSON; alone: instead of a table"
    )
    parser.add_argument(
        "--readme", action="store_true", help="put the table into docs/performance.md"
    )
    chosen = parser.parse_args()
    wanted = _names(chosen.only.split(",") if chosen.only else names)
    if unknown := wanted - set(names):
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    sections = [name for name, rows in SECTIONS.items() if {row.name for row in rows} <= wanted]
    if chosen.readme and (
        chosen.quick or sum(len(SECTIONS[each]) for each in sections) < len(wanted)
    ):
        parser.error("docs/performance.md gets whole sections of a full run")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    product.forget_settings()
    product.compile_modules()
    bench = Bench(
        quick=chosen.quick, cores=Cores.choose(), peers=Peers.in_cache(), wanted=wanted, log=_log
    )
    machine = Machine(bench.peers.folder, bench.cores)
    machine.look()
    with on_core(bench.cores.load):
        for measurement in MEASUREMENTS:
            if bench.wants(*measurement.rows):
                with bench.without(*measurement.rows):
                    measurement.measure(bench)
    rows = [row for row in ROWS if row.name in wanted]
    machine.look()
    if machine.others() > OTHERS:
        bench.note(f"Other programs took {machine.others():.0%} of the two cores' time.")
    _report(chosen, rows, bench, machine)
    if chosen.readme:
        for name in sections:
            report.put(name, report.text(SECTIONS[name], bench, machine))
    return 0


def _names(given: Sequence[str]) -> frozenset[str]:
    """Names of rows; that of a section stands for its rows."""
    rows = [SECTIONS[name] for name in given if name in SECTIONS]
    return frozenset(given) - SECTIONS.keys() | {row.name for some in rows for row in some}


def _report(
    chosen: argparse.Namespace, rows: Sequence[Row], bench: Bench, machine: Machine
) -> None:
    table = report.text(rows, bench, machine)
    everything = json.dumps(report.as_json(rows, bench, machine), indent=2)
    if chosen.json == "-":
        print(everything)
    else:
        print(table)
    if chosen.json not in {None, "-"}:
        Path(chosen.json).write_text(everything + "\n", "utf-8")


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
