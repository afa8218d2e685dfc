"""Plain English and the field's terms in everything that people read; one class for each name."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests import prose

pytestmark = pytest.mark.timeless

BANNED = {
    "again, re-sign, re-serialise": r"afresh|anew|freshly signed",
    "alongside, secondary (target), background (task), child process": r"beside|further targets?",
    "publish, notify, report; show": r"tell|tells|telling|told|say|says|said|saying",
    "no one, no client, nothing; name the actor": r"nobody|nobody's|whoever|somebody",
    "is stored, is located": r"lies|lie in|stands(?! for\b)|standing in",
    "forward": r"(?:hand|hands|handed|handing) (?:\w+ )?(?:on|over)|pass(?:es|ed)? to the app",
    "fix, fixed": r"mend|mends|mended|mending",
    "request body, payload": r"wish|wishes|wished",
    "access control": r"doors?|who may come in",
    "server, capacity, limits": r"house|houses",
    "acquire, release (a lock)": r"lets? go|letting go|claims?|claimed|claiming",
    "resume, continue": r"go on|goes on|going on|went on|gone on",
    "drain, idle": r"linger|lingers|lingering",
    "rejected (by us), connection refused, app returned 401, ngrok error": (
        r"(?<!connection )(?<!connections )(?<!connection was )(?<!connection is )"
        r"(?:refuse|refuses|refused|refusal|refusals|refusing)(?! (?:the |a |its )?connections?\b)"
    ),
    "non-webhook request": r"probe|probes|probed",
    "event type": r"kinds? of events?|event kinds?|sorts? of",
    "intact, ok, warning, error": r"sound|soundness|doubtful",
    "no match, matching": r"fits(?! (?:in|into|on|within)\b)|fit for",
    "p95": r"\d+ % within",
    "X is not a Y, invalid X": r"(?<!there )(?:is|are|was|were) no(?! (?:longer|more)\b)",
    "N deliveries": r"so many|every one|as many again",
    "otherwise": (
        r"(?<!thing )(?<!one )(?<!body )(?<!what )(?<!who )(?<!where )(?<!how )else(?! if\b|\s*\n)"
    ),
    "must be a string": r"has to be a|have to be a|be a text",
    "an intransitive sentence with its actor": r"what waits|on its heels|no business of",
    "correctly signed; valid, but old": r"rightly signed|right, but old",
}
"""What to write, and the words and phrases that are not to be written instead."""

PATTERNS = {
    instead: re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE)
    for instead, words in BANNED.items()
}

NOT_CLEAN_YET: set[str] = set()
"""Folders and files whose texts are still to be rewritten. It can only become shorter."""


def place(path: Path) -> str:
    """The folder of the package that a file belongs to, or the file itself."""
    parts = path.relative_to(prose.ROOT).parts
    one_file = parts[0] != "tiktok_hook" or parts[1] == "cli"
    return "/".join(parts if one_file else parts[:2])


def findings(path: Path, texts: list[prose.Text]) -> list[str]:
    """Every banned word in the texts of a file, with its line and what to write instead."""
    name = path.relative_to(prose.ROOT)
    return [
        f"{name}:{line + text.count(chr(10), 0, found.start())}: {found[0]!r}: write {instead}"
        for line, text in texts
        for instead, pattern in PATTERNS.items()
        for found in pattern.finditer(text)
    ]


def places() -> dict[str, list[str]]:
    """The findings of every folder and file."""
    found: dict[str, list[str]] = {}
    for path in prose.sources():
        found.setdefault(place(path), []).extend(findings(path, prose.texts(path)))
    return found


PLACES = places()


@pytest.mark.parametrize("name", PLACES)
def test_texts_use_the_terms_of_the_field(name: str) -> None:
    if name in NOT_CLEAN_YET:
        assert PLACES[name], f"{name} is clean: remove it from NOT_CLEAN_YET"
    else:
        assert PLACES[name] == []


def test_names_and_docstrings_of_tests_use_the_terms_of_the_field() -> None:
    found = [each for path in prose.tests() for each in findings(path, prose.descriptions(path))]
    assert found == []


IDENTIFIERS = re.compile(
    "afresh|anew|beside|claim(s|ed|ing)?|doors?|doubtful|houses?|lies|linger(s|ing)?|mend(s|ed)?|nobody"
    "|probes?|refus(e|es|ed|als?|ing)|said|say(s|ing)?|somebody|sound|tells?|telling|told|whoever"
    "|wish(es|ed)?"
)
"""Words of no identifier. A connection is refused, as in `ECONNREFUSED`."""


def identifiers(source: str) -> set[str]:
    """Every name that a module defines: classes, functions, arguments, variables, attributes."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.AsyncFunctionDef(name=name) | ast.arg(arg=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
    return found


