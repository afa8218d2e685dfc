"""How soon a delivery is seen: on an idle terminal, and as a row of the inspector's page."""

import http.client
import re
import shutil
import statistics
import threading
import time
from collections.abc import Callable

from tests.bench import product
from tests.bench.load import SECRET
from tests.bench.programs import NotMeasuredError, on_every_core
from tests.bench.table import Bench, Measurement, Row
from tiktok_hook import events, signature

LINE = Row(
    "first-line",
    "from a POST to its first line on an idle terminal, median",
    6,
    3,
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

_SECONDS = 10.0
_APART = 0.1
"""Seconds between two POSTs, so that each finds everything idle."""

_ADDRESS = re.compile(rb"http://127\.0\.0\.1:\d+/#token=[\w-]+")

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


class Screen:
    """What was written to the terminal, and when a text came."""

    def __init__(self) -> None:
        self.text = b""
        self._changed = threading.Condition()

    def add(self, data: bytes) -> None:
        """Called by the thread that reads the terminal."""
        with self._changed:
            self.text += data
            self._changed.notify_all()

    def wait_for(self, pattern: "re.Pattern[bytes]") -> bytes:
        """The first match, waited for.

        Raises:
            NotMeasuredError: It did not come.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: pattern.search(self.text), _SECONDS):
                raise NotMeasuredError(f"{pattern.pattern!r} was not printed")
        found = pattern.search(self.text)
        assert found is not None
        return found[0]


def measure(bench: Bench) -> None:
    """POST one delivery after the other to one session."""
    screen = Screen()
    with product.running_product(
        product.listen(), bench.peers.folder, core=bench.cores.server, seen=screen.add
    ) as listener:
        address = screen.wait_for(_ADDRESS).decode()
        post = _poster(listener.port)
        count = 0

        def line_ms() -> float:
            nonlocal count
            count += 1
            begun = time.perf_counter()
            post(count)
            screen.wait_for(re.compile(rb"#%d\b" % count))
            return (time.perf_counter() - begun) * 1000

        if bench.wants(LINE):
            _repeat(bench, LINE, line_ms)
        if bench.wants(PAGE):
            with bench.without(PAGE):
                _page(bench, address, post, count)


def _page(bench: Bench, address: str, post: Callable[[int], None], count: int) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise NotMeasuredError("there is no chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright  # a browser's, of no other row

    from tests.pictures.page import ARGUMENTS

    # A browser is several processes, which run on all cores elsewhere too.
    with on_every_core(bench.cores), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("#head .counts")
        page.wait_for_timeout(1000)  # until the stream is open

        def row_ms() -> float:
            nonlocal count
            count += 1
            page.evaluate(f"window.seen = ({_ROW})({count}); null")
            begun = time.time() * 1000
            post(count)
            time.sleep(_APART)  # to ask the browser while it draws would delay its drawing
            return float(page.evaluate("window.seen")) - begun

        _repeat(bench, PAGE, row_ms)
        browser.close()


def _repeat(bench: Bench, row: Row, once_ms: Callable[[], float]) -> None:
    once_ms()  # the first one compiles and opens
    for number in range(bench.repetitions):
        taken = []
        for _ in range(10 if bench.quick else 30):
            time.sleep(_APART)
            taken.append(once_ms())
        bench.add(row, statistics.median(taken))
        bench.log(
            f"{row.name} {number + 1}: median {statistics.median(taken):.1f} ms, "
            f"{min(taken):.1f} to {max(taken):.1f}"
        )


def _poster(port: int) -> Callable[[int], None]:
    """Post different signed events to the receiver over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)

    def post(number: int) -> None:
        now = int(time.time())
        body = events.sample("post.publish.complete").replace(b"1756684800", b"%d" % (now + number))
        header = signature.sign(body, SECRET, timestamp=now)
        connection.request(
            "POST", "/", body, {signature.HEADER: header, "Content-Type": "application/json"}
        )
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise NotMeasuredError(f"a delivery was answered {response.status}")

    return post


SHOWING = Measurement((LINE, PAGE), measure)
