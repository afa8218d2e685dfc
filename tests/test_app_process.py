"""Real commands as child processes: their output, their end, and everything they started."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.apps import free_port, running_app
from tests.deadline import DEADLINE
from tiktok_hook import app_process
from tiktok_hook.app_process import Lines, running
from tiktok_hook.errors import UsageError


def python(program: str) -> list[str]:
    return [sys.executable, "-u", "-c", program]


class Output(list[str]):
    """Lines as they come; a test waits for the one it needs."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def take(self, line: str) -> None:
        self.append(line)
        self._more.set()

    async def until(self, found: Callable[[str], bool], *, seconds: float = 10.0) -> str:
        async with asyncio.timeout(seconds):
            while True:
                for line in self:
                    if found(line):
                        return line
                self._more.clear()
                await self._more.wait()


async def ran(command: Sequence[str], **options: object) -> tuple[int, list[str]]:
    """Run a command to its own end."""
    lines: list[str] = []
    async with running(command, on_line=lines.append, **options) as app:  # type: ignore[arg-type]  # options are running's own
        async with asyncio.timeout(DEADLINE):
            code = await app.wait()
    return code, lines


def exists(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


# Output.


async def test_both_streams_come_line_by_line_in_order() -> None:
    program = "import os\nfor n in range(6): os.write(1 + n % 2, b'line %d\\n' % n)"
    assert await ran(python(program)) == (0, [f"line {number}" for number in range(6)])


async def test_a_last_line_without_an_end_is_not_lost() -> None:
    assert await ran(python("print('one'); print('two', end='')")) == (0, ["one", "two"])


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (b"plain\r\n", ["plain"]),
        (b"\x1b[31mred\x1b[0m\n", ["\x1b[31mred\x1b[0m"]),
        (b"\x1b[1;32mopen\n", ["\x1b[1;32mopen\x1b[0m"]),
        (b"\x1b[2J\x1b[Htop\x1bc\n", ["top"]),
        (b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\n", ["alink"]),
        (b"\x1b(Bascii\n", ["ascii"]),
        (b" 10%\r 50%\r100%\n", ["100%"]),
        (b"bell\x07 null\x00\ttab\n", ["bell\\x07 null\\x00\ttab"]),
        (b"\xff\xfe\n", ["\ufffd\ufffd"]),
        (b"cut \x1b[3", ["cut "]),
        (b"\n\n", ["", ""]),
        ("é 日本 👍\n".encode(), ["é 日本 👍"]),
    ],
)
def test_output_is_made_harmless(written: bytes, lines: list[str]) -> None:
    whole, bytewise = Lines(), Lines()
    assert whole.feed(written) + whole.flush() == lines
    pieces = [line for byte in written for line in bytewise.feed(bytes([byte]))]
    assert pieces + bytewise.flush() == lines


def test_an_endless_line_comes_in_pieces_that_cut_no_escape_sequence() -> None:
    lines = Lines()
    colour, size = b"\x1b[38;5;196m", 16 * 1024
    data = b"x" * (size - 4) + colour + b"y" * size
    pieces = lines.feed(data) + lines.flush()
    assert pieces[0] == "x" * (size - 4)
    assert pieces[1].startswith("\x1b[38;5;196my")
    assert "".join(pieces).replace("\x1b[0m", "").encode() == data
    for _ in range(100):
        assert sum(map(len, lines.feed(b"z" * size))) <= 3 * size


# What it inherits.


WITHHELD = [
    "NGROK_AUTHTOKEN",
    "NGROK_API_KEY",
    "TIKTOK_HOOK_AUTHTOKEN",
    "TIKTOK_HOOK_SECRET",
    "TIKTOK_HOOK_SECRET_FILE",
    "TIKTOK_HOOK_VERIFY_WEBHOOK_SECRET",
    "TIKTOK_HOOK_HEADER",
    "TIKTOK_HOOK_DB",
]
INHERITED = ["TIKTOK_CLIENT_SECRET", "TIKTOK_HOOK_FORWARD_TO", "NGROK_REGION", "KEPT", "DB"]


