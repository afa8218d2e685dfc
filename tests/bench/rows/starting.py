"""How long beginning takes: a command with `--help`, a server up to its first answer."""

import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench import product
from tests.bench.programs import Words, free_port, running, seconds_of
from tests.bench.table import Bench, Measurement, Row
from tiktok_hook.cli import COMMANDS

HELP = Row("help", "`--help`, against `python -c 'import click'`", 1.25, 1.1, at_most=True)
COMMAND = Row(
    "help-slowest",
    "the slowest `COMMAND --help`, against `import click`",
    2.2,
    1.5,
    at_most=True,
)
ACCEPTING = Row(
    "accepting", "from the start to the first answer, against Express", 2.0, 1.5, at_most=True
)


def measure(bench: Bench) -> None:
    """Start everything in turn."""
    with tempfile.TemporaryDirectory(dir=bench.peers.folder, prefix="home-") as home:
        if bench.wants(HELP, COMMAND):
            _help(bench, Path(home))
    if bench.wants(ACCEPTING):
        with bench.without(ACCEPTING):
            _accepting(bench)


def _help(bench: Bench, home: Path) -> None:
    importing: Words = [sys.executable, "-c", "import click"]
    times = 3 if bench.quick else 15
    for number in range(bench.repetitions):
        taken: dict[str, list[float]] = {name: [] for name in ("", "import click", *COMMANDS)}
        for _ in range(times):
            for name, seconds in taken.items():
                if name == "import click":
                    words = importing
                elif name == "":
                    words = [product.script(), "--help"]
                elif bench.wants(COMMAND):
                    words = [product.script(), name, "--help"]
                else:
                    continue
                seconds.append(
                    seconds_of(
                        words, core=bench.cores.server, environment=product.environment(home)
                    )
                )
        medians = {name: statistics.median(each) for name, each in taken.items() if each}
        base, helped = medians.pop("import click"), medians.pop("")
        bench.add(HELP, helped / base)
        output = f"`import click` {base * 1000:.0f} ms, `--help` {helped * 1000:.0f} ms"
        if medians:
            slowest = max(medians, key=lambda name: medians[name])
            bench.add(COMMAND, medians[slowest] / base)
            bench.note(f"The slowest `COMMAND --help` was that of `{slowest}`.")
            output += f", `{slowest} --help` {medians[slowest] * 1000:.0f} ms"
        bench.log(f"starting {number + 1}: {output}")


def _accepting(bench: Bench) -> None:
    core = bench.cores.server
    times = 2 if bench.quick else 5
    for number in range(bench.repetitions):
        ours, theirs = [], []
        for _ in range(times):
            with product.running_product(
                product.listen(), bench.peers.folder, core=core
            ) as listener:
                ours.append(listener.start_seconds)
            port = free_port()
            with running(bench.peers.express(port), core=core, port=port) as express:
                theirs.append(express.start_seconds)
        mine, other = statistics.median(ours), statistics.median(theirs)
        bench.add(ACCEPTING, mine / other)
        bench.log(
            f"accepting {number + 1}: tiktok-hook {mine * 1000:.0f} ms, "
            f"Express {other * 1000:.0f} ms"
        )


STARTING = Measurement((HELP, COMMAND, ACCEPTING), measure)
