"""What people read: docstrings, comments, messages, help, the page's texts, the docs, test names.

Code is left out: names, inline code in backquotes, code blocks, links' targets and SQL.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

Text = tuple[int, str]
"""The number of the line on which a text begins, and the text."""

DOCS = ("README.md", "SECURITY.md", "CHANGELOG.md", "AGENTS.md")


def sources() -> list[Path]:
    """Every file that holds something to read, the tests' own files left out."""
    package = ROOT / "tiktok_hook"
    found = [path for ending in ("py", "js", "html", "md") for path in package.rglob(f"*.{ending}")]
    found += [ROOT / name for name in DOCS if (ROOT / name).exists()]
    found += (ROOT / "docs").rglob("*.md")
    return sorted(found)


def texts(path: Path) -> list[Text]:
    """The texts of one file."""
    read = {".py": _python, ".js": _script, ".html": _page, ".md": _markdown}[path.suffix]
    return [(line, _without_code(text)) for line, text in read(path.read_text("utf-8"))]


def _python(source: str) -> Iterator[Text]:
    """Comments, and the string literals that hold a blank: a single word is a name or a value."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    nodes = list(ast.walk(ast.parse(source)))
    inside = set()
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            inside |= {id(each) for each in ast.walk(node)}
            parts = [
                str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values
            ]
            yield node.lineno, "".join(parts)
    for node in nodes:
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inside
        ):
            text = node.value.strip()
            if " " in text and not SQL.match(text):
                yield node.lineno, text


def tests() -> list[Path]:
    """Every Python file of the tests."""
    return sorted((ROOT / "tests").rglob("*.py"))


def descriptions(path: Path) -> list[Text]:
    """The docstrings of a test file and the names of its tests, as words.

    Its other strings are not read: they quote what others write, and what must not be written.
    """
    found: list[Text] = []
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, definitions) and re.match(r"test_|Test[A-Z]", node.name):
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.name).split("_")
            found.append((node.lineno, " ".join(words)))
        if isinstance(node, (*definitions, ast.Module)):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                found.append((node.body[0].lineno, _without_code(text)))
    return found


SQL = re.compile(r"\s*(select|insert|update|delete|create|drop|pragma|begin|with|alter)\b", re.I)


def _script(source: str) -> Iterator[Text]:
    """Comments and the string literals that hold a blank."""
    pattern = r"/\*.*?\*/|//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`"
    for found in re.finditer(pattern, source, re.S):
        text = found[0]
        if text[0] == "/":
            yield _line(source, found.start()), text
        elif " " in text.strip("\"'` "):
            text = re.sub(r"\$\{[^}]*\}", "X", text[1:-1])
            yield _line(source, found.start()), text


def _page(source: str) -> Iterator[Text]:
    """The text between tags, and the attributes that people see."""
    pattern = r">([^<>]+)<|\b(?:title|placeholder|aria-label|alt)=\"([^\"]*)\"|<!--(.*?)-->"
    for found in re.finditer(pattern, source, re.S):
        yield _line(source, found.start()), next(filter(None, found.groups()), "")


def _markdown(source: str) -> Iterator[Text]:
    """Everything but code blocks and the targets of links, a paragraph at a time."""

    def blank(found: re.Match[str]) -> str:
        return "\n" * found[0].count("\n")

    source = re.sub(r"(?ms)^( *)(```|~~~).*?^\1\2[^\n]*$", blank, source)
    source = re.sub(r"\]\([^)]*\)", "]", source)
    for found in re.finditer(r"(?:[^\n]+\n?)+", source):
        yield _line(source, found.start()), found[0]


def _without_code(text: str) -> str:
    text = re.sub(r"``.*?``|`[^`]*`|\{[a-z_]+\}", "X", text, flags=re.S)
    text = re.sub(r"(?m)^(\s+)[a-z_]+:(?= )", r"\1X:", text)  # a name under Args
    return re.sub(r"\bhttps?://\S+", "X", text)


def _line(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1
