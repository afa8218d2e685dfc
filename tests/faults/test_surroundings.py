"""What happens around a running listener: suspended, its clock jumps, its screen goes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.apps import free_port
from tests.deadline import DEADLINE
from tests.faults.waiting import until
from tests.listener import BODY, SECRET, TOKEN, command, listening, post, signed
from tests.ngrok_service import NgrokService
from tests.pty_terminal import Terminal
from tiktok_hook import paths


@pytest.fixture
async def service() -> AsyncIterator[NgrokService]:
    async with NgrokService() as running:
        yield running


def tunnelled(service: NgrokService) -> list[str]:
    return ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]


async def test_a_suspended_listener_answers_what_came_meanwhile_at_the_same_url(
    service: NgrokService,
) -> None:
    async with listening(
        *tunnelled(service), "--ephemeral", environment={"NGROK_AUTHTOKEN": TOKEN}
    ) as listener:
        listener.process.send_signal(signal.SIGSTOP)
        process = psutil.Process(listener.process.pid)
        await until(lambda: process.status() == psutil.STATUS_STOPPED)
        async with asyncio.TaskGroup() as group:
            posts = [group.create_task(post(listener.url)) for _ in range(5)]
            _, pending = await asyncio.wait(posts, timeout=1.5)
            assert len(pending) == 5
            listener.process.send_signal(signal.SIGCONT)
        assert [each.result().status for each in posts] == [200] * 5
        assert (await post(listener.url)).status == 200
        assert await listener.end() == 0
    assert listener.of("summary")[0]["received"] == 6
    assert listener.errors == ""


@pytest.mark.parametrize("seconds", [7200, -7200], ids=["forwards", "backwards"])
async def test_a_jump_of_the_wall_clock_shows_in_verdicts_and_stops_nothing(
    moved_clock: Path, tmp_path: Path, seconds: int
) -> None:
    ahead = tmp_path / "ahead"
    environment = {"LD_PRELOAD": str(moved_clock), "CLOCK_FILE": str(ahead)}
    async with listening("--no-tunnel", "--ephemeral", environment=environment) as listener:
        states: list[str] = []
        for jump in ("0", str(seconds), "0"):
            ahead.write_text(jump)
            header = signed(BODY)
            assert (await post(listener.local_url, BODY, header)).status == 200
            shown = await listener.wait_for("delivery", len(states) + 1)
            states.append(shown["verdict"]["state"])
        assert states == ["valid", "stale", "valid"]
        ahead.write_text(str(seconds))
        assert await listener.end() == 0
    summary = listener.of("summary")[0]
    assert summary["received"] == 3
    assert summary["seconds"] >= 0
    assert listener.errors == ""


STUBBORN = """
import os, signal, socket, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
time.sleep(600)
"""


async def test_a_closed_terminal_ends_everything(service: NgrokService) -> None:
    words = [sys.executable, "-m", "tiktok_hook", "listen", "--port", "0", "--inspect-port", "0"]
    words += [*tunnelled(service), "-f", str(free_port()), "--", sys.executable, "-c", STUBBORN]
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "NGROK_AUTHTOKEN": TOKEN,
        "TIKTOK_CLIENT_SECRET": SECRET,
    }
    terminal = Terminal(words, columns=100, environment=environment)
    try:
        await asyncio.to_thread(terminal.read_until, "Ctrl-C stops", seconds=30)
        children = psutil.Process(terminal.process.pid).children(recursive=True)
        assert len(children) >= 2, "the tunnel's process and the app"
        terminal.close()
        assert await asyncio.to_thread(terminal.process.wait, DEADLINE) == 0
    finally:
        terminal.process.kill()
        terminal.process.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, DEADLINE)
    assert not alive
    assert service.online == []
    assert paths.listeners() == []


async def test_a_pipe_into_head_ends_both_with_the_first_line_whole() -> None:
    listener = await asyncio.create_subprocess_exec(
        "sh", "-c", '{ "$@"; echo "ended with $?" >&2; } | head -n 1', "sh",
        *command("--no-tunnel", "--ephemeral", form="compact"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TIKTOK_CLIENT_SECRET": SECRET},
    )  # fmt: skip
    await until(lambda: paths.listeners() != [], seconds=20)
    url = paths.listeners()[0].local_url

    async def load() -> None:
        while (await post(url)).status == 200:
            pass

    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        group.create_task(load())
        out, err = await listener.communicate()
    output = err.decode()
    assert out.decode().count("\n") == 1
    assert "post.publish.complete" in out.decode()
    assert "ended with 0" in output
    assert "Traceback" not in output
    assert "BrokenPipe" not in output
