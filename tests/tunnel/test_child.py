"""The child alone: the real SDK against the stand-in, spoken to through its pipes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.apps import free_port
from tests.deadline import DEADLINE
from tests.ngrok_service import NgrokService
from tests.tunnel.conftest import SECRET, TOKEN, post
from tiktok_hook.tunnel import protocol
from tiktok_hook.tunnel.process import Child, environment, running
from tiktok_hook.tunnel.protocol import (
    Beat,
    Lost,
    Message,
    Missed,
    Online,
    Order,
    Rejected,
    RemoteCommand,
)

posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


@pytest.fixture
def order(service: NgrokService, app: str) -> Order:
    return Order(
        upstream=app,
        authtoken=TOKEN,
        server_addr=service.connect_url,
        cas=str(service.ca_file),
        heartbeat_interval=1,
        heartbeat_tolerance=1,
    )


class Raw:
    """A child without anything of ours around it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr

    async def until(self, kind: type[Message]) -> Message:
        async with asyncio.timeout(DEADLINE):
            async for line in self.stdout:
                message = protocol.load(line)
                if isinstance(message, kind):
                    return message
        raise AssertionError(f"ended without {kind.__name__}: {await self.stderr.read()!r}")

    async def end(self) -> tuple[int, bytes]:
        async with asyncio.timeout(DEADLINE):
            await self.stdout.read()
            stderr = await self.stderr.read()
            return await self.process.wait(), stderr


@asynccontextmanager
async def raw(order: Order | bytes) -> AsyncIterator[Raw]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "tiktok_hook.tunnel.child"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(os.environ),
    )
    child = Raw(process)
    try:
        child.stdin.write(order if isinstance(order, bytes) else order.line())
        yield child
    finally:
        child.stdin.close()
        await child.end()


async def comes_online(child: Child) -> None:
    while not isinstance(message := await child.next(), Online):
        assert message is not None, "ended without a URL"


async def test_the_child_reports_the_url_and_then_every_heartbeat(order: Order) -> None:
    async with raw(order) as child:
        online = await child.until(Online)
        assert isinstance(online, Online)
        assert (await post(online.url)).status == 200
        beat = await child.until(Beat)
        assert isinstance(beat, Beat)
        assert 0 <= beat.latency_ms < 1000


async def test_it_asks_for_what_was_ordered(order: Order, service: NgrokService) -> None:
    async with raw(replace(order, domain="127.9.7.1", webhook_secret=SECRET)) as child:
        await child.until(Online)
    asked = service.auths[-1]["Extra"]
    assert asked["AuthToken"] == TOKEN
    assert asked["ClientType"] == "tiktok-hook"
    assert (asked["HeartbeatInterval"], asked["HeartbeatTolerance"]) == (10**9, 10**9)
    options = service.binds[-1]["Opts"]
    assert options["WebhookVerification"] == {"provider": "tiktok", "secret": SECRET}
    assert "127.9.7.1" in {options.get("Domain"), options.get("Hostname")}


async def test_it_leaves_orderly_and_cleanly_10_times(order: Order, service: NgrokService) -> None:
    async def once() -> tuple[int, bytes]:
        async with raw(order) as child:
            await child.until(Online)
            child.stdin.close()
            return await child.end()

    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            runs = [group.create_task(once()) for _ in range(5)]
        assert [run.result() for run in runs] == [(0, b"")] * 5
        await service.wait_offline()


async def test_the_child_reports_an_ngrok_error_without_token_or_secret(
    order: Order, service: NgrokService
) -> None:
    service.reject_auth("ERR_NGROK_107", f"The token {TOKEN} and the secret {SECRET} are bad.")
    async with raw(replace(order, webhook_secret=SECRET)) as child:
        rejected = await child.until(Rejected)
        assert await child.end() == (0, b"")
    assert rejected == Rejected(
        "failed to connect session",
        "The token [hidden] and the secret [hidden] are bad.",
        "ERR_NGROK_107",
    )


async def test_a_message_longer_than_a_line_may_be_is_cut(
    order: Order, service: NgrokService
) -> None:
    service.reject_auth("ERR_NGROK_1", "x" * 100_000)
    async with raw(order) as child:
        rejected = await child.until(Rejected)
    assert isinstance(rejected, Rejected)
    assert rejected.message == "x" * 4000


