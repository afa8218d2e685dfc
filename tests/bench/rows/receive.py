"""Receiving at 32 connections: verified, stored, shown; against servers that only answer."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.bench import product
from tests.bench.programs import Program, free_port, load, running
from tests.bench.table import Bench, Measurement, Row

CONNECTIONS = 32

AIOHTTP = Row("receive-aiohttp", "receiving, against bare aiohttp on uvloop", 0.38, 0.55)
EXPRESS = Row("receive-express", "receiving, against an Express sample that only prints", 2, 3)
MEMORY = Row("receive-memory", "memory under that load, against Express", 0.6, 0.5, at_most=True)
PRINTING = Row("printing", "receiving with printing against without", 0.9, 1.0)


def measure(bench: Bench) -> None:
    """Load each server in turn; all are up all the time, the others idle."""
    with ExitStack() as stack:
        ours = stack.enter_context(product.listening(bench.peers.folder, core=bench.cores.server))
        silent = bare = express = None
        if bench.wants(PRINTING.name):
            silent = stack.enter_context(
                product.listening(bench.peers.folder, core=bench.cores.server, screen=False)
            )
        if bench.wants(AIOHTTP.name):
            with bench.without(AIOHTTP.name):
                bare = _peer(bench, stack, bench.peers.bare)
        if bench.wants(EXPRESS.name, MEMORY.name):
            with bench.without(EXPRESS.name, MEMORY.name):
                express = _peer(bench, stack, bench.peers.express)
        for number in range(bench.repetitions):
            rate = _rate(bench, ours)
            said = [f"tiktok-hook {rate:.0f}"]
            if bare:
                other = _rate(bench, bare)
                said.append(f"aiohttp {other:.0f}")
                bench.add(AIOHTTP.name, rate / other)
            if express:
                other = _rate(bench, express)
                said.append(f"Express {other:.0f}")
                bench.add(EXPRESS.name, rate / other)
                bench.add(MEMORY.name, ours.resident_bytes() / express.resident_bytes())
            if silent:
                other = _rate(bench, silent)
                said.append(f"not printing {other:.0f}")
                bench.add(PRINTING.name, rate / other)
            bench.say(f"receiving {number + 1}: {', '.join(said)} a second")


def _peer(bench: Bench, stack: ExitStack, command: Callable[[int], list[str | Path]]) -> Program:
    port = free_port()
    return stack.enter_context(running(command(port), core=bench.cores.server, port=port))


def _rate(bench: Bench, program: Program) -> float:
    seen = load(bench.cores, program.port, connections=CONNECTIONS, seconds=bench.seconds)
    if seen.busy > 0.85:
        bench.note("The load itself took more than 85 % of its core at times.")
    return seen.rate


RECEIVE = Measurement((AIOHTTP, EXPRESS, MEMORY, PRINTING), measure)
