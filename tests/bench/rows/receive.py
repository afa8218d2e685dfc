"""Receiving at 32 connections: verified, stored, shown; against servers that only answer."""

from contextlib import ExitStack
from functools import partial

from tests.bench import product
from tests.bench.product import Command
from tests.bench.programs import Program, free_port, load, running
from tests.bench.table import Bench, Measurement, Row

CONNECTIONS = 32

AIOHTTP = Row("receive-aiohttp", "receiving, against bare aiohttp on uvloop", 0.35, 0.55)
EXPRESS = Row("receive-express", "receiving, against Express, which only prints", 2, 3)
MEMORY = Row("receive-memory", "memory under that load, against Express", 0.6, 0.5, at_most=True)
PRINTING = Row("printing", "receiving and printing, against a session that prints nothing", 0.9, 1)


def measure(bench: Bench) -> None:
    """Load each server in turn; all are up all the time, the others idle."""
    with ExitStack() as stack:
        ours = _product(bench, stack, product.listen())
        programs = {"tiktok-hook": ours}
        express = None
        if bench.wants(PRINTING):
            programs["not printing"] = _product(bench, stack, product.quiet())
        if bench.wants(AIOHTTP):
            with bench.without(AIOHTTP):
                programs["aiohttp"] = _peer(bench, stack, bench.peers.bare)
        if bench.wants(EXPRESS, MEMORY):
            with bench.without(EXPRESS, MEMORY):
                express = programs["Express"] = _peer(bench, stack, bench.peers.express)
        measures = {name: partial(rate, bench, program, name) for name, program in programs.items()}
        bench.in_turn(0, measures)  # compilers inside of them need some traffic first
        for number in range(bench.repetitions):
            rates = bench.in_turn(number, measures)
            reached = rates["tiktok-hook"]
            for row, name in (
                (AIOHTTP, "aiohttp"),
                (EXPRESS, "Express"),
                (PRINTING, "not printing"),
            ):
                if name in rates:
                    bench.add(row, reached / rates[name])
            if express:
                bench.add(MEMORY, ours.resident_bytes() / express.resident_bytes())
            output = ", ".join(f"{name} {rates[name]:.0f}" for name in measures)
            bench.log(f"receiving {number + 1}: {output} a second")


def _product(bench: Bench, stack: ExitStack, command: Command) -> Program:
    core = bench.cores.server
    return stack.enter_context(product.running_product(command, bench.peers.folder, core=core))


def _peer(bench: Bench, stack: ExitStack, command: Command) -> Program:
    port = free_port()
    return stack.enter_context(running(command(port), core=bench.cores.server, port=port))


def rate(bench: Bench, program: Program, name: str) -> float:
    """Answers a second at 32 connections; `name` is the program's, for a note."""
    seen = load(bench.cores, program.port, connections=CONNECTIONS, seconds=bench.seconds)
    bench.watch(seen, name)
    return seen.rate


RECEIVE = Measurement((AIOHTTP, EXPRESS, MEMORY, PRINTING), measure)
