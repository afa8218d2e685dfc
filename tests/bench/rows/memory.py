"""What the receiver holds after very many deliveries, against after a few."""

from tests.bench import product
from tests.bench.programs import load
from tests.bench.rows.receive import CONNECTIONS
from tests.bench.table import Bench, Measurement, Row

FEW = 1_000
MANY = 1_000_000
QUICK_MANY = 30_000
SECONDS = 300
"""The most that the many may take."""

MEMORY = Row(
    "memory", "memory after a million deliveries, against after a thousand", 1.3, 1.1, at_most=True
)


def measure(bench: Bench) -> None:
    """Send few, look, send many, look again."""
    wanted = QUICK_MANY if bench.quick else MANY
    core, folder = bench.cores.server, bench.peers.folder
    with (
        bench.without(MEMORY),
        product.running_product(product.listen(), folder, core=core) as listener,
    ):
        held = []
        sent = 0
        for count in (FEW, wanted - FEW):
            sent += load(
                bench.cores,
                listener.port,
                connections=CONNECTIONS,
                seconds=SECONDS,
                count=count,
                warm_up=0,
            ).count
            held.append(listener.resident_bytes())
        bench.add(MEMORY, held[1] / held[0])
        bench.log(f"memory: {held[0] >> 20} MiB, after {sent} deliveries {held[1] >> 20} MiB")
        if sent < MANY:
            bench.note(f"Memory was looked at after {sent} deliveries, not after a million.")


AT_LENGTH = Measurement((MEMORY,), measure)
