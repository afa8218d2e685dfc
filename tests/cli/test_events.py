import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.history import filled
from tests.cli.runner import invoke
from tests.deadline import DEADLINE
from tests.store.samples import attempt, delivery
from tiktok_hook import paths
from tiktok_hook.signature import State
from tiktok_hook.store import Store, open_store


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(filled(tmp_path_factory.mktemp("history") / "history.db"))


def ids(printed: str) -> list[int]:
    """The second cell of every line but the heading; dates take one more."""
    lines = [line.split() for line in printed.splitlines()[1:]]
    return [int(cells[1] if cells[1].isdigit() else cells[2]) for cells in lines]


def test_the_table_shows_the_newest_last(db: str) -> None:
    result = invoke("events", "--db", db)
    heading, *lines = result.stdout.splitlines()
    assert heading.split() == ["TIME", "ID", "VERDICT", "EVENT", "ANSWER", "SUMMARY"]
    assert ids(result.stdout) == [1, 2, 3, 4, 5, 6]
    assert "500, app 200 in 3 ms" in lines[1]
    assert "redelivery 2 of #2: spam_risk" in lines[2]
    assert "app refused" in lines[2]
    assert " waiting " in lines[5]
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--event", "post.*"], [2, 3, 6]),
        (["--event", "post.publish.failed", "--event", "forged"], [2, 3, 4]),
        (["--verdict", "invalid"], [4]),
        (["--status", "500", "--status", "403"], [2, 4]),
        (["--failed"], [3]),
        (["--redeliveries"], [3]),
        (["--replayed"], [2]),
        (["--since", "2026-11-23T05:08:00Z"], [3, 4, 5, 6]),
        (["--since", "2026-11-23T05:07:00Z", "--until", "2026-11-23T05:09:00Z"], [2, 3]),
        (["--search", "SPAM_risk"], [2, 3]),
        (["--user", "u-9"], [1]),
        (["--publish-id", "v_pub_url~mine"], [2, 3]),
        (["--source", "trigger"], [5]),
        (["--limit", "2"], [5, 6]),
        (["--limit", "0"], [1, 2, 3, 4, 5, 6]),
        (["--event", "post.*", "--status", "200"], [3]),
        (["post.*"], [2, 3, 6]),
        (["post.*", "user:u-1"], [2, 3]),
        (["post.* user:u-1 content.reason:spam*"], [2, 3]),
        (["content.reason:spam_risk", "--status", "500"], [2]),
        (["post.*", "--event", "*.failed"], [2, 3]),
        (["2-4"], [2, 3, 4]),
        (["last", "post.publish.failed"], [3]),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value[0], str) else "",
)
def test_filters_narrow_the_list(db: str, options: list[str], found: list[int]) -> None:
    assert ids(invoke("events", "--db", db, *options).stdout) == found


def test_json_is_the_lines_of_listen(db: str) -> None:
    result = invoke("events", "--db", db, "--format", "json", "--limit", "5")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["id"] for line in lines] == [2, "2.1", "2.2", 3, "3.1", 4, 5, 6]
    assert {line["type"] for line in lines} == {"delivery", "attempt"}


def test_no_match_is_reported_on_stderr(db: str) -> None:
    result = invoke("events", "--db", db, "--event", "nothing")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No delivery matches.\n")


def test_a_filter_that_matches_nothing_is_named_with_what_is_probably_mistyped(db: str) -> None:
    result = invoke("events", "--db", db, "post.publish.compleet")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("No delivery matches post.publish.compleet. ")
    assert "Did you mean post.publish.complete" in result.stderr


@pytest.mark.parametrize("file", ["there", "missing"])
def test_a_filter_that_cannot_be_read_is_a_usage_error(db: str, home: Path, file: str) -> None:
    where = ["--db", db] if file == "there" else []
    result = invoke("events", *where, "usr:x")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: usr:x is not a term of a filter.\nHint: Did you mean user:x?\n"
    )


def test_following_takes_a_filter_and_no_ids(db: str) -> None:
    result = invoke("events", "--db", db, "--follow", "last")
    assert result.exit_code == 2
    assert "--follow lists what is received from now on" in result.stderr


def test_without_a_history_none_is_made(home: Path) -> None:
    result = invoke("events")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("No history yet: tiktok-hook listen creates ")
    assert not paths.history_path().exists()


def test_a_history_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    result = invoke("events", "--db", str(tmp_path / "none.db"))
    assert result.exit_code == 5
    assert result.stderr.startswith("Error: There is no history at ")


def test_a_foreign_file_is_not_a_history(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes " * 1000)
    result = invoke("events", "--db", str(tmp_path / "notes.txt"))
    assert result.exit_code == 5
    assert "is not a tiktok-hook history" in result.stderr


def test_the_table_is_there_without_loading_anything_heavy(db: str) -> None:
    heavy = ("asyncio", "aiohttp", "ngrok", "rich", "tiktok_hook.terminal.console")
    program = (
        "import sys\n"
        "from tiktok_hook.cli import run\n"
        f"code = run(['events', '--db', {db!r}])\n"
        f"sys.exit(code or str([name for name in {heavy!r} if name in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("command", ["events --format json --limit 0", "export", "show 2"])
def test_a_reader_that_leaves_early_is_not_an_error(db: str, command: str) -> None:
    words = [sys.executable, "-m", "tiktok_hook", *command.split(), "--db", db]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(words, stdout=pipe, stderr=subprocess.PIPE, check=False, timeout=30)
    assert (done.returncode, done.stderr.replace(b"\r", b"")) == (0, b"")


@dataclass
class Following:
    """A running ``events --follow``."""

    process: asyncio.subprocess.Process

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            return (await self.process.stdout.readline()).decode()


@asynccontextmanager
async def following(*options: str) -> AsyncIterator[Following]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tiktok_hook", "events", "--follow", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=os.environ,
    )  # fmt: skip
    try:
        yield Following(process)
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "live.db") as opened:
        yield opened