async def test_it_leaves_the_sdk_no_back_off_after_a_loss(
    order: Order, service: NgrokService
) -> None:
    async with raw(order) as child:
        await child.until(Online)
        service.cut()
        assert await child.until(Lost) == Lost("transport error")
        assert await child.end() == (0, b"")
    assert len(service.auths) == 1


async def test_the_child_reports_a_missed_heartbeat(order: Order, service: NgrokService) -> None:
    async with raw(order) as child:
        await child.until(Online)
        service.go_silent()
        await child.until(Missed)


@pytest.mark.realtime
async def test_it_leaves_in_time_while_the_connection_is_silent(
    order: Order, service: NgrokService
) -> None:
    async with raw(order) as child:
        await child.until(Online)
        service.go_silent()
        child.stdin.close()
        async with asyncio.timeout(2):
            assert await child.end() == (0, b"")


async def test_it_reports_commands_and_stays(order: Order, service: NgrokService) -> None:
    async with raw(order) as child:
        online = await child.until(Online)
        assert isinstance(online, Online)
        assert await service.stop_agents() == [{}]
        assert await child.until(RemoteCommand) == RemoteCommand("stop")
        assert await service.restart_agents() == [{}]
        assert await child.until(RemoteCommand) == RemoteCommand("restart")
        assert (await post(online.url)).status == 200


@posix
async def test_ctrl_c_is_not_for_it(order: Order) -> None:
    async with raw(order) as child:
        online = await child.until(Online)
        assert isinstance(online, Online)
        child.process.send_signal(signal.SIGINT)
        await child.until(Beat)
        await child.until(Beat)
        assert (await post(online.url)).status == 200


@pytest.mark.parametrize(
    "line", [b"\n", b"{}\n", b"[1]\n", b"not json\n"], ids=["empty", "nothing", "list", "text"]
)
async def test_an_order_that_is_none_is_a_crash_with_last_words(line: bytes) -> None:
    async with raw(line) as child:
        code, stderr = await child.end()
    assert code == 1
    assert b"Error" in stderr.splitlines()[-1]


async def test_a_panic_of_the_sdk_is_an_exit(order: Order) -> None:
    async with raw(replace(order, cas="/nowhere/ca.pem")) as child:
        code, stderr = await child.end()
    assert code == 1
    assert b"PanicException" in stderr.splitlines()[-1]


async def test_a_crashs_last_words_are_kept_from_the_screen_and_without_secrets(
    order: Order, capfd: pytest.CaptureFixture[str]
) -> None:
    async with running(replace(order, cas=f"/nowhere/{TOKEN}"), patience=5) as child:
        assert await child.next() is None
    code, stderr = child.last_words()
    assert code == 1
    assert "/nowhere/[hidden]" in stderr
    assert capfd.readouterr() == ("", "")


@posix
async def test_one_that_does_not_leave_is_killed(order: Order) -> None:
    async with asyncio.timeout(DEADLINE):
        async with running(order, patience=0.3) as child:
            await comes_online(child)
            os.kill(child.pid, signal.SIGSTOP)
    assert child.last_words() == (-signal.SIGKILL, "")


async def test_a_file_in_the_working_directory_does_not_come_before_the_sdk(
    order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ngrok.py").write_text("raise RuntimeError('mine')\n")
    (tmp_path / "json.py").write_text("raise RuntimeError('mine')\n")
    monkeypatch.chdir(tmp_path)
    async with asyncio.timeout(DEADLINE):
        async with running(order, patience=2) as child:
            await comes_online(child)


def test_its_environment_holds_no_token_or_secret() -> None:
    own = {
        "PATH": "/bin",
        "NGROK_AUTHTOKEN": "a",
        "TIKTOK_CLIENT_SECRET": "b",
        "TIKTOK_HOOK_AUTHTOKEN": "c",
        "RUST_BACKTRACE": "1",
        "SSL_CERT_FILE": "/ca.pem",
    }
    assert environment(own) == {"PATH": "/bin", "SSL_CERT_FILE": "/ca.pem"}


async def test_the_sdk_logs_nothing_even_when_the_app_is_down(order: Order) -> None:
    async with raw(replace(order, upstream=f"http://127.0.0.1:{free_port()}")) as child:
        online = await child.until(Online)
        assert isinstance(online, Online)
        assert (await post(online.url)).status == 502
        child.stdin.close()
        assert await child.end() == (0, b"")
