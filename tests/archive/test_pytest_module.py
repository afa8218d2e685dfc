import ast
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.archive.samples import ATTEMPTS, AWKWARD, entry, exported
from tests.deadline import DEADLINE
from tests.store.samples import delivery
from tiktok_hook import signature
from tiktok_hook.archive import Entry
from tiktok_hook.signature import State, Verdict

SECRET = "the-secret-of-the-app"


class Handler(BaseHTTPRequestHandler):
    """A user's handler as it should be: 200 for what the secret signed just now, otherwise 403."""

    seen: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, body))
        text = self.headers["Tiktok-Signature"]
        now = float(text[2:].partition(",")[0])
        good = signature.check(text, body, SECRET, now=now).state is State.VALID
        status = 200 if good else 403
        self.send_response(404 if self.path == "/nowhere" else status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def app() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    seen: list[tuple[str, bytes]] = []
    handler = type("Seeing", (Handler,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


PLUGIN = ["-p", "no:cacheprovider", "-p", "tiktok_hook.testing.plugin"]


def run(folder: Path, *entries: Entry, **environment: str) -> subprocess.CompletedProcess[str]:
    """The exported module run as a user does, in a folder of its own."""
    file = folder / "test_tiktok_webhooks.py"
    file.write_bytes(exported(entries, "pytest"))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGIN, str(file)],
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


FORGED = delivery(b'{"event":"forged"}', verdict=Verdict(State.INVALID, "wrong"), path="/hook")


def test_it_runs_as_it_is_against_the_users_app(
    app: tuple[str, list[tuple[str, bytes]]], tmp_path: Path
) -> None:
    url, seen = app
    good = [each for each in AWKWARD.values() if not each.verdict.rejected]
    sent = [entry(each, number) for number, each in enumerate(good, 1)]
    done = run(
        tmp_path, *sent, entry(FORGED, 99), TIKTOK_WEBHOOK_URL=url, TIKTOK_CLIENT_SECRET=SECRET
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [body for _, body in seen] == [*(each.body for each in good), FORGED.body]
    assert seen[-1][0] == "/hook"


def test_a_delivery_goes_where_its_first_attempt_went(
    app: tuple[str, list[tuple[str, bytes]]], tmp_path: Path
) -> None:
    url, seen = app
    run(
        tmp_path,
        entry(AWKWARD["event"], 1, ATTEMPTS[:1]),
        TIKTOK_WEBHOOK_URL=url,
        TIKTOK_CLIENT_SECRET=SECRET,
    )
    assert [path for path, _ in seen] == ["/hook"]


def test_a_forged_delivery_that_went_nowhere_goes_where_its_neighbours_went(
    app: tuple[str, list[tuple[str, bytes]]], tmp_path: Path
) -> None:
    url, seen = app
    forwarded = entry(delivery(path="/"), 2, ATTEMPTS[:1])
    stopped = entry(delivery(verdict=FORGED.verdict, path="/"), 1)
    done = run(tmp_path, stopped, forwarded, TIKTOK_WEBHOOK_URL=url, TIKTOK_CLIENT_SECRET=SECRET)
    assert done.returncode == 0, done.stdout
    assert [path for path, _ in seen] == ["/hook", "/hook"]


def test_without_a_route_the_check_for_a_forged_delivery_fails(
    app: tuple[str, list[tuple[str, bytes]]], tmp_path: Path
) -> None:
    lost = entry(delivery(verdict=FORGED.verdict, path="/nowhere"), 1)
    done = run(tmp_path, lost, TIKTOK_WEBHOOK_URL=app[0], TIKTOK_CLIENT_SECRET=SECRET)
    assert done.returncode == 1
    assert "no route" in done.stdout


def test_an_app_with_another_secret_fails_it(
    app: tuple[str, list[tuple[str, bytes]]], tmp_path: Path
) -> None:
    done = run(
        tmp_path,
        entry(AWKWARD["event"], 7),
        TIKTOK_WEBHOOK_URL=app[0],
        TIKTOK_CLIENT_SECRET="another",
    )
    assert done.returncode == 1
    assert "test_a_delivery_is_answered_200[7-post.publish.complete]" in done.stdout


def test_without_a_secret_the_module_explains_what_to_set(tmp_path: Path) -> None:
    done = run(tmp_path, entry(AWKWARD["event"], 7))
    assert done.returncode == 1
    assert "Set TIKTOK_CLIENT_SECRET" in done.stdout


def test_the_module_is_python_that_names_itself() -> None:
    module = exported([entry(each) for each in AWKWARD.values()], "pytest").decode()
    assert ast.get_docstring(ast.parse(module)) is not None
    assert "pytest test_tiktok_webhooks.py" in module
