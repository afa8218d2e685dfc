"""How a session ends, and what of it works on a terminal."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.apps import free_port, http, running_app
from tests.cli.runner import invoke
from tests.deadline import DEADLINE
from tests.listener import BODY, SECRET, TOKEN, command, listening, post, signed
from tests.ngrok_service import NgrokService
from tests.pty_terminal import Terminal
from tiktok_hook.forward import Forwarder

INTERRUPTS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", INTERRUPTS, ids=lambda number: number.name)
async def test_a_signal_ends_it_in_order(number: signal.Signals) -> None:
    async with listening("--no-tunnel", "--ephemeral") as listener:
        await post(listener.local_url)
        assert await listener.end(number) == 0
    assert [line["received"] for line in listener.of("summary")] == [1]
    assert listener.errors == ""


async def test_what_is_under_way_is_answered_before_it_ends() -> None:
    async with running_app() as app:
        held = asyncio.Event()
        let_go = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            held.set()
            await let_go.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

        app.answer = slow
        async with (
            listening("--no-tunnel", "--ephemeral", "-f", app.url) as listener,
            asyncio.TaskGroup() as group,
        ):
            answer = group.create_task(post(listener.local_url))
            await held.wait()
            listener.process.send_signal(signal.SIGINT)
            let_go.set()
            assert (await answer).status == 200
            assert await listener.exit_code() == 0


def piped() -> "subprocess.Popen[bytes]":
    """The command with a pipe that its reader may close."""
    words = command("--no-tunnel", "--ephemeral")
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)


async def test_a_reader_that_leaves_ends_it_quietly() -> None:
    listener = piped()
    assert listener.stdout is not None
    assert listener.stderr is not None
    ready = await asyncio.to_thread(listener.stdout.readline)
    url = ready.decode().partition('"local_url":"')[2].partition('"')[0]
    listener.stdout.close()
    await post(url)
    code = await asyncio.to_thread(listener.wait, 10)
    with listener.stderr:
        assert (code, listener.stderr.read()) == (0, b"")


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "TERM": "xterm-256color", "TIKTOK_CLIENT_SECRET": SECRET, "TZ": "UTC"}


@pytest.fixture
def screen(environment: dict[str, str]) -> Iterator[Terminal]:
    words = [sys.executable, "-m", "tiktok_hook", "listen", "--no-tunnel", "--ephemeral"]
    terminal = Terminal(
        [*words, "--port", "0", "--inspect-port", "0"], columns=100, environment=environment
    )
    yield terminal
    if terminal.process.poll() is None:
        terminal.process.kill()
        terminal.end()


def local_url(terminal: Terminal) -> str:
    terminal.read_until("Ctrl-C stops")
    return terminal.plain.partition("Callback URL")[2].split("\n")[1].strip()


async def test_a_ping_passes_the_portals_test(screen: Terminal) -> None:
    body = b'{"client_key":"awexampleclient1","event":"tiktok.ping","create_time":1756684800123}'
    await post(local_url(screen), body, signed(body))
    screen.read_until("Now press Save changes")
    screen.type("q")
    assert screen.end() == 0


def test_ctrl_c_ends_it_with_a_summary_and_the_terminal_as_it_was(screen: Terminal) -> None:
    local_url(screen)
    screen.type("\x03")
    assert screen.end() == 0
    assert "0 deliveries" in screen.plain
    assert "Traceback" not in screen.plain
    assert "^C" not in screen.plain.splitlines()[-1]


async def test_a_second_ctrl_c_leaves_at_once_with_130_and_leaves_nothing_running(
    environment: dict[str, str],
) -> None:
    async with running_app() as app:
        reached = asyncio.Event()

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reached.set()
            await reader.read()

        app.answer = hang
        words = [sys.executable, "-m", "tiktok_hook", "listen", "--no-tunnel", "--ephemeral"]
        words += ["--port", "0", "--inspect-port", "0", "--forward-to", app.url]
        screen = Terminal(
            [*words, "--", sys.executable, "-c", "import time; time.sleep(60)"],
            columns=100,
            environment=environment,
        )
        url = await asyncio.to_thread(local_url, screen)
        children = psutil.Process(screen.process.pid).children(recursive=True)
        async with asyncio.TaskGroup() as group:
            answer = group.create_task(post(url))
            await reached.wait()
            screen.type("\x03")
            await asyncio.to_thread(screen.read_until, "Shutting down: waiting up to 5 s")
            screen.type("\x03")
            assert await asyncio.to_thread(screen.end) == 130
            assert (await answer).status is None
        assert children
        _, alive = psutil.wait_procs(children, timeout=DEADLINE)
        assert not alive


async def test_the_status_line_shows_that_the_tunnel_is_online_and_how_fast(
    environment: dict[str, str],
) -> None:
    async with NgrokService() as service:
        words = [sys.executable, "-m", "tiktok_hook", "listen", "--ephemeral", "--port", "0"]
        words += ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]
        words += ["--inspect-port", "0", "--authtoken", TOKEN]
        screen = Terminal(words, columns=100, environment=environment)
        await asyncio.to_thread(screen.read_until, "● online · 0 received")
        await asyncio.to_thread(screen.read_until, " ms · 0 received")
        screen.type("q")
        assert await asyncio.to_thread(screen.end) == 0


async def test_keys_replay_pause_and_release(environment: dict[str, str]) -> None:
    async with running_app() as app:
        words = [sys.executable, "-m", "tiktok_hook", "listen", "--no-tunnel", "--ephemeral"]
        words += ["--port", "0", "--inspect-port", "0", "--forward-to", app.url]
        screen = Terminal(words, columns=100, environment=environment)
        url = await asyncio.to_thread(local_url, screen)
        await post(url)
        await asyncio.to_thread(screen.read_until, "#1.1")
        forged = signed(BODY, secret="somebody-elses")
        assert (await post(url, BODY, forged)).status == 403
        screen.type("r")
        await app.wait_for(2)
        await asyncio.to_thread(screen.read_until, "#1.2 replay re-signed")
        assert app.bodies == [BODY, BODY]
        screen.type("p")
        await asyncio.to_thread(screen.read_until, "Forwarding paused")
        assert (await post(url)).status == 200
        assert len(app.requests) == 2
        await asyncio.to_thread(screen.read_until, f"{app.port} paused")
        screen.type("p")
        await app.wait_for(3)
        screen.type("?")
        await asyncio.to_thread(screen.read_until, "replay the last delivery")
        screen.type("\r")
        await asyncio.to_thread(screen.read_until, "\x1b[J\r\n")
        screen.type("q")
        assert await asyncio.to_thread(screen.end) == 0


async def test_keys_show_details_switch_the_view_and_replay_the_last_failure(
    environment: dict[str, str],
) -> None:
    async with running_app() as app:
        words = [sys.executable, "-m", "tiktok_hook", "listen", "--no-tunnel", "--ephemeral"]
        words += ["--port", "0", "--inspect-port", "0", "--forward-to", app.url]
        screen = Terminal(words, columns=100, environment=environment)
        url = await asyncio.to_thread(local_url, screen)
        screen.type("d")
        await asyncio.to_thread(screen.read_until, "There is no delivery to show yet.")
        screen.type("f")
        await asyncio.to_thread(screen.read_until, "No delivery has failed.")
        app.answer = http(500, b"broken")
        assert (await post(url)).status == 500
        await asyncio.to_thread(screen.read_until, "#1.1")
        assert "Content-Length" not in screen.plain
        screen.type("d")
        await asyncio.to_thread(screen.read_until, "Content-Length")
        app.answer = http(200, b"")
        assert (await post(url)).status == 200
        screen.type("f")
        await asyncio.to_thread(screen.read_until, "#1.2 replay re-signed")
        screen.type("v")
        await asyncio.to_thread(screen.read_until, "View: full.")
        screen.type("x")
        line = "x is not a key. Keys: v d r f p o c q; ? explains them."
        await asyncio.to_thread(screen.read_until, line)
        screen.type("q")
        assert await asyncio.to_thread(screen.end) == 0


async def test_a_held_session_shows_how_many_deliveries_its_key_releases(
    environment: dict[str, str],
) -> None:
    async with running_app() as app:
        words = [sys.executable, "-m", "tiktok_hook", "listen", "--no-tunnel", "--ephemeral"]
        words += ["--port", "0", "--inspect-port", "0", "--forward-to", app.url, "--ack", "hold"]
        screen = Terminal(words, columns=100, environment=environment)
        url = await asyncio.to_thread(local_url, screen)
        screen.type("p")
        await asyncio.to_thread(screen.read_until, "Nothing is queued.")
        await post(url)
        screen.type("p")
        await asyncio.to_thread(screen.read_until, "Forwarding queued deliveries: 1.")
        await app.wait_for(1)
        screen.type("q")
        assert await asyncio.to_thread(screen.end) == 0


APP = """
import http.server, os, sys
class App(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200); self.end_headers()
        print("seen", flush=True)
        if os.environ.get("LEAVE"): os._exit(int(os.environ["LEAVE"]))
    def log_message(self, *_): pass
