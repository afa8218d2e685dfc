"""The server crashes and starts again while deliveries arrive."""

import time
from contextlib import ExitStack

from tests.bench import product
from tests.bench.database import running_server
from tests.bench.programs import Worker, on_every_core
from tests.bench.table import Bench, Measurement, Row

RATE = 500
SECONDS = 6.0

LOST = Row(
    "postgres-restart",
    "restart of the server in immediate mode under load: answered 200 and lost",
    0,
    None,
    unit="deliveries",
    at_most=True,
)
OUTAGE = Row(
    "postgres-outage", "the same: longest time without a 200", 3, 1, unit="s", at_most=True
)


def measure(bench: Bench) -> None:
    """Restart it in each repetition."""
    with running_server(bench) as place, ExitStack() as stack, on_every_core(bench.cores):
        location = place.new_history()
        command = product.listen("--db", location)
        listener = stack.enter_context(product.running_product(command, place.folder, core=None))
        for number in range(bench.repetitions):
            words = [listener.port, "--rate", RATE, "--seconds", SECONDS, "--connections", 32]
            with Worker("traffic", *words) as traffic:
                traffic.wait_until_ready()
                traffic.start()
                time.sleep(SECONDS / 4)  # the server stops while deliveries arrive
                place.server.stop("immediate")
                place.server.start()
                sent = traffic.result(SECONDS + 60)
            found = place.server.execute(
                "SELECT publish_id FROM tiktok_hook.deliveries", location.rpartition("/")[2]
            )
            stored = {int(publish_id.rpartition(".")[2]) for (publish_id,) in found}
            lost = len(set(sent["answered"]) - stored)
            bench.add(LOST, lost)
            bench.add(OUTAGE, sent["longest_gap"])
            bench.log(
                f"restart {number + 1}: {sent['statuses']}, {lost} lost, "
                f"{sent['longest_gap']:.2f} s without a 200"
            )


SHARED_RESTART = Measurement((LOST, OUTAGE), measure)
