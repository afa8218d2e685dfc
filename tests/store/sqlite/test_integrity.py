"""Whether a history can be written and is whole."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.store.samples import delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.store import check_integrity, open_store


async def filled(path: Path, count: int = 1) -> None:
    with open_store(path) as store:
        for _ in range(count):
            await store.add(delivery())


async def test_a_history_in_use_is_intact_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with open_store(path) as store:
        await store.add(delivery())
        found = check_integrity(path)
        assert (found.damage, found.complete) == ("", True)
        assert store.history().newest_id() == 1


async def test_no_time_means_not_read_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    await filled(path, 300)
    found = check_integrity(path, seconds=-1)
    assert (found.damage, found.complete) == ("", False)


async def test_a_row_that_an_index_has_lost_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    await filled(path)
    with contextlib.closing(sqlite3.connect(path)) as vandal:
        vandal.execute("PRAGMA writable_schema = ON")
        vandal.execute("DELETE FROM sqlite_schema WHERE name = 'deliveries_received'")
        vandal.commit()
    found = check_integrity(path)
    assert found.damage


async def test_a_foreign_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(b"nothing of ours")
    with pytest.raises(StoreError):
        check_integrity(path)
