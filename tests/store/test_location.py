"""Where a history is, as users and programs write it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tiktok_hook import paths
from tiktok_hook.errors import NoHistoryError, UsageError
from tiktok_hook.store import (
    Location,
    check_creatable,
    check_integrity,
    locate,
    open_history,
    open_store,
    parse_location,
)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("history.db", Path("history.db")),
        (Path("/a/history.db"), Path("/a/history.db")),
        ("sqlite:///a/history.db", Path("/a/history.db")),
        ("SQLITE:///a/history.db", Path("/a/history.db")),
        ("sqlite:////a/history.db", Path("/a/history.db")),
        (Path("sqlite:///a/history.db"), Path("/a/history.db")),
        ("C:\\history.db", Path("C:\\history.db")),
        ("a:b.db", Path("a:b.db")),
        ("./user=me.db", Path("./user=me.db")),
        ("sqlite:///a%20b/history.db", Path("/a b/history.db")),
        ("sqlite:///C:/a/history.db", Path("C:/a/history.db")),
        ("C:/a/history.db", Path("C:/a/history.db")),
        ("/a:b/history.db", Path("/a:b/history.db")),
        (":memory:", None),
        (None, None),
    ],
)
def test_a_path_a_url_or_memory(given: str | Path | None, path: Path | None) -> None:
    assert parse_location(given).path == path


def test_only_a_history_on_a_server_is_shared() -> None:
    assert parse_location("postgresql://anna@db.example.com/hooks").is_shared
    assert not parse_location("history.db").is_shared
    assert not parse_location(":memory:").is_shared


def test_a_tilde_is_the_users_home(home: Path) -> None:
    assert parse_location("~/history.db").path == home / "history.db"


@pytest.mark.parametrize(
    "given",
    [
        "mysql+pymysql://anna:hidden@db.example.com/hooks",
        "sqlite://anna:hidden@db.example.com/hooks",
        "dbname=hooks password=hidden",
    ],
)
def test_another_url_is_a_usage_error_without_its_password(
    given: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="only a file or a PostgreSQL server") as raised:
        open_store(given)
    assert "hidden" not in str(raised.value) + raised.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_location_has_a_label(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    assert parse_location(path).label == str(path)
    assert parse_location(":memory:").label == "the history in memory"
    with open_store(path) as store:
        assert store.label == store.history().label == str(path)


def test_what_a_user_names_is_the_history_in_the_data_folder_without_a_name(home: Path) -> None:
    assert locate(None, where="--db").path == paths.history_path()
    assert locate("history.db", where="--db").path == Path("history.db")
    assert locate(Location(home / "a.db"), where="--db").path == home / "a.db"
    with pytest.raises(UsageError, match=r"^--db is a URL \(mysql:\)"):
        locate("mysql://anna:hidden@db.example.com/hooks", where="--db")
    # A URL that went through `Path` has lost a slash, and cannot be told from a wrong one.
    with pytest.raises(UsageError, match=r"^--db is a postgresql: address that cannot be read"):
        locate(Path("postgresql://anna:hidden@db.example.com/hooks"), where="--db")


def test_the_same_history_has_the_same_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = {
        parse_location("history.db").identity,
        parse_location(tmp_path / "history.db").identity,
    }
    assert named == {str(tmp_path / "history.db")}
    assert parse_location(":memory:").identity is None


@pytest.mark.parametrize("use", [open_history, check_integrity])
def test_reading_what_is_not_there_is_an_error_of_its_own(
    use: Callable[[Location], object], tmp_path: Path
) -> None:
    with pytest.raises(NoHistoryError, match=r"no history at .*missing\.db"):
        use(parse_location(tmp_path / "missing.db"))
    with pytest.raises(NoHistoryError, match="in memory"):
        use(parse_location(":memory:"))


def test_a_history_can_be_created_in_a_folder_that_is_still_to_be_made(tmp_path: Path) -> None:
    check_creatable(tmp_path / "a/b/history.db")
    assert list(tmp_path.iterdir()) == []
