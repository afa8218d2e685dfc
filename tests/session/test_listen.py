"""The whole command against the stand-in of ngrok's service: real SDK, real sockets, real file."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.apps import free_port
from tests.deadline import DEADLINE
from tests.listener import BODY, SECRET, TOKEN, Listener, command, listening, post, signed
from tests.ngrok_service import NgrokService
from tiktok_hook.forward import Forwarder, ForwardRequest


@pytest.fixture
async def service() -> AsyncIterator[NgrokService]:
    async with NgrokService() as running:
        yield running


def tunnelled(service: NgrokService) -> list[str]:
    return ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]


TOKEN_ONLY = {"NGROK_AUTHTOKEN": TOKEN}


async def test_a_signed_post_through_the_tunnel_is_stored_shown_and_answered_200(
    service: NgrokService, tmp_path: Path
) -> None:
    db = tmp_path / "history.db"
    async with listening(*tunnelled(service), "--db", str(db), environment=TOKEN_ONLY) as listener:
        assert listener.ready["self_check"] == "ok"
        reply = await post(listener.url)
        assert (reply.status, reply.error) == (200, None)
        delivery = await listener.wait_for("delivery")
        assert delivery["id"] == 1, "the self-check is not stored"
        assert delivery["body"] == BODY.decode()
        assert delivery["verdict"]["state"] == "valid"
        assert delivery["status"] is None
        answer = await listener.wait_for("answer")
        assert (answer["delivery_id"], answer["status"], answer["verdict"]) == (1, 200, "valid")
        assert await listener.end() == 0
    assert listener.of("summary")[0]["received"] == 1
    assert TOKEN not in listener.errors
    assert SECRET not in listener.errors


async def test_a_forged_post_is_rejected_stored_and_explained(service: NgrokService) -> None:
    async with listening(*tunnelled(service), environment=TOKEN_ONLY) as listener:
        reply = await post(listener.url, BODY, signed(BODY, secret="another"))
        delivery = await listener.wait_for("delivery")
        answer = await listener.wait_for("answer")
    assert reply.status == 403
    assert answer["status"] == 403
    assert delivery["verdict"]["state"] == "invalid"
    assert delivery["verdict"]["reason"]


async def test_with_verification_at_the_edge_a_forged_post_never_arrives(
    service: NgrokService,
) -> None:
    async with listening(
        *tunnelled(service), "--verify-webhook", environment=TOKEN_ONLY
    ) as listener:
        forged = await post(listener.url, BODY, signed(BODY, secret="another"))
        good = await post(listener.url)
        delivery = await listener.wait_for("delivery")
    assert forged.status == 403
    assert forged.header("Ngrok-Error-Code") == "ERR_NGROK_3204"
    assert good.status == 200
    assert delivery["id"] == 1


async def test_the_domain_and_path_asked_for_are_in_the_callback_url(
    service: NgrokService,
) -> None:
    async with listening(
        *tunnelled(service), "--domain", "calm-otter.localhost", "--path", "/tiktok",
        environment=TOKEN_ONLY,
    ) as listener:  # fmt: skip
        assert "calm-otter.localhost" in listener.url
        assert listener.url.endswith("/tiktok")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="SDK 1.4 of Python 3.11 cannot pool")
async def test_two_listeners_that_pool_a_domain_share_its_deliveries(service: NgrokService) -> None:
    options = [*tunnelled(service), "--ephemeral", "--pooling", "--domain", "127.9.8.4"]
    async with (
        listening(*options, environment=TOKEN_ONLY) as one,
        listening(*options, environment=TOKEN_ONLY) as other,
    ):
        assert one.url == other.url
        assert [each.ready["self_check"] for each in (one, other)] == ["ok", "ok"]
        assert [(await post(one.url)).status for _ in range(6)] == [200] * 6
        base = one.ready["inspector_url"].partition("/#")[0]
        async with Forwarder() as forwarder:
            reply = await forwarder.send(ForwardRequest("GET", f"{base}/api/endpoints"))
        assert json.loads(reply.body)["endpoints"][0]["pooling_enabled"]
        assert [await each.end() for each in (one, other)] == [0, 0]
    received = [each.of("summary")[0]["received"] for each in (one, other)]
    assert sum(received) == 6
    assert min(received) >= 1, "both got some"


@pytest.mark.parametrize(
    ("code", "words"),
    [("ERR_NGROK_105", "authtoken"), ("ERR_NGROK_108", "session"), ("ERR_NGROK_9016", "webhook")],
)
async def test_an_ngrok_error_is_one_sentence_a_hint_and_exit_code_3(
    service: NgrokService, code: str, words: str
) -> None:
    service.reject_auth(code, f"The authtoken {TOKEN} is not good.")
    process = await asyncio.create_subprocess_exec(
        *command(*tunnelled(service), form="compact"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **TOKEN_ONLY},
    )
    out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    lines = err.decode().splitlines()
    assert process.returncode == 3, err.decode()
    assert [line.partition(":")[0] for line in lines] == ["Error", "Hint"]
    assert words in err.decode().lower()
    assert TOKEN not in err.decode()
    assert out == b""


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("ERR_NGROK_18019", "does not include endpoint pooling", "Leave out --pooling"),
        ("ERR_NGROK_18020", "as many pooled endpoints", "Stop one of the other listeners"),
    ],
)
async def test_a_pool_that_ngrok_does_not_let_us_join_ends_with_3(
    service: NgrokService, code: str, message: str, hint: str
) -> None:
    service.reject_bind(code, "What ngrok's own sentence is.")
    pooling = ["--pooling"] if sys.version_info >= (3, 12) else []  # SDK 1.4 of 3.11 cannot pool
    process = await asyncio.create_subprocess_exec(
        *command(*tunnelled(service), "--domain", "127.9.8.4", *pooling, form="compact"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **TOKEN_ONLY},
    )
    _, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert process.returncode == 3, err.decode()
    words = " ".join(err.decode().split())
    assert message in words
    assert hint in words.partition("Hint: ")[2]


async def test_a_notice_at_the_start_counts_queued_deliveries_that_will_not_be_forwarded(
    tmp_path: Path,
) -> None:
    words = ["--no-tunnel", "--db", str(tmp_path / "history.db"), "--ack"]
    apps = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    async with listening(*words, "first", "-f", apps[0]) as first:
        await post(first.local_url)
        await post(first.local_url)
    async with listening(*words, "first", "-f", apps[0]) as same:
        pass
    assert same.errors == ""
    async with listening(*words, "first", "-f", apps[1]) as other:
        pass
    assert other.errors.splitlines() == [
        f"Note: Queued for {apps[0]} since an earlier session: 2 deliveries.",
        "  tiktok-hook replay --pending sends them.",
    ]
    async with listening(*words, "app", "-f", apps[0]) as at_once:
        pass
    assert "since an earlier session: 2 deliveries." in at_once.errors


@pytest.mark.parametrize(
    ("form", "up", "sum_up"),
    [("json", b'"type":"ready"', b'"type":"summary"'), ("compact", b"Ctrl-C", b"0 deliveries in")],
    ids=["json", "compact"],
)
async def test_a_stop_from_the_dashboard_is_reported_once_with_a_summary(
    service: NgrokService, form: str, up: bytes, sum_up: bytes
) -> None:
    process = await asyncio.create_subprocess_exec(
        *command(*tunnelled(service), "--ephemeral", form=form),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **TOKEN_ONLY},
    )
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        while up not in await process.stdout.readline():
            pass
        await service.stop_agents()
        text, _ = await process.communicate()
    assert process.returncode == 3
    assert text.count(b"stopped from ngrok's dashboard") == 1
    assert sum_up in text


async def test_the_portals_steps_are_shown_until_tiktok_was_seen(
    service: NgrokService, tmp_path: Path
) -> None:
    words = [*tunnelled(service), "--domain", "same.localhost", "--db", str(tmp_path / "x.db")]

    async def banner() -> str:
        process = await asyncio.create_subprocess_exec(
            *command(*words, "--timeout", "0.5", form="compact"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **TOKEN_ONLY, "TIKTOK_CLIENT_SECRET": SECRET},
        )
        _, err = await asyncio.wait_for(process.communicate(), DEADLINE)
        return err.decode()

    assert "Test URL > Send" in await banner()
    assert "Test URL > Send" in await banner(), "the URL is the same, and TikTok was not seen"
    async with listening(*words, environment=TOKEN_ONLY) as listener:
        await post(listener.local_url, BODY, signed(BODY, secret="another"))
        await listener.wait_for("answer")
    assert "Test URL > Send" in await banner(), "a forged one is not TikTok"
    async with listening(*words, environment=TOKEN_ONLY) as listener:
        await post(listener.local_url)
        await listener.wait_for("answer")
    assert "Same URL as last time." in await banner()


@pytest.mark.realtime
async def test_a_parent_killed_outright_takes_its_url_offline_within_2_seconds(
    service: NgrokService,
) -> None:
    async with listening(*tunnelled(service), environment=TOKEN_ONLY) as listener:
        children = psutil.Process(listener.process.pid).children(recursive=True)
        listener.process.kill()
        started = time.monotonic()
        await service.wait_offline(timeout=5)
        assert time.monotonic() - started < 2
        _, alive = psutil.wait_procs(children, timeout=DEADLINE)
    assert not alive


async def test_leaving_cleanly_leaves_nothing_behind_10_times(service: NgrokService) -> None:
    limit = asyncio.Semaphore(4)

    async def once() -> tuple[int, str]:
        async with (
            limit,
            listening(
                *tunnelled(service), "--ephemeral", "--no-self-check", environment=TOKEN_ONLY
            ) as listener,
        ):
            code = await listener.end()
        return code, listener.errors

    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(once()) for _ in range(10)]
    assert [run.result() for run in runs] == [(0, "")] * 10
    assert service.online == []


# Without a tunnel: what is promised about the disk.


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Listener]:
    async with listening("--no-tunnel", "--db", str(tmp_path / "history.db")) as listener:
        yield listener


READER = """
import sqlite3, sys
rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(rows.execute("select count(*) from deliveries").fetchone()[0])
"""


async def test_a_delivery_is_read_by_another_process_once_it_is_answered(
    local: Listener, tmp_path: Path
) -> None:
    assert (await post(local.local_url)).status == 200
    db = str(tmp_path / "history.db")
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READER, db, stdout=asyncio.subprocess.PIPE
    )
    seen, _ = await asyncio.wait_for(reader.communicate(), DEADLINE)
    assert seen == b"1\n"


SLOW_FSYNC = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static int slow(const char *name, int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    usleep(50000);
    return real(fd);
}
int fsync(int fd) { return slow("fsync", fd); }
int fdatasync(int fd) { return slow("fdatasync", fd); }
"""