@pytest.mark.realtime
async def test_follow_shows_what_another_process_stores_within_200_ms(store: Store) -> None:
    await store.add(delivery(status=200))
    async with following("--db", str(Path(store.label)), "--format", "json") as live:
        assert json.loads(await live.line())["id"] == 1
        took = []
        for number in range(2, 9):
            added = await store.add(delivery())
            since = time.monotonic()
            store.set_status(added.id, 200)
            shown = json.loads(await live.line())
            took.append(time.monotonic() - since)
            assert (shown["id"], shown["status"]) == (number, 200)
    assert sorted(took)[len(took) // 2] < 0.2, took


async def test_follow_shows_a_delivery_once_at_its_answer(store: Store) -> None:
    await store.add(delivery(status=200))
    async with following("--db", str(Path(store.label)), "--format", "json") as live:
        await live.line()
        slow = await store.add(delivery())
        await store.add(delivery(status=202))
        assert json.loads(await live.line())["id"] == 3
        store.set_status(slow.id, 500)
        shown = json.loads(await live.line())
    assert (shown["id"], shown["status"], shown["waiting"]) == (2, 500, False)


async def test_follow_shows_an_attempt_that_ends_after_the_answer(store: Store) -> None:
    await store.add(delivery(status=200))
    async with following("--db", str(Path(store.label))) as live:
        assert "TIME" in await live.line()
        await live.line()
        added = await store.add(delivery(status=202))
        assert "202" in await live.line()
        begun = await store.begin_attempt(attempt(added.id))
        await store.end_attempt(attempt(added.id, number=begun.number, status=500, duration_ms=3.0))
        assert "#2.1 http://127.0.0.1:3000/hook 500 in 3 ms" in await live.line()


async def test_follow_shows_each_delivery_once_and_in_order(store: Store) -> None:
    await store.add(delivery(status=200))
    async with following("--db", str(Path(store.label)), "--format", "json") as live:
        await live.line()
        await asyncio.gather(*(store.add(delivery(status=200)) for _ in range(500)))
        found = [json.loads(await live.line())["id"] for _ in range(500)]
    assert found == list(range(2, 502))


async def test_follow_waits_for_the_first_matching_delivery(store: Store) -> None:
    async with following("--db", str(Path(store.label)), "--verdict", "invalid") as live:
        assert (await live.line()).startswith("TIME")
        await store.add(delivery(status=200))
        await store.add(delivery(state=State.INVALID, status=403))
        assert " 2  invalid  post.publish.complete" in await live.line()


async def fail(store: Store, delivery_id: int) -> None:
    begun = await store.begin_attempt(attempt(delivery_id))
    await store.end_attempt(attempt(delivery_id, number=begun.number, status=500, duration_ms=3.0))


async def test_follow_shows_what_fails_later_and_each_only_once(store: Store) -> None:
    await store.add(delivery(status=200))
    await fail(store, 1)
    async with following("--db", str(Path(store.label)), "--failed", "--format", "json") as live:
        await live.line()
        await live.line()
        for _ in range(3):
            await store.add(delivery(status=200))
        shown = []
        for number in (4, 2, 3):
            await fail(store, number)
            shown.append(json.loads(await live.line())["id"])
            await live.line()
    assert shown == [4, 2, 3]


async def test_follow_waits_for_a_history_to_be_made(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    async with following("--db", str(path), "--format", "json") as live:
        with open_store(path) as store:
            await store.add(delivery(status=200))
            assert json.loads(await live.line())["id"] == 1


def test_a_table_that_is_not_all_names_the_total(db: str) -> None:
    assert invoke("events", "--limit", "2", "--db", db).stderr == (
        "2 of 6 deliveries; --limit 0 lists all.\n"
    )
    assert invoke("events", "--limit", "0", "--db", db).stderr == ""
    assert invoke("events", "--limit", "6", "--db", db).stderr == ""
    narrowed = invoke("events", "--limit", "1", "--event", "post.*", "--db", db)
    assert narrowed.stderr == "1 of 3 deliveries; --limit 0 lists all.\n"
    lines = invoke("events", "--limit", "1", "post.*", "--format", "json", "--db", db)
    assert lines.stderr == "1 of 3 deliveries; --limit 0 lists all.\n"


@pytest.mark.parametrize("slow", [["--search", "spam"], ["content.reason:spam*"]], ids=str)
def test_what_is_slow_to_count_is_only_known_to_be_more(db: str, slow: list[str]) -> None:
    assert invoke("events", *slow, "--limit", "1", "--db", db).stderr == (
        "1 of more than 1 deliveries; --limit 0 lists all.\n"
    )
    assert invoke("events", *slow, "--limit", "2", "--db", db).stderr == ""
