"""The docs match the program."""

import ast
import html
import re
import shlex
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from tests import doc_pages, event_reference, fuzzing, reference
from tests.architecture_graph import ROWS
from tests.doc_pages import BLOCKS, PAGES
from tests.pictures import terminal
from tiktok_hook import errors, settings, trigger
from tiktok_hook.cli import COMMANDS, group

pytestmark = pytest.mark.timeless

ROOT = Path(__file__).parent.parent
SECRET = "example-client-secret"


def test_the_page_lists_every_option_as_it_is() -> None:
    assert reference.text() in PAGES["docs/command-line.md"], "run `make reference`"


def test_the_page_of_events_is_made_from_the_catalogue() -> None:
    assert event_reference.text() == PAGES["docs/events.md"], "run `make reference`"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_opens_with_its_line_in_the_list_of_commands(name: str) -> None:
    help_text = reference.command(name).help or ""
    assert help_text.partition("\n")[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_an_example_that_names_only_options_it_has(name: str) -> None:
    example: str = reference.command(name).example  # type: ignore[attr-defined] # options.Command
    assert example.startswith(f"tiktok-hook {name}")
    known = {opt for option in reference.options(name) for opt in option.opts}
    assert set(re.findall(r"(?<= )-{1,2}[a-z][a-z-]*", example)) <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_ends_with_its_example(name: str) -> None:
    found = reference.command(name)
    shown = found.get_help(click.Context(found, info_name=name))
    example: str = found.example  # type: ignore[attr-defined] # options.Command
    assert " ".join(shown.split()).endswith(f"Example: {example}")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name: str) -> None:
    assert [option.name for option in reference.options(name) if not option.help] == []


def test_the_docs_name_how_many_cases_are_generated() -> None:
    numbers = (fuzzing.SHORT, fuzzing.LONG)
    short, long = (f"{number:,}".replace(",", " ") for number in numbers)
    page = " ".join(PAGES["docs/contributing.md"].split())
    assert f"`make test` tries {short} cases" in page
    assert f"`make fuzz` tries {long} new ones" in page


