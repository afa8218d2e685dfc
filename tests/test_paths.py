import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.deadline import DEADLINE
from tiktok_hook import paths
from tiktok_hook.errors import StoreError

_posix = pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folders_follow_the_xdg_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux has these variables")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "d"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))

    assert paths.history_path() == tmp_path / "d/tiktok-hook/history.db"
    assert paths.config_dir() == tmp_path / "c/tiktok-hook"
    assert paths.state_dir() == tmp_path / "s/tiktok-hook"


def test_asking_for_a_folder_makes_nothing(home: Path) -> None:
    paths.data_dir()
    paths.config_dir()
    paths.state_dir()
    assert list(home.iterdir()) == []


def test_the_token_is_the_same_every_time() -> None:
    token = paths.user_token()
    assert len(token) == 22
    assert paths.user_token() == token


@_posix
def test_the_token_is_for_its_owner_alone() -> None:
    paths.user_token()
    assert _mode(paths.state_dir()) == 0o700
    assert [_mode(path) for path in paths.state_dir().iterdir()] == [0o600]


def test_a_rotated_token_replaces_the_one_before() -> None:
    before = paths.user_token()
    rotated = paths.rotate_token()
    assert paths.user_token() == rotated
    assert rotated != before
    assert len(rotated) == 22
    (path,) = paths.state_dir().iterdir()
    if os.name == "posix":
        assert _mode(path) == 0o600


@_posix
def test_a_token_that_others_could_read_is_replaced() -> None:
    token = paths.user_token()
    (path,) = paths.state_dir().iterdir()
    path.chmod(0o644)

    assert paths.user_token() != token
    assert _mode(path) == 0o600


def test_a_cut_off_token_is_replaced() -> None:
    token = paths.user_token()
    (path,) = paths.state_dir().iterdir()
    path.write_text(token[:10])

    assert len(paths.user_token()) == 22


WITHOUT_DESCRIPTORS = """
import os
from tiktok_hook import errors, paths
before = paths.user_token()
opened = []
try:
    while True:
        opened.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
try:
    found = paths.user_token()
except errors.StoreError as error:
    found = str(error)
for each in opened:
    os.close(each)
print(found)
print(paths.user_token() == before)
"""


@_posix
def test_a_token_that_cannot_be_read_for_want_of_descriptors_stays(home: Path) -> None:
    program = (
        f"ulimit -n 64; exec {shlex.quote(sys.executable)} -c {shlex.quote(WITHOUT_DESCRIPTORS)}"
    )
    result = subprocess.run(
        ["/bin/sh", "-c", program], capture_output=True, text=True, check=True, timeout=DEADLINE
    )
    found, is_same = result.stdout.splitlines()
    assert found == f"{paths.state_dir() / 'inspector-token'} cannot be read: Too many open files."
    assert is_same == "True"


def test_processes_that_start_at_once_get_the_same_token() -> None:
    code = "from tiktok_hook import paths; print(paths.user_token())"
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(4)
    ]
    assert len({process.communicate(timeout=DEADLINE)[0] for process in started}) == 1


