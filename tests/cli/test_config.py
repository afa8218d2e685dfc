"""What `config show` prints."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.in_process import run
from tiktok_hook import cli


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(*arguments: str) -> dict[str, Any]:
    """The options that are shown, by name."""
    result = run("config", "show", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return {each["option"]: each for each in json.loads(result.stdout)["settings"]}


def test_each_setting_has_its_source(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = home / ".config" / "tiktok-hook" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("keep = 7\n[listen]\ninspect = false\n")
    project = folder / "tiktok-hook.toml"
    project.write_text("forward-to = [3000, 4000]\n")
    monkeypatch.setenv("TIKTOK_HOOK_ACK", "first")
    found = shown()
    by_name = {name: (found[name]["value"], found[name]["source"]) for name in found}
    assert by_name["keep"] == (7, str(config))
    assert by_name["inspect"] == (False, str(config))
    assert by_name["forward-to"] == (["3000", "4000"], str(project))
    assert by_name["ack"] == ("first", "TIKTOK_HOOK_ACK")
    assert by_name["path"] == ("/", "default")
    assert "skip-verify" not in found


def test_no_secret_is_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_HEADER", "Authorization: Basic hunter2")
    monkeypatch.setenv("NGROK_AUTHTOKEN", "2hunter2")
    monkeypatch.setenv("TIKTOK_HOOK_VERIFY_WEBHOOK_SECRET", "hunter2hunter2")
    monkeypatch.setenv("TIKTOK_HOOK_FORWARD_TO", "http://localhost:3000/a?key=hunter2")
    monkeypatch.setenv("TIKTOK_HOOK_PUBLIC_URL", "https://me:hunter2@example.com/?token=hunter2")
    (folder / ".env").write_text("TIKTOK_CLIENT_SECRET=hunter2hunter2\n")
    for form in ([], ["--json"]):
        result = run("config", "show", *form)
        assert result.exit_code == 0, result.output
        assert "hunter2" not in result.output
    found = shown()
    assert found["secret"] == {"option": "secret", "value": ["******"], "source": ".env"}
    assert found["authtoken"]["source"] == "NGROK_AUTHTOKEN"
    assert found["header"]["value"] == ["Authorization: ******"]
    assert found["forward-to"]["value"] == ["http://localhost:3000/a?key=******"]


def test_the_authtoken_of_ngroks_file_wins_over_env(folder: Path, home: Path) -> None:
    (folder / ".env").write_text("NGROK_AUTHTOKEN=2planted_token\n")
    assert shown()["authtoken"]["source"] == ".env"
    file = home / ".config" / "ngrok" / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text("authtoken: 2own_token\n")
    assert shown()["authtoken"]["source"] == str(file)


def test_another_command_has_its_own_settings() -> None:
    assert "duplicate" in shown("trigger")
    assert "forward-to" not in shown("sign")


def test_the_lines_are_aligned_and_name_the_files(folder: Path) -> None:
    (folder / "tiktok-hook.toml").write_text('path = "/hook"\n')
    lines = run("config", "show").stdout.splitlines()
    (path,) = [line for line in lines if line.startswith("path ")]
    assert path.split() == ["path", "/hook", str(folder / "tiktok-hook.toml")]
    (project,) = [line for line in lines if line.startswith("project ")]
    assert project.split() == ["project", str(folder / "tiktok-hook.toml")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["config", "show", "lisen"], "Did you mean listen?"),
        (["config", "show"], "TIKTOK_HOOK_PORT=many cannot be used"),
    ],
)
def test_what_cannot_be_shown_is_an_error(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_PORT", "many")
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_mistyped_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_FROWARD_TO", "3000")
    result = run("config", "show")
    assert result.exit_code == 0
    assert "TIKTOK_HOOK_FROWARD_TO sets no option. Did you mean FORWARD_TO" in (result.stderr)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("postgresql://anna:hunter2@db.example.com/hooks", "postgresql://db.example.com/hooks"),
        ("/data/hooks.db", "/data/hooks.db"),
    ],
    ids=["server", "file"],
)
def test_the_history_is_shown_as_it_is_given_without_its_password(
    given: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_DB", given)
    assert shown()["db"] == {"option": "db", "value": value, "source": "TIKTOK_HOOK_DB"}


def test_on_a_terminal_a_long_source_is_on_a_line_of_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = home / ".config" / "tiktok-hook" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("keep = 7\n")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert cli.run(["config", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("keep "))
    assert lines[at].split() == ["keep", "7"]
    assert lines[at + 1].strip() == str(config)
    assert all(len(line) <= 60 or str(config) in line for line in lines)
