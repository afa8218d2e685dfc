"""The right to take from a queue: one holder, no leftovers, free again after any death."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tiktok_hook.errors import StoreError
from tiktok_hook.store.sqlite.file_lock import queue_lock

TARGET = "http://127.0.0.1:3000/"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def test_one_holds_it_at_a_time(history: Path) -> None:
    with queue_lock(history, TARGET) as one, queue_lock(history, TARGET) as other:
        assert one.acquire()
        assert one.acquire(), "twice is once"
        assert not other.acquire()
        one.release()
        assert other.acquire()
        assert not one.acquire()


def test_another_target_and_another_history_have_their_own_lock(history: Path) -> None:
    with (
        queue_lock(history, TARGET) as one,
        queue_lock(history, "http://127.0.0.1:3001/") as other,
        queue_lock(history.with_name("other.db"), TARGET) as elsewhere,
    ):
        assert one.acquire()
        assert other.acquire()
        assert elsewhere.acquire()


def test_a_history_reached_by_another_name_is_the_same(history: Path) -> None:
    history.touch()
    link = history.with_name("link.db")
    link.symlink_to(history)
    with queue_lock(history, TARGET) as one, queue_lock(link, TARGET) as other:
        assert one.acquire()
        assert not other.acquire()


def test_nothing_is_left_behind(history: Path) -> None:
    with queue_lock(history, TARGET) as one, queue_lock(history, TARGET) as other:
        assert one.acquire()
        assert not other.acquire()
        one.close()
        assert other.acquire(), "the name was taken away under it"
        assert not one.acquire()
    assert list(history.parent.iterdir()) == []


def test_a_history_in_memory_needs_no_lock() -> None:
    with queue_lock(None, TARGET) as one, queue_lock(None, TARGET) as other:
        assert one.acquire()
        assert other.acquire()


def test_a_folder_that_is_gone_is_one_sentence(history: Path) -> None:
    with (
        queue_lock(history.parent / "gone" / "history.db", TARGET) as lock,
        pytest.raises(StoreError, match="cannot be locked"),
    ):
        lock.acquire()


HOLDER = """
import sys
from pathlib import Path
from tiktok_hook.store.sqlite.file_lock import queue_lock
print(queue_lock(Path(sys.argv[1]), sys.argv[2]).acquire(), flush=True)
sys.stdin.read()
"""


def test_it_is_free_again_when_its_holder_was_killed(history: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(history), TARGET],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ,
    )
    with holder, queue_lock(history, TARGET) as lock:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        assert not lock.acquire()
        holder.kill()
        holder.wait()
        assert lock.acquire()