@pytest.fixture(scope="session")
def slow_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes every sync to disk take 50 ms longer."""
    compiler = shutil.which("cc")
    if compiler is None:
        if os.environ.get("CI") == "true":
            pytest.fail("a C compiler is needed to slow the disk down")
        pytest.skip("no C compiler to slow the disk down with")
    folder = tmp_path_factory.mktemp("slow")
    (folder / "slow.c").write_text(SLOW_FSYNC)
    library = folder / "slow.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, folder / "slow.c", "-ldl"], check=True
    )
    return library


@pytest.mark.realtime
async def test_the_answer_waits_for_the_disk_and_32_wait_together(
    slow_disk: Path, tmp_path: Path
) -> None:
    async with listening(
        "--no-tunnel", "--db", str(tmp_path / "history.db"),
        environment={"LD_PRELOAD": str(slow_disk)},
    ) as listener, Forwarder() as forwarder:  # fmt: skip
        await post(listener.local_url, forwarder=forwarder)
        started = time.perf_counter()
        assert (await post(listener.local_url, forwarder=forwarder)).status == 200
        assert time.perf_counter() - started >= 0.05
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            posts = [
                group.create_task(post(listener.local_url, forwarder=forwarder)) for _ in range(32)
            ]
        together = time.perf_counter() - started
    assert {done.result().status for done in posts} == {200}
    assert 0.05 <= together < 0.4


@pytest.mark.parametrize("round_", range(10))
async def test_after_kill_9_under_load_everything_answered_200_is_there(
    round_: int, tmp_path: Path
) -> None:
    db = tmp_path / "history.db"
    answered: list[int] = []
    enough = asyncio.Event()

    async def load(forwarder: Forwarder, url: str, worker: int) -> None:
        for number in range(worker * 10_000, (worker + 1) * 10_000):
            body = b'{"event":"load","number":%d}' % number
            reply = await post(url, body, signed(body), forwarder=forwarder)
            if reply.status != 200:
                return
            answered.append(number)
            if len(answered) >= 200 + 37 * round_:
                enough.set()

    async with (
        listening("--no-tunnel", "--db", str(db)) as listener,
        Forwarder() as forwarder,
        asyncio.timeout(DEADLINE),
        asyncio.TaskGroup() as group,
    ):
        for worker in range(16):
            group.create_task(load(forwarder, listener.local_url, worker))
        await enough.wait()
        listener.process.send_signal(signal.SIGKILL)
    rows = sqlite3.connect(db)
    stored = {json.loads(body)["number"] for (body,) in rows.execute("select body from deliveries")}
    assert rows.execute("pragma integrity_check").fetchone() == ("ok",)
    rows.close()
    assert set(answered) <= stored


async def test_the_receiver_listens_on_the_address_of_host(tmp_path: Path) -> None:
    async with listening(
        "--no-tunnel", "--host", "0.0.0.0", "--db", str(tmp_path / "history.db")
    ) as listener:
        assert listener.ready["local_url"].startswith("http://127.0.0.1:")
        port = int(listener.ready["local_url"].rpartition(":")[2].strip("/"))
        for address in ("127.0.0.1", "127.0.0.2"):  # both of this machine
            reply = await post(f"http://{address}:{port}")
            assert (reply.status, reply.error) == (200, None)
        assert await listener.end() == 0
    assert "listens on 0.0.0.0: other machines" in listener.errors
