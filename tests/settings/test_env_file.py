"""`.env` in the working directory: two variables, and nothing that the user has set is replaced."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzzing
from tiktok_hook import settings
from tiktok_hook.errors import UsageError
from tiktok_hook.settings import env_file

SECRET = "tiktok-client-secret"
LINES = b"export A='b\nc'\nTIKTOK_CLIENT_SECRET=\"abcdefgh\" # x\nNGROK_AUTHTOKEN=a\n"


def secret(content: bytes | str) -> str | None:
    """What a file sets for ``TIKTOK_CLIENT_SECRET``."""
    data = content if isinstance(content, bytes) else content.encode()
    return env_file.parse(data, name="file .env").get("TIKTOK_CLIENT_SECRET")


@pytest.mark.parametrize(
    "line",
    [
        f"TIKTOK_CLIENT_SECRET={SECRET}",
        f"TIKTOK_CLIENT_SECRET={SECRET}\r\nOTHER=1\r\n",
        f"export TIKTOK_CLIENT_SECRET={SECRET}",
        f'TIKTOK_CLIENT_SECRET="{SECRET}"',
        f"TIKTOK_CLIENT_SECRET='{SECRET}' # production",
        f"TIKTOK_CLIENT_SECRET=`{SECRET}`",
        f"TIKTOK_CLIENT_SECRET = {SECRET}  # production",
        f"# TIKTOK_CLIENT_SECRET=other-secret\nTIKTOK_CLIENT_SECRET={SECRET}",
        f"TIKTOK_CLIENT_SECRET=other-secret\nTIKTOK_CLIENT_SECRET={SECRET}",
        f'KEY="-----BEGIN\nTIKTOK_CLIENT_SECRET=other-secret\n"\nTIKTOK_CLIENT_SECRET={SECRET}\n',
        f"TIKTOK_CLIENT_SECRET={SECRET}\n# TIKTOK_CLIENT_SECRET=other-secret",
        f"MY_TIKTOK_CLIENT_SECRET=other-secret\nTIKTOK_CLIENT_SECRET={SECRET}",
    ],
)
def test_a_secret_is_read_as_env_files_are_written(line: str) -> None:
    assert secret(line) == SECRET


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("TIKTOK_CLIENT_SECRET=${OTHER}", "${OTHER}"),
        ('TIKTOK_CLIENT_SECRET="$HOME$(id)"', "$HOME$(id)"),
        (r'TIKTOK_CLIENT_SECRET="a\"b"', 'a"b'),
        ("TIKTOK_CLIENT_SECRET=abc#def", "abc#def"),
        ("TIKTOK_CLIENT_SECRET=# comment", "# comment"),
        ("TIKTOK_CLIENT_SECRET=", ""),
        ("OTHER=1", None),
        ("TIKTOK_CLIENT_SECRETS=abcdefgh", None),
    ],
)
def test_nothing_is_interpolated(line: str, value: str | None) -> None:
    assert secret(line) == value


def test_only_two_variables_are_read() -> None:
    names = ["TIKTOK_HOOK_FORWARD_TO", "TIKTOK_HOOK_DB", "NGROK_AUTHTOKEN", "TIKTOK_CLIENT_SECRET"]
    data = "".join(f"{name}=value-of-it\n" for name in names).encode()
    assert sorted(env_file.parse(data, name="file")) == ["NGROK_AUTHTOKEN", "TIKTOK_CLIENT_SECRET"]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8-sig", "byte order mark"), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16")],
)
def test_another_encoding_is_named_if_the_file_sets_one_of_the_two(
    encoding: str, name: str
) -> None:
    with pytest.raises(UsageError, match=name):
        secret(f"TIKTOK_CLIENT_SECRET={SECRET}".encode(encoding))
    assert secret("OTHER=1".encode(encoding)) is None


def test_a_file_in_another_encoding_for_another_program_is_not_an_error() -> None:
    assert secret("# clé\nOTHER=1".encode("latin-1")) is None


@pytest.mark.parametrize(
    ("given", "environment", "source"),
    [
        (["given-secret"], {}, ""),
        ([], {"TIKTOK_CLIENT_SECRET": "given-secret"}, "TIKTOK_CLIENT_SECRET"),
    ],
    ids=["option", "variable"],
)
def test_whatever_the_user_gives_wins_over_the_file(
    tmp_path: Path, given: list[str], environment: dict[str, str], source: str
) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfeTIKTOK_CLIENT_SECRET")
    found = settings.find_secrets(given, [], environment=environment, folder=tmp_path)
    assert (found.values, found.source, found.notice) == (("given-secret",), source, "")


def test_the_file_is_the_last_source_and_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TIKTOK_CLIENT_SECRET={SECRET}")
    found = settings.find_secrets([], [], environment={}, folder=tmp_path)
    assert (found.values, found.source) == ((SECRET,), ".env")
    assert ".env" in found.notice
    assert SECRET not in f"{found!r} {found.notice}"


def test_the_folders_above_are_not_searched(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TIKTOK_CLIENT_SECRET={SECRET}")
    (tmp_path / "inner").mkdir()
    found = settings.find_secrets([], [], environment={}, folder=tmp_path / "inner")
    assert found.values == ()


@pytest.mark.parametrize("value", ["", "${SECRET}", "# comment", "NAME=value-of-it", "abc"])
def test_a_value_that_cannot_be_a_secret_is_an_error_and_not_a_pass(
    tmp_path: Path, value: str
) -> None:
    (tmp_path / ".env").write_text(f"TIKTOK_CLIENT_SECRET={value}\n")
    with pytest.raises(UsageError, match=r"TIKTOK_CLIENT_SECRET in \.env"):
        settings.find_secrets([], [], environment={}, folder=tmp_path)


@pytest.mark.parametrize("kind", ["none", "folder", "pipe", "loop", "closed"])
def test_what_is_not_a_readable_file_counts_as_none(tmp_path: Path, kind: str) -> None:
    file = tmp_path / ".env"
    match kind:
        case "folder":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case "loop":
            file.symlink_to(file)
        case "closed":
            file.write_text(f"TIKTOK_CLIENT_SECRET={SECRET}")
            file.chmod(0)
            if os.access(file, os.R_OK):
                pytest.skip("root reads every file")
    assert env_file.read_variables(tmp_path) == {}


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such modes")
@pytest.mark.parametrize("mode", [0o646, 0o666])
def test_a_file_that_others_can_write_is_ignored_and_named(tmp_path: Path, mode: int) -> None:
    file = tmp_path / ".env"
    file.write_text(f"TIKTOK_CLIENT_SECRET={SECRET}")
    file.chmod(mode)
    found = settings.find_secrets([], [], environment={}, folder=tmp_path)
    assert found.values == ()
    assert "can be written to by other users" in found.notice


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root for chown")
def test_a_file_of_another_user_is_ignored_and_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"TIKTOK_CLIENT_SECRET={SECRET}")
    os.chown(file, 65534, 65534)
    found = settings.find_secrets([], [], environment={}, folder=tmp_path)
    assert found.values == ()
    assert "belongs to another user" in found.notice


@fuzzing.one_in(2)
@given(st.binary(max_size=40) | fuzzing.changes.map(lambda change: fuzzing.changed(LINES, change)))
def test_any_file_is_two_variables_at_most_or_a_usage_error(content: bytes) -> None:
    try:
        found = env_file.parse(content, name="file .env")
    except UsageError as error:
        fuzzing.check_error(error)
    else:
        assert found.keys() <= {"TIKTOK_CLIENT_SECRET", "NGROK_AUTHTOKEN"}
