"""A project's `tiktok-hook.toml`: a stranger's file, with an allow-list of options."""

import os
from pathlib import Path

import pytest

from tests import reference
from tiktok_hook import settings
from tiktok_hook.cli import COMMANDS, config_layers
from tiktok_hook.errors import UsageError

USER_ONLY = frozenset(
    {
        # secrets, accounts and headers
        "secret", "secret-file", "verify-webhook-secret", "verify-webhook", "authtoken", "header",
        "client-key",
        # who can reach this machine, and what is sent where
        "tunnel", "domain", "public-url", "connect-url", "connect-cas", "traffic-policy", "pooling",
        "self-check", "host", "port", "pass", "insecure", "skip-verify", "tolerance", "inspect",
        "inspect-port", "inspect-host", "inspect-allow-host", "inspect-open", "open", "to",
        "through-tunnel", "clock-url", "rotate-token", "url",
        # files that are read or written, and what is deleted
        "config", "db", "ephemeral", "keep-bytes", "serve-file", "output", "junit", "body",
        "before",
        # what an agent may do
        "allow-listen", "allow-remote", "allow-send", "client", "dir", "project", "show-headers",
        # what one call does
        "after", "age", "answer", "as", "as-is", "bad-signature", "concurrency", "count", "curl",
        "color", "cursor", "dry-run", "duplicate",
        "edit", "event", "exit-after", "failed", "follow", "from", "har", "headers", "json",
        "app", "limit", "list", "listener", "method", "no-signature", "only", "pending",
        "publish-id", "quiet", "rate", "raw", "role",
        "redact", "redeliveries", "replayed", "retry-like-tiktok", "scenario", "search", "seed",
        "set", "shuffle",
        "signed-only", "since", "slow", "source", "speed", "status", "timeout", "timestamp",
        "unset", "until", "user", "verbose", "verdict", "with-id", "yes",
    }
)  # fmt: skip
"""The options that only the user may set: neither a secret, nor a file, nor another machine."""


def options_of(name: str) -> set[str]:
    return set(config_layers.by_name(reference.command(name)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_allowed_in_a_project_or_the_users_alone(name: str) -> None:
    unlisted = options_of(name) - settings.ALLOWED_IN_PROJECT - USER_ONLY
    assert not unlisted, "put a new option on one of the two lists"


def test_the_two_lists_have_nothing_in_common() -> None:
    assert not settings.ALLOWED_IN_PROJECT & USER_ONLY


def project(folder: Path, content: str, *, git: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if git:
        (folder / ".git").mkdir()
    file = folder / "tiktok-hook.toml"
    file.write_text(content)
    return file


def found(folder: Path) -> settings.ProjectFile:
    return settings.find_project_file(folder, commands=frozenset({"listen", "replay"}))


def test_the_file_of_the_working_directory_is_read(tmp_path: Path) -> None:
    file = project(tmp_path, 'path = "/tiktok"\n[listen]\nforward_to = 3000\n')
    read = found(tmp_path)
    assert read.path == file
    assert read.content == {"path": "/tiktok", "listen": {"forward_to": 3000}}


def test_above_the_working_directory_it_is_read_up_to_the_repositorys_root(tmp_path: Path) -> None:
    project(tmp_path, 'path = "/outside"\n')
    root = project(tmp_path / "repository", 'path = "/root"\n', git=True)
    inner = tmp_path / "repository" / "a" / "b"
    inner.mkdir(parents=True)
    assert found(inner).path == root
    root.unlink()
    assert found(inner) == settings.ProjectFile()


def test_the_nearest_file_is_the_only_one(tmp_path: Path) -> None:
    project(tmp_path, 'path = "/root"\n', git=True)
    inner = project(tmp_path / "inner", "keep = 200000\n")
    assert found(tmp_path / "inner").path == inner
    assert found(tmp_path / "inner").content == {"keep": 200000}


def test_a_git_file_of_a_worktree_is_a_root_too(tmp_path: Path) -> None:
    root = project(tmp_path, 'path = "/root"\n')
    (tmp_path / ".git").write_text("gitdir: elsewhere")
    (tmp_path / "inner").mkdir()
    assert found(tmp_path / "inner").path == root


def test_without_a_repository_nothing_above_is_read(tmp_path: Path) -> None:
    project(tmp_path, 'path = "/above"\n')
    (tmp_path / "inner").mkdir()
    assert found(tmp_path / "inner") == settings.ProjectFile()


@pytest.mark.parametrize("table", ["", "[listen]\n"], ids=["top", "table"])
def test_any_other_key_is_an_error_that_names_the_users_file(tmp_path: Path, table: str) -> None:
    for key in sorted(USER_ONLY | {"forwardto", "x\\u001b[2J", "demo"}):
        project(tmp_path, f'{table}"{key}" = "value"\n')
        with pytest.raises(UsageError, match=r"tiktok-hook\.toml") as caught:
            found(tmp_path)
        assert "config.toml" in caught.value.hint
        assert "value" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xef\xbb\xbfkeep = 1", "byte order mark"),
        ("keep = 1".encode("utf-16"), "UTF-16"),
        (b"keep = ", "not valid TOML"),
        (b"keep = 1\n" * 100_000, "larger than"),
    ],
    ids=["bom", "utf-16", "syntax", "large"],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "tiktok-hook.toml").write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        found(tmp_path)
    assert "tiktok-hook.toml" in str(caught.value)
    assert caught.value.hint


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such modes")
def test_a_file_that_others_can_write_is_ignored_and_named(tmp_path: Path) -> None:
    project(tmp_path, 'secret = "planted-secret"\n').chmod(0o666)
    read = found(tmp_path)
    assert read.content == {}
    assert "can be written to by other users" in read.ignored


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root for chown")
def test_a_file_of_another_user_is_ignored_and_named(tmp_path: Path) -> None:
    os.chown(project(tmp_path, 'path = "/planted"\n'), 65534, 65534)
    read = found(tmp_path)
    assert read.content == {}
    assert "belongs to another user" in read.ignored


LARGE = {
    "dotted key": "a" + ".a" * 120_000 + " = 1",
    "quoted dotted key": "a" + '."="' * 60_000 + " = 1",
    "table": "[" + "a." * 120_000 + "a]",
    "inline table": "keep = {" + "a." * 120_000 + "a = 1}",
    "many dotted keys": "".join(f"a{n}." + "a." * 250 + "a = 1\n" for n in range(500)),
    "lists": "forward_to = " + "[" * 200_000,
    "number": "keep = " + "9" * 200_000,
    "hexadecimal number": "keep = 0x" + "f" * 200_000,
    "hexadecimal number in a list": "forward_to = [0x" + "f" * 4_000 + "]",
    "tables": "".join(f"[[a{number}]]\n" for number in range(20_000)),
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
@pytest.mark.realtime
@pytest.mark.timeout(20)
def test_no_file_takes_long_or_much_memory(text: str, tmp_path: Path) -> None:
    (tmp_path / "tiktok-hook.toml").write_text(text)
    with pytest.raises(UsageError):
        settings.find_project_file(tmp_path, commands=frozenset({"listen"}))
