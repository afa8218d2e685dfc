"""The architecture: who may import whom, what starts lazily, what is public."""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import tiktok_hook
from tests.architecture_graph import (
    ROWS,
    cycles,
    files,
    imports,
    name_of,
    page_graph,
    python_graph,
)

pytestmark = pytest.mark.timeless

ROW_OF = {name: number for number, row in enumerate(ROWS) for name in row}

UPWARD_YET: set[tuple[str, str]] = set()
"""Imports against the rows that are still to be removed. Nothing may be added."""

CYCLES_YET: tuple[set[str], ...] = ()
"""Files that still import each other. Nothing may be added, and what is resolved is removed."""

HOMES = {
    "ngrok": {"tunnel/child.py"},
    "sqlite3": {"store/sqlite"},
    "psycopg": {"store/postgres"},
    "click": {"cli"},
    "rich": {"terminal"},
    "httptools": {"forward"},
    "aiohttp": {"receiver", "inspector", "testing"},
    "mcp": {"mcp"},
    "yaml": {"ngrok_config"},
    "platformdirs": {"paths", "ngrok_config"},
    "orjson": {"delivery", "exact_json", "store"},
    "uvloop": {"session"},
}

ELSEWHERE_ONLY = {"termios", "tty", "fcntl", "resource", "pwd", "grp", "pty", "msvcrt", "winreg"}
"""Modules that some system lacks, so none may be imported at the top of a file."""


BACKENDS = ("tiktok_hook.store.sqlite", "tiktok_hook.store.postgres")


def top(name: str) -> str:
    """The folder or top-level module that a file belongs to."""
    return name.partition("/")[0].removesuffix(".py")


def upward() -> set[tuple[str, str]]:
    """Every import that goes against the rows."""
    return {
        (here, there)
        for here, imported in python_graph().items()
        for there in imported
        if top(here) != top(there) and ROW_OF[top(there)] >= ROW_OF[top(here)]
    }


def test_every_folder_and_top_level_module_has_a_row() -> None:
    assert {top(name_of(file)) for file in files()} <= ROW_OF.keys()


def test_a_file_imports_only_from_the_rows_above_it() -> None:
    assert upward() - UPWARD_YET == set()


def test_no_file_imports_itself_through_others() -> None:
    allowed = [frozenset(group) for group in CYCLES_YET]
    found = cycles(python_graph()) | cycles(page_graph())
    assert [sorted(group) for group in found if not any(group <= each for each in allowed)] == []


def test_what_is_resolved_is_no_longer_allowed() -> None:
    assert upward() >= UPWARD_YET, "remove it from UPWARD_YET"
    found = cycles(python_graph()) | cycles(page_graph())
    unresolved = frozenset().union(*found)
    for group in CYCLES_YET:
        assert group <= unresolved, f"remove from CYCLES_YET: {sorted(group - unresolved)}"


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, set()),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, {frozenset("bc")}),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}}, {frozenset("abc")}),
        ({"a": {"a"}}, {frozenset("a")}),
        ({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c"}}, {frozenset("ab"), frozenset("cd")}),
    ],
    ids=["none", "two", "three", "itself", "two-groups"],
)
def test_cycles_are_found(graph: Mapping[str, set[str]], expected: set[frozenset[str]]) -> None:
    assert cycles(graph) == expected


def test_imports_of_functions_and_of_names_are_part_of_the_graph() -> None:
    tree = ast.parse("import a.b\nfrom c import d\ndef f():\n    from e.f import g, h\n")
    assert set(imports(tree)) == {"a.b", "c.d", "e.f.g", "e.f.h"}
    graph = python_graph()
    assert "store/__init__.py" in graph["history.py"]
    assert any(name.endswith("dom.js") for name in page_graph()["inspector/static/app.js"])


@pytest.mark.parametrize("file", files(), ids=name_of)
def test_each_third_party_package_stays_in_its_home(file: Path) -> None:
    for name in imports(ast.parse(file.read_text("utf-8"))):
        homes = HOMES.get(name.split(".")[0])
        if homes is not None:
            places = {top(name_of(file)), name_of(file), name_of(file).rpartition("/")[0]}
            assert places & homes, f"{name_of(file)} imports {name}"


@pytest.mark.parametrize("file", files(), ids=name_of)
def test_only_the_store_imports_its_backends(file: Path) -> None:
    if top(name_of(file)) != "store":
        for name in imports(ast.parse(file.read_text("utf-8"))):
            assert not name.startswith(BACKENDS), f"{name_of(file)}: {name}"


@pytest.mark.parametrize("file", files(), ids=name_of)
def test_no_module_of_one_system_is_imported_at_the_top_of_a_file(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    top = ast.Module(
        body=[node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)],
        type_ignores=[],
    )
    assert not {name.split(".")[0] for name in imports(top)} & ELSEWHERE_ONLY


def test_everything_imports_where_posix_modules_are_missing() -> None:
    names = [
        "tiktok_hook." + ".".join(Path(name_of(file)).with_suffix("").parts)
        for file in files()
        if file.name not in {"__main__.py", "__init__.py"}
    ]
    program = (
        "import sys, importlib\n"
        "import asyncio, subprocess, multiprocessing, mcp\n"
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
        "BlockingSession",
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
        "listening",
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
NOT_FOR_HELP = (
    *HEAVY, "hmac", "orjson", "platformdirs", "socket", "tiktok_hook.archive",
    "tiktok_hook.delivery", "tiktok_hook.signature",
)  # fmt: skip
"""What a command needs when it runs, and ``--help`` does not: more than `import click` takes."""


def ran(program: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        check=False,
    )


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
    done = ran(program)
    assert done.returncode == 0, done.stderr


def test_the_help_of_no_command_imports_what_only_running_it_needs() -> None:
    program = (
        "import sys\n"
        "from tiktok_hook.cli import COMMANDS, run\n"
        "for name in COMMANDS:\n"
        "    run([name, '--help'])\n"
        f"    loaded = [each for each in {NOT_FOR_HELP!r} if each in sys.modules]\n"
        "    if loaded:\n"
        "        sys.exit(f'{name} loads {loaded}')\n"
    )
    done = ran(program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage:") > 15


def test_a_listener_starts_without_what_few_sessions_need(tmp_path: Path) -> None:
    program = (
        "import gc, sys\n"
        "from tiktok_hook.cli import run\n"
        "arguments = '--no-tunnel --ephemeral --port 0 --inspect-port 0 --secret example-secret'\n"
        "run(['listen', *arguments.split(), '--exit-after', '1', '--timeout', '0.1'])\n"
        "print([each for each in ('tiktok_hook.archive', 'yaml') if each in sys.modules])\n"
        "print(gc.get_threshold())\n"
    )
    done = ran(program, HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path))
    assert done.stdout.splitlines()[-2:] == ["[]", "(10000, 20, 20)"], done.stderr
