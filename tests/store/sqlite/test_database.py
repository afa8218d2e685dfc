import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.store.samples import delivery, event_body
from tiktok_hook.errors import StoreError
from tiktok_hook.signature import State
from tiktok_hook.store import Filter, check_creatable, open_history, open_store
from tiktok_hook.store.sqlite.database import APPLICATION_ID, VERSION, Database

OTHER_USER = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def as_anybody() -> Iterator[Path]:
    """A folder of a user who is not root, since root may write anywhere."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        if os.geteuid() != 0:
            yield folder
            folder.chmod(0o755)
            return
        os.chown(folder, OTHER_USER, OTHER_USER)
        os.seteuid(OTHER_USER)
        try:
            yield folder
        finally:
            os.seteuid(0)


def _names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def _forbid_writing(path: Path, folder: Path) -> None:
    path.chmod(0o444)
    folder.chmod(0o555)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


async def test_the_file_and_its_log_are_for_their_owner_alone(path: Path) -> None:
    umask = os.umask(0)
    try:
        with open_store(path) as store:
            await store.add(delivery())
            modes = {each.name: _mode(each) for each in path.parent.iterdir()}
    finally:
        os.umask(umask)
    assert modes == {"history.db": 0o600, "history.db-wal": 0o600, "history.db-shm": 0o600}


def test_a_file_that_was_there_keeps_its_mode(path: Path) -> None:
    open_store(path).close()
    path.chmod(0o640)
    with open_store(path) as store:
        asyncio.run(store.add(delivery()))
        modes = {each.name: _mode(each) for each in path.parent.iterdir()}
    assert modes == {"history.db": 0o640, "history.db-wal": 0o640, "history.db-shm": 0o640}


def test_missing_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        open_store(tmp_path / "a/b/history.db").close()
    finally:
        os.umask(umask)
    assert [_mode(tmp_path / "a"), _mode(tmp_path / "a/b")] == [0o700, 0o700]


def test_the_mode_of_a_file_that_was_there_is_the_users_choice(path: Path) -> None:
    open_store(path).close()
    path.chmod(0o640)
    open_store(path).close()
    assert _mode(path) == 0o640


def test_nothing_but_the_file_is_left_after_closing(path: Path) -> None:
    with open_store(path) as store:
        store.history().page()
        store.changes()
    assert [each.name for each in path.parent.iterdir()] == ["history.db"]


async def test_an_ephemeral_history_leaves_nothing(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with open_store(None) as store:
        await store.add(delivery())
        assert store.label == "the history in memory"
        assert _names(tmp_path) == _names(home) == []


async def test_two_ephemeral_histories_have_nothing_in_common() -> None:
    with open_store(None) as one, open_store(None) as other:
        await one.add(delivery())
        assert other.history().page() == []


def test_the_file_is_marked_as_ours(path: Path) -> None:
    open_store(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_empty_file_becomes_a_history(path: Path) -> None:
    path.touch()
    with open_store(path) as store:
        assert store.history().page() == []


def _foreign(path: Path) -> None:
    _run(path, "CREATE TABLE theirs (x)")


def _marked_foreign(path: Path) -> None:
    _run(path, "PRAGMA application_id = 1", "PRAGMA user_version = 1")


def _newer(path: Path) -> None:
    open_store(path).close()
    _run(path, f"PRAGMA user_version = {VERSION + 7}")


def _text(path: Path) -> None:
    path.write_text("this is no database, whatever its name says\n" * 100)


def _folder(path: Path) -> None:
    path.mkdir()


def _in_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("")


def _corrupt(path: Path) -> None:
    open_store(path).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 4000)


UNUSABLE = [
    (_foreign, "is not a tiktok-hook history"),
    (_marked_foreign, "is not a tiktok-hook history"),
    (_text, "is not a tiktok-hook history"),
    (_newer, f"has version {VERSION + 7}; this tiktok-hook knows up to {VERSION}"),
    (_folder, "is not a file"),
    (_in_a_file, "cannot be written to: Not a directory"),
    (_corrupt, "is damaged"),
]


@pytest.mark.parametrize(
    ("spoil", "message"), UNUSABLE, ids=[spoil.__name__[1:] for spoil, _ in UNUSABLE]
)
def test_an_unusable_file_is_an_error_with_its_reason_and_stays_as_it_is(
    tmp_path: Path, spoil: object, message: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "history.db"
    assert callable(spoil)
    spoil(path)
    before = path.read_bytes() if path.is_file() else None

    with pytest.raises(StoreError, match=message) as caught:
        open_store(path)

    assert str(path) in str(caught.value)
    assert caught.value.hint
    assert caught.value.exit_code == 5
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize(
    ("spoil", "message"), UNUSABLE[:4], ids=[spoil.__name__[1:] for spoil, _ in UNUSABLE[:4]]
)
def test_reading_an_unusable_file_is_the_same_error(
    path: Path, spoil: object, message: str
) -> None:
    assert callable(spoil)
    spoil(path)
    with pytest.raises(StoreError, match=message):
        open_history(path)


@pytest.mark.skipif(sys.platform != "linux", reason="files of Linux's kernel")
@pytest.mark.parametrize("file", ["/proc/self/status", "/dev/zero"])
def test_a_file_of_the_kernel_is_not_opened(file: str) -> None:
    """SQLite would wait for ever to read /proc/kmsg as root."""
    for opened in (open_store, open_history):
        with pytest.raises(StoreError, match=f"{file} is not a file"):
            opened(file)


def test_reading_a_missing_history_names_the_command_that_creates_it(path: Path) -> None:
    with pytest.raises(StoreError, match=r"There is no history at .* yet") as caught:
        open_history(path)
    assert "listen" in caught.value.hint
    assert not path.exists()


@pytest.mark.skipif(os.name != "posix", reason="folder modes are a POSIX matter")
class TestPermissions:
    def test_a_folder_that_cannot_be_written_to_is_reported_as_such(self, as_anybody: Path) -> None:
        as_anybody.chmod(0o555)
        with pytest.raises(StoreError, match="cannot be written to: Permission denied"):
            open_store(as_anybody / "history.db")
        with pytest.raises(StoreError, match=f"^{as_anybody} cannot be written to"):
            check_creatable(as_anybody / "missing/history.db")

    def test_a_file_that_cannot_be_written_to_is_reported_as_such(self, as_anybody: Path) -> None:
        path = as_anybody / "history.db"
        open_store(path).close()
        path.chmod(0o444)
        with pytest.raises(StoreError, match="cannot be written to"):
            open_store(path)

    def test_a_file_that_cannot_be_read_is_reported_as_such(self, as_anybody: Path) -> None:
        path = as_anybody / "history.db"
        open_store(path).close()
        path.chmod(0)
        with pytest.raises(StoreError, match="cannot be opened"):
            open_store(path)
        with pytest.raises(StoreError, match="cannot be opened"):
            open_history(path)

    async def test_a_history_in_a_read_only_folder_can_be_read(self, as_anybody: Path) -> None:
        path = as_anybody / "history.db"
        with open_store(path) as store:
            await store.add(delivery())
        _forbid_writing(path, as_anybody)
        with open_history(path) as history:
            assert [each.id for each in history.page()] == [1]


async def test_a_reader_cannot_write(path: Path) -> None:
    open_store(path).close()
    reader = Database(path).connect_reader()
    with closing(reader), pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM deliveries")


async def test_a_history_is_read_while_another_process_writes_it(path: Path) -> None:
    with open_store(path) as store, open_history(path) as history:
        before = history.changes()
        await store.add(delivery())
        assert history.changes() != before
        assert [each.id for each in history.page()] == [1]


async def test_an_odd_path_works(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%41 é" / "history.db"
    with open_store(path) as store:
        await store.add(delivery())
    assert path.stat().st_size > 0
    with open_history(path) as history:
        assert history.newest_id() == 1


async def test_a_copy_is_a_history(path: Path, tmp_path: Path) -> None:
    with open_store(path) as store:
        await store.add(delivery())
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    with open_store(copy) as store:
        assert (await store.add(delivery())).id == 2


def test_reading_starts_without_what_only_writing_needs() -> None:
    """A list of the newest would take half as long again for the import of asyncio alone."""
    code = "import sys, tiktok_hook.paths, tiktok_hook.store; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "asyncio" not in done.stdout.split()


async def test_what_add_returned_is_read_by_another_connection(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with open_store(path) as store:
        await store.add(delivery(b"\x01two"))
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("SELECT body FROM deliveries").fetchall() == [(b"\x01two",)]


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_cleared_bytes_are_gone_from_the_disk(tmp_path: Path) -> None:
    with open_store(tmp_path / "history.db") as store:
        for state in (State.VALID, State.INVALID):
            await store.add(delivery(event_body(publish_id="find-me" * 2000), state=state))
        await store.clear()
        on_disk = bytes_of(tmp_path)
    assert b"find-me" not in on_disk
    assert len(on_disk) < 200_000


@pytest.mark.parametrize(
    "where", [Filter(until=15.0), Filter(ids=(1,)), Filter(match="content.publish_id:find-me")]
)
async def test_cleared_bytes_of_some_are_gone_from_the_disk(where: Filter, tmp_path: Path) -> None:
    with open_store(tmp_path / "history.db") as store:
        await store.add(delivery(event_body(publish_id="find-me"), received_at=10.0))
        await store.add_many([delivery(received_at=20.0) for _ in range(300)])
        await store.clear(where)
        on_disk = bytes_of(tmp_path)
    assert b"find-me" not in on_disk