@pytest.fixture
def not_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder of a user who is not root, since root may write anywhere."""
    with TemporaryDirectory() as name:
        monkeypatch.setenv("XDG_STATE_HOME", name)
        folder = Path(name)
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield folder
        finally:
            folder.chmod(0o700)
            if is_root:
                os.seteuid(0)


@_posix
def test_a_state_folder_that_cannot_be_written_is_reported_as_such(not_root: Path) -> None:
    not_root.chmod(0o500)
    with pytest.raises(StoreError, match=r"state folder .* cannot be written"):
        paths.user_token()


def test_a_file_in_the_place_of_the_state_folder_is_reported_as_such() -> None:
    paths.state_dir().parent.mkdir(parents=True)
    paths.state_dir().write_text("")
    with pytest.raises(StoreError, match=r"state folder .* cannot be written"):
        paths.remember_callback("https://a.example")


def planted(**changes: object) -> Path:
    """A listener file of a process that lives, as another user could write it."""
    with paths.listening(local_url="http://127.0.0.1:1/") as mine:
        file = paths.state_dir() / "listeners" / f"{os.getppid()}.json"
        shape = {**asdict(mine), "pid": os.getppid(), "born": "", **changes}
        file.write_text(json.dumps(shape))
        file.chmod(0o600)
    return file


@_posix
@pytest.mark.parametrize("place", ["file", "listeners", "state"])
def test_a_planted_listener_is_not_used(place: str) -> None:
    file = planted()
    assert [each.pid for each in paths.listeners()] == [os.getppid()]
    open_to_all = {"file": file, "listeners": file.parent, "state": file.parent.parent}[place]
    open_to_all.chmod(0o777)
    assert paths.listeners() == []


@_posix
@pytest.mark.parametrize("place", ["listeners", "state"])
def test_nothing_is_written_where_others_can_write(place: str) -> None:
    folder = planted().parent
    folder = folder if place == "listeners" else folder.parent
    folder.chmod(0o770)
    for write in (paths.user_token, paths.rotate_token, lambda: paths.remember_callback("u")):
        with pytest.raises(StoreError, match="can be written to by other users") as caught:
            write()
        assert f"chmod go-w {folder}" in caught.value.hint


@_posix
def test_a_state_folder_of_another_user_is_not_used() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    file = planted()
    token = paths.user_token()
    os.chown(file, 65534, 65534)
    assert paths.listeners() == []
    (paths.state_dir() / "inspector-token").chmod(0o600)
    os.chown(paths.state_dir() / "inspector-token", 65534, 65534)
    assert paths.user_token() != token
    os.chown(paths.state_dir(), 65534, 65534)
    with pytest.raises(StoreError, match="belongs to another user"):
        paths.user_token()


@_posix
def test_a_link_or_a_pipe_in_the_place_of_a_state_file_is_not_read(tmp_path: Path) -> None:
    token = paths.user_token()
    file = paths.state_dir() / "inspector-token"
    file.unlink()
    (tmp_path / "elsewhere").write_text(token)
    (tmp_path / "elsewhere").chmod(0o600)
    file.symlink_to(tmp_path / "elsewhere")
    assert paths.user_token() != token
    file.unlink()
    os.mkfifo(file, 0o600)
    assert len(paths.user_token()) == 22


def test_without_a_home_folder_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("platformdirs.user_state_path", unknown)
    monkeypatch.setattr("platformdirs.user_data_path", unknown)
    with pytest.raises(StoreError, match="No home folder is known"):
        paths.history_path()
    with pytest.raises(StoreError, match="No home folder is known"):
        paths.user_token()
    assert paths.listeners() == []


def test_the_callback_url_is_compared_with_the_last_one() -> None:
    assert paths.remember_callback("https://a.example/") == "first"
    assert paths.remember_callback("https://a.example/") == "same"
    assert paths.remember_callback("https://b.example/") == "changed"
    assert paths.remember_callback("https://b.example/") == "same"


def test_a_listener_is_found_while_it_runs() -> None:
    assert paths.listeners() == []
    assert paths.newest_listener() is None
    with paths.listening(
        local_url="http://127.0.0.1:3000/hook", callback_url="https://a.example/hook"
    ) as mine:
        assert paths.listeners() == [mine]
        assert (mine.pid, mine.local_url) == (os.getpid(), "http://127.0.0.1:3000/hook")
    assert paths.listeners() == []


@_posix
def test_a_listeners_file_is_for_its_owner_alone() -> None:
    with paths.listening(local_url="http://127.0.0.1:3000/"):
        folder = paths.state_dir() / "listeners"
        assert _mode(folder) == 0o700
        assert [_mode(path) for path in folder.iterdir()] == [0o600]


def _leave_behind(**changes: object) -> Path:
    """The file of a listener as one that was killed leaves it."""
    with paths.listening(local_url="http://127.0.0.1:3000/"):
        (path,) = (paths.state_dir() / "listeners").iterdir()
        value = json.loads(path.read_text())
    value |= changes
    path = path.with_name(f"{value['pid']}.json")
    path.write_text(json.dumps(value))
    return path


def _ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(timeout=DEADLINE)
    return process.pid


def test_the_file_of_a_listener_that_was_killed_is_removed() -> None:
    path = _leave_behind(pid=_ended_pid())
    assert paths.listeners() == []
    assert not path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_another_process_with_the_same_number_is_not_taken_for_the_listener() -> None:
    path = _leave_behind(born="another boot/1")
    assert paths.listeners() == []
    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"pid": "x"}', '{"pid": 1, "more": 2}', "[" * 100_000],
    ids=["empty", "cut off", "a list", "null", "no number", "an unknown key", "too deep"],
)
def test_a_broken_listeners_file_is_removed(text: str) -> None:
    path = paths.state_dir() / "listeners" / f"{os.getpid()}.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert paths.listeners() == []
    assert not path.exists()


def test_the_newest_listener_comes_first() -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other,
        paths.listening(local_url="http://127.0.0.1:3000/") as mine,
    ):
        path = paths.state_dir() / "listeners" / f"{other.pid}.json"
        older = {"pid": other.pid, "started_at": 1.0, "local_url": "http://127.0.0.1:3001/"}
        path.write_text(json.dumps(older))
        found = [each.pid for each in paths.listeners()]
        assert paths.newest_listener() == mine
        other.communicate(b"\n", timeout=DEADLINE)
    assert found == [mine.pid, other.pid]
