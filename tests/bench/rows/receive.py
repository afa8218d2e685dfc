"""Receiving at 32 connections: verified, stored, shown; against servers that only answer."""

from contextlib import ExitStack

from tests.bench import product
from tests.bench.product import Command
from tests.bench.programs import Program, free_port, load, running
from tests.bench.table import Bench, Measurement, Row

CONNECTIONS = 32

AIOHTTP = Row("receive-aiohttp", "receiving, against bare aiohttp on uvloop", 0.38, 0.55)
EXPRESS = Row("receive-express", "receiving, against Express, which only prints", 2, 3)
MEMORY = Row("receive-memory", "memory under that load, against Express", 0.6, 0.5, at_most=True)
PRINTING = Row("printing", "receiving and printing, against a session that prints nothing", 0.9, 1)


def measure(bench: Bench) -> None:
    """Load each server in turn; all are up all the time, the others idle."""
    with ExitStack() as stack:
        ours = _product(bench, stack, product.listen())
        quiet = bare = express = None
        if bench.wants(PRINTING):
            quiet = _product(bench, stack, product.quiet())
        if bench.wants(AIOHTTP):
            with bench.without(AIOHTTP):
                bare = _peer(bench, stack, bench.peers.bare)
        if bench.wants(EXPRESS, MEMORY):
            with bench.without(EXPRESS, MEMORY):
                express = _peer(bench, stack, bench.peers.express)
        for program in (ours, bare, express, quiet):
            if program:  # compilers inside of them need some traffic first
                rate(bench, program)
        for number in range(bench.repetitions):
            reached = rate(bench, ours)
            said = [f"tiktok-hook {reached:.0f}"]
            if bare:
                other = rate(bench, bare)
                said.append(f"aiohttp {other:.0f}")
                bench.add(AIOHTTP, reached / other)
            if express:
                other = rate(bench, express)
                said.append(f"Express {other:.0f}")
                bench.add(EXPRESS, reached / other)
                bench.add(MEMORY, ours.resident_bytes() / express.resident_bytes())
            if quiet:
                other = rate(bench, quiet)
                said.append(f"not printing {other:.0f}")
                bench.add(PRINTING, reached / other)
            bench.say(f"receiving {number + 1}: {', '.join(said)} a second")


def _product(bench: Bench, stack: ExitStack, command: Command) -> Program:
    core = bench.cores.server
    return stack.enter_context(product.running_product(command, bench.peers.folder, core=core))


def _peer(bench: Bench, stack: ExitStack, command: Command) -> Program:
    port = free_port()
    return stack.enter_context(running(command(port), core=bench.cores.server, port=port))


def rate(bench: Bench, program: Program) -> float:
    """Answers a second at 32 connections."""
    seen = load(bench.cores, program.port, connections=CONNECTIONS, seconds=bench.seconds)
    bench.watch(seen)
    return seen.rate


RECEIVE = Measurement((AIOHTTP, EXPRESS, MEMORY, PRINTING), measure)
