"""The rows of the architecture; the import graph of the package and of the page, and its cycles."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import tiktok_hook

PACKAGE = Path(tiktok_hook.__file__).parent
STATIC = PACKAGE / "inspector" / "static"

ROWS = (
    {"client_keys", "errors", "exact_json", "pipes", "sanitize", "suggestions"},
    {"app_body"},
    {"signature", "events", "edits", "hints", "text_files", "option_fields", "moments"},
    {"delivery"},
    {
        "addresses",
        "background",
        "bus",
        "descriptors",
        "filters",
        "paths",
        "ports",
        "settings",
        "ngrok_config",
        "app_process",
    },
    {"store", "credentials"},
    {"receiver", "forward", "tunnel", "terminal"},
    {"relay", "replayer", "trigger", "archive"},
    {"audit", "doctor", "inspector"},
    {"history", "session"},
    {"mcp", "team", "testing"},
    {"cli", "__init__"},
    {"__main__"},
)
"""The package's folders and top-level modules. A row imports only from the rows above it."""

Graph = Mapping[str, set[str]]
"""For each file, the files that it imports; paths are relative to the package."""


def files() -> list[Path]:
    """Every Python file of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def name_of(file: Path) -> str:
    """The path of a file, relative to the package."""
    return file.relative_to(PACKAGE).as_posix()


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every module that a file imports anywhere, functions included, as a dotted name.

    ``from a import b`` yields ``a.b``, since ``b`` may be a module.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def python_graph() -> Graph:
    """Which file of the package imports which, at any level and for types too."""
    known = {_dotted(file): name_of(file) for file in files()}
    return {
        name_of(file): {
            there
            for name in imports(ast.parse(file.read_text("utf-8")))
            if (there := _file(name, known))
        }
        for file in files()
    }


def _dotted(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _file(name: str, known: Mapping[str, str]) -> str | None:
    """The file that an imported name is in: a module, or the module that holds the name."""
    return known.get(name) or known.get(name.rpartition(".")[0])


def page_graph() -> Graph:
    """Which module of the inspector's page imports which."""
    return {
        name_of(file): {
            name_of((file.parent / there).resolve())
            for there in re.findall(
                r"""(?:\bfrom|\bimport)\s*\(?\s*["'](\.[^"']+)["']""", file.read_text("utf-8")
            )
        }
        for file in sorted(STATIC.rglob("*.js"))
    }


def cycles(graph: Graph) -> set[frozenset[str]]:
    """The groups of files that import each other, directly or through others."""
    reach = {name: _reachable(name, graph) for name in graph}
    return {
        group
        for name in graph
        if name in reach[name]
        and (group := frozenset(other for other in reach[name] if name in reach.get(other, ())))
    }


def _reachable(start: str, graph: Graph) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = set(graph.get(waiting.pop(), ())) - found
        found |= new
        waiting.extend(new)
    return found
