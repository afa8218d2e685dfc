"""The rules of the house: who may import whom, what starts lazily, what is public."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiktok_hook

PACKAGE = Path(tiktok_hook.__file__).parent

ROWS = (
    {"errors", "exact_json", "sanitize"},
    {"text_files"},
    {"signature", "events", "edits", "hints"},
    {"delivery"},
    {"store", "bus", "paths", "ngrok_config"},
    {"receiver", "forward", "tunnel", "app_process", "ports"},
    {"relay", "replayer", "trigger", "archive"},
    {"audit", "doctor", "inspector", "terminal"},
    {"session", "history"},
    {"settings"},
    {"__init__", "testing", "cli"},
    {"__main__"},
)
ROW_OF = {name: number for number, row in enumerate(ROWS) for name in row}

HOMES = {
    "ngrok": {"tunnel/child.py"},
    "sqlite3": {"store"},
    "click": {"cli"},
    "rich": {"terminal"},
    "httptools": {"forward"},
    "aiohttp": {"receiver", "inspector", "testing"},
    "yaml": {"ngrok_config"},
    "platformdirs": {"paths", "ngrok_config"},
    "orjson": {"delivery", "exact_json", "store"},
    "uvloop": {"session"},
}

ELSEWHERE_ONLY = {"termios", "tty", "fcntl", "resource", "pwd", "grp", "pty", "msvcrt", "winreg"}
"""Modules that some system lacks, so none may be imported at the top of a file."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in a file, as a dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "tiktok_hook":
                yield from (f"tiktok_hook.{alias.name}" for alias in node.names)


def by_path(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


@pytest.mark.parametrize("file", modules(), ids=by_path)
def test_a_room_imports_only_rooms_above_it(file: Path) -> None:
    here = room(file)
    assert here in ROW_OF, f"{here} has no row in the house"
    for name in imports(ast.parse(file.read_text("utf-8"))):
        if not name.startswith("tiktok_hook."):
            continue
        there = name.split(".")[1]
        if there == here or there not in ROW_OF:
            continue
        if here == "__init__":
            continue  # its names are lazy, and it is the whole's face
        assert ROW_OF[there] < ROW_OF[here], f"{by_path(file)} imports {name}"


@pytest.mark.parametrize("file", modules(), ids=by_path)
def test_each_third_party_package_stays_in_its_home(file: Path) -> None:
    for name in imports(ast.parse(file.read_text("utf-8"))):
        homes = HOMES.get(name.split(".")[0])
        if homes is not None:
            assert {room(file), by_path(file)} & homes, f"{by_path(file)} imports {name}"


@pytest.mark.parametrize("file", modules(), ids=by_path)
def test_no_module_of_one_system_is_imported_at_the_top_of_a_file(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    top = ast.Module(
        body=[node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)],
        type_ignores=[],
    )
    assert not {name.split(".")[0] for name in imports(top)} & ELSEWHERE_ONLY


def test_everything_imports_where_posix_modules_are_missing() -> None:
    names = [
        "tiktok_hook." + ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        for file in modules()
        if file.name not in {"__main__.py", "__init__.py"}
    ]
    program = (
        "import sys, importlib\n"
        "import asyncio, subprocess, multiprocessing\n"
        f"for name in {sorted(ELSEWHERE_ONLY)!r}: sys.modules[name] = None\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_public_names_are_these() -> None:
    assert tiktok_hook.__all__ == [
        "AppError",
        "Attempt",
        "Delivery",
        "Event",
        "Filter",
        "History",
        "HookError",
        "ListenError",
        "Session",
        "State",
        "StoreError",
        "TunnelError",
        "UsageError",
        "Verdict",
        "check",
        "diagnose",
        "listen",
        "sample",
        "samples",
        "sign",
    ]


@pytest.mark.parametrize("name", tiktok_hook.__all__)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(tiktok_hook, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tiktok_hook.nothing  # noqa: B018 - the access is the act


HEAVY = ("aiohttp", "ngrok", "rich", "sqlite3", "uvloop", "asyncio")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["listen", "--help"],
        ["sign", "--secret", "example-secret", "--body", "BODY"],
        ["verify", "--secret", "example-secret", "--header", "t=1,s=00", "--body", "BODY"],
    ],
    ids=["help", "listen-help", "sign", "verify"],
)
def test_light_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_bytes(b"{}")
    words = [str(body) if word == "BODY" else word for word in arguments]
    program = (
        "import sys\n"
        "from tiktok_hook.cli import run\n"
        f"code = run({words!r})\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