def test_the_docs_name_every_exit_code() -> None:
    codes = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.HookError)
    }
    table = PAGES["docs/scripts.md"].partition("## Exit codes")[2]
    assert {int(code) for code in re.findall(r"^\| (\d+)", table, re.M)} == codes | {0, 130}


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    readme = PAGES["README.md"]
    assert len(readme.splitlines()) <= 250
    assert [page for page in PAGES if page.startswith("docs/") and f"({page})" not in readme] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_a_page_opens_with_what_it_helps_to_do(page: str) -> None:
    title, empty, first = PAGES[page].split("\n")[:3]
    assert title.startswith("# ")
    assert empty == ""
    assert first.startswith("This page ")


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as a link spells them."""
    headings = re.findall(r"(?m)^#+ (.*)$", re.sub(r"(?ms)^ *```.*?^ *```$", "", text))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_anchors_of_headings_are_found() -> None:
    assert anchors("# A b\n```sh\n# no\n```\n## `c --d`, e\n") == {"a-b", "c---d-e"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_a_file_and_a_heading(page: str) -> None:
    text = re.sub(r"(?ms)^ *```.*?^ *```$|`[^`\n]*`", "", PAGES[page])
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        parts = urlsplit(target)
        if parts.scheme:
            assert parts.scheme == "https", target
            assert parts.netloc, target
            continue
        file = (ROOT / page).parent / parts.path if parts.path else ROOT / page
        assert file.exists(), f"{page} links to {target}"
        if parts.fragment:
            assert parts.fragment in anchors(file.read_text("utf-8")), f"{page} links to {target}"


@pytest.mark.parametrize(("page", "language", "code"), BLOCKS)
def test_a_code_block_is_of_a_kind_that_is_tested(page: str, language: str, code: str) -> None:
    match language:
        case "python":
            ast.parse(code)
        case "toml":
            tomllib.loads(code)
        case "js" | "php":
            assert page == "docs/recipes.md"  # tests/recipes/test_programs.py runs its files
        case "sql":
            assert page == "docs/team.md"  # tests/store/postgres/test_team.py runs it
        case "console":
            assert all(line.startswith("$ ") for line in code.splitlines())
        case _:
            assert language == "sh", f"{page} has a block of {language!r}"


@pytest.mark.parametrize(
    "line", [line for _, language, code in BLOCKS if language == "sh" for line in code.splitlines()]
)
def test_a_shell_line_runs_make_or_sets_up_completion(line: str) -> None:
    words = shlex.split(line)
    if words[0] == "make":
        targets = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"))
        assert {word for word in words[1:] if "=" not in word} <= {*targets}
    else:
        assert words == ["eval", "$(tiktok-hook completion bash)"]


SHOWN = list(dict.fromkeys(line for _, line in doc_pages.commands()))


@pytest.mark.parametrize("line", [line for line in SHOWN if line not in doc_pages.OURS])
def test_a_command_of_another_program_installs_or_sets_a_variable(line: str) -> None:
    assert line in {
        "pipx install tiktok-hook",
        "uv tool install tiktok-hook",
        "pip install tiktok-hook",
        "pip install 'tiktok-hook[mcp]'",
        "pip install 'tiktok-hook[postgres]'",
        "claude mcp add tiktok-hook -- tiktok-hook mcp",
        "npm install express",
        "node express.mjs",
        "php -S 127.0.0.1:3000 webhook.php",
        "export NGROK_AUTHTOKEN=…",
        "after=$(tiktok-hook wait --cursor)",
    }


@pytest.mark.parametrize("line", doc_pages.OURS)
def test_a_command_is_one_that_the_program_takes(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc_pages.make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    name, *words = doc_pages.arguments(line)
    with click.Context(group) as parent:
        reference.command(name).make_context(name, words, parent=parent)


def test_the_documented_settings_are_settings(tmp_path: Path) -> None:
    [code] = [code for _, language, code in BLOCKS if language == "toml" and "[listen]" in code]
    file = tmp_path / "config.toml"
    file.write_text(code)
    config = settings.read_config(file, default=file)
    names = {name: option.name for option in reference.options("listen") for name in option.opts}
    keys = [key for key in [*config, *config["listen"]] if key != "listen"]
    assert [key for key in keys if f"--{key}" not in names] == []


def test_the_documented_scenario_is_one(tmp_path: Path) -> None:
    doc_pages.make_files(tmp_path)
    steps = trigger.read_scenario(tmp_path / "refund.toml")
    assert len(trigger.planned(steps, now=1_795_410_390.25)) == 3


def test_the_documented_project_file_is_one(tmp_path: Path) -> None:
    [code] = [code for _, language, code in BLOCKS if language == "toml" and "path = " in code]
    file = tmp_path / "tiktok-hook.toml"
    file.write_text(code)
    assert settings.find_project_file(tmp_path, commands=frozenset(COMMANDS)).path == file


def test_the_docs_show_the_rows_of_the_architecture() -> None:
    table = PAGES["docs/architecture.md"].partition("## Rows")[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| ((?:`[a-z_]+` ?)+) ?\|", table)
    assert tuple(set(re.findall(r"`([a-z_]+)`", row)) for row in rows) == ROWS


@pytest.mark.parametrize("page", PAGES)
def test_files_and_classes_that_a_page_names_are_there(page: str) -> None:
    package = ROOT / "tiktok_hook"
    for name in re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", PAGES[page]):
        if name.endswith(".py") or page == "docs/architecture.md":
            assert (package / name).exists() or (ROOT / name).exists(), name
    if page == "docs/architecture.md":
        source = "\n".join(file.read_text("utf-8") for file in package.rglob("*.py"))
        for name in re.findall(r"`([A-Z][a-zA-Z]+)(?:\.[a-z_]+)?`", PAGES[page]):
            assert f"class {name}" in source, name


def words_of(svg: str) -> str:
    """The words of a picture, with every number and address replaced: they differ at each run."""
    text = html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)))
    text = re.sub(r"s=[0-9a-f]{64}", "s=…", text.replace("\xa0", " "))
    return re.sub(r"[\s─]+", " ", re.sub(r"\d+(?:\.\d+)*", "0", text))


def test_the_readmes_picture_shows_what_listen_shows_today() -> None:
    fresh = terminal.draw(terminal.record_listen(), title="tiktok-hook listen")
    kept = terminal.LISTEN_SVG.read_text("utf-8")
    assert words_of(fresh) == words_of(kept), "run `make pictures`"
