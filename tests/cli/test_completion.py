"""What a shell completes: in process, and by the shells themselves where they are installed."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from tests.pty_terminal import Terminal
from tests.store.samples import delivery
from tiktok_hook.cli import group
from tiktok_hook.cli.completion import Bash
from tiktok_hook.delivery import Delivery
from tiktok_hook.store import open_store

FOLDER = str(Path(sys.executable).parent)
PUBLISH_TYPES = ["DIRECT_PUBLISH", "INBOX_SHARE", "DIRECT_POST"]


def stored(path: Path, *deliveries: Delivery) -> Path:
    """A history with some deliveries."""

    async def fill() -> None:
        with open_store(path) as store:
            for each in deliveries:
                await store.add(each)

    asyncio.run(fill())
    return path


def completed(*words: str, incomplete: str = "") -> list[str]:
    """What is offered after some words."""
    complete = ShellComplete(group, {}, "tiktok-hook", "_TIKTOK_HOOK_COMPLETE")
    return [item.value for item in complete.get_completions(list(words), incomplete)]


@pytest.mark.parametrize(
    ("words", "incomplete", "offered"),
    [
        ([], "lis", ["listen"]),
        (["listen"], "--forward-t", ["--forward-to", "--forward-timeout"]),
        (["listen", "--ack"], "f", ["first"]),
        (["listen", "--format"], "n", ["normal"]),
        (["trigger"], "post.publish.f", ["post.publish.failed"]),
        (["events", "--event"], "authorization.", ["authorization.removed"]),
        (["wait"], "authorization.", ["authorization.removed"]),
        (["attach"], "authorization.", ["authorization.removed"]),
        (["listen", "--route"], "authorization.", ["authorization.removed"]),
        (["listen", "--answer"], "authorization.", ["authorization.removed"]),
        (["trigger", "--scenario"], "publish-", ["publish-failed"]),
        (["trigger", "post.publish.failed", "--set"], "content.r", ["content.reason="]),
        (["trigger", "authorization.removed", "--set"], "content.p", []),
        (
            ["trigger", "post.publish.failed", "--set"],
            "content.reason=frame",
            ["content.reason=frame_rate_check_failed"],
        ),
        (
            ["trigger", "post.publish.failed", "--set"],
            "content.publish_type=",
            [f"content.publish_type={each}" for each in PUBLISH_TYPES],
        ),
        (["trigger", "authorization.removed", "--set"], "content.reason=5", ["content.reason=5"]),
        (
            ["trigger", "authorization.removed", "--set"],
            "event=post.publish.f",
            ["event=post.publish.failed"],
        ),
        (["trigger", "post.publish.failed", "--set"], "content.publish_id=", []),
        (["trigger", "post.publish.failed", "--unset"], "content.reason=f", []),
        (["trigger", "post.publish.failed", "--set"], "content.no_such=", []),
        (["config", "show"], "trig", ["trigger"]),
        (["help"], "doc", ["doctor"]),
        (["completion"], "", ["bash", "zsh", "fish"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words_are_completed(words: list[str], incomplete: str, offered: list[str]) -> None:
    assert completed(*words, incomplete=incomplete) == offered


@pytest.mark.parametrize("command", ["show", "replay", "export", "verify"])
def test_ids_are_completed_from_the_history(command: str, tmp_path: Path) -> None:
    db = stored(tmp_path / "history.db", delivery(), delivery())
    assert completed(command, "--db", str(db)) == ["2", "1", "last"]
    assert completed(command, "--db", str(db), incomplete="2") == ["2"]
    assert completed(command, "--db", str(db), incomplete="la") == ["last"]


@pytest.mark.parametrize("option", ["--set", "--unset"])
def test_the_paths_of_a_stored_delivery_are_completed(option: str, tmp_path: Path) -> None:
    db = stored(tmp_path / "history.db", delivery(b'{"event":"a.b","own":{"key":1}}'))
    end = "=" if option == "--set" else ""
    words = ["replay", "1", "--db", str(db), option]
    assert completed(*words, incomplete="own") == [f"own{end}", f"own.key{end}"]


HOSTILE_KEYS = [
    "key$(touch made)", "key`touch made`", "key;touch made", "key&", "key|sh", "key>made",
    "key\nfile,", "key\x1b]0;T\x07", "key*", "{a,b}", "~root", "key!1", "key\\$x", "key'", 'key"',
    "key\u202e", "key\u3000", "key#", "$HOME", "key\t", "key=(1)",
]  # fmt: skip


@pytest.mark.parametrize("option", ["--set", "--unset"])
def test_a_key_that_a_shell_would_expand_is_not_offered(option: str, tmp_path: Path) -> None:
    end = "=" if option == "--set" else ""
    content = json.dumps({"own": 1, **dict.fromkeys(HOSTILE_KEYS, 1)})
    body = json.dumps({"event": "a.b", **dict.fromkeys(HOSTILE_KEYS, 1), "content": content})
    db = stored(tmp_path / "history.db", delivery(body.encode()))
    words = ["replay", "last", "--db", str(db), option]
    assert completed(*words) == [f"{name}{end}" for name in ("event", "content", "content.own")]


def test_bash_runs_no_command_from_a_key_of_a_stored_delivery(tmp_path: Path) -> None:
    body = json.dumps({"event": "a.b", "own$(touch${IFS}made)": 1}).encode()
    db = stored(tmp_path / "history.db", delivery(body))
    script = """
        eval "$(tiktok-hook completion bash)"
        COMP_WORDS=(tiktok-hook replay last --db "$1" --set ow) COMP_CWORD=6
        _tiktok_hook_completion tiktok-hook
        echo "(${COMPREPLY[*]})"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", str(db)],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "()\n", done.stderr