def banned_identifiers(source: str) -> set[str]:
    words = {
        name: re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name) for name in identifiers(source)
    }
    return {
        name
        for name, parts in words.items()
        if any(IDENTIFIERS.fullmatch(part.lower()) for part in parts)
        and not re.search(r"connections?_refused|refuse_connections|refused_by_app|STREAM_", name)
    }


def test_identifiers_use_the_terms_of_the_field() -> None:
    found = {
        str(path.relative_to(prose.ROOT)): sorted(names)
        for folder in ("tiktok_hook", "tests")
        for path in (prose.ROOT / folder).rglob("*.py")
        if (names := banned_identifiers(path.read_text("utf-8")))
    }
    assert found == {}


def test_banned_words_are_found_in_identifiers() -> None:
    source = (
        "class RefusedError: ...\ndef tell_all(wish): said = self.house = connection_refused = 1"
    )
    assert banned_identifiers(source) == {"RefusedError", "tell_all", "wish", "said", "house"}


def test_what_is_not_clean_yet_is_there() -> None:
    assert PLACES.keys() >= NOT_CLEAN_YET, "remove it from NOT_CLEAN_YET"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Signed afresh.", ["afresh"]),
        ("No delivery fits.", ["fits"]),
        ("It fits in 80 columns.", []),
        ("'x' is no port.", ["is no"]),
        ("There is no history, and it is no longer kept.", []),
        ("The flag, else the environment.", ["else"]),
        ("Nothing else, nobody else's.", ["nobody"]),
        ("connection refused; The app refused it", ["refused"]),
        ("Call `tell()` or ``else``.", []),
        ("Hand it on, go on.", ["Hand it on", "go on"]),
        ("24 of so many", ["so many"]),
    ],
)
def test_banned_words_are_found_in_prose_only(text: str, found: list[str], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{text}\n\n```sh\necho nobody says else\n```\n", "utf-8")
    texts = prose.texts(page)
    assert [
        each for _, text in texts for p in PATTERNS.values() for each in p.findall(text)
    ] == found


@pytest.mark.parametrize(
    ("name", "source", "texts"),
    [
        ("a.py", '''"""One two."""\nX = "name"\n''', [(1, "One two.")]),
        (
            "a.py",
            """X = f"the {name} of `x`"  # why not\n""",
            [(1, "# why not"), (1, "the X of X")],
        ),
        ("a.py", """X = "select a from b"\n""", []),
        ("a.js", "// one two\nf('a b', 'c');\n", [(1, "// one two"), (2, "a b")]),
        ("a.html", '<p title="a b">\nc d</p>', [(1, "a b"), (1, "\nc d")]),
        ("a.md", "one\ntwo\n\n```sh\nx\n```\n[a b](else)\n", [(1, "one\ntwo\n"), (7, "[a b]\n")]),
    ],
    ids=["docstring", "message-and-comment", "sql", "script", "page", "markdown"],
)
def test_texts_are_found(name: str, source: str, texts: list[prose.Text], tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(source, "utf-8")
    assert prose.texts(file) == texts


def test_the_names_and_docstrings_of_tests_are_found(tmp_path: Path) -> None:
    file = tmp_path / "test_a.py"
    file.write_text(
        '''"""One `two`."""\nX = "a b"\n\n\nclass TestOneTwo:\n    async def test_a_b(self):
        """Three."""\n\n    def helper(self):\n        pass\n''',
        "utf-8",
    )
    assert prose.descriptions(file) == [
        (1, "One X."),
        (5, "Test One Two"),
        (6, "test a b"),
        (7, "Three."),
    ]


def classes() -> dict[str, list[str]]:
    """The files of every public class, by its name."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((prose.ROOT / "tiktok_hook").rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(path.relative_to(prose.ROOT)))
    return found


def test_a_name_is_that_of_one_class() -> None:
    several = {name: files for name, files in classes().items() if len(files) > 1}
    assert several == {}
