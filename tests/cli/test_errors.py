import json
from pathlib import Path

import pytest

from tests.cli.runner import invoke
from tiktok_hook.cli.error_format import asks_for_json


def test_an_error_quotes_nothing_that_a_terminal_would_obey(tmp_path: Path) -> None:
    result = invoke("import", str(tmp_path / "a\x1b[2J\u202eb.har"))
    assert result.exit_code == 2
    assert "a\\x1b[2J\\u202eb.har" in result.stderr
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["audit", "--json"], True),
        (["events", "--format", "json"], True),
        (["events", "--format=json"], True),
        (["events", "--format", "table"], False),
        (["events"], False),
        (["listen", "--", "app", "--json"], False),
    ],
)
def test_json_output_asks_for_json_errors(words: list[str], *, expected: bool) -> None:
    assert asks_for_json(words) is expected


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("events --format json --db /nowhere/history.db", 5),
        ("events --format json --nonsense", 2),
        ("events --format json --limit x", 2),
        ("nonsense --json", 2),
        ("trigger tiktok.ping --format json", 2),
        ("audit --json", 2),
        ("show 7 --json --db /nowhere/history.db", 5),
    ],
)
def test_an_error_is_one_json_object(words: str, code: int, home: Path) -> None:
    done = invoke(*words.split())
    assert done.exit_code == code
    assert done.stdout == ""
    shape = json.loads(done.stderr.splitlines()[-1])
    assert shape.keys() == {"message", "hint", "exit_code"}
    assert shape["exit_code"] == code
    assert shape["message"]


def test_the_format_of_errors_comes_from_the_settings_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[events]\nformat = "json"\n')
    done = invoke("events", "--config", str(file), "--db", "/nowhere/history.db")
    assert json.loads(done.stderr)["exit_code"] == 5
    monkeypatch.setenv("TIKTOK_HOOK_FORMAT", "json")
    assert json.loads(invoke("events", "--nonsense").stderr)["exit_code"] == 2


def test_a_json_error_holds_nothing_that_a_terminal_would_obey() -> None:
    done = invoke("events", "--since", "\x1b[2J\u202e", "--format", "json")
    assert done.stderr.isascii()
    assert "\x1b" not in done.stderr
    assert "\u202e" in json.loads(done.stderr)["message"] or "u202e" in done.stderr
