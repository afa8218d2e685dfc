import re

import pytest

from tests.cli.runner import invoke
from tiktok_hook.cli.help_groups import GROUPS, grouped

HEADING = re.compile(r"(?m)^([A-Z][a-z]+(?: [a-z]+)?):$")


def test_the_options_of_listen_are_grouped_with_the_main_ones_first() -> None:
    text = invoke("listen", "--help").stdout
    assert HEADING.findall(text) == [*GROUPS, "Other"]
    options = re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", text.partition("Your app:")[2])
    assert options[0] == "--forward-to"
    assert options[options.index("--secret") - 1] in GROUPS["Your app"]
    assert len(options) == len(set(options))
    rest = text.partition("Other:")[2]
    assert re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", rest) == ["--config", "--help"]


@pytest.mark.parametrize(
    ("name", "first", "headings"),
    [
        ("trigger", "--to", ["Request", "Your app", "Signatures", "Output", "Other"]),
        ("replay", "--to", ["Request", "Deliveries", "Your app", "Signatures"]),
        ("events", "--failed", ["Deliveries", "History", "Output", "Other"]),
        ("export", "--failed", ["Deliveries", "History", "Output", "Other"]),
    ],
)
def test_what_a_command_is_for_comes_first(name: str, first: str, headings: list[str]) -> None:
    text = invoke(name, "--help").stdout
    assert HEADING.findall(text)[: len(headings)] == headings
    options = re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", text.partition(f"{headings[0]}:")[2])
    assert options[0] == first
    assert len(options) == len(set(options))
    rest = set(re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", text.partition("Other:")[2]))
    assert rest - {"--config", "--help"} <= {"--redact", "--output"}


def test_a_command_with_few_options_has_one_list() -> None:
    assert HEADING.findall(invoke("sign", "--help").stdout) == ["Options"]


@pytest.mark.parametrize("number", [1, 19, 20, 60])
def test_no_option_is_lost_or_shown_twice(number: int) -> None:
    names = [(f"--x{each}",) for each in range(number - 1)]
    found = grouped([*names, ("--secret",)])
    places = [place for places in found.values() for place in places]
    assert sorted(places) == list(range(number))


def test_an_option_is_in_one_group() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert len(names) == len(set(names))
