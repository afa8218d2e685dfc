"""``tiktok-hook agent``: the skill for coding agents, installed, removed or printed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_hook.cli import options, standard_input
from tiktok_hook.cli.config_layers import expanded
from tiktok_hook.errors import UsageError

if TYPE_CHECKING:
    from tiktok_hook.mcp.skill_files import PlannedFile

_CLIENTS = ("claude", "codex", "copilot", "cursor", "gemini")
"""Written out, so that ``--help`` has nothing to load; a test holds them to the real ones."""


@click.command(cls=options.Command, example="tiktok-hook agent install --client claude")
@click.argument(
    "action", metavar="install|remove|show", type=click.Choice(("install", "remove", "show"))
)
@click.option(
    "--client",
    "clients",
    multiple=True,
    type=click.Choice(_CLIENTS),
    help="Install for this client, in your home folder. Repeatable.",
)
@click.option(
    "--project", is_flag=True, help="Use the client's folder in the working directory instead."
)
@options.path_option("--dir", "folder", help="Install into this folder of skills instead.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def command(
    action: str,
    clients: tuple[str, ...],
    project: bool,  # noqa: FBT001 - click passes it by name
    folder: Path | None,
    yes: bool,  # noqa: FBT001
) -> int:
    """Install the skill for coding agents.

    The skill teaches an agent TikTok's webhooks from end to end, and how to prove a handler with
    this program. install shows what it writes and asks first; a second time it changes nothing.
    remove deletes what was installed, except files that you have edited. show prints the skill.
    """
    from tiktok_hook.mcp import skill_files

    if action == "show":
        click.echo(skill_files.skill_files()["SKILL.md"], nl=False)
        return 0
    folders = _folders(clients, folder, project=project)
    if action == "remove":
        return _remove(folders, yes=yes)
    return _install(folders, yes=yes)


def _folders(clients: Sequence[str], folder: Path | None, *, project: bool) -> list[Path]:
    """The folders of the skill.

    Raises:
        UsageError: No client and no folder was named, or both, or no home folder is known; or a
            symbolic link leads out of the folder that was named.
    """
    from tiktok_hook.mcp.skill_files import CLIENTS, PROJECT_FOLDERS, checked_folder

    if folder is not None:
        if clients or project:
            raise UsageError(
                "--dir and --client or --project exclude each other.", hint="Give only one."
            )
        return [checked_folder(folder, root=folder)]
    if not clients:
        raise UsageError(
            "No client was named.",
            hint=f"For instance --client claude; there are {', '.join(_CLIENTS)}. Others: --dir.",
        )
    if project:
        project_folders = [Path(PROJECT_FOLDERS[each]) for each in clients]
        return [checked_folder(each, root=Path()) for each in project_folders]
    home = expanded("~")
    return [checked_folder(home / CLIENTS[each], root=home / CLIENTS[each]) for each in clients]


def _install(folders: Sequence[Path], *, yes: bool) -> int:
    from tiktok_hook.mcp import skill_files

    planned = {folder: skill_files.plan(folder) for folder in folders}
    todo = {
        folder: files
        for folder, files in planned.items()
        if any(each.change != "same" for each in files)
    }
    for folder in planned.keys() - todo.keys():
        click.echo(f"{folder} is up to date.", err=True)
    if not todo:
        return 0
    for files in todo.values():
        for each in files:
            click.echo(_line(each), err=True)
    edited = any(each.change == "edited" for files in todo.values() for each in files)
    question = "Replace the edited files and write the others?" if edited else "Write these files?"
    if not _confirmed(question, yes=yes):
        return 1
    for folder in todo:
        skill_files.install(folder)
        click.echo(f"Installed the skill in {folder}.", err=True)
    click.echo("tiktok-hook mcp serves the tools to the agent: tiktok-hook mcp --help", err=True)
    return 0


_WORDS = {"new": "write", "changed": "update", "same": "keep", "edited": "replace, edited by you:"}


def _line(file: "PlannedFile") -> str:
    size = "" if file.change == "same" else f" ({len(file.text.encode()):,} bytes)"
    return f"  {_WORDS[file.change]} {file.path}{size}"


def _remove(folders: Sequence[Path], *, yes: bool) -> int:
    from tiktok_hook.mcp import skill_files

    found = {folder: skill_files.removable(folder) for folder in folders}
    if not any(gone for gone, _ in found.values()):
        click.echo("There is nothing to remove.", err=True)
        return 0
    for gone, left in found.values():
        for path in gone:
            click.echo(f"  delete {path}", err=True)
        for path in left:
            click.echo(f"  keep {path}, which was edited", err=True)
    if not _confirmed("Delete these files?", yes=yes):
        return 1
    for folder in folders:
        skill_files.remove(folder)
        click.echo(f"Removed the skill from {folder}.", err=True)
    return 0


def _confirmed(question: str, *, yes: bool) -> bool:
    """Whether the user agreed.

    Raises:
        UsageError: There was no terminal to ask at, and no answer in a pipe.
    """
    if yes:
        return True
    answer = standard_input.confirmed(question)
    if answer is None:
        raise UsageError(
            "Nothing was changed: it was not confirmed.", hint="Without a terminal, add --yes."
        )
    if not answer:
        click.echo("Nothing was changed.", err=True)
    return answer
