"""``python -m tests.bench``: the product against what a developer would use instead."""

import argparse
import os
import signal
import sys

from tests.bench import product
from tests.bench.machine import Cores, describe
from tests.bench.programs import on_core
from tests.bench.rows.chain import CHAIN
from tests.bench.rows.commit import COMMIT
from tests.bench.rows.receive import RECEIVE
from tests.bench.rows.tunnel import PATH
from tests.bench.setup import Peers
from tests.bench.table import Bench, markdown

MEASUREMENTS = (RECEIVE, COMMIT, CHAIN, PATH)
ROWS = tuple(row for measurement in MEASUREMENTS for row in measurement.rows)


def main() -> int:
    """Measure what is asked for and print the table."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="everything in under two minutes")
    parser.add_argument("--only", help="rows, with commas between: " + ", ".join(names))
    chosen = parser.parse_args()
    wanted = frozenset(chosen.only.split(",") if chosen.only else names)
    if unknown := wanted - set(names):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    product.forget_settings()
    cores = Cores.choose()
    bench = Bench(
        chosen.quick,
        cores,
        Peers.in_cache(),
        wanted,
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    with on_core(cores.load):
        for measurement in MEASUREMENTS:
            if bench.wants(*measurement.rows):
                measurement.measure(bench)
    print(describe(bench.peers.folder, cores))
    print()
    print(markdown([row for row in ROWS if row.name in wanted], bench))
    for note in bench.notes:
        print(note)
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
