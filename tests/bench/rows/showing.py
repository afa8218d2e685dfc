"""How soon a delivery is seen: on an idle terminal, and as a row of the inspector's page."""

import http.client
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.bench import product
from tests.bench.browser import open_page
from tests.bench.load import SECRET
from tests.bench.programs import HERE, NotMeasuredError, Words, free_port, running
from tests.bench.screen import PAGE_ADDRESS, SECONDS, Screen
from tests.bench.table import Bench, Measurement, Row
from tiktok_hook import events, signature

APP_SECONDS = 3

LINE = Row(
    "first-line",
    "from a POST to its first line on an idle terminal, median",
    6,
    3,
    unit="ms",
    at_most=True,
)
SLOW_LINE = Row(
    "first-line-slow",
    f"the same with an app that takes {APP_SECONDS} s, median",
    25,
    20,
    unit="ms",
    at_most=True,
)
PAGE = Row(
    "page-row",
    "from a POST to its row on the inspector's page, median",
    20,
    10,
    unit="ms",
    at_most=True,
)

_APART = 0.3
"""Seconds between two POSTs: each finds everything idle, and is shown as a block, not as a line."""

_DRAWN = 0.1
"""Seconds after which a row is on the page; to ask the browser earlier would delay its drawing."""

# Resolves with the wall clock, in milliseconds, of the moment when a row is in the document: the
# page inserts it at the beginning of the frame that paints it.
_ROW = """id => new Promise(done => {
  const look = () => {
    if (!document.getElementById(`row-${id}`)) return false;
    done(performance.timeOrigin + performance.now());
    return true;
  };
  if (look()) return;
  const watcher = new MutationObserver(() => { if (look()) watcher.disconnect(); });
  watcher.observe(document.getElementById("list"), { childList: true });
})"""


class Session:
    """A running session that gets one delivery after the other, over one connection.

    Attributes:
        screen: What it prints.
        count: How many deliveries were sent, which is the id of the last one.
    """

    def __init__(self, screen: Screen, port: int) -> None:
        self.screen = screen
        self.count = 0
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)

    def send(self) -> None:
        """Send a signed event, each a different one."""
        self.count += 1
        now = int(time.time())
        created = b"%d" % (now + self.count)
        body = events.sample("post.publish.complete").replace(b"1756684800", created)
        header = signature.sign(body, SECRET, timestamp=now)
        self._connection.request(
            "POST", "/", body, {signature.HEADER: header, "Content-Type": "application/json"}
        )

    def wait_for_response(self) -> None:
        """Wait for the response to what was sent last.

        Raises:
            NotMeasuredError: It is not 200.
        """
        response = self._connection.getresponse()
        response.read()
        if response.status != 200:
            raise NotMeasuredError(f"a delivery was answered {response.status}")

    def line_ms(self) -> float:
        """From sending a delivery to its first line; returns after its response."""
        self.screen.clear()
        begun = time.perf_counter()
        self.send()
        self.screen.wait_for(re.compile(rb"#%d\b" % self.count))
        taken = time.perf_counter() - begun
        self.wait_for_response()
        return taken * 1000


def measure(bench: Bench) -> None:
    """POST one delivery after the other to a session with an app, then to one with a slow app."""
    if bench.wants(LINE, PAGE):
        with _running_session(bench, bench.peers.bare) as (session, address):
            if bench.wants(LINE):
                _repeat(bench, LINE, 10 if bench.quick else 30, session.line_ms)
            if bench.wants(PAGE):
                with bench.without(PAGE):
                    _page(bench, session, address)
    if bench.wants(SLOW_LINE):
        with _running_session(bench, _slow_app) as (session, _):
            _repeat(bench, SLOW_LINE, 2 if bench.quick else 5, session.line_ms)


@contextmanager
def _running_session(bench: Bench, app: Callable[[int], Words]) -> Iterator[tuple[Session, str]]:
    """A session with an app behind it, and the address of its page."""
    screen, port = Screen(), free_port()
    with (
        running(app(port), core=bench.cores.load, port=port),
        product.running_product(
            product.listen("--forward-to", str(port)),
            bench.peers.folder,
            core=bench.cores.server,
            seen=screen.add,
        ) as listener,
    ):
        address = screen.wait_for(PAGE_ADDRESS).decode()
        yield Session(screen, listener.port), address


def _slow_app(port: int) -> Words:
    return [sys.executable, HERE / "workers" / "slow_app.py", str(port), str(APP_SECONDS)]


def _page(bench: Bench, session: Session, address: str) -> None:
    with open_page(bench, address) as page:

        def row_ms() -> float:
            page.evaluate(f"window.seen = ({_ROW})({session.count + 1}); null")
            begun = time.time() * 1000
            session.send()
            session.wait_for_response()
            time.sleep(_DRAWN)
            return float(page.evaluate("window.seen")) - begun

        _repeat(bench, PAGE, 10 if bench.quick else 30, row_ms)


def _repeat(bench: Bench, row: Row, times: int, once_ms: Callable[[], float]) -> None:
    once_ms()  # the first one compiles and opens
    for number in range(bench.repetitions):
        taken = []
        for _ in range(times):
            time.sleep(_APART)
            taken.append(once_ms())
        bench.add(row, statistics.median(taken))
        bench.log(
            f"{row.name} {number + 1}: median {statistics.median(taken):.1f} ms, "
            f"{min(taken):.1f} to {max(taken):.1f}"
        )


SHOWING = Measurement((LINE, SLOW_LINE, PAGE), measure)
