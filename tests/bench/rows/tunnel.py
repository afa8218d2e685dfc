"""What the tunnel costs our own processes: through ngrok's real SDK, against no tunnel."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench import product
from tests.bench.programs import NotMeasuredError, Program, end, load, on_core
from tests.bench.table import Bench, Measurement, Row
from tests.bench.usage import Usage, processes_of

CONNECTIONS = 16
DELIVERIES = 20_000
QUICK_DELIVERIES = 2_000
SECONDS = 60
"""The most that the deliveries of one way may take."""

TOKEN = "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_1aB2cD3eF4gH5iJ6kL7m"

TUNNEL = Row(
    "tunnel",
    f"processor time of a delivery with ngrok's SDK, against no tunnel, {CONNECTIONS} connections",
    1.3,
    1.1,
    at_most=True,
)


class Service:
    """The stand-in in a process of its own, and what it printed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        ready = self._line()
        self.connect_url = str(ready["connect_url"])
        self.ca_file = Path(str(ready["ca_file"]))

    def wait_online(self) -> str:
        """The public URL of the first tunnel."""
        while (line := self._line())["type"] != "online":
            pass
        return str(line["url"])

    def _line(self) -> dict[str, object]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise NotMeasuredError("the stand-in of ngrok's service ended")
        output: dict[str, object] = json.loads(line)
        return output


def measure(bench: Bench) -> None:
    """Send as many deliveries each way in turn, and count what our processes use for them."""
    folder, core = bench.peers.folder, bench.cores.server
    with bench.without(TUNNEL), ExitStack() as stack:
        tunnelled, url = stack.enter_context(running_tunnel(bench))
        direct = stack.enter_context(product.running_product(product.listen(), folder, core=core))
        public = urlsplit(url)
        assert public.hostname is not None
        assert public.port is not None
        costs = {
            "tunnel": partial(_processor_us, bench, tunnelled, public.hostname, public.port),
            "direct": partial(_processor_us, bench, direct, "127.0.0.1", direct.port),
        }
        bench.in_turn(0, costs)  # connections and caches are there from now on
        for number in range(bench.repetitions):
            seen = bench.in_turn(number, costs)
            bench.add(TUNNEL, seen["tunnel"] / seen["direct"])
            bench.log(
                f"tunnel {number + 1}: a delivery takes {seen['tunnel']:.0f} µs, "
                f"without a tunnel {seen['direct']:.0f} µs"
            )


def _processor_us(bench: Bench, listener: Program, host: str, port: int) -> float:
    """What a delivery costs the listener and its child process; its load costs other processes."""
    ours = processes_of(listener.process.pid)
    before = Usage.read(ours)
    seen = load(
        bench.cores,
        port,
        host=host,
        connections=CONNECTIONS,
        seconds=SECONDS,
        count=QUICK_DELIVERIES if bench.quick else DELIVERIES,
        warm_up=0,
    )
    time.sleep(0.3)  # what is printed and committed after the last answer counts, too
    used = Usage.read(ours).processor_seconds - before.processor_seconds
    return used / seen.count * 1e6


@contextmanager
def running_tunnel(
    bench: Bench, seen: Callable[[bytes], None] | None = None
) -> Iterator[tuple[Program, str]]:
    """The product with its tunnel to the stand-in of ngrok's service, and its public URL.

    Args:
        bench: Where it runs: the stand-in on the load's core, the product on the server's.
        seen: Called with all that the product prints.
    """
    with _service(bench.cores.load) as service:
        options = ("--connect-url", service.connect_url, "--connect-cas", service.ca_file)
        command = product.tunnelled(*options, "--authtoken", TOKEN, "--no-self-check")
        with product.running_product(
            command, bench.peers.folder, core=bench.cores.server, seen=seen
        ) as listener:
            yield listener, service.wait_online()


@contextmanager
def _service(core: int | None) -> Iterator[Service]:
    with on_core(core):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.ngrok_service"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    with process:
        try:
            yield Service(process)
        finally:
            end(process)


PATH = Measurement((TUNNEL,), measure)
