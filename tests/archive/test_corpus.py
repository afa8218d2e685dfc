"""HAR files that real tools write of known bytes: imported bytes are exact, or marked as missing.

Playwright runs in every test run. The others are heavy: `make corpus` installs them into .venv and
runs this file, which then prints a table of what each of them lost.
"""

import base64
import gzip
import http.client
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.inspector.views import CHROMIUM
from tests.listener import SECRET
from tests.pictures.page import ARGUMENTS
from tiktok_hook import archive, signature
from tiktok_hook.archive import ImportOptions
from tiktok_hook.delivery import BodyState, Delivery
from tiktok_hook.events import sample
from tiktok_hook.signature import State

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / ".venv" / "corpus"

Payload = tuple[str, dict[str, str], bytes]
"""Path, headers and body of one POST."""

AT = 1_756_684_801
EVENT = sample("post.publish.failed")
SIGNED = signature.sign(EVENT, SECRET, timestamp=AT)
JSON = {"Content-Type": "application/json;charset=UTF-8"}
BYTES = {"Content-Type": "application/octet-stream"}
PAYLOADS: tuple[Payload, ...] = (
    ("/event", {**JSON, "Tiktok-Signature": SIGNED}, EVENT),
    ("/utf-8", JSON, '{"note":"café ✓ 🎬 "}'.encode()),
    ("/latin-1", JSON, '{"note":"café"}'.encode("latin-1")),
    ("/line-breaks", JSON, b'{\r\n  "a": 1\r\n}\r\n'),
    ("/bom", JSON, b'\xef\xbb\xbf{"a":1}'),
    ("/form", {"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&b=%20x+y&c=%C3%A9"),
    ("/binary", BYTES, bytes(range(256))),
    ("/nul", BYTES, b"a\0b"),
    ("/gzip", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(EVENT, mtime=0)),
    ("/long", JSON, b'{"a":"' + b"x" * 70_000 + b'"}'),
)

_PAGE = """<!doctype html><link rel=icon href=data:,><script>
onload = async () => {{
  for (const [path, headers, text] of {payloads})
    await fetch(path, {{method: "POST", headers, body: Uint8Array.from(atob(text), c => c.charCodeAt())}});
  document.title = "posted";
}}
</script>"""  # noqa: E501 - a script


def encoded() -> str:
    """The payloads as JSON, their bodies in base64."""
    return json.dumps([(*rest, base64.b64encode(body).decode()) for *rest, body in PAYLOADS])


@contextmanager
def serving() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server with a page that posts everything; its URL, and the bodies that came, by path."""
    came: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(_PAGE.format(payloads=encoded()).encode(), "text/html")

        def do_POST(self) -> None:
            came[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(b'{"ok":true}', "application/json")

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 60 s"
        time.sleep(0.02)


def with_playwright(folder: Path, url: str, came: dict[str, bytes]) -> Path:
    """Playwright's own recording, in a browser."""
    out = folder / "playwright.har"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(record_har_path=out, record_har_content="embed")
        context.new_page().goto(url, wait_until="networkidle")
        wait(lambda: len(came) == len(PAYLOADS))
        context.close()
        browser.close()
    return out


def with_axios(folder: Path, url: str, came: dict[str, bytes]) -> Path:
    """axios-har-tracker, in Node."""
    payloads, out = folder / "payloads.json", folder / "axios.har"
    payloads.write_text(encoded())
    node("axios.js", url, str(payloads), str(out))
    return out


def with_chrome_har_capturer(folder: Path, url: str, came: dict[str, bytes]) -> Path:
    """chrome-har-capturer, which drives a browser by its debugging protocol."""
    assert CHROMIUM is not None
    words = [CHROMIUM, "--headless", "--remote-debugging-port=0", f"--user-data-dir={folder}/p"]
    with subprocess.Popen([*words, *ARGUMENTS], stderr=subprocess.PIPE, text=True) as browser:
        assert browser.stderr is not None
        found = next(filter(None, (re.search(r"127\.0\.0\.1:(\d+)", x) for x in browser.stderr)))
        drained = threading.Thread(target=browser.stderr.read)
        drained.start()
        out = folder / "chrome.har"
        node("chrome.js", url, found[1], str(out))
        browser.terminate()
        drained.join()
    return out


def with_mitmproxy(folder: Path, url: str, came: dict[str, bytes]) -> Path:
    """mitmproxy, between a client and the server."""
    out = folder / "mitmproxy.har"
    words = [str(TOOLS / "bin" / "mitmdump"), "--listen-host", "127.0.0.1", "--listen-port", "0",
             "--set", f"hardump={out}", "--set", f"confdir={folder}"]  # fmt: skip
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as proxy:
        assert proxy.stdout is not None
        found = next(filter(None, (re.search(r"127\.0\.0\.1:(\d+)", x) for x in proxy.stdout)))
        drained = threading.Thread(target=proxy.stdout.read)
        drained.start()
        client = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=60)
        for path, headers, body in PAYLOADS:
            client.request("POST", url + path, body, headers)
            client.getresponse().read()
        client.close()
        proxy.terminate()
        drained.join()
    return out


def node(script: str, *arguments: str) -> None:
    subprocess.run(
        ["node", str(HERE / "recorders" / script), *arguments],
        env={**os.environ, "NODE_PATH": str(TOOLS / "node_modules")},
        check=True,
        timeout=120,
    )


RECORDERS = {
    "playwright": with_playwright,
    "axios-har-tracker": with_axios,
    "chrome-har-capturer": with_chrome_har_capturer,
    "mitmproxy": with_mitmproxy,
}


def imported(har: Path) -> dict[str, Delivery]:
    """The deliveries of a file by their path."""
    with har.open("rb") as stream:
        capture = archive.load(stream, har.name, ImportOptions())
        return {entry.delivery.path: entry.delivery for entry in capture.entries()}


@pytest.mark.parametrize("name", RECORDERS)
def test_imported_bytes_are_exact_or_reported_as_missing(name: str, tmp_path: Path) -> None:
    if name == "playwright":
        if CHROMIUM is None:
            assert not os.environ.get("CI"), "make system installs chromium"
            pytest.skip("there is no chromium: make system")
    elif not (TOOLS / "installed").exists():
        pytest.skip("the other recorders run in make corpus")
    elif shutil.which("node") is None:
        pytest.skip("there is no node")
    with serving() as (url, came):
        har = RECORDERS[name](tmp_path, url, came)
    found = imported(har)
    assert found.keys() == came.keys() == {path for path, _, _ in PAYLOADS}
    print(f"\n{name}: {har.stat().st_size} bytes")
    for path, body in came.items():
        delivery = found[path]
        state = delivery.body_state.value
        print(f"  {path:<13} {len(body):>6} sent {len(delivery.body):>6} imported  {state}")
        if delivery.body_state is BodyState.EXACT:
            assert delivery.body == body, path
    event = found["/event"]
    assert (event.body, event.body_state) == (EVENT, BodyState.EXACT)
    verdict = signature.check(event.header("Tiktok-Signature"), event.body, SECRET, now=AT)
    assert verdict.state is State.VALID
    for path in ("/utf-8", "/line-breaks", "/long"):
        assert found[path].body == came[path], path
