"""Reads settings files in TOML: `config.toml`, the file of ``--config``, `tiktok-hook.toml`."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tiktok_hook.errors import UsageError
from tiktok_hook.suggestions import did_you_mean
from tiktok_hook.text_files import read_text

ENVIRONMENT_PREFIX = "TIKTOK_HOOK_"

_MAX_DOTS = 256
"""In one line: `tomllib` takes quadratic time and memory for a key of many parts, and the file may
have come with a cloned repository. 250 kB took a minute and 4 GB."""

_MAX_DOTS_IN_ALL = 50_000
"""In a file: 1 MB of lines that each stay within `_MAX_DOTS` took 4 s and 670 MB."""


def variable(option: str) -> str:
    """The environment variable of an option: ``--forward-to`` is ``TIKTOK_HOOK_FORWARD_TO``."""
    return ENVIRONMENT_PREFIX + option.lstrip("-").replace("-", "_").upper()


def read_config(path: Path | None, *, default: Path) -> Mapping[str, Any]:
    """The settings in a TOML file.

    Args:
        path: The file that was asked for; None reads `default` if it is there.
        default: `config.toml` in the user's config folder, never one in the working directory.

    Raises:
        UsageError: The file that was asked for is missing, or one of them cannot be read.
    """
    file = path or default
    try:
        text = read_text(file, what="settings file", hint="Check the path and its permissions.")
    except FileNotFoundError:
        if path is None:
            return {}
        raise UsageError(
            f"The settings file {file} does not exist.",
            hint="Check --config, or leave it out.",
        ) from None
    return parse_toml(text, name=f"settings file {file}")


def parse_toml(text: str, *, name: str) -> dict[str, Any]:
    """Parse TOML.

    Args:
        text: The content of a file.
        name: How a message calls the file.

    Raises:
        UsageError: It is not valid TOML, one of its numbers has more than 64 bits, one of its
            lines has more than `_MAX_DOTS` dots, or all of them more than `_MAX_DOTS_IN_ALL`.
    """
    import tomllib

    if any(line.count(".") > _MAX_DOTS for line in text.split("\n")):
        raise UsageError(
            f"The {name} has a line with more than {_MAX_DOTS} dots.",
            hint="Shorten its key, or write the list over several lines.",
        )
    if text.count(".") > _MAX_DOTS_IN_ALL:
        raise UsageError(
            f"The {name} has more than {_MAX_DOTS_IN_ALL:,} dots.", hint="Name a smaller file."
        )

    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number too long, lists too deep
        raise UsageError(
            f"The {name} is not valid TOML: {error}.",
            hint='A line reads NAME = VALUE, text in quotes: forward_to = ["3000"].',
        ) from error
    # Python writes no integer of more than 4 300 digits as text, but reads any as 0xfff….
    if any(isinstance(each, int) and each.bit_length() > 64 for each in _values(content)):
        raise UsageError(
            f"The {name} has a number of more than 64 bits.", hint="Write a smaller one."
        )
    return content


def _values(content: Mapping[str, Any]) -> Iterator[Any]:
    """All values of a document, also those in tables and lists."""
    waiting: list[Any] = [content]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Mapping):
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
        else:
            yield here


def defaults_for(
    command: str,
    config: Mapping[str, Any],
    *,
    options: Collection[str],
    known: Collection[str],
    commands: Collection[str],
    file: Path,
) -> dict[str, Any]:
    """The part of a settings file that concerns one command.

    Args:
        command: Its name; a table ``[listen]`` goes before the keys at the top.
        config: What `read_config` gave.
        options: Names of this command's options, without the dashes before them.
        known: Names of all options of all commands.
        commands: Names of the commands; each may have a table of its own.
        file: Where they come from, for the message.

    Returns:
        Values by the names of `options`.

    Raises:
        UsageError: A key that no command knows; the nearest names are in the hint.
    """
    values: dict[str, Any] = {}
    # `config` is an option and a command as well: a text is the one's value, a table the other's
    # settings.
    own = config.get(command)
    for table, allowed, tables in (
        (config, known, commands),
        (own if isinstance(own, Mapping) else {}, options, ()),
    ):
        for key, value in table.items():
            name = key.replace("_", "-")
            if name not in (tables if isinstance(value, Mapping) else allowed):
                raise UsageError(
                    f"The settings file {file} has an unknown {_kind(value)} {key!r}.",
                    hint=did_you_mean(name, {*allowed, *tables}) or "Remove it.",
                )
            if name in options and not isinstance(value, Mapping):
                values[name] = value
    return values


def _kind(value: object) -> str:
    return "table" if isinstance(value, Mapping) else "key"
