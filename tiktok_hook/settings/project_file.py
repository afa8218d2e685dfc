"""Finds a project's `tiktok-hook.toml` and checks that it sets only what a stranger may set.

A cloned repository brings this file along, so it is treated as a stranger's. It may set the options
in `ALLOWED_IN_PROJECT` and nothing else: no secret, no file, no address of another machine. What
the user has set wins over it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiktok_hook.errors import UsageError
from tiktok_hook.settings.config_file import parse_toml
from tiktok_hook.suggestions import did_you_mean
from tiktok_hook.text_files import ForeignFileError, decode, read_bytes

NAME = "tiktok-hook.toml"

ALLOWED_IN_PROJECT = frozenset(
    {
        "forward-to", "route", "ack", "retry-for", "forward-timeout",
        "format", "keep", "max-body", "path",
    }
)  # fmt: skip
"""The options that a project's file may set. The values of the targets are checked as well."""

_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A project's settings.

    Attributes:
        path: The file; None if there is none.
        content: Its keys and tables.
        ignored: Why the file is not used, in one sentence; empty if it is.
    """

    path: Path | None = None
    content: Mapping[str, Any] = field(default_factory=dict)
    ignored: str = ""


def find_project_file(folder: Path, *, commands: frozenset[str]) -> ProjectFile:
    """Read the nearest `tiktok-hook.toml`, from a folder up to its repository's root.

    Without a repository only the folder itself is searched. A file that another user could have
    written is ignored, since an error would let that user block every command.

    Args:
        folder: The working directory.
        commands: Names of the commands, which tables may have.

    Raises:
        UsageError: The file is not TOML, or sets an option that is not allowed there.
    """
    for place in _searched(folder):
        file = place / NAME
        if not os.path.isfile(file):  # noqa: PTH113 - False, not an error, in a closed folder
            continue
        try:
            data = read_bytes(file, what="project file", max_bytes=_MAX_BYTES)
        except FileNotFoundError:
            continue
        except ForeignFileError as error:
            return ProjectFile(ignored=f"Ignored: {error}")
        content = parse_toml(decode(data, name=f"project file {file}"), name=f"project file {file}")
        check_allowed(content, commands=commands, file=file)
        return ProjectFile(file, content)
    return ProjectFile()


def _searched(folder: Path) -> list[Path]:
    """The folder and those above it up to the repository's root, nearest first."""
    places = [folder, *folder.parents]
    for number, place in enumerate(places, 1):
        if os.path.exists(place / ".git"):  # noqa: PTH110 - as above
            return places[:number]
    return places[:1]


def check_allowed(content: Mapping[str, Any], *, commands: frozenset[str], file: Path) -> None:
    """Check that every key may be set by a project, at the top and in the tables of commands.

    Raises:
        UsageError: One may not.
    """
    for key, value in content.items():
        name = key.replace("_", "-")
        if isinstance(value, Mapping) and name in commands:
            for inner in value:
                _check_key(inner, file)
        else:
            _check_key(key, file)


def _check_key(key: str, file: Path) -> None:
    name = key.replace("_", "-")
    if name in ALLOWED_IN_PROJECT:
        return
    meant = did_you_mean(name, ALLOWED_IN_PROJECT)
    raise UsageError(
        f"{file} sets {key!r}, which a project's file may not set.",
        hint=f"{meant} Otherwise move it to your own config.toml.".lstrip()
        if meant
        else "Move it to your own config.toml, or remove it: a repository's file may only set "
        f"{', '.join(sorted(ALLOWED_IN_PROJECT))}.",
    )
