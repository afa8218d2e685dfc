"""What a user can get wrong with `listen`: one sentence, one hint, one exit code, no traceback."""

import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.runner import Result, invoke

BASE = ("listen", "--no-tunnel", "--no-inspect", "--timeout", "0.2")


def failed(result: Result, code: int) -> str:
    """The message of a run that failed as users should see it."""
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["Error", "Hint"], result.stderr
    assert all(line.partition(": ")[2] for line in lines)
    assert result.stdout == ""
    return result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--secret", ""], "client secret from --secret is empty"),
        (["--secret", "two words"], "has whitespace"),
        (["--secret-file", "no-such-file"], "no-such-file cannot be read"),
        (["--header", "X-Debug: 1\r\nX-Other: 2", "-f", "3999"], "line break"),
        (["--header", "no colon", "-f", "3999"], "NAME: VALUE"),
        (["--path", "tiktok"], "does not begin with a slash"),
        (["--path", "/a?b"], "more than a path"),
        (["--path", "/" + "p" * 2000], "--path has 2,001 characters"),
        (["--ack", "later"], "--ack later"),
        (["--ack", "99"], "--ack 99"),
        (["--forward-to", "nonsense"], "nonsense"),
        (["--forward-to", "ftp://localhost/x"], "ftp"),
        (["--port", "3998", "--forward-to", "3998"], "own receiver"),
        (["--pass"], "--pass needs a target"),
        (["--ack", "first"], "--ack needs a target"),
        (["--ack", "app"], "--ack needs a target"),
        (["--insecure"], "--insecure needs a target"),
        (["--header", "X-Debug: 1"], "--header needs a target"),
        (["--forward-timeout", "3"], "--forward-timeout needs a target"),
        (["--as", "anna"], "--as needs a target"),
        (["--as", "anna", "-f", "3999"], "--as is for a shared history"),
        (["--as", "anna", "-f", "3999", "--ephemeral"], "--as is for a shared history"),
        (["--public-url", "hooks.example.com"], "not a URL"),
        (["--ephemeral", "--db", "x.db"], "do not go together"),
        (["--serve-file", "no-such.txt"], "no-such.txt cannot be read"),
        (["--serve-file", "/"], "/ cannot be read"),
        (["--verify-webhook"], "needs the client secret"),
        (["--config", "no-such.toml"], "no-such.toml does not exist"),
        (["3000"], "listen takes no port"),
        (["--secret", "x", "3000"], "listen takes no port"),
        (["npm"], "listen takes no arguments"),
        (["--", "npm", "start"], "without a target"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_an_unusable_option_is_a_usage_error(options: list[str], words: str) -> None:
    assert words in failed(invoke(*BASE, *options), 2)


def test_an_option_without_a_target_shows_how_it_is_used() -> None:
    output = failed(invoke(*BASE, "--header", "X-Debug: 1"), 2)
    assert "tiktok-hook listen --forward-to 3000 --header 'NAME: VALUE'" in output


def test_a_name_that_is_set_for_all_sessions_does_not_concern_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_AS", "anna")
    assert invoke(*BASE, "--ephemeral", "--forward-to", "9").exit_code == 0


def test_without_a_target_a_status_is_still_answered_and_settings_lie_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_HEADER", "X-Debug: 1")
    monkeypatch.setenv("TIKTOK_HOOK_INSECURE", "1")
    monkeypatch.setenv("TIKTOK_HOOK_AS", "anna")
    assert invoke(*BASE, "--ephemeral", "--ack", "500").exit_code == 0
    monkeypatch.setenv("TIKTOK_HOOK_ACK", "first")
    assert invoke(*BASE, "--ephemeral").exit_code == 0


@pytest.mark.parametrize(
    ("glob", "hint"),
    [
        ("post.publsh.*", "Did you mean post.publish.failed or post.publish.complete"),
        ("nothing.alike", "tiktok-hook trigger lists"),
    ],
)
def test_a_glob_that_matches_no_known_event_is_a_warning(glob: str, hint: str) -> None:
    routes = ["--route", "post.publish.complete", "3999", "--route", glob, "3999"]
    result = invoke(*BASE, "--ephemeral", *routes)
    assert result.exit_code == 0
    assert f"Warning: {glob} matches no known event." in result.stderr
    assert hint in result.stderr
    assert result.stderr.count("Warning") == 1


def test_an_unknown_key_of_a_settings_file_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("forward_too = 3000\n")
    assert f"{file} has an unknown key 'forward_too'" in failed(
        invoke(*BASE, "--config", str(file)), 2
    )


@pytest.mark.parametrize("value", ["many", "0"])
def test_an_unusable_variable_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_KEEP", value)
    output = failed(invoke(*BASE), 2)
    assert output.startswith(f"Error: TIKTOK_HOOK_KEEP={value} cannot be used: ")
    assert "unset TIKTOK_HOOK_KEEP" in output


def test_an_unusable_setting_names_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("keep = 0\n")
    output = failed(invoke(*BASE, "--config", str(file)), 2)
    assert output.startswith(f"Error: keep in {file} cannot be used: ")


def test_only_a_file_is_served(tmp_path: Path) -> None:
    pipe = tmp_path / "tiktok.txt"
    os.mkfifo(pipe)
    assert "is not a regular file" in failed(invoke(*BASE, "--serve-file", str(pipe)), 2)


def test_the_port_meant_as_ngrok_has_it_gets_the_right_command() -> None:
    hint = failed(invoke("listen", "3000"), 2)
    assert "tiktok-hook listen --forward-to 3000" in hint


def test_a_command_without_a_target_is_shown_with_one() -> None:
    hint = failed(invoke(*BASE, "--", "npm", "start"), 2)
    assert "tiktok-hook listen --forward-to 3000 -- npm start" in hint


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--connect-url", "https://connect.example.com:443"], "--connect-url"),
        (["--connect-url", "[::1]:443"], "--connect-url"),
        (["--connect-url", ""], "--connect-url"),
        (["--connect-url", "host:99999"], "--connect-url"),
        (["--connect-cas", "no-such.pem"], "no-such.pem"),
        (["--traffic-policy", "no-such.yml"], "no-such.yml"),
        (["--public-url", "https://hooks.example.com"], "--no-tunnel"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_unusable_tunnel_option_is_a_usage_error(options: list[str], words: str) -> None:
    result = invoke("listen", "--no-inspect", "--authtoken", "example-token", *options)
    assert words in failed(result, 2)


def test_no_authtoken_shows_the_three_ways_on_and_ends_with_3() -> None:
    message = failed(invoke("listen"), 3)
    assert "NGROK_AUTHTOKEN" in message
    assert "tiktok-hook demo" in message
    assert "--no-tunnel" in message


def test_a_broken_config_file_of_ngrok_is_named(home: Path) -> None:
    file = home / ".config" / "ngrok" / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text("agent: [")
    assert str(file) in failed(invoke("listen"), 2)


def test_a_missing_secret_is_reported_before_a_missing_authtoken() -> None:
    assert "needs the client secret" in failed(invoke("listen", "--verify-webhook"), 2)


def test_the_secret_ngrok_has_for_verification_is_understood() -> None:
    result = invoke(
        *BASE, "--verify-webhook", "tiktok", "--verify-webhook-secret", "example-secret"
    )
    assert result.exit_code == 0, result.output


@contextmanager
def taken(address: str) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_named_port_in_use_is_never_moved_and_a_free_one_is_named(address: str) -> None:
    try:
        with taken(address) as port:
            message = failed(invoke(*BASE, "--port", str(port)), 4)
    except OSError:
        pytest.skip(f"this machine has no {address}")
    assert str(port) in message
    assert "--port" in message.split("Hint:")[1]


def test_a_target_on_port_3000_moves_the_receiver() -> None:
    result = invoke(*BASE, "--forward-to", "3000", "--format", "json")
    assert result.exit_code == 0, result.output
    assert '"local_url":"http://127.0.0.1:3000"' not in result.stdout


def foreign(file: Path) -> None:
    rows = sqlite3.connect(file)
    rows.execute("create table contacts (name text)")
    rows.close()


def newer(file: Path) -> None:
    assert invoke(*BASE, "--db", str(file)).exit_code == 0
    rows = sqlite3.connect(file)
    rows.execute("pragma user_version = 999")
    rows.close()


def text(file: Path) -> None:
    file.write_text("this is no database at all, but it is long enough to be looked at" * 20)


@pytest.mark.parametrize("make", [foreign, newer, text, Path.mkdir])
def test_a_history_that_cannot_be_used_is_left_alone(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    file = tmp_path / "history.db"
    make(file)
    before = file.read_bytes() if file.is_file() else b""
    message = failed(invoke(*BASE, "--db", str(file)), 5)
    assert str(file) in message
    assert (file.read_bytes() if file.is_file() else b"") == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into every folder")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert str(tmp_path) in failed(invoke(*BASE, "--db", str(tmp_path / "history.db")), 5)


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = failed(invoke(*BASE, "--db", str(tmp_path / "file" / "history.db")), 5)
    assert str(tmp_path / "file") in message


def test_an_unwritable_state_folder_is_reported_and_does_not_prevent_the_start(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    result = invoke(*BASE, "--ephemeral")
    assert result.exit_code == 0, result.output
    assert "state folder" in result.stderr


def test_ephemeral_on_the_command_line_wins_over_a_db_set_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_DB", str(tmp_path / "history.db"))
    result = invoke(*BASE, "--ephemeral")
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "history.db").exists()


def test_a_db_on_the_command_line_wins_over_ephemeral_set_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_EPHEMERAL", "1")
    result = invoke(*BASE, "--db", str(tmp_path / "history.db"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "history.db").exists()


def test_an_exit_after_that_is_not_reached_ends_with_1() -> None:
    assert invoke(*BASE, "--ephemeral", "--exit-after", "1").exit_code == 1


def test_without_arguments_the_first_three_commands_are_shown() -> None:
    result = invoke()
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.stdout.splitlines() if line.startswith("  ")] == [
        "demo",
        "listen",
        "trigger",
    ]
