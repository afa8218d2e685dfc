"""The whole chain, with an app behind it: against a recording proxy, and against no chain."""

import tempfile
from contextlib import ExitStack
from functools import partial

from tests.bench import product
from tests.bench.programs import Program, Words, free_port, load, running
from tests.bench.rows.receive import rate
from tests.bench.table import Bench, Measurement, Row

MITMDUMP = Row("chain-mitmdump", "receiving and forwarding, against `mitmdump -w`", 6, 10)
ADDED = Row(
    "chain-added",
    "time that the whole chain adds, median, one connection",
    1.0,
    0.5,
    unit="ms",
    at_most=True,
)


def measure(bench: Bench) -> None:
    """Load both proxies in turn; the app is bare aiohttp on the load's core."""
    with ExitStack() as stack:
        port = free_port()
        app = stack.enter_context(running(bench.peers.bare(port), core=bench.cores.load, port=port))
        command = product.listen("--forward-to", str(app.port))
        ours = stack.enter_context(
            product.running_product(command, bench.peers.folder, core=bench.cores.server)
        )
        if bench.wants(MITMDUMP):
            with bench.without(MITMDUMP):
                proxy = _mitmdump(bench, stack, app)
                rates = {
                    "ours": partial(rate, bench, ours, "tiktok-hook with an app"),
                    "theirs": partial(rate, bench, proxy, "mitmdump"),
                }
                for number in range(bench.repetitions):
                    seen = bench.in_turn(number, rates)
                    bench.add(MITMDUMP, seen["ours"] / seen["theirs"])
                    bench.log(
                        f"chain {number + 1}: tiktok-hook {seen['ours']:.0f}, "
                        f"mitmdump {seen['theirs']:.0f} a second"
                    )
        if bench.wants(ADDED):
            times = {
                "through": partial(_median_ms, bench, ours),
                "direct": partial(_median_ms, bench, app),
            }
            for number in range(bench.repetitions):
                took = bench.in_turn(number, times)
                bench.add(ADDED, took["through"] - took["direct"])
                bench.log(
                    f"one by one {number + 1}: {took['through']:.2f} ms, "
                    f"direct {took['direct']:.2f} ms"
                )


def _mitmdump(bench: Bench, stack: ExitStack, app: Program) -> Program:
    program = bench.peers.python_program("mitmdump")
    folder = bench.peers.folder
    flows = stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix="flows-"))
    port = free_port()
    words: Words = [
        program,
        "--mode",
        f"reverse:http://127.0.0.1:{app.port}",
        "-w",
        f"{flows}/flows",
    ]
    words += ["--listen-host", "127.0.0.1", "--listen-port", str(port)]
    words += ["--set", f"confdir={folder / 'mitmproxy'}"]
    return stack.enter_context(running(words, core=bench.cores.server, port=port))


def _median_ms(bench: Bench, program: Program) -> float:
    return load(bench.cores, program.port, connections=1, seconds=bench.seconds / 2).median_ms


CHAIN = Measurement((MITMDUMP, ADDED), measure)
