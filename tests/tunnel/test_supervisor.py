"""The tunnel's life through the stand-in, with the real SDK in its child."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import uvloop

from tests.deadline import DEADLINE
from tests.ngrok_service import NgrokService, Request
from tests.tunnel.conftest import QUICK, SECRET, TOKEN, Log, Open, echoing, post
from tiktok_hook import signature
from tiktok_hook.delivery import Notice, TunnelChanged
from tiktok_hook.errors import TunnelError, UsageError
from tiktok_hook.tunnel import Timing, Tunnel, open_tunnel
from tiktok_hook.tunnel.options import TunnelOptions

posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {signature.HEADER: signature.sign(body, secret, timestamp=int(time.time()))}


# A request's way.


async def test_a_request_to_the_url_reaches_the_app(open_quick: Open) -> None:
    async with open_quick() as tunnel:
        answer = await post(tunnel.url + "/hook", b"a body", **signed(b"a body"))
    assert (answer.status, answer.body, answer.headers["App"]) == (200, b"a body", "yes")


async def test_ngrok_verifies_signatures_when_it_is_given_the_secret(
    open_quick: Open, service: NgrokService
) -> None:
    async with open_quick(verify_secret=SECRET) as tunnel:
        good = await post(tunnel.url, b"{}", **signed(b"{}"))
        forged = await post(tunnel.url, b"{}", **signed(b"{}", "another-secret"))
    assert (good.status, good.headers.get("App")) == (200, "yes")
    assert (forged.status, forged.headers.get("Ngrok-Error-Code")) == (403, "ERR_NGROK_3204")
    assert service.passed == 1


@pytest.mark.parametrize("domain", ["127.9.8.7", "https://127.9.8.7/"], ids=["host", "url"])
async def test_the_domain_asked_for_is_the_one_given(open_quick: Open, domain: str) -> None:
    async with open_quick(domain=domain) as tunnel:
        assert tunnel.url.startswith("http://127.9.8.7:")


async def test_a_traffic_policy_reaches_ngrok_unchanged(
    open_quick: Open, service: NgrokService
) -> None:
    policy = 'on_http_request:\n  - actions: [{type: "log"}]\n'
    async with open_quick(traffic_policy=policy):
        assert service.binds[-1]["Opts"]["TrafficPolicy"] == policy


# Losses and how they heal.


async def test_states_are_published_in_order_with_the_url(open_quick: Open, log: Log) -> None:
    async with open_quick() as tunnel:
        assert tunnel.state.state == "online"
        assert log.onlines[0].url == tunnel.url
        assert log.onlines[0].outage_seconds is None
    assert log.words == ["online", "closed"]


async def test_heartbeats_keep_the_latency_up_to_date(open_quick: Open, log: Log) -> None:
    async with open_quick() as tunnel:
        await log.until(lambda log: bool(log.beats), 5)
        assert log.beats[-1].latency_ms is not None
        assert log.beats[-1] == tunnel.state
    assert log.words == ["online", "closed"], "a heartbeat is no change"


async def healed(
    tunnel: Tunnel, service: NgrokService, log: Log, within: float = 10
) -> TunnelChanged:
    """Wait until a loss was published and healed: the same URL, once, and it works."""
    url, before = log.onlines[0].url, len(log.onlines)
    state = await log.online(before + 1, within)
    assert state.url == url == tunnel.url
    assert state.outage_seconds is not None
    assert (await post(tunnel.url)).status == 200
    assert len(service.online) == 1
    return state


async def test_a_plain_cut_is_healed_every_time(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    async with open_quick() as tunnel:
        for _ in range(10):
            service.cut()
            await healed(tunnel, service, log)
    assert log.words == ["online", *["reconnecting", "online"] * 10, "closed"]


async def test_an_outage_is_published_with_its_reason_and_length(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    async with open_quick() as tunnel:
        await service.refuse_connections()
        service.cut()
        await log.until(lambda log: "refuses the connection" in (log.states[-1].error or ""))
        assert tunnel.state.state == "reconnecting"
        since = tunnel.state.since
        assert log.states[-2].since == since
        await service.accept_again()
        state = await healed(tunnel, service, log)
        assert state.outage_seconds == pytest.approx(state.since - since, abs=0.01)


async def test_a_silent_loss_is_found_and_counts_from_the_last_heartbeat(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    async with open_quick() as tunnel:
        lost_at = time.time()
        service.go_silent(forget_after=3.0)
        await healed(tunnel, service, log)
    assert log.states[1].error == "The connection to ngrok went silent."
    assert log.states[1].since < lost_at + 0.2


async def test_our_dead_sessions_hold_on_the_host_is_waited_out(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    async with open_quick() as tunnel:
        service.reject_bind("ERR_NGROK_334", "already online")
        service.cut()
        await log.until(lambda log: "is already online" in (log.states[-1].error or ""))
        host = tunnel.url.removeprefix("http://").rpartition(":")[0]
        assert str(tunnel.state.error).startswith(host)
        service.stop_rejecting()
        await healed(tunnel, service, log)


async def test_a_service_that_goes_away_is_come_back_to(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    async with open_quick() as tunnel:
        service.go_away()
        await healed(tunnel, service, log)


async def test_garbage_ends_only_the_connection(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    async with open_quick() as tunnel:
        service.send_garbage()
        await healed(tunnel, service, log)


async def test_an_endpoint_that_ngrok_takes_offline_is_opened_again(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    async with open_quick() as tunnel:
        service.stop_tunnels("maintenance", "ERR_NGROK_999")
        await healed(tunnel, service, log)
    assert log.states[1].error == "ngrok took the URL offline: maintenance (ERR_NGROK_999)."


@posix
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
async def test_a_child_that_dies_or_stops_is_replaced_and_reaped(
    open_quick: Open, service: NgrokService, log: Log, how: signal.Signals
) -> None:
    async with open_quick() as tunnel:
        pid = tunnel.child_pid
        assert pid is not None
        os.kill(pid, how)
        await healed(tunnel, service, log)
        assert not psutil.pid_exists(pid)
        assert [child.pid for child in psutil.Process().children()] == [tunnel.child_pid]


async def test_a_jump_of_the_wall_clock_is_a_loss(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    slept = 0.0

    def clock() -> float:
        return time.time() + slept

    async with open_quick(clock=clock) as tunnel:
        slept = 3600.0
        state = await healed(tunnel, service, log)
        assert log.states[1].error == "This machine slept."
        assert state.outage_seconds == pytest.approx(3600, abs=5)


# Refusals while it runs.


@pytest.mark.parametrize("code", [108, 349, 9040, 1234])
async def test_a_temporary_ngrok_error_is_retried_once_it_was_online(
    open_quick: Open, service: NgrokService, log: Log, code: int
) -> None:
    async with open_quick() as tunnel:
        service.reject_auth(f"ERR_NGROK_{code}", "not now")
        service.cut()
        await log.until(lambda log: f"(ERR_NGROK_{code})" in (log.states[-1].error or ""))
        service.stop_rejecting()
        await healed(tunnel, service, log)


@pytest.mark.parametrize("code", [102, 103, 105, 106, 107, 120, 121, 123, 4018])
async def test_a_permanent_ngrok_error_ends_the_tunnel(
    open_quick: Open, service: NgrokService, log: Log, code: int
) -> None:
    async with open_quick() as tunnel:
        service.reject_auth(f"ERR_NGROK_{code}", f"no: {TOKEN}")
        service.cut()
        with pytest.raises(TunnelError, match=f"ERR_NGROK_{code}") as caught:
            async with asyncio.timeout(DEADLINE):
                await tunnel.wait_closed()
        assert caught.value.hint
        assert caught.value.exit_code == 3
        assert (tunnel.state.state, tunnel.state.error) == ("closed", str(caught.value))
        assert tunnel.child_pid is None
    assert TOKEN not in f"{log.states} {caught.value} {caught.value.hint}"


async def test_a_host_that_ngrok_does_not_give_twice_is_replaced_with_a_notice(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    def publish(event: TunnelChanged | Notice) -> None:
        log.publish(event)
        if isinstance(event, TunnelChanged) and "ERR_NGROK_320" in (event.error or ""):
            service.stop_rejecting()

    async with open_quick(publish=publish) as tunnel:
        before = tunnel.url
        service.reject_bind("ERR_NGROK_320", "not yours")
        service.cut()
        state = await log.online(2)
        assert tunnel.url == state.url != before
        assert (await post(tunnel.url)).status == 200
    (notice,) = log.notices
    assert before in notice.message
    assert tunnel.url in notice.message


async def test_a_domain_that_was_chosen_is_not_replaced(
    open_quick: Open, service: NgrokService
) -> None:
    async with open_quick(domain="127.9.8.6") as tunnel:
        service.reject_bind("ERR_NGROK_320", "not yours")
        service.cut()
        with pytest.raises(TunnelError, match=r"127\.9\.8\.6 belongs to another"):
            async with asyncio.timeout(DEADLINE):
                await tunnel.wait_closed()


# ngrok's dashboard.


async def test_stop_from_the_dashboard_ends_it(open_quick: Open, service: NgrokService) -> None:
    async with open_quick() as tunnel:
        assert await service.stop_agents() == [{}]
        with pytest.raises(TunnelError, match="stopped from ngrok's dashboard"):
            async with asyncio.timeout(DEADLINE):
                await tunnel.wait_closed()
        assert service.online == []


async def test_restart_from_the_dashboard_replaces_the_child(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    async with open_quick() as tunnel:
        pid = tunnel.child_pid
        assert await service.restart_agents() == [{}]
        await healed(tunnel, service, log)
        assert tunnel.child_pid != pid


async def test_update_from_the_dashboard_is_declined_with_a_sentence(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    async with open_quick() as tunnel:
        pid = tunnel.child_pid
        (answer,) = await service.update_agents()
        assert "updated with pip" in answer["Error"]
        await log.until(lambda log: bool(log.notices))
        assert (await post(tunnel.url)).status == 200
        assert tunnel.child_pid == pid


# The first connection.


def rejecting(service: NgrokService, code: int) -> None:
    if code < 300 or code == 4018:
        service.reject_auth(f"ERR_NGROK_{code}", f"No.\nYours: {TOKEN} and {SECRET}")
    else:
        service.reject_bind(f"ERR_NGROK_{code}", f"No.\nYours: {TOKEN} and {SECRET}")


@pytest.mark.parametrize("code", [105, 107, 4018, 108, 334, 364, 9016, 2201, 5555])
async def test_an_ngrok_error_at_the_start_is_one_sentence_and_a_hint(
    open_quick: Open, service: NgrokService, code: int
) -> None:
    rejecting(service, code)
    with pytest.raises(TunnelError, match=f"ERR_NGROK_{code}") as caught:
        await open_quick(domain="127.9.8.5", verify_secret=SECRET).__aenter__()
    shown = f"{caught.value} {caught.value.hint}"
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert TOKEN not in shown
    assert SECRET not in shown
    assert psutil.Process().children() == []


async def test_the_error_for_a_domain_in_use_names_it(open_quick: Open) -> None:
    async with open_quick(domain="127.9.8.4"):
        with pytest.raises(TunnelError, match=r"127\.9\.8\.4 is already online .*334"):
            await open_quick(domain="127.9.8.4").__aenter__()


async def test_an_unknown_name_and_a_connection_refused_are_different_errors(
    open_quick: Open, service: NgrokService
) -> None:
    with pytest.raises(TunnelError, match=r"example\.invalid cannot be found \(DNS\)"):
        await open_quick(connect_url="ngrok.example.invalid:443").__aenter__()
    await service.refuse_connections()
    with pytest.raises(TunnelError, match=f"{service.connect_url} refuses the connection"):
        await open_quick().__aenter__()


async def test_a_proxy_that_the_sdk_cannot_use_is_named(
    open_quick: Open, service: NgrokService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:password@proxy:3128")
    await service.refuse_connections()
    with pytest.raises(TunnelError) as caught:
        await open_quick().__aenter__()
    assert caught.value.hint.startswith("HTTPS_PROXY is set")
    assert "password" not in caught.value.hint


@pytest.mark.parametrize("cas", [None, "trusted", "host"])
async def test_the_error_for_an_unknown_certificate_names_what_was_trusted(
    open_quick: Open, cas: str | None
) -> None:
    with pytest.raises(TunnelError, match="certificate that is not trusted") as caught:
        await open_quick(connect_cas=cas).__aenter__()
    assert "--connect-cas" in caught.value.hint


@pytest.mark.realtime
@pytest.mark.parametrize("kind", [Request.AUTH, Request.BIND])
async def test_silence_ends_at_the_deadline(
    open_quick: Open, service: NgrokService, kind: Request
) -> None:
    service.muted = {kind}
    begun = time.monotonic()
    with pytest.raises(TunnelError, match=r"did not answer within 1\.2 s"):
        await open_quick(timing=Timing(connect=1.2)).__aenter__()
    assert time.monotonic() - begun < 3
    assert psutil.Process().children() == []


async def test_a_server_that_never_speaks_ends_at_the_deadline(open_quick: Open) -> None:
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TunnelError, match="did not answer"):
            await open_quick(
                connect_url=f"127.0.0.1:{port}", timing=Timing(connect=1.0)
            ).__aenter__()
        for writer in held:
            writer.close()


async def test_a_server_that_hangs_up_is_reported_as_such(open_quick: Open) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TunnelError, match="does not speak TLS"):
            await open_quick(connect_url=f"127.0.0.1:{port}").__aenter__()


async def test_a_service_that_hangs_up_while_signing_in_is_reported_as_such(
    open_quick: Open, service: NgrokService
) -> None:
    service.muted = {Request.AUTH}

    async def hang_up() -> None:
        await service.wait_for(lambda: bool(service.auths))
        service.cut()

    async with asyncio.TaskGroup() as group:
        group.create_task(hang_up())
        with pytest.raises(TunnelError, match="hung up while signing in"):
            await open_quick().__aenter__()


async def test_a_crash_at_the_start_shows_the_last_words_without_the_token(
    open_quick: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ngrok.py").write_text(f"raise ImportError('libexample.so: {TOKEN}')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(TunnelError, match=r"ended unexpectedly \(exit code 1\)") as caught:
        await open_quick().__aenter__()
    assert caught.value.hint == "Its last words: ImportError: libexample.so: [hidden]"


async def test_a_process_that_cannot_be_started_is_reported(
    open_quick: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(TunnelError, match="could not be started"):
        await open_quick().__aenter__()


async def test_pooling_wants_an_sdk_that_can(open_quick: Open, service: NgrokService) -> None:
    if sys.version_info >= (3, 12):
        shared = {"pooling": True, "domain": "127.9.8.3"}
        async with open_quick(**shared) as one, open_quick(**shared) as other:
            assert one.url == other.url
            assert len(service.online) == 2
    else:
        with pytest.raises(UsageError, match="cannot pool") as caught:
            await open_quick(pooling=True).__aenter__()
        assert "Python 3.12" in caught.value.hint


# Nothing leaks.


async def test_token_and_secret_are_in_no_argument_or_variable_of_the_child(
    open_quick: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NGROK_AUTHTOKEN", "TIKTOK_HOOK_AUTHTOKEN"):
        monkeypatch.setenv(name, TOKEN)
    for name in ("TIKTOK_CLIENT_SECRET", "TIKTOK_HOOK_SECRET"):
        monkeypatch.setenv(name, SECRET)
    async with open_quick(verify_secret=SECRET) as tunnel:
        child = psutil.Process(tunnel.child_pid)
        reported = f"{child.cmdline()} {child.environ()}"
    assert TOKEN not in reported
    assert SECRET not in reported


@posix
async def test_the_child_is_out_of_the_terminals_reach(open_quick: Open) -> None:
    async with open_quick() as tunnel:
        assert tunnel.child_pid is not None
        assert os.getpgid(tunnel.child_pid) != os.getpgid(0)
        assert os.getsid(tunnel.child_pid) != os.getsid(0)


@posix
async def test_neither_process_nor_descriptor_is_left(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    async with open_quick(domain="127.9.8.2"):
        pass
    await service.wait_for(lambda: not service.connections)
    process = psutil.Process()
    before = process.num_fds()
    log.states.clear()
    async with open_quick(domain="127.9.8.2") as tunnel:
        service.cut()
        await healed(tunnel, service, log)
        service.cut()
    await service.wait_for(lambda: not service.connections)
    assert process.num_fds() <= before
    assert process.children() == []


async def test_leaving_while_it_connects_leaves_nothing(
    open_quick: Open, service: NgrokService
) -> None:
    service.muted = {Request.AUTH}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await open_quick().__aenter__()
    assert psutil.Process().children() == []


async def test_leaving_takes_the_url_offline_at_once(
    open_quick: Open, service: NgrokService
) -> None:
    async with open_quick():
        pass
    assert service.online == []


async def test_the_callers_own_error_comes_out_as_it_went_in(open_quick: Open) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_quick():
            raise KeyError("mine")


@asynccontextmanager
async def parent_of_a_tunnel(
    service: NgrokService, app: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    program = (
        "import asyncio\n"
        "from tiktok_hook.tunnel import Timing, open_tunnel\n"
        "from tiktok_hook.tunnel.options import TunnelOptions\n"
        "async def main():\n"
        f"    options = TunnelOptions(authtoken={TOKEN!r},\n"
        f"        connect_url={service.connect_url!r}, connect_cas={str(service.ca_file)!r})\n"
        f"    async with open_tunnel(options, upstream={app!r}, timing={QUICK!r}):\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    try:
        yield parent
    finally:
        if parent.returncode is None:
            parent.kill()
        await parent.wait()


@pytest.mark.realtime
@posix
async def test_a_killed_parent_takes_its_url_offline_within_2_seconds(
    service: NgrokService, app: str
) -> None:
    async with parent_of_a_tunnel(service, app) as parent:
        await service.wait_online()
        parent.kill()
        await parent.wait()  # another kill would take its exit code from asyncio
        await service.wait_offline(timeout=2)
        await service.wait_for(lambda: not service.connections, timeout=2)


@pytest.mark.realtime
@posix
async def test_a_suspended_parent_continues_with_the_same_child(
    service: NgrokService, app: str
) -> None:
    async with parent_of_a_tunnel(service, app) as parent:
        await service.wait_online()
        (child,) = psutil.Process(parent.pid).children()
        parent.send_signal(signal.SIGSTOP)
        await asyncio.sleep(QUICK.silence + 1)
        parent.send_signal(signal.SIGCONT)
        await asyncio.sleep(0.5)  # what must not happen would happen at once
        assert psutil.Process(parent.pid).children() == [child]
        assert len(service.auths) == 1


def options_for(service: NgrokService) -> TunnelOptions:
    """The options of a tunnel through the stand-in."""
    return TunnelOptions(
        authtoken=TOKEN, connect_url=service.connect_url, connect_cas=str(service.ca_file)
    )


def test_it_runs_on_uvloop_too() -> None:
    async def story() -> None:
        log = Log()
        async with (
            NgrokService() as service,
            echoing() as app,
            open_tunnel(
                options_for(service), upstream=app, timing=QUICK, publish=log.publish
            ) as tunnel,
        ):
            service.cut()
            await healed(tunnel, service, log)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())


# The promised bounds, in real time.


async def story(app: str, trouble: str, within: float) -> None:
    log = Log()
    async with (
        NgrokService() as service,
        open_tunnel(options_for(service), upstream=app, publish=log.publish) as tunnel,
    ):
        assert tunnel.child_pid is not None
        match trouble:
            case "cut":
                service.cut()
            case "silence":
                service.go_silent()
            case "stop":
                os.kill(tunnel.child_pid, signal.SIGSTOP)
            case "kill":
                os.kill(tunnel.child_pid, signal.SIGKILL)
            case _:
                await service.refuse_connections()
                service.cut()
                await asyncio.sleep(30)
                await service.accept_again()
        await healed(tunnel, service, log, within)


@pytest.mark.realtime
@posix
async def test_the_default_timing_keeps_the_bounds(app: str) -> None:
    bounds = {"cut": 10.0, "outage": 15.0, "silence": 45.0, "stop": 45.0, "kill": 10.0}
    # All at once, since they mostly wait.
    async with asyncio.TaskGroup() as group:
        for trouble, within in bounds.items():
            group.create_task(story(app, trouble, within))
