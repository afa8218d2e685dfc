"""Where a setting comes from, seen from outside, and what a shell completes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.runner import invoke

BASE = ("listen", "--no-tunnel", "--no-inspect", "--ephemeral", "--timeout", "0.2")


def path_used(*options: str) -> str:
    """The path of the Callback URL that a listener announces."""
    result = invoke(*BASE, "--port", "0", "--format", "json", *options)
    assert result.exit_code == 0, result.output
    url: str = json.loads(result.stdout.splitlines()[0])["callback_url"]
    return "/" + url.split("/", 3)[3] if url.count("/") > 2 else "/"


@pytest.fixture
def config(home: Path) -> Path:
    """The settings file in the user's folder; it asks for a path of its own."""
    file = home / ".config" / "tiktok-hook" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('path = "/from-file"\n')
    return file


def test_the_default_is_last() -> None:
    assert path_used() == "/"


def test_the_file_goes_before_the_default(config: Path) -> None:
    assert path_used() == "/from-file"


def test_a_file_that_is_named_goes_before_the_users_own(config: Path, tmp_path: Path) -> None:
    named = tmp_path / "named.toml"
    named.write_text('path = "/from-named"\n')
    assert path_used("--config", str(named)) == "/from-named"


def test_the_environment_goes_before_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_PATH", "/from-environment")
    assert path_used() == "/from-environment"


def test_a_flag_goes_before_everything(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_PATH", "/from-environment")
    assert path_used("--path", "/from-flag") == "/from-flag"


def test_a_file_in_the_working_directory_is_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text('path = "/planted"\n')
    monkeypatch.chdir(tmp_path)
    assert path_used() == "/"


@pytest.mark.parametrize(
    ("words", "completed"),
    [("tiktok-hook lis", "listen"), ("tiktok-hook listen --forw", "--forward-to")],
)
def test_a_shell_completes_commands_and_options(words: str, completed: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("tiktok-hook")],
        env={
            **os.environ,
            "_TIKTOK_HOOK_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"plain,{completed}" in done.stdout.splitlines()
