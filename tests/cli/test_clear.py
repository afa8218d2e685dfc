import sqlite3
from pathlib import Path

import pytest

from tests.cli.history import filled
from tests.cli.runner import invoke
from tiktok_hook import paths
from tiktok_hook.store import open_history


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
