"""`tiktok_hook.listen` as a program uses it, without the command line."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest

import tiktok_hook
from tests.apps import free_port, http, running_app
from tests.deadline import DEADLINE
from tests.doc_pages import block
from tests.listener import BODY, SECRET, TOKEN, post, signed
from tests.ngrok_service import NgrokService
from tests.store.samples import event_body
from tiktok_hook.bus import Bus
from tiktok_hook.delivery import (
    AppChanged,
    AttemptEnded,
    AttemptStarted,
    DeliveryAnswered,
    DeliveryStored,
    Notice,
    Ready,
    SecondaryFailures,
    Skipped,
    Summary,
)
from tiktok_hook.forward import KEPT_BYTES, Forwarder


@pytest.fixture
async def service() -> AsyncIterator[NgrokService]:
    async with NgrokService() as running:
        yield running


def local(**arguments: object) -> AbstractAsyncContextManager[tiktok_hook.Session]:
    """Without tunnel, inspector and file, on a free port."""
    basics = {"secret": SECRET, "tunnel": False, "inspect": False, "port": 0, "ephemeral": True}
    return tiktok_hook.listen(**{**basics, **arguments})  # type: ignore[arg-type] # by name


async def test_a_delivery_through_the_tunnel_comes_out_of_the_session_and_reaches_the_app(
    service: NgrokService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    async with (
        running_app() as app,
        tiktok_hook.listen(
            secret=SECRET,
            forward_to=str(app.port),
            port=0,
            inspect=False,
            connect_url=service.connect_url,
            connect_cas=str(service.ca_file),
        ) as session,
        asyncio.timeout(DEADLINE),
    ):
        assert session.callback_url == service.online[0].url
        deliveries = aiter(session)
        assert (await post(session.callback_url)).status == 200
        delivery = await anext(deliveries)
    assert delivery.body == BODY
    assert delivery.verdict.state is tiktok_hook.State.VALID
    assert delivery.status == 200
    assert app.bodies == [BODY]


async def test_what_is_known_of_the_app_is_about_the_first_target() -> None:
    missing = f"http://127.0.0.1:{free_port()}"
    async with (
        asyncio.timeout(DEADLINE),
        running_app() as app,
        local(forward_to=[app.url, missing], ack="first") as session,
    ):
        with session.bus.subscribe() as news:
            await post(session.local_url)
            item = await anext(news)
            while not isinstance(item, AppChanged):
                item = await anext(news)
            while session.relay.waited_for != missing:  # the first target has it by then
                await anext(news)
        assert (item.state, item.target) == ("paused", missing)
        assert session.state.app is None
    summary = session.summary()
    assert (summary.pending, summary.pending_at) == (1, missing)
    assert (summary.failed, summary.secondary_failures) == ((), ()), (
        "it waits, and may get through yet"
    )


async def test_what_a_pause_left_waiting_is_not_offered_to_be_sent_again_one_by_one() -> None:
    missing = f"http://127.0.0.1:{free_port()}"
    async with asyncio.timeout(DEADLINE), local(forward_to=missing) as session:
        with session.bus.subscribe() as news:
            await session.toggle_pause()
            await post(session.local_url)
            await session.toggle_pause()
            while not isinstance(await anext(news), AttemptEnded):
                pass
    summary = session.summary()
    assert (summary.failed, summary.pending) == ((), 1)


async def test_failures_of_a_secondary_target_are_counted_apart_from_those_of_the_app() -> None:
    missing = f"http://127.0.0.1:{free_port()}"
    async with (
        asyncio.timeout(DEADLINE),
        running_app() as app,
        local(forward_to=[app.url, missing]) as session,
    ):
        assert (await post(session.local_url)).status == 200
    summary = session.summary()
    assert summary.failed == ()
    assert summary.secondary_failures == (SecondaryFailures(missing, (1,), 1),)


@pytest.mark.parametrize(
    "useless",
    [{"ack": "hold"}, {"insecure": True}, {"headers": ["X-A: 1"]}],
    ids=str,
)
def test_what_only_a_target_gives_a_meaning_needs_one(useless: dict[str, object]) -> None:
    with pytest.raises(tiktok_hook.UsageError, match="needs a target"):
        local(**useless)


LATE = """
import os, pathlib, socket, sys, time
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
app = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
time.sleep(60)
"""


async def test_a_delivery_that_waits_for_a_slow_app_is_reported(tmp_path: Path) -> None:
    port, reported, bus = free_port(), [], Bus()

    def noticed(notice: Notice) -> None:
        reported.append(notice)
        (tmp_path / "go").touch()

    command = [sys.executable, "-c", LATE, str(tmp_path / "go")]
    async with asyncio.timeout(DEADLINE):
        with bus.connect({Notice: noticed}):
            async with local(forward_to=str(port), command=command, bus=bus) as session:
                assert session.relay.target_up
    assert reported[0] == Notice(f"Waiting for the app to listen on port {port}.", level="info")


async def test_an_earlier_run_of_the_app_is_not_taken_for_the_one_that_is_started() -> None:
    reported: list[Notice] = []
    bus = Bus()
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with bus.connect({Notice: reported.append}):
        async with (
            asyncio.timeout(DEADLINE),
            running_app() as earlier,
            local(forward_to=earlier.url, command=command, bus=bus),
        ):
            pass
    (notice,) = reported
    assert notice.message.startswith(f"Port {earlier.port} is already in use")


async def test_the_page_stays_off_the_port_that_the_app_is_going_to_listen_on() -> None:
    async with asyncio.timeout(DEADLINE), local(inspect=True, forward_to="4040") as session:
        assert session.inspector_url is not None
        assert ":4040/" not in session.inspector_url
    port = free_port()
    with pytest.raises(tiktok_hook.UsageError, match="own inspector"):
        async with local(inspect=True, inspect_port=port, forward_to=str(port)):
            pass


async def test_a_history_in_memory_is_shorter_than_one_on_disk() -> None:
    """Memory has to stay flat in a session that runs all day."""
    answer = http(200, bytes(KEPT_BYTES))
    async with (
        asyncio.timeout(60),
        running_app(answer) as app,
        local(forward_to=app.url) as session,
        Forwarder() as forwarder,
    ):
        for _ in range(1100):
            await post(session.local_url, forwarder=forwarder)
        await session.store.flush()
        counts = session.store.history().counts()
    assert 900 < counts.received < 1024


async def test_what_no_route_takes_is_published_and_not_counted() -> None:
    async with (
        running_app() as app,
        local(routes=[("video.*", app.url)]) as session,
    ):
        with session.bus.subscribe() as arrivals:
            await post(session.local_url)
        counted = session.summary().attempts
    stored, answered, skipped = arrivals.drain()
    assert isinstance(stored, DeliveryStored)
    assert isinstance(answered, DeliveryAnswered)
    assert isinstance(skipped, Skipped)
    assert skipped.delivery.id == 1
    assert skipped.reason == "no --route matches it"
    assert counted == len(app.requests) == 0


async def test_a_delivery_is_published_before_the_app_has_answered() -> None:
    async with running_app(http(200, b"ok")) as app, local(forward_to=app.url) as session:
        with session.bus.subscribe() as arrivals:
            await post(session.local_url)
            await post(session.local_url)
    kinds = [type(event) for event in arrivals.drain()][:8]
    assert kinds == [DeliveryStored, AttemptStarted, AttemptEnded, DeliveryAnswered] * 2


async def test_a_redelivery_shows_when_the_first_one_was_received() -> None:
    async with local() as session, asyncio.timeout(DEADLINE):
        deliveries = aiter(session)
        for _ in range(3):
            await post(session.local_url)
        first, *later = [await anext(deliveries) for _ in range(3)]
    assert first.first_received_at is None
    assert [each.first_received_at for each in later] == [first.received_at] * 2


async def test_without_any_authtoken_it_is_a_tunnel_error() -> None:
    with pytest.raises(tiktok_hook.TunnelError, match="authtoken"):
        async with local(tunnel=True):
            pass


async def test_what_came_before_the_first_step_of_an_iteration_is_not_missed() -> None:
    async with local() as session, asyncio.timeout(DEADLINE):
        deliveries = aiter(session)
        for _ in range(2):
            await post(session.local_url)
        assert [(await anext(deliveries)).redelivery_number for _ in range(2)] == [1, 2]


async def test_an_iteration_begins_with_what_came_before_it() -> None:
    async with local() as session, asyncio.timeout(DEADLINE):
        for _ in range(2):
            await post(session.local_url)
        for _ in range(2):
            numbers = []
            async for delivery in session:
                numbers.append(delivery.redelivery_number)
                if len(numbers) == 2:
                    break
            assert numbers == [1, 2]


async def test_an_invalid_filter_is_a_usage_error() -> None:
    async with local() as session:
        assert repr(session) == f"<tiktok_hook.Session {session.callback_url}>"
        with pytest.raises(tiktok_hook.UsageError, match="5 is not a filter"):
            await session.wait_for(5)  # type: ignore[arg-type] # a mistake


async def test_a_delivery_is_waited_for_by_a_filter() -> None:
    failed = event_body("post.publish.failed", reason="spam_risk", user="u-2")
    async with local() as session, asyncio.timeout(DEADLINE):
        await post(session.local_url)
        await post(session.local_url, failed, signed(failed))
        found = await session.wait_for("post.* user:u-2 content.reason:spam*", timeout=10)
        assert (found.body, found.status) == (failed, 200)
        assert (await session.wait_for()).body == BODY


async def test_the_next_wait_waits_for_the_next_one() -> None:
    async with local() as session, asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        await post(session.local_url)
        assert (await session.wait_for("*")).redelivery_number == 1
        waiting = group.create_task(session.wait_for("*"))
        await asyncio.sleep(0)
        await post(session.local_url)
        assert (await waiting).redelivery_number == 2


async def test_nothing_that_matches_is_a_timeout_which_names_what_was_rejected() -> None:
    async with local() as session, asyncio.timeout(DEADLINE):
        await post(session.local_url, BODY, signed(BODY, secret="another"))
        with pytest.raises(
            TimeoutError, match=r"No delivery that matches \* arrived within"
        ) as raised:
            await session.wait_for("*", timeout=timedelta(milliseconds=50))
        (note,) = raised.value.__notes__
        assert note.startswith("Rejected: 1 that matched; the last one: ")
        with pytest.raises(TimeoutError) as raised:
            await session.wait_for("post.publsh.failed", timeout=0.05)
        (note,) = raised.value.__notes__
        assert note.startswith("post.publsh.failed matches no known event. Did you mean post.")
        with pytest.raises(TimeoutError, match=r"No delivery arrived within 0\.05 s"):
            await session.wait_for(timeout=0.05)
        with pytest.raises(tiktok_hook.UsageError, match="usr:1 is not a term"):
            await session.wait_for("usr:1")


async def test_a_ping_is_waited_for_by_its_name_only() -> None:
    ping = tiktok_hook.sample("tiktok.ping")
    async with local() as session, asyncio.timeout(DEADLINE):
        await post(session.local_url, ping, signed(ping))
        with pytest.raises(TimeoutError):
            await session.wait_for(timeout=0.05)
        assert (await session.wait_for("tiktok.ping")).body == ping


async def test_a_wait_ends_with_the_session() -> None:
    async with (
        running_app() as app,
        local(forward_to=app.url, command=[sys.executable, "-c", "pass"]) as session,
        asyncio.timeout(DEADLINE),
    ):
        with pytest.raises(tiktok_hook.HookError, match="before the session ended"):
            await session.wait_for("*", timeout=None)


async def test_an_iteration_includes_rejected_deliveries() -> None:
    async with local() as session, asyncio.timeout(DEADLINE):
        deliveries = aiter(session)
        await post(session.local_url, BODY, signed(BODY, secret="another"))
        delivery = await anext(deliveries)
    assert (delivery.verdict.state, delivery.status) == ("invalid", 403)


async def test_a_bus_of_the_callers_gets_everything_from_the_start() -> None:
    bus = Bus()
    with bus.subscribe() as arrivals:
        async with (
            running_app(http(500)) as app,
            local(forward_to=app.url, bus=bus) as session,
        ):
            await post(session.local_url)
    events = arrivals.drain()
    (ended,) = [event for event in events if isinstance(event, AttemptEnded)]
    assert ended.attempt.status == 500
    assert isinstance(events[0], Ready)
    assert isinstance(events[-1], Summary)


async def test_an_iteration_ends_when_the_child_app_ends() -> None:
    async with (
        running_app() as app,
        local(forward_to=app.url, command=[sys.executable, "-c", "pass"]) as session,
        asyncio.timeout(DEADLINE),
    ):
        assert [delivery async for delivery in session] == []
        assert session.exit_code == 0


async def test_an_iteration_that_begins_after_the_command_ended_ends_at_once() -> None:
    async with (
        running_app() as app,
        local(forward_to=app.url, command=[sys.executable, "-c", "pass"]) as session,
        asyncio.timeout(DEADLINE),
    ):
        await session.ended.wait()
        assert [delivery async for delivery in session] == []


async def test_an_ngrok_error_that_ends_a_running_session_is_one_plain_error(
    service: NgrokService,
) -> None:
    async def lose_it() -> None:
        async with local(
            tunnel=True,
            authtoken=TOKEN,
            connect_url=service.connect_url,
            connect_cas=str(service.ca_file),
        ) as session:
            service.reject_auth("ERR_NGROK_105", "The authtoken is not good.")
            service.cut()
            async for _ in session:
                pass

    with pytest.raises(tiktok_hook.TunnelError) as caught:
        await asyncio.wait_for(lose_it(), DEADLINE)
    assert caught.value.exit_code == 3
    assert caught.value.hint


async def test_a_taken_port_is_one_plain_error() -> None:
    async with local() as session:
        port = int(session.local_url.rpartition(":")[2])
        with pytest.raises(tiktok_hook.ListenError, match=str(port)):
            async with local(port=port):
                pass


@pytest.mark.parametrize(
    "arguments",
    [{"forward_to": "what?"}, {"command": ["true"]}, {"path": "hook"}, {"verify_webhook": True}],
    ids=["target", "command-without-target", "path", "verify-without-secret"],
)
def test_arguments_that_exclude_each_other_are_an_error_before_anything_opens(
    arguments: dict[str, object],
) -> None:
    with pytest.raises(tiktok_hook.UsageError):
        local(**{"secret": (), **arguments})


async def test_the_example_of_the_readme_runs() -> None:
    async with running_app() as app:
        example = block("async for delivery in session").replace("…", SECRET)
        program = example.replace('"3000"', f'"{app.port}", tunnel=False, port=0')
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", "-c", program, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            url = (await asyncio.wait_for(process.stdout.readline(), DEADLINE)).decode().strip()
            assert (await post(url)).status == 200
            shown = (await asyncio.wait_for(process.stdout.readline(), DEADLINE)).decode()
        finally:
            process.terminate()
            await process.wait()
    assert shown.startswith("1 ")
    assert shown.endswith(" valid\n")
