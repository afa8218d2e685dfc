"""One commit for many deliveries against one for each, on this disk and on a slow one."""

from functools import partial
from pathlib import Path

from tests import disk_shim
from tests.bench import product
from tests.bench.programs import NotMeasuredError
from tests.bench.rows.receive import rate
from tests.bench.table import Bench, Measurement, Row

SLOWER_MS = 3

HERE_ROW = Row("commit", "group commit against a commit for each delivery", 3, None)
SLOW_ROW = Row("commit-slow", f"group commit, with {SLOWER_MS} ms more for each fsync", 12, None)


def measure(bench: Bench) -> None:
    """Receive both ways, in turn."""
    for row, variables in ((HERE_ROW, _as_it_is), (SLOW_ROW, _slowed)):
        if bench.wants(row):
            with bench.without(row):
                _compare(bench, row, variables(bench.peers.folder))


def _compare(bench: Bench, row: Row, variables: dict[str, str]) -> None:
    folder, core = bench.peers.folder, bench.cores.server
    with (
        product.running_product(product.listen(), folder, core=core, variables=variables) as group,
        product.running_product(
            product.commit_each(), folder, core=core, variables=variables
        ) as single,
    ):
        rates = {
            "together": partial(rate, bench, group, "group commit"),
            "each": partial(rate, bench, single, "a commit for each delivery"),
        }
        for number in range(bench.repetitions):
            seen = bench.in_turn(number, rates)
            bench.add(row, seen["together"] / seen["each"])
            bench.log(
                f"{row.name} {number + 1}: together {seen['together']:.0f}, "
                f"each {seen['each']:.0f} a second"
            )


def _as_it_is(folder: Path) -> dict[str, str]:
    return {}


def _slowed(folder: Path) -> dict[str, str]:
    try:
        library = disk_shim.build(folder)
    except disk_shim.UnavailableError as error:
        raise NotMeasuredError(f"slowing fsync down: {error}") from error
    return {"LD_PRELOAD": str(library), "FSYNC_MS": str(SLOWER_MS)}


COMMIT = Measurement((HERE_ROW, SLOW_ROW), measure)
