"""Where a history is, as users and programs write it."""

from pathlib import Path

import pytest

from tiktok_hook.errors import UsageError
from tiktok_hook.store import open_store, parse_location


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("history.db", Path("history.db")),
        (Path("/a/history.db"), Path("/a/history.db")),
        ("sqlite:///a/history.db", Path("/a/history.db")),
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


def test_a_tilde_is_the_users_home(home: Path) -> None:
    assert parse_location("~/history.db").path == home / "history.db"


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://anna:hidden@db.example.com/hooks",
        "postgres://anna:hidden@db.example.com/hooks",
        Path("postgresql://anna:hidden@db.example.com/hooks"),
        "POSTGRESQL://anna:hidden@db.example.com/hooks",
        "mysql+pymysql://anna:hidden@db.example.com/hooks",
        "sqlite://anna:hidden@db.example.com/hooks",
    ],
)
def test_another_url_is_a_usage_error_without_its_password(
    given: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot be opened at a") as raised:
        open_store(given)
    assert "hidden" not in str(raised.value) + raised.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_location_has_a_label(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    assert parse_location(path).label == str(path)
    assert parse_location(":memory:").label == "the history in memory"
    with open_store(path) as store:
        assert store.label == store.history().label == str(path)
    assert parse_location(path).exists()
