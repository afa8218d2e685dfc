"""``--color``, before and after the name of a command, and what it wins over."""

from pathlib import Path

import pytest

from tests import reference
from tests.cli.history import filled
from tests.cli.in_process import run
from tests.cli.runner import invoke
from tiktok_hook import paths

DRAWING = ["attach", "audit", "demo", "doctor", "events", "listen", "show"]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(filled(tmp_path_factory.mktemp("color") / "history.db"))


@pytest.mark.parametrize("command", DRAWING)
def test_every_command_that_draws_has_the_option(command: str) -> None:
    assert "--color" in {name for option in reference.options(command) for name in option.opts}


@pytest.mark.parametrize(
    ("before", "after", "variables", "coloured"),
    [
        ([], [], {}, False),
        ([], ["--color", "always"], {}, True),
        (["--color", "always"], [], {}, True),
        (["--color", "always"], ["--color", "never"], {}, False),
        (["--color", "never"], ["--color", "always"], {}, True),
        ([], [], {"FORCE_COLOR": "1"}, True),
        ([], ["--color", "auto"], {"FORCE_COLOR": "1"}, True),
        ([], ["--color", "never"], {"FORCE_COLOR": "1"}, False),
        ([], [], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ([], ["--color", "always"], {"NO_COLOR": "1", "TERM": "dumb"}, True),
        ([], [], {"TIKTOK_HOOK_COLOR": "always"}, True),
        ([], ["--color", "auto"], {"TIKTOK_HOOK_COLOR": "always"}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("command", ["events", "show"])
def test_the_option_wins_over_the_environment(
    command: str,
    before: list[str],
    after: list[str],
    variables: dict[str, str],
    coloured: bool,  # noqa: FBT001 - a table's column
    db: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = run(*before, command, "--db", db, *after)
    assert done.exit_code == 0, done.output
    assert ("\x1b[" in done.stdout) is coloured


def test_a_report_that_is_not_on_a_terminal_can_be_coloured() -> None:
    done = run("doctor", "--color", "always", "--connect-url", "127.0.0.1:1")
    assert "\x1b[" in done.stdout
    assert "\x1b[" not in run("doctor", "--json", "--connect-url", "127.0.0.1:1").stdout


def test_json_has_no_colours(db: str) -> None:
    done = invoke("--color", "always", "events", "--db", db, "--format", "json")
    assert done.stdout
    assert "\x1b" not in done.output


def test_the_users_settings_may_set_it(db: str) -> None:
    folder = paths.config_dir()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text('color = "always"\n')
    assert "\x1b[" in run("events", "--db", db).stdout


def test_another_word_is_a_usage_error(db: str) -> None:
    done = run("events", "--db", db, "--color", "sometimes")
    assert done.exit_code == 2
    assert "sometimes" in done.stderr


def test_a_project_must_not_set_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiktok-hook.toml").write_text('color = "always"\n')
    done = run("events", "--db", "x.db")
    assert done.exit_code == 2
    assert "color" in done.stderr
