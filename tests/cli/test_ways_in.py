"""Where a setting comes from, seen from outside, and what a shell completes."""

import json
from pathlib import Path

import pytest

from tests.cli.in_process import run
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


@pytest.mark.parametrize("value", ['"X-Debug: 1 2"', '["X-Debug: 1 2"]'], ids=["text", "list"])
def test_one_text_of_the_settings_is_one_header(config: Path, value: str) -> None:
    config.write_text(f'header = {value}\nforward-to = "3000"\n')
    result = invoke(*BASE, "--port", "0", "--format", "json")
    assert result.exit_code == 0, result.output


def test_a_variable_is_one_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_HOOK_HEADER", "X-Debug: 1 2")
    result = invoke(*BASE, "--port", "0", "--forward-to", "3000")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("my app/secret", 'secret-file = "{home}/my app/secret"'),
        ("secret", 'secret-file = "~/secret"'),
        ("secret", 'secret-file = ["~/secret"]'),
    ],
    ids=["space", "home", "home-in-a-list"],
)
def test_a_path_in_the_settings_is_one_path(
    config: Path, home: Path, name: str, content: str
) -> None:
    (home / name).parent.mkdir(exist_ok=True)
    (home / name).write_text("tiktok-client-secret")
    (home / "body").write_bytes(b"{}")
    config.write_text(content.format(home=home))
    result = run("sign", "--body", "~/body", "--timestamp", "1")
    assert result.stdout.startswith("Tiktok-Signature: t=1,s="), result.output


@pytest.mark.parametrize("typed", [True, False], ids=["option", "variable"])
def test_the_home_folder_is_understood_in_a_secret_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, typed: bool
) -> None:
    (home / "secret").write_text("tiktok-client-secret")
    options = ["--secret-file=~/secret"] if typed else []
    if not typed:
        monkeypatch.setenv("TIKTOK_HOOK_SECRET_FILE", "~/secret")
    result = run("sign", "--body", "-", *options, stdin=b"{}")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("value", ["3999", "[3999]", '"3999 4999"', "[3999, 4999]"])
def test_a_target_may_be_a_number(config: Path, value: str) -> None:
    config.write_text(f"forward-to = {value}\n")
    result = invoke(*BASE, "--port", "0", "--format", "compact")
    assert result.exit_code == 0, result.output
    assert ":3999" in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("forward-to = true", "forward-to in"),
        ("forward-to = [[3999]]", "not a string or a list of strings"),
        ("forward-to = 2026-11-23", "not a string or a list of strings"),
        ('domain = ["a.example"]', "it is a list, and --domain takes one value"),
        ("domain = true", "it is true, and --domain takes a value"),
        ("keep = inf", "inf is not a value of --keep"),
        ("keep = 1.5", "1.5 is not a value of --keep"),
        ("max-body = 2026-01-01", "2026-01-01 is not a value of --max-body"),
        ("forward-timeout = nan", "nan is not a value of --forward-timeout"),
        ("\ufeffport = 1", "begins with a byte order mark (BOM)"),
    ],
    ids=[
        "truth-value",
        "nested",
        "date",
        "list",
        "truth-value-alone",
        "infinity",
        "fraction",
        "day",
        "nan",
        "byte-order-mark",
    ],
)
def test_a_value_of_the_wrong_type_is_one_sentence(
    config: Path, content: str, message: str
) -> None:
    config.write_text(content, "utf-8")
    result = run(*BASE)
    assert result.exit_code == 2
    assert message in result.stderr
    assert str(config) in result.stderr


@pytest.mark.parametrize(
    "database",
    [
        "mysql://me:hunter2@db.example/hooks",
        "postgresql://me:hunter2/x@db.example/hooks",
        "POSTGRES://me:hunter2?@db.example/hooks",
        "host=db.example user=me password=hunter2",
        " postgres://me:hunter2@db.example/hooks",
        "jdbc:postgresql://me:hunter2@db.example/hooks",
        "postgres:me:hunter2",
        "//me:hunter2@db.example/hooks",
        "me:hunter2@db.example/hooks",
        "me:hunt/hunter2@db.example/hooks",
        "postgresql//me:hunter2@db.example/hooks",
        "postgres;//me:hunter2@db.example/hooks",
        "postgresql/me:hunter2@db.example/hooks",
        "https//me:hunter2@db.example/hooks",
        "file:hooks.db?password=hunter2",
    ],
    ids=[
        "another-server",
        "slash-in-the-password",
        "question-mark-in-the-password",
        "connection-string",
        "leading-blank",
        "two-schemes",
        "no-slashes",
        "no-scheme",
        "credentials-alone",
        "credentials-with-a-slash",
        "colon-forgotten",
        "semicolon",
        "colon-and-slash-forgotten",
        "colon-of-another-scheme-forgotten",
        "file-url",
    ],
)
@pytest.mark.parametrize("way", ["option", "variable", "config", "events"])
def test_an_address_that_cannot_be_read_is_an_error_that_does_not_show_its_password(
    database: str, way: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config.write_text(f'db = "{database}"\n' if way == "config" else "")
    if way == "variable":
        monkeypatch.setenv("TIKTOK_HOOK_DB", database)
    options = ["--db", database] if way in {"option", "events"} else []
    command = ["events"] if way == "events" else ["listen", "--no-tunnel", "--timeout", "0.2"]
    result = run(*command, *options)
    assert result.exit_code == 2
    assert "--db is a" in result.stderr
    assert "hunter2" not in result.output
    assert not [each for each in tmp_path.rglob("*") if "hunter2" in each.name]


@pytest.mark.parametrize("way", ["option", "variable", "config", "events"])
def test_a_server_that_cannot_be_reached_is_named_without_its_password(
    way: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = "postgresql://me:hunter2@127.0.0.1:1/hooks"
    config.write_text(f'db = "{url}"\n' if way == "config" else "")
    if way == "variable":
        monkeypatch.setenv("TIKTOK_HOOK_DB", url)
    options = ["--db", url] if way in {"option", "events"} else []
    command = ["events"] if way == "events" else ["listen", "--no-tunnel", "--timeout", "0.2"]
    result = run(*command, *options)
    assert result.exit_code == 5
    assert "127.0.0.1:1/hooks cannot be reached: Connection refused" in result.stderr
    assert "hunter2" not in result.output
    assert not [each for each in tmp_path.rglob("*") if "hunter2" in each.name]
