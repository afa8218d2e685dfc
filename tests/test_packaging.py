"""pyproject.toml and the lock file fit together."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PINS = {
    canonicalize_name(each.name): each
    for line in LOCK.splitlines()
    if not line.startswith("#")
    for each in [Requirement(line)]
}


def wanted() -> list[Requirement]:
    """What the package and the `dev` group ask for."""
    groups = PROJECT["dependency-groups"]
    included = [groups[each["include-group"]] for each in groups["dev"] if isinstance(each, dict)]
    lines = [line for group in [groups["dev"], *included] for line in group]
    return [
        Requirement(line)
        for line in [*PROJECT["project"]["dependencies"], *lines]
        if isinstance(line, str)
    ]


@pytest.mark.parametrize("requirement", wanted(), ids=lambda each: each.name)
def test_the_lock_file_pins_what_is_required(requirement: Requirement) -> None:
    (pin,) = PINS[canonicalize_name(requirement.name)].specifier
    assert pin.operator == "=="
    assert pin.version in requirement.specifier, "run `make lock`"


def test_the_lock_file_names_no_index_and_no_path() -> None:
    assert re.findall(r"://|^-|(?m:^\s*-)|\.whl|@", LOCK) == []


def test_every_group_is_part_of_dev() -> None:
    groups = PROJECT["dependency-groups"]
    included = {each["include-group"] for each in groups["dev"] if isinstance(each, dict)}
    assert included == groups.keys() - {"dev"}