print("token" if "NGROK_AUTHTOKEN" in os.environ else "no token", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), App).serve_forever()
"""


@pytest.mark.parametrize("leave", ["", "7"], ids=["stays", "leaves"])
async def test_the_child_app_is_awaited_shown_and_ended(leave: str) -> None:
    environment = {"LEAVE": leave, "NGROK_AUTHTOKEN": "example-token"}
    async with listening(
        "--no-tunnel", "--ephemeral", "-f", str(free_port()), "--", sys.executable, "-c", APP,
        environment=environment,
    ) as listener:  # fmt: skip
        (child,) = psutil.Process(listener.process.pid).children()
        assert (await post(listener.local_url)).status == 200
        await listener.wait_for("attempt")
        code = await (listener.exit_code() if leave else listener.end())
        await asyncio.to_thread(psutil.wait_procs, [child], DEADLINE)
        assert not child.is_running()
    assert code == int(leave or 0)
    assert listener.errors.splitlines()[:2] == ["app │ no token", "app │ seen"]


PRINTS_SIGNALS = """
import os, signal, socket, sys
def received(number, _):
    print("received", signal.Signals(number).name, flush=True)
    sys.exit(9)
signal.signal(signal.SIGINT, received)
signal.signal(signal.SIGTERM, received)
app = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_the_child_app_gets_the_signal_that_ended_us(number: signal.Signals) -> None:
    async with listening(
        "--no-tunnel",
        "--ephemeral",
        "-f",
        str(free_port()),
        "--",
        sys.executable,
        "-c",
        PRINTS_SIGNALS,
    ) as listener:
        assert await listener.end(number) == 0
    assert listener.errors.splitlines() == [f"app │ received {number.name}"]


