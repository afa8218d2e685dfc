from pathlib import Path

import pytest

from tests.cli.history import filled
from tests.cli.runner import invoke


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(filled(tmp_path / "history.db"))


@pytest.mark.parametrize(
    ("value", "start"),
    [("full", "TIME"), ("json", '{"type":'), ("table", "TIME")],
)
def test_a_format_for_all_commands_counts_where_it_is_one_of_its_own(
    db: str, value: str, start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'format = "{value}"\n')
    assert invoke("events", "--db", db, "--config", str(config)).stdout.startswith(start)
    monkeypatch.setenv("TIKTOK_HOOK_FORMAT", value)
    assert invoke("events", "--db", db).stdout.startswith(start)


def test_a_format_that_no_command_has_is_an_error(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_FORMAT", "nonsense")
    result = invoke("events", "--db", db)
    assert result.exit_code == 2
    assert "'nonsense' is not one of 'table', 'json'" in result.stderr


def test_the_flag_goes_before_them(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_FORMAT", "json")
    assert invoke("events", "--db", db, "--format", "table").stdout.startswith("TIME")
    assert invoke("events", "--db", db, "--format", "full").exit_code == 2