def test_values_of_a_stored_delivery_are_those_of_its_event(tmp_path: Path) -> None:
    db = stored(tmp_path / "history.db", delivery())
    words = ["replay", "last", "--db", str(db), "--set"]
    offered = completed(*words, incomplete="content.publish_type=")
    assert offered == [f"content.publish_type={each}" for each in PUBLISH_TYPES]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (["--set", "content.publish_type", "="], "\n".join(PUBLISH_TYPES)),
        (["--set", "content.publish_type", "=", "I"], "INBOX_SHARE"),
        (["--set", "content.publish_type=I"], "content.publish_type=INBOX_SHARE"),
        (["--set", "a", "=", "b", "--set", "content.publish_type", "=", "I"], "INBOX_SHARE"),
        (["--set", "content.publish_t"], "content.publish_type="),
        (["--scenario", "=", "spel"], "spelling"),
    ],
    ids=["equals", "begun", "not broken", "second", "path", "option"],
)
def test_bash_gets_what_follows_the_equals_sign_at_which_it_breaks_words(
    line: list[str], offered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["tiktok-hook", "trigger", "post.publish.failed", *line]
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    complete = Bash(group, {}, "tiktok-hook", "_TIKTOK_HOOK_COMPLETE")
    assert complete.complete() == "\n".join(f"plain,{each}" for each in offered.split())


def test_where_there_is_nothing_nothing_is_offered(tmp_path: Path) -> None:
    assert completed("show", "--db", str(tmp_path / "none.db")) == []


def test_a_broken_settings_file_does_not_keep_a_shell_from_completing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiktok-hook.toml").write_text("secret = [")
    monkeypatch.chdir(tmp_path)
    assert completed("trigger", incomplete="post.publish.f") == ["post.publish.failed"]


def test_every_option_for_a_file_completes_files() -> None:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        for option in command.params:
            if isinstance(option, click.Option) and option.metavar in {"PATH", "FILE"}:
                long = option.opts[0]
                if long in {"--path", "--unset"}:
                    continue  # in a URL, in a body
                assert option.shell_complete(inner, "x"), f"{name} {long}"


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{FOLDER}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "$ "}


def test_bash_completes_at_the_tab_key(tmp_path: Path) -> None:
    terminal = Terminal(["bash", "--norc", "-i"], columns=200, environment=environment())
    try:
        terminal.type('eval "$(tiktok-hook completion bash)"; echo re"ady"\n')
        terminal.read_until("ready")
        terminal.type(
            "echo : tiktok-hook; tiktok-hook trigger post.publish.f\t--set content.rea\tfram\t"
            "--set content.publish_type=IN\tx"
        )
        terminal.read_until(
            "post.publish.failed --set content.reason=frame_rate_check_failed "
            "--set content.publish_type=INBOX_SHARE x"
        )
    finally:
        terminal.close()
        terminal.process.kill()
        terminal.process.wait()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_of_another_shell_is_loaded_and_completes(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    if shell == "fish":
        script = (
            "tiktok-hook completion fish | source; complete -C 'tiktok-hook trigger post.publish.f'"
        )
        words = [program, "--no-config", "-c", script]
    else:
        # zsh completes at the key only, so its function is run with what it would be given.
        script = (
            "compdef() { :; }; compadd() { :; }; _describe() { print -l -- ${(P)3}; };"
            'eval "$(tiktok-hook completion zsh)"; words=(tiktok-hook trigger post.publish.f);'
            "CURRENT=3; _tiktok_hook_completion"
        )
        words = [program, "-f", "-c", script]
    done = subprocess.run(
        words,
        env={**environment(), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "post.publish.failed" in done.stdout, done.stderr