def test_a_command_that_is_not_there_is_a_usage_error() -> None:
    result = invoke(
        "listen", "--no-tunnel", "--ephemeral", "-f", "3999", "--", "no-such-command-here"
    )
    assert result.exit_code == 2
    assert "no-such-command-here" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("code", "exit_code"), [(7, 7), (0, 1)], ids=["failed", "done"])
def test_a_command_that_ends_before_it_listens_is_reported_once_and_its_code_kept(
    code: int, exit_code: int
) -> None:
    words = ["--no-tunnel", "--ephemeral", "--port", "0", "--inspect-port", "0"]
    program = f"print('no such module'); raise SystemExit({code})"
    port = str(free_port())
    result = invoke("listen", *words, "-f", port, "--", sys.executable, "-c", program)
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "app │ no such module",
        f"Error: The command ended with exit code {code} before it listened on port {port}.",
        "Hint: Run it alone to see why. The PORT variable contains the port.",
    ]


async def test_a_command_that_ends_while_the_rest_starts_gets_no_banner() -> None:
    """The self-check is what takes long here."""
    left = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await left.wait()

    async with running_app() as app, running_app(wait) as public, asyncio.timeout(DEADLINE):
        words = ["--no-tunnel", "--ephemeral", "--public-url", public.url, "-f", app.url]
        process = await asyncio.create_subprocess_exec(
            *command(*words, "--", sys.executable, "-c", "raise SystemExit(3)", form="compact"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ,
        )
        assert process.stderr is not None
        assert (await process.stderr.readline()).startswith(b"Warning: Port ")
        await process.stderr.readline()
        assert await process.stderr.readline() == b"your command ended with exit code 3\n"
        await public.wait_for(1)
        left.set()
        assert await process.communicate() == (b"", b"")
    assert process.returncode == 3


async def test_redeliveries_as_the_last_thing_still_get_their_summary(tmp_path: Path) -> None:
    event = b'{"event":"authorization.removed","create_time":%d,"content":"{\\"reason\\":1}"}'
    db = ["--no-tunnel", "--db", str(tmp_path / "history.db")]
    async with listening(*db) as earlier, Forwarder() as forwarder:
        for number in range(100):
            body = event % number
            await post(earlier.local_url, body, signed(body), forwarder=forwarder)
    listener = subprocess.Popen(  # noqa: ASYNC220 - returns at once
        command(*db, "--exit-after", "100", "--timeout", "15", form="compact"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ,
        text=True,
    )
    with listener:
        assert listener.stderr is not None
        url = ""
        while not url.startswith("http"):
            url = (await asyncio.to_thread(listener.stderr.readline)).strip()
        async with Forwarder() as forwarder:
            for number in range(100):
                await post(url, event % number, forwarder=forwarder)
        _, errors = await asyncio.to_thread(listener.communicate, None, 20)
    assert "Exception" not in errors
    assert "100 deliveries" in errors
    assert listener.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGQUIT")
def test_ctrl_backslash_leaves_at_once_and_restores_the_terminal(
    environment: dict[str, str],
) -> None:
    words = [sys.executable, "-m", "tiktok_hook", "listen", "--no-tunnel", "--ephemeral"]
    words += ["--port", "0", "--inspect-port", "0", "--forward-to", str(free_port())]
    screen = Terminal(
        [*words, "--", sys.executable, "-c", LISTENS],
        columns=100,
        environment=environment,
    )
    local_url(screen)
    children = psutil.Process(screen.process.pid).children(recursive=True)
    assert children
    screen.type("\x1c")
    assert screen.end() == 131
    _, alive = psutil.wait_procs(children, timeout=DEADLINE)
    assert alive == []


LISTENS = """
import os, socket, time
kept = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
time.sleep(60)
"""


FORGED = ("Tiktok-Signature", "t=1756684800,s=" + "0" * 64)
PING = b'{"client_key":"awexampleclient1","event":"tiktok.ping","create_time":1756684800123}'


async def test_exit_after_counts_verified_deliveries_that_match_and_nothing_else() -> None:
    options = ["--no-tunnel", "--ephemeral", "--exit-after", "1"]
    other = BODY.replace(b"post.publish.complete", b"video.upload.failed")
    async with running_app() as app, listening(*options, "--route", "post.*", app.url) as listener:
        await post(listener.local_url, b"junk", FORGED)
        await post(listener.local_url, PING, signed(PING))
        await post(listener.local_url, PING, FORGED)
        await post(listener.local_url, other, signed(other))
        await listener.wait_for("delivery", 4)
        assert listener.process.returncode is None
        await post(listener.local_url, BODY, signed(BODY))
        assert await listener.exit_code() == 0


async def test_a_browser_that_takes_its_time_does_not_delay_receiving(tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > "$0.url"\necho noise\nexec sleep 100\n')
    browser.chmod(0o755)
    async with listening(
        "--no-tunnel", "--ephemeral", "--open", environment={"BROWSER": str(browser)}
    ) as listener:
        async with asyncio.timeout(DEADLINE):
            assert (await post(listener.local_url)).status == 200
        async with asyncio.timeout(DEADLINE):
            while not (tmp_path / "browser.url").exists():  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.05)
        assert await listener.end() == 0
    assert "noise" not in listener.errors
    assert (tmp_path / "browser.url").read_text().startswith("http://127.0.0.1:")


async def test_a_browser_for_the_terminal_is_not_started(tmp_path: Path) -> None:
    browser = tmp_path / "w3m"
    browser.write_text('#!/bin/sh\ntouch "$0.started"\nexec sleep 100\n')
    browser.chmod(0o755)
    async with listening(
        "--no-tunnel", "--ephemeral", "--open", environment={"BROWSER": str(browser)}
    ) as listener:
        async with asyncio.timeout(DEADLINE):
            words = "No browser was found. Open http://127.0.0.1:"
            while words not in listener.errors:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.05)
    assert not (tmp_path / "w3m.started").exists()