async def test_the_app_inherits_its_secret_and_no_credentials_of_ours() -> None:
    program = (
        "import os; print(sorted(set(os.environ) & {" + repr(WITHHELD + INHERITED)[1:-1] + "}))"
    )
    environment = {"PATH": os.environ["PATH"]} | dict.fromkeys(WITHHELD + INHERITED, "value")
    _, lines = await ran(python(program), environment=environment)
    assert lines == [repr(sorted(INHERITED))]


async def test_the_app_gets_its_port() -> None:
    program = python("import os; print(os.environ.get('PORT'))")
    environment = {"PATH": os.environ["PATH"], "PORT": "1"}
    _, lines = await ran(program, port=3456, environment=environment)
    assert lines == ["3456"]
    _, lines = await ran(program, environment={})
    assert lines == ["None"]


@pytest.mark.parametrize(("given", "seen"), [({}, "1"), ({"PYTHONUNBUFFERED": ""}, "")], ids=str)
async def test_a_python_app_prints_without_a_buffer(given: dict[str, str], seen: str) -> None:
    program = python("import os; print(repr(os.environ['PYTHONUNBUFFERED']))")
    _, lines = await ran(program, environment={"PATH": os.environ["PATH"], **given})
    assert lines == [repr(seen)]


async def test_what_a_python_app_prints_is_seen_while_it_runs() -> None:
    output = Output()
    environment = {"PATH": os.environ["PATH"]}
    program = python("import time; print('here'); time.sleep(60)")
    async with (
        running(program, environment=environment, on_line=output.take),
        asyncio.timeout(DEADLINE),
    ):
        await output.until("here".__eq__)


async def test_the_apps_stdin_stays_open_and_delivers_nothing() -> None:
    output = Output()
    program = python(
        "import select, sys; print(select.select([sys.stdin], [], [], 0.5)[0]); sys.stdin.read()"
    )
    async with running(program, on_line=output.take) as app, asyncio.timeout(DEADLINE):
        await output.until("[]".__eq__)
        assert app.exit_code is None


@pytest.mark.parametrize("command", [[], ["no-such-command-anywhere"], ["/"]])
async def test_a_command_that_is_not_there_is_a_usage_error(command: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        await ran(command)
    assert caught.value.hint


async def test_a_file_that_cannot_be_run_is_a_usage_error(tmp_path: Path) -> None:
    script = tmp_path / "app"
    script.write_text("#!/no/such/interpreter\n", "ascii")
    script.chmod(0o755)
    with pytest.raises(UsageError, match="cannot be run"):
        await ran([str(script)])


# Its port.


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (["sh -c true"], "without quotes: -- sh -c true"),
        (["PORT=3000", "sh"], "-- env NAME=value COMMAND"),
        (["cd", "app"], "sh -c 'cd … && COMMAND'"),
        (["no-such-program-anywhere"], "PATH"),
        (["no-such-program-anywhere start"], "PATH"),
    ],
)
async def test_a_command_that_was_written_for_a_shell_is_put_right(
    command: list[str], hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        await ran(command)
    assert hint in caught.value.hint


async def test_its_port_is_awaited() -> None:
    port = free_port()
    output = Output()
    program = "import http.server, os; http.server.test(port=int(os.environ['PORT']))"
    async with running(python(program), port=port, on_line=output.take) as app:
        assert await app.wait_for_port(port, seconds=10) == "up"
        assert app.exit_code is None


async def test_an_app_that_ends_before_it_listens_is_noticed() -> None:
    async with running(python("raise SystemExit(3)"), on_line=Output().take) as app:
        assert await app.wait_for_port(free_port(), seconds=10) == "ended"
        assert await app.wait() == 3


async def test_an_app_that_never_listens_is_late() -> None:
    async with running(["sleep", "60"], on_line=Output().take) as app:
        assert await app.wait_for_port(free_port(), seconds=0.1) == "late"


# Its end.


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("pass", 0),
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 15)", 143),
        ("import os; os.kill(os.getpid(), 9)", 137),
    ],
)
async def test_its_exit_code_is_a_shells(program: str, code: int) -> None:
    assert (await ran(python(program)))[0] == code


