"""The right to take from a queue: one holder, no leftovers, free again after any death."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tiktok_hook.errors import StoreError
from tiktok_hook.store.queue_lock import QueueLock

TARGET = "http://127.0.0.1:3000/"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def test_one_holds_it_at_a_time(history: Path) -> None:
    with QueueLock(history, TARGET) as one, QueueLock(history, TARGET) as other:
        assert one.take()
        assert one.take(), "twice is once"
        assert not other.take()
        one.release()
        assert other.take()
        assert not one.take()


def test_another_target_and_another_history_are_another_claim(history: Path) -> None:
    with (
        QueueLock(history, TARGET) as one,
        QueueLock(history, "http://127.0.0.1:3001/") as other,
        QueueLock(history.with_name("other.db"), TARGET) as elsewhere,
    ):
        assert one.take()
        assert other.take()
        assert elsewhere.take()


def test_a_history_reached_by_another_name_is_the_same(history: Path) -> None:
    history.touch()
    link = history.with_name("link.db")
    link.symlink_to(history)
    with QueueLock(history, TARGET) as one, QueueLock(link, TARGET) as other:
        assert one.take()
        assert not other.take()


def test_nothing_is_left_behind(history: Path) -> None:
    with QueueLock(history, TARGET) as one, QueueLock(history, TARGET) as other:
        assert one.take()
        assert not other.take()
        one.close()
        assert other.take(), "the name was taken away under it"
        assert not one.take()
    assert list(history.parent.iterdir()) == []


def test_in_memory_there_is_nobody_else() -> None:
    with QueueLock(None, TARGET) as one, QueueLock(None, TARGET) as other:
        assert one.take()
        assert other.take()


def test_a_folder_that_is_gone_is_one_sentence(history: Path) -> None:
    with (
        QueueLock(history.parent / "gone" / "history.db", TARGET) as claim,
        pytest.raises(StoreError, match="cannot be locked"),
    ):
        claim.take()


HOLDER = """
import sys
from pathlib import Path
from tiktok_hook.store.queue_lock import QueueLock
print(QueueLock(Path(sys.argv[1]), sys.argv[2]).take(), flush=True)
sys.stdin.read()
"""


def test_it_is_free_again_when_its_holder_was_killed(history: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(history), TARGET],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ,
    )
    with holder, QueueLock(history, TARGET) as claim:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        assert not claim.take()
        holder.kill()
        holder.wait()
        assert claim.take()
