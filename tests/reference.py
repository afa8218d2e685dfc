"""The list of every command and option, made from the commands themselves.

``python -m tests.reference`` writes it into docs/command-line.md; a test fails when that is out of
date.
"""

import re
from pathlib import Path

import click

from tests import event_reference
from tiktok_hook.cli import COMMANDS, group
from tiktok_hook.events import contents, python_types

PAGE = Path(__file__).parent.parent / "docs" / "command-line.md"
BEGIN, END = "<!-- options: make reference -->", "<!-- end of options -->"


def command(name: str) -> click.Command:
    """A command by its name."""
    found = group.get_command(click.Context(group), name)
    assert found is not None
    return found


def options(name: str) -> list[click.Option]:
    """A command's own options."""
    return [each for each in command(name).params if isinstance(each, click.Option)]


def text() -> str:
    """Every command with its example and its options, as Markdown."""
    return "\n".join([BEGIN, *(_section(name) for name in COMMANDS), END])


def _section(name: str) -> str:
    found = command(name)
    context = click.Context(found, info_name=name)
    lines = [f"\n## `tiktok-hook {name}`\n", f"{COMMANDS[name]}\n"]
    lines.append(f"```console\n$ {found.example}\n```\n")  # type: ignore[attr-defined] # options.Command
    rows = [record for option in options(name) if (record := option.get_help_record(context))]
    if rows:
        lines.append("| Option | Meaning |\n| --- | --- |")
        lines += [f"| `{_cell(names)}` | {_cell(meaning)} |" for names, meaning in rows]
    return "\n".join(lines)


def _cell(words: str) -> str:
    return re.sub(r"\s+", " ", words).replace("|", "\\|").replace("<", "&lt;")


def put() -> None:
    """Write the list into its page, and the page and typed records of TikTok's events."""
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    PAGE.write_text(before + text() + rest.split(END)[1], "utf-8")
    event_reference.PAGE.write_text(event_reference.text(), "utf-8")
    Path(contents.__file__).write_text(python_types.module(), "utf-8")


if __name__ == "__main__":
    put()