TREE = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-u', '-c', '''{child}'''])\n"
    "print('pid', child.pid)\n"
    "{parent}\n"
)
SLEEP = "import time; print(1); time.sleep(60)"


async def pids_of(output: Output, app_pid: int) -> list[int]:
    """Of the app and of what it started, once both are there."""
    line = await output.until(lambda text: text.startswith("pid "))
    await output.until(lambda text: text == "1")
    return [app_pid, int(line.removeprefix("pid "))]


@pytest.mark.realtime
@pytest.mark.parametrize(
    "parent",
    ["time.sleep(60)", "sys.exit(0)"],
    ids=["both-run", "command-ended-first"],
)
async def test_everything_it_started_ends_with_it(parent: str) -> None:
    output = Output()
    command = python(TREE.format(child=SLEEP, parent=parent))
    began = time.monotonic()
    async with running(command, on_line=output.take) as app:
        pids = await pids_of(output, app.pid)
    assert not any(map(exists, pids))
    assert time.monotonic() - began < app_process.STOP_SECONDS


async def test_ctrl_c_is_passed_on_and_the_app_may_end_by_itself() -> None:
    output = Output()
    program = (
        "import time\n"
        "try: print('up'); time.sleep(60)\n"
        "except KeyboardInterrupt: print('tidied'); raise SystemExit(5)\n"
    )
    async with running(python(program), on_line=output.take) as app:
        await output.until(lambda line: line == "up")
        app.interrupt()
    assert app.exit_code == 5
    assert output[-1] == "tidied"


STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "signal.signal(signal.SIGINT, signal.SIG_IGN); print(1); time.sleep(60)"
)


@pytest.mark.realtime
async def test_what_ignores_sigterm_is_killed_after_five_seconds() -> None:
    output = Output()
    command = python(TREE.format(child=STUBBORN, parent="time.sleep(60)"))
    async with running(command, on_line=output.take) as app:
        pids = await pids_of(output, app.pid)
        began = time.monotonic()
    assert not any(map(exists, pids))
    assert app_process.STOP_SECONDS <= time.monotonic() - began < app_process.STOP_SECONDS + 2
    assert app.exit_code == 128 + signal.SIGTERM


@pytest.mark.realtime
async def test_a_second_cancellation_kills_at_once() -> None:
    output = Output()
    entered = asyncio.Event()
    pids: list[int] = []

    async def alongside() -> None:
        command = python(TREE.format(child=STUBBORN, parent="time.sleep(60)"))
        async with running(command, on_line=output.take) as app:
            pids.extend(await pids_of(output, app.pid))
            entered.set()

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(alongside())
        await entered.wait()
        task.cancel()
    assert task.cancelled()
    assert time.monotonic() - began < app_process.STOP_SECONDS
    async with asyncio.timeout(DEADLINE):
        while any(map(exists, pids)):  # noqa: ASYNC110 - the end of others' processes is no event
            await asyncio.sleep(0.01)


@pytest.mark.realtime
async def test_output_held_open_by_a_daemon_does_not_hold_us() -> None:
    daemon = "import os, time; os.setsid(); print(1); time.sleep(30)"
    output = Output()
    command = python(TREE.format(child=daemon, parent="time.sleep(60)"))
    began = time.monotonic()
    async with running(command, on_line=output.take) as app:
        _, left = await pids_of(output, app.pid)
    os.kill(left, signal.SIGKILL)
    assert time.monotonic() - began < app_process.STOP_SECONDS


async def test_an_app_that_was_there_before_is_up_too() -> None:
    async with running_app() as other, running(["sleep", "60"], on_line=Output().take) as app:
        assert await app.wait_for_port(other.port) == "up"
