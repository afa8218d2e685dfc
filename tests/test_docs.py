"""The docs say what the program does."""

import html
import re
from pathlib import Path

import click
import pytest

from tests import fuzzing, reference
from tests.pictures import terminal
from tiktok_hook import errors
from tiktok_hook.cli import COMMANDS, group

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_lists_every_option_as_it_is() -> None:
    assert reference.text() in README, "run `make reference`"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_in_help_what_the_list_of_commands_says(name: str) -> None:
    help_text = reference.command(name).help or ""
    assert help_text.partition("\n")[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_an_example_that_names_only_options_it_has(name: str) -> None:
    example: str = reference.command(name).example  # type: ignore[attr-defined] # options.Command
    assert example.startswith(f"tiktok-hook {name}")
    known = {opt for option in reference.options(name) for opt in option.opts}
    assert set(re.findall(r"(?<= )-{1,2}[a-z][a-z-]*", example)) <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_ends_with_its_example(name: str) -> None:
    found = reference.command(name)
    shown = found.get_help(click.Context(found, info_name=name))
    example: str = found.example  # type: ignore[attr-defined] # options.Command
    assert " ".join(shown.split()).endswith(f"Example: {example}")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    assert [option.name for option in reference.options(name) if not option.help] == []


def test_the_readme_says_how_many_cases_are_generated() -> None:
    numbers = (fuzzing.SHORT, fuzzing.LONG)
    short, long = (f"{number:,}".replace(",", " ") for number in numbers)
    assert f"`make test` tries {short} cases" in README
    assert f"`make fuzz` tries {long} new ones" in README


def test_the_readme_names_every_exit_code() -> None:
    codes = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.HookError)
    }
    table = README.partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+)", table, re.M)} == codes | {0, 130}


def test_every_command_that_the_readme_shows_exists() -> None:
    shown = set(re.findall(r"(?m)^\$ tiktok-hook ([a-z]+)", README))
    assert shown <= set(group.list_commands(None))  # type: ignore[arg-type] # not looked at


def words_of(svg: str) -> str:
    """The words of a picture, with every number and address replaced: they differ at each run."""
    text = html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)))
    text = re.sub(r"s=[0-9a-f]{64}", "s=…", text.replace("\xa0", " "))
    return re.sub(r"[\s─]+", " ", re.sub(r"\d+(?:\.\d+)*", "0", text))


def test_the_readmes_picture_shows_what_listen_shows_today() -> None:
    fresh = terminal.draw(terminal.record_listen(), title="tiktok-hook listen")
    kept = terminal.LISTEN_SVG.read_text("utf-8")
    assert words_of(fresh) == words_of(kept), "run `make pictures`"
