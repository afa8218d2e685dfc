"""What a project's files set in a command, and what they may not set."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.cli.in_process import run
from tests.cli.runner import invoke
from tests.ngrok_service import NgrokService
from tiktok_hook import signature

SECRET = "tiktok-client-secret"
LISTEN = ("listen", "--no-tunnel", "--no-inspect", "--ephemeral", "--timeout", "0.1", "--port", "0")
TUNNEL = ("listen", "--no-inspect", "--ephemeral", "--timeout", "0.1", "--port", "0")
GOOD_TOKEN = "2exampleToken0123456789abcd_5EXAMPLEexample123456"
WRONG_TOKEN = "2wrongToken00123456789abcd_5EXAMPLEexample1234567"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_that_takes_a_secret_finds_it_in_env(folder: Path) -> None:
    (folder / ".env").write_text(f"TIKTOK_CLIENT_SECRET={SECRET}\n")
    (folder / "body").write_bytes(b"{}")
    signed = run("sign", "--body", "body", "--timestamp", "1")
    assert signed.stdout.strip() == (
        f"Tiktok-Signature: {signature.sign(b'{}', SECRET, timestamp=1)}"
    )
    assert ".env" in signed.stderr
    header = signature.sign(b"{}", SECRET, timestamp=1)
    verified = run("verify", "--header", header, "--body", "body", "--tolerance", "1e12")
    assert (verified.exit_code, verified.stdout) == (0, "valid\n")
    assert ".env" in verified.stderr


def test_what_is_set_for_listen_changes_no_option_of_one_call(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "tiktok-hook.toml").write_text('path = "/webhook"\n')
    config = home / ".config" / "tiktok-hook" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('header = "X-Debug: 1"\n')
    monkeypatch.setenv("TIKTOK_HOOK_PATH", "/webhook")

    def value(command: str, key: str) -> object:
        shown = json.loads(run("config", "show", command, "--json").stdout)["settings"]
        return next(each["value"] for each in shown if each["option"] == key)

    assert value("listen", "path") == "/webhook"
    assert value("replay", "path") is None
    assert value("listen", "header") == value("replay", "header") == ["X-Debug: ******"]
    assert not value("import", "header")
    assert not value("verify", "header")


def test_the_environment_wins_over_env(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("TIKTOK_CLIENT_SECRET=planted-secret\n")
    (folder / "body").write_bytes(b"{}")
    monkeypatch.setenv("TIKTOK_CLIENT_SECRET", SECRET)
    result = run("sign", "--body", "body", "--timestamp", "1")
    assert signature.sign(b"{}", SECRET, timestamp=1) in result.stdout
    assert result.stderr == ""


def test_the_users_settings_win_over_env(folder: Path, home: Path) -> None:
    (folder / ".env").write_text("TIKTOK_CLIENT_SECRET=planted-secret\n")
    (folder / "body").write_bytes(b"{}")
    config = home / ".config" / "tiktok-hook" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'secret = "{SECRET}"\n')
    result = run("sign", "--body", "body", "--timestamp", "1")
    assert signature.sign(b"{}", SECRET, timestamp=1) in result.stdout
    assert result.stderr == ""


def test_the_banner_names_what_the_projects_files_set(folder: Path) -> None:
    (folder / ".env").write_text(f"TIKTOK_CLIENT_SECRET={SECRET}\nTIKTOK_HOOK_PATH=/planted\n")
    (folder / "tiktok-hook.toml").write_text('forward-to = 3999\npath = "/hook"\n')
    result = invoke(*LISTEN, "--format", "normal")
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stderr.split())
    assert "tiktok-hook.toml sets path, forward-to" in shown
    assert "The client secret comes from .env in this folder." in shown
    assert "/planted" not in shown
    assert SECRET not in result.output


async def test_the_authtoken_of_env_is_the_last_source_and_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with NgrokService(tokens=[GOOD_TOKEN]) as service:
        connect = ("--connect-url", service.connect_url, "--connect-cas", str(service.ca_file))
        words = (*TUNNEL, *connect)
        (folder / ".env").write_text(f"NGROK_AUTHTOKEN={WRONG_TOKEN}\n")
        rejected = await asyncio.to_thread(invoke, *words)
        assert rejected.exit_code == 3
        assert "The authtoken came from .env" in rejected.stderr
        (folder / ".env").write_text(f"NGROK_AUTHTOKEN={GOOD_TOKEN}\n")
        accepted = await asyncio.to_thread(invoke, *words)
        assert accepted.exit_code == 0, accepted.output
        assert "authtoken comes from .env" in accepted.stderr
        (folder / ".env").write_text(f"NGROK_AUTHTOKEN={WRONG_TOKEN}\n")
        monkeypatch.setenv("NGROK_AUTHTOKEN", GOOD_TOKEN)
        own = await asyncio.to_thread(invoke, *words)
    assert own.exit_code == 0, own.output
    assert ".env" not in own.stderr


@pytest.mark.parametrize("key", ["secret", "db", "header", "authtoken", "public-url", "events"])
def test_a_key_that_only_the_user_may_set_is_an_error(folder: Path, key: str) -> None:
    (folder / "tiktok-hook.toml").write_text(f'{key} = "x"\n')
    result = run(*LISTEN)
    assert result.exit_code == 2
    assert f"'{key}'" in result.stderr
    assert "config.toml" in result.stderr


@pytest.mark.parametrize(
    "target",
    [
        "http://example.com/collect",
        "example.com:80",
        "http://169.254.169.254/latest",
        "http://0.0.0.0:3000",
        "http://127.0.0.1.nip.io:3000",
        "http://[::ffff:10.0.0.1]:3000",
        "http://2130706433:3000",
        "http://localhost.example:3000",
    ],
)
@pytest.mark.parametrize(
    "setting",
    [
        'forward-to = "{}"',
        'forward-to = ["3000", "{}"]',
        'route = [["a.*", "3000"], ["else", "{}"]]',
        '[listen]\nroute = [["a.*", "{}"]]',
    ],
    ids=["one", "list", "route", "table"],
)
def test_a_project_forwards_to_this_machine_only(folder: Path, target: str, setting: str) -> None:
    (folder / "tiktok-hook.toml").write_text(f"{setting.format(target)}\n")
    result = run(*LISTEN)
    assert result.exit_code == 2
    assert "not an address of this machine" in result.stderr


def shown_path(*arguments: str) -> str:
    """The path that a command line ends up with."""
    result = run("config", "show", "--json", *arguments)
    assert result.exit_code == 0, result.output
    found = {each["option"]: each for each in json.loads(result.stdout)["settings"]}
    value: str = found["path"]["value"]
    return value


def test_the_users_own_settings_win_over_the_projects(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown_path() == "/"
    (folder / "tiktok-hook.toml").write_text('path = "/project"\n')
    assert shown_path() == "/project"
    config = home / ".config" / "tiktok-hook" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('path = "/user"\n')
    assert shown_path() == "/user"
    (folder / "named.toml").write_text('path = "/named"\n')
    assert shown_path("--config", "named.toml") == "/named"
    monkeypatch.setenv("TIKTOK_HOOK_PATH", "/variable")
    assert shown_path("--config", "named.toml") == "/variable"


def test_a_project_cannot_have_the_history_deleted(folder: Path) -> None:
    (folder / "tiktok-hook.toml").write_text("keep = 1\n")
    result = run(*LISTEN)
    assert result.exit_code == 2
    assert "would delete deliveries from your history" in result.stderr
    assert run("config", "show").exit_code == 2
    (folder / "tiktok-hook.toml").write_text("keep = 200000\n")
    assert run("config", "show").exit_code == 0


def test_a_command_without_these_options_is_not_affected(folder: Path) -> None:
    (folder / "tiktok-hook.toml").write_text('keep = 200000\nforward-to = "3000"\n')
    (folder / "body").write_bytes(b"{}")
    assert run("sign", "--body", "body", "--secret", SECRET).exit_code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('route = [["post.*", "https://example.com"]]', "not an address of this machine"),
        ('route = ["post.*", "3000"]', "not a list of lists of 2"),
        ('route = [["post.*"]]', "not a list of lists of 2"),
        ('route = "post.* 3000"', "not a list of lists of 2"),
    ],
    ids=["another-machine", "flat", "one", "text"],
)
def test_a_projects_routes_are_pairs_of_a_filter_and_a_target_on_this_machine(
    folder: Path, text: str, words: str
) -> None:
    (folder / "tiktok-hook.toml").write_text(text)
    result = run(*LISTEN)
    assert result.exit_code == 2
    assert words in result.stderr


def test_routes_may_come_from_a_file_or_a_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "tiktok-hook.toml").write_text('route = [["post.*", "3000"], ["else", "3001"]]')
    assert "http://localhost:3000" in run(*LISTEN, "--format", "json").stdout
    monkeypatch.setenv("TIKTOK_HOOK_ROUTE", '"post.* user:me" 3002 else 3003')
    assert "http://localhost:3002" in run(*LISTEN, "--format", "json").stdout
