"""Through ngrok's real SDK and the service's stand-in, against straight to the receiver."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench import product
from tests.bench.programs import NotMeasuredError, end, load, on_core
from tests.bench.table import Bench, Measurement, Row

CONNECTIONS = 16
TOKEN = "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_1aB2cD3eF4gH5iJ6kL7m"

TUNNEL = Row(
    "tunnel",
    f"through ngrok's SDK and a stand-in of its service, {CONNECTIONS} connections",
    0.6,
    None,
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
    """Load the same listener both ways in turn."""
    with bench.without(TUNNEL), _service(bench.cores.load) as service:
        options = ("--connect-url", service.connect_url, "--connect-cas", service.ca_file)
        command = product.tunnelled(*options, "--authtoken", TOKEN, "--no-self-check")
        with product.running_product(
            command, bench.peers.folder, core=bench.cores.server
        ) as listener:
            public = urlsplit(service.wait_online())
            assert public.hostname is not None
            assert public.port is not None
            rates = {
                "through": partial(_rate, bench, public.hostname, public.port, "the tunnel"),
                "direct": partial(_rate, bench, "127.0.0.1", listener.port, "its receiver"),
            }
            for number in range(bench.repetitions):
                seen = bench.in_turn(number, rates)
                bench.add(TUNNEL, seen["through"] / seen["direct"])
                bench.log(
                    f"tunnel {number + 1}: through it {seen['through']:.0f}, "
                    f"direct {seen['direct']:.0f} a second"
                )


def _rate(bench: Bench, host: str, port: int, name: str) -> float:
    seen = load(bench.cores, port, host=host, connections=CONNECTIONS, seconds=bench.seconds)
    bench.watch(seen, name)
    return seen.rate


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
