"""`tiktok-hook wait`: what counts, where it begins, how it ends."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.in_process import run
from tests.cli.runner import Result
from tests.store.samples import delivery, event_body
from tiktok_hook import paths
from tiktok_hook.delivery import Delivery, Source
from tiktok_hook.signature import State
from tiktok_hook.store import Store, open_store

FAILED = event_body("post.publish.failed", reason="spam_risk", user="u-2")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "history.db") as opened:
        yield opened


async def wait(store: Store, *words: str, timeout: str = "0.3") -> Result:
    """The command run while the store is open."""
    return await asyncio.to_thread(run, "wait", *words, "--db", store.label, "--timeout", timeout)


def printed(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    shape: dict[str, Any] = json.loads(result.stdout)
    return shape


async def test_a_matching_delivery_is_printed_as_json(store: Store) -> None:
    await store.add(delivery(status=200))
    await store.add(delivery(FAILED, status=500))
    result = await wait(store, "post.publish.failed user:u-2 content.reason:spam*", "--after", "0")
    shown = printed(result)
    assert (shown["type"], shown["id"], shown["status"]) == ("delivery", 2, 500)
    assert shown["event"]["content"]["reason"] == "spam_risk"
    assert shown["waiting"] is False
    assert result.stdout.count("\n") == 1


async def test_a_filter_may_be_several_words(store: Store) -> None:
    await store.add(delivery(FAILED, status=200))
    assert printed(await wait(store, "post.*", "user:u-2", "--after", "0"))["id"] == 1


async def test_what_arrived_before_does_not_count(store: Store) -> None:
    await store.add(delivery(status=200))
    result = await wait(store, "post.*")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Waiting for a delivery that matches post.* with an id above 1, for at most 0.3 s." in (
        result.stderr
    )
    assert "Error: No delivery that matches post.* arrived within 0.3 s." in result.stderr


async def test_it_begins_after_an_id_or_at_a_time(store: Store) -> None:
    now = time.time()
    for ago in (100.0, 50.0, 10.0):
        await store.add(delivery(status=200, received_at=now - ago))
    assert printed(await wait(store, "--after", "1"))["id"] == 2
    assert printed(await wait(store, "--after", "#2"))["id"] == 3
    assert printed(await wait(store, "--since", "1m"))["id"] == 2
    assert printed(await wait(store, "--since", f"@{now - 20:.0f}"))["id"] == 3
    assert printed(await wait(store, "--since", "1m", "--after", "2"))["id"] == 3
    assert (await wait(store, "--after", "3")).exit_code == 1


async def test_the_cursor_closes_the_gap_before_the_wait(store: Store) -> None:
    for status in (200, 201):
        cursor = run("wait", "--cursor", "--db", store.label)
        assert cursor.stderr == ""
        await store.add(delivery(status=status))  # before `wait` begins
        shown = printed(await wait(store, "--after", cursor.stdout.strip()))
        assert shown["status"] == status


def test_without_a_history_the_cursor_is_zero(home: Path) -> None:
    assert run("wait", "--cursor").stdout == "0\n"
    assert not paths.history_path().exists()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (delivery(FAILED, state=State.INVALID, status=403), "is invalid (a reason)"),
        (delivery(FAILED, state=State.MISSING, status=403), "is missing (not signed)"),
        (delivery(FAILED, state=State.UNCHECKED, status=200), "has no client secret"),
    ],
    ids=["invalid", "missing", "unchecked"],
)
async def test_only_a_verified_one_counts(store: Store, given: Delivery, reason: str) -> None:
    for _ in range(3):
        await store.add(given)
    result = await wait(store, "post.*", "--after", "0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("only verified deliveries count") == 1
    assert reason in result.stderr
    assert "3 matched without being verified" in result.stderr


async def test_a_late_but_right_signature_is_verified(store: Store) -> None:
    await store.add(delivery(FAILED, state=State.STALE, status=200))
    assert printed(await wait(store, "--after", "0"))["verdict"]["state"] == "stale"


async def test_an_imported_one_has_not_arrived(store: Store) -> None:
    await store.add(delivery(FAILED, status=200, source=Source.IMPORT))
    assert (await wait(store, "--after", "0")).exit_code == 1


async def test_a_ping_counts_only_where_it_is_asked_for(store: Store) -> None:
    await store.add(delivery(event_body("tiktok.ping"), status=200))
    assert (await wait(store, "--after", "0")).exit_code == 1
    assert printed(await wait(store, "tiktok.*", "--after", "0"))["id"] == 1


async def test_one_without_an_answer_at_the_timeout_has_arrived(store: Store) -> None:
    await store.add(delivery())
    shown = printed(await wait(store, "--after", "0"))
    assert (shown["status"], shown["waiting"]) == (None, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["usr:x"], "usr:x is not a term of a filter."),
        (["--after", "last-2"], "--after 'last-2' is not a delivery id."),
        (["--after", "99999999999999999999"], "is not a delivery id."),
        (["--since", "soon"], "--since 'soon' is not a time."),
    ],
)
async def test_what_cannot_be_waited_for_is_a_usage_error(
    store: Store, words: list[str], message: str
) -> None:
    result = await wait(store, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


async def test_a_mistyped_event_is_doubted_at_the_start(store: Store) -> None:
    result = await wait(store, "post.publish.compleet")
    assert result.stderr.startswith("Warning: post.publish.compleet matches no known event.\n")
    assert "Did you mean post.publish.complete" in result.stderr


async def test_a_missing_listener_is_named_and_a_running_one_is_not(store: Store) -> None:
    missing = "No listener of this machine writes to this history now"
    assert missing in (await wait(store)).stderr
    with paths.listening(local_url="http://127.0.0.1:1", history=store.label):
        assert missing not in (await wait(store)).stderr


@asynccontextmanager
async def waiting(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command in a process of its own, once it has printed that it waits."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tiktok_hook", "wait", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        async with asyncio.timeout(30):
            while not (await process.stderr.readline()).startswith(b"Waiting for"):
                pass
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_waits_for_a_history_that_another_process_makes(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    async with waiting("post.publish.failed", "--db", str(path)) as process:
        with open_store(path) as store:
            await store.add(delivery(status=200))
            added = await store.add(delivery(FAILED))
            store.set_status(added.id, 202)
            assert process.stdout is not None
            shown = json.loads(await process.stdout.readline())
        assert (shown["id"], shown["status"]) == (2, 202)
        assert await process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
async def test_an_interrupted_wait_is_not_a_success(store: Store, number: int) -> None:
    async with waiting("post.*", "--db", store.label) as process:
        process.send_signal(number)
        assert await process.wait() == 1
        assert process.stderr is not None
        rest = await process.stderr.read()
    assert b"Interrupted before a delivery that matches post.* arrived." in rest
