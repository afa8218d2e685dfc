"""The skill for coding agents, and how it is installed and removed.

A skill is a folder with a SKILL.md and its references, which are pages of the docs. A manifest
next to them holds the hash of each file as it was written: so a second installation changes
nothing, a newer one replaces what the user has not edited, and removing leaves the user's edits.

A project's folders may have come with a cloned repository, so what is there is a stranger's: only
regular files are read, and no link leads out of the project.
"""

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tiktok_hook.errors import UsageError
from tiktok_hook.mcp.pages import SITE, docs
from tiktok_hook.text_files import read_bytes

NAME = "tiktok-webhooks"
MANIFEST = ".tiktok-hook.json"

REFERENCES = (
    "agents", "attach", "audit", "events", "filters", "recipes", "replay", "scripts", "signature",
    "team", "testing", "trigger", "troubleshooting",
)  # fmt: skip

CLIENTS: Mapping[str, str] = {
    "claude": ".claude/skills",
    "codex": ".agents/skills",
    "copilot": ".copilot/skills",
    "cursor": ".cursor/skills",
    "gemini": ".gemini/skills",
}
"""Where clients look for skills, below the home folder."""

PROJECT_FOLDERS: Mapping[str, str] = {**CLIENTS, "copilot": ".github/skills"}
"""Where clients look for skills in a project."""

_MAX_BYTES = 1 << 20

Change = Literal["new", "changed", "same", "edited"]


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file of the skill, and what installing would do to it.

    Attributes:
        path: Where it is written.
        text: Its content.
        change: ``new``; ``changed``, an older version that is replaced; ``same``; or ``edited``
            since it was installed, or not ours.
    """

    path: Path
    text: str
    change: Change


def checked_folder(skills: Path, *, root: Path) -> Path:
    """The skill's own folder in a folder of skills.

    Args:
        skills: A client's folder of skills.
        root: The folder that no symbolic link below it may lead out of.

    Raises:
        UsageError: A link leads elsewhere, so that files there would be read, written or deleted.
    """
    folder = skills / NAME
    try:
        allowed = root.resolve()
    except (OSError, RuntimeError) as error:  # links that lead to each other
        raise UsageError(
            f"The folder {root} cannot be used: its links lead to each other.",
            hint="Remove the link, or name another folder.",
        ) from error
    for each in (folder, folder / "references"):
        try:
            real = each.resolve()
        except (OSError, RuntimeError):  # links that lead to each other
            real = None
        if real is None or not real.is_relative_to(allowed):
            raise UsageError(
                f"{each} is not in {allowed}: a symbolic link leads elsewhere.",
                hint="Remove the link, or name the folder it leads to with --dir.",
            )
    return folder


def skill_files() -> dict[str, str]:
    """The files of the skill by their path inside its folder."""
    text = (Path(__file__).parent / "skill" / "SKILL.md").read_text("utf-8")
    found = {"SKILL.md": text}
    pages = docs()
    for name in REFERENCES:
        if name in pages:
            found[f"references/{name}.md"] = _linked(pages[name].read_text("utf-8"))
    return found


def plan(folder: Path) -> list[PlannedFile]:
    """What installing into a folder would do.

    Args:
        folder: The skill's own folder.

    Raises:
        UsageError: A file cannot be read.
    """
    known = _manifest(folder)
    found = []
    for name, text in skill_files().items():
        path = folder / name
        there = _hash_of(path)
        wanted = _hash(text.encode())
        change: Change = "new"
        if there == wanted:
            change = "same"
        elif there is not None:
            change = "changed" if there == known.get(name) else "edited"
        found.append(PlannedFile(path, text, change))
    return found


def install(folder: Path) -> None:
    """Write every file of the skill, and the manifest.

    Raises:
        UsageError: A file cannot be written.
    """
    files = skill_files()
    for name, text in files.items():
        _write(folder / name, text)
    hashes = {name: _hash(text.encode()) for name, text in files.items()}
    for name in _manifest(folder).keys() - hashes.keys():  # of an older version
        _remove(folder / name)
    _write(folder / MANIFEST, json.dumps({"files": hashes}, indent=2) + "\n")


def removable(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files that removing would delete, and those it would leave because they were edited."""
    gone: list[Path] = []
    left: list[Path] = []
    for name, written in _manifest(folder).items():
        there = _hash_of(folder / name)
        if there is not None:
            (gone if there == written else left).append(folder / name)
    return gone, left


def remove(folder: Path) -> None:
    """Delete what was installed and not edited since, and the folders that are empty then.

    Raises:
        UsageError: A file cannot be deleted.
    """
    gone, left = removable(folder)
    for path in gone:
        _remove(path)
    if not left:
        _remove(folder / MANIFEST)
    for each in (folder / "references", folder):
        with contextlib.suppress(OSError):
            each.rmdir()


def _linked(page: str) -> str:
    """A page whose links to files that are not references lead to the site."""

    def target(found: re.Match[str]) -> str:
        name = found[1]
        return found[0] if name.partition(".md")[0] in REFERENCES else f"]({SITE}{name}"

    return re.sub(r"\]\(((?:\.\./)*[A-Za-z][\w./-]*\.[a-z]+)(?=[)#])", target, page)


def _manifest(folder: Path) -> dict[str, str]:
    """Hashes by path; only paths inside the folder, since anyone may have written it."""
    try:
        found = json.loads(_content(folder / MANIFEST))["files"]
        return {
            name: value
            for name, value in found.items()
            if isinstance(value, str) and re.fullmatch(r"(?:references/)?[A-Za-z-]+\.md", name)
        }
    except (OSError, UsageError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hash_of(path: Path) -> str | None:
    """The hash of a file; None if there is none.

    Raises:
        UsageError: It cannot be read, or is not a regular file of at most `_MAX_BYTES`.
    """
    try:
        return _hash(_content(path))
    except FileNotFoundError:
        return None


def _content(path: Path) -> bytes:
    return read_bytes(path, what="skill file", max_bytes=_MAX_BYTES)


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="Name another folder with --dir.",
        ) from error


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be deleted: {error.strerror}.", hint="Check its permissions."
        ) from error
