import asyncio
import sqlite3
from pathlib import Path

import pytest

from tests.cli.history import filled
from tests.cli.runner import invoke
from tests.store.samples import delivery
from tiktok_hook import paths
from tiktok_hook.store import QueueEntry, open_history, open_store


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return filled(tmp_path / "history.db")


def left(db: Path) -> int:
    with open_history(db) as history:
        return history.counts().received


def test_yes_empties_the_history(db: Path) -> None:
    result = invoke("clear", "--yes", "--db", str(db))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "Deleted 6 deliveries.\n"
    assert left(db) == 0


def test_before_leaves_what_came_later(db: Path) -> None:
    result = invoke("clear", "--before", "2026-11-23T05:08:00Z", "--yes", "--db", str(db))
    assert (result.exit_code, result.stderr) == (0, "Deleted 2 deliveries.\n")
    assert left(db) == 4


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (["2"], [2]),
        (["2-4", "#6"], [2, 3, 4, 6]),
        (["last"], [6]),
        (["post.publish.failed"], [2, 3]),
        (["1-3", "authorization.*"], [1]),
        (["content.publish_id:v_pub_url~mine"], [2, 3]),
        (["post.publish.*", "--before", "2026-11-23T05:08:00Z"], [2]),
    ],
    ids=["id", "ids", "last", "filter", "both", "content", "before"],
)
def test_ids_and_filters_delete_only_what_they_name(
    db: Path, words: list[str], gone: list[int]
) -> None:
    result = invoke("clear", *words, "--yes", "--db", str(db))
    plural = "delivery" if len(gone) == 1 else "deliveries"
    assert (result.exit_code, result.stderr) == (0, f"Deleted {len(gone)} {plural}.\n")
    with open_history(db) as history:
        assert {each.id for each in history.walk()} == {1, 2, 3, 4, 5, 6} - set(gone)


@pytest.mark.parametrize("words", [["99"], ["2.1"], ["30d"], ["user:"]], ids=" ".join)
def test_a_word_that_names_nothing_deletes_nothing(db: Path, words: list[str]) -> None:
    result = invoke("clear", *words, "--yes", "--db", str(db))
    assert result.exit_code == 2
    assert left(db) == 6


def test_a_filter_that_matches_nothing_names_what_may_be_mistyped(db: Path) -> None:
    result = invoke("clear", "post.publish.faild", "--yes", "--db", str(db))
    assert result.exit_code == 0
    assert result.stderr.startswith("There is nothing to delete. No delivery matches")
    assert left(db) == 6


def test_the_question_names_how_many_still_wait_for_the_app(db: Path) -> None:
    async def queue() -> None:
        with open_store(db) as store:
            await store.add(delivery(), queues=[QueueEntry("first", "http://127.0.0.1:3000/")])

    asyncio.run(queue())
    result = invoke("clear", "6-7", "--db", str(db), stdin=b"n\n")
    assert result.stderr.startswith("1 of them waits for your app.\nDelete 2 deliveries from ")
    assert left(db) == 7


def test_what_is_to_stay_is_not_made_shorter(db: Path) -> None:
    with sqlite3.connect(db) as connection:  # as with more than a listener keeps by default
        connection.execute("UPDATE counters SET kept = 100003")
    connection.close()
    invoke("clear", "--before", "2026-11-23T05:08:00Z", "--yes", "--db", str(db))
    assert left(db) == 4


@pytest.mark.parametrize(
    ("answer", "code", "deliveries"), [(b"y\n", 0, 0), (b"n\n", 1, 6), (b"\n", 1, 6)]
)
def test_it_asks_first(db: Path, answer: bytes, code: int, deliveries: int) -> None:
    result = invoke("clear", "--db", str(db), stdin=answer)
    assert f"Delete 6 deliveries from {db} for good? [y/N]" in result.stderr
    assert (result.exit_code, left(db)) == (code, deliveries)


def test_without_a_terminal_to_ask_at_nothing_is_deleted(db: Path) -> None:
    result = invoke("clear", "--db", str(db))
    assert result.exit_code == 2
    assert "Error: Nothing was deleted: it was not confirmed.\nHint: " in result.stderr
    assert left(db) == 6


def test_a_time_that_cannot_be_read_deletes_nothing(db: Path) -> None:
    result = invoke("clear", "--before", "soon", "--yes", "--db", str(db))
    assert result.exit_code == 2
    assert left(db) == 6


def test_nothing_to_delete_is_not_an_error(db: Path) -> None:
    result = invoke("clear", "--before", "2020-01-01", "--db", str(db))
    assert (result.exit_code, result.stderr) == (0, "There is nothing to delete.\n")


def test_without_a_history_none_is_made() -> None:
    result = invoke("clear", "--yes")
    assert result.exit_code == 0
    assert not paths.history_path().exists()
