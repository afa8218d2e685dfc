"""The help of all commands for programs."""

import json
import re
from typing import Any

import click
import pytest

from tests import reference
from tests.cli.runner import invoke
from tests.doc_pages import PAGES
from tiktok_hook.cli import COMMANDS, group
from tiktok_hook.cli.help import as_help_command, document
from tiktok_hook.errors import EXIT_CODES


def described() -> dict[str, Any]:
    return document(group, click.Context(group, info_name="tiktok-hook"))


def one(name: str) -> dict[str, Any]:
    (found,) = [each for each in described()["commands"] if each["name"] == f"tiktok-hook {name}"]
    return dict(found)


def test_every_command_and_option_is_described() -> None:
    commands = described()["commands"]
    assert [each["name"] for each in commands] == [f"tiktok-hook {name}" for name in COMMANDS]
    for name in COMMANDS:
        shown = reference.command(name)
        if isinstance(shown, click.Group):
            continue
        options = [option for option in reference.options(name) if not option.hidden]
        described_options = one(name)["options"]
        assert [each["names"] for each in described_options] == [
            [*option.opts, *option.secondary_opts] for option in options
        ]
        assert all(each["help"] and each["type"] for each in described_options)


def option_of(command: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in one(command)["options"] if name in each["names"]]
    return dict(found)


@pytest.mark.parametrize(
    ("command", "name", "expected"),
    [
        ("listen", "--max-body", {"type": "integer", "default": 1048576, "minimum": 1}),
        ("listen", "--forward-timeout", {"type": "number", "default": 10.0}),
        ("listen", "--forward-to", {"repeatable": True, "default": None, "setting": "forward-to"}),
        ("listen", "--port", {"default": None, "default_text": "3000, or a free one"}),
        ("listen", "--no-tunnel", {"type": "boolean", "default": True}),
        ("listen", "--config", {"setting": None}),
        ("events", "--failed", {"type": "boolean", "default": False}),
        ("events", "--format", {"choices": ["table", "json"], "default": "table"}),
        ("sign", "--body", {"required": True, "environment": []}),
        ("doctor", "--authtoken", {"environment": ["TIKTOK_HOOK_AUTHTOKEN", "NGROK_AUTHTOKEN"]}),
    ],
)
def test_an_option_is_described(command: str, name: str, expected: dict[str, Any]) -> None:
    assert option_of(command, name).items() >= expected.items()


def test_the_exit_codes_are_those_of_the_docs() -> None:
    table = PAGES["docs/scripts.md"].partition("## Exit codes")[2]
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in table
    assert {each["code"] for each in one("listen")["exit_codes"]} == {0, 1, 2, 3, 4, 5, 130}
    assert {each["code"] for each in one("sign")["exit_codes"]} == {0, 1, 2}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_lists_options_alone_and_shows_no_mark_of_click(name: str) -> None:
    command = reference.command(name)
    text = command.get_help(click.Context(command, info_name=name))
    for each in (text, one(name)["description"]):
        assert "\b" not in each
        assert "\\b" not in each
    assert ("\nzsh   eval" in one(name)["description"]) is (name == "completion")
    _, *sections = re.split(r"\n(?=[A-Z][\w ]*:\n)", text.partition("\n  Example: ")[0])
    rows = re.findall(r"^  (\S)", "\n".join(sections), re.MULTILINE)
    assert sections
    assert set(rows) == {"-"}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--help", "--json"], []),
        (["--json", "-h", "trigger"], ["trigger"]),
        (["trigger", "--count", "x", "--help", "--json"], ["trigger"]),
        (["trigger", "--help"], None),
        (["audit", "--json"], None),
        (["listen", "--", "app", "--help", "--json"], None),
    ],
)
def test_help_and_json_together_are_found(words: list[str], names: list[str] | None) -> None:
    assert as_help_command(words) == (None if names is None else ["help", "--json", *names])


def test_help_as_json_is_one_object_on_stdout() -> None:
    done = invoke("trigger", "--help", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    shape = json.loads(done.stdout)
    assert shape["name"] == "tiktok-hook trigger"
    assert shape["examples"] == [reference.command("trigger").example]  # type: ignore[attr-defined]


def test_help_of_a_command_is_its_help_text() -> None:
    assert invoke("help", "sign").stdout == invoke("sign", "--help").stdout
    unknown = invoke("help", "sing", "--json")
    assert unknown.exit_code == 2
    assert json.loads(unknown.stderr)["exit_code"] == 2
