"""The recipes for Node.js and PHP: served as they are documented, audited, and asked for keys."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.doc_pages import BLOCKS
from tests.recipes import programs
from tests.recipes.programs import EXAMPLES, RECIPES
from tests.store.samples import event_body
from tiktok_hook import audit, trigger

SECRET = "example-client-secret"
SHOWN = [code for _, language, code in BLOCKS if language in {"js", "php"}]
FILES = [file for file in sorted(EXAMPLES.rglob("*")) if file.suffix in {".js", ".mjs", ".php"}]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_docs_show_each_file_as_it_is(file: Path) -> None:
    assert file.read_text("utf-8") in SHOWN


def test_every_shown_block_is_a_file_that_runs_here() -> None:
    run = {name for recipe in RECIPES.values() for name in recipe.files}
    files = {file.relative_to(EXAMPLES).as_posix(): file.read_text("utf-8") for file in FILES}
    assert len(SHOWN) == len(files)
    assert files.keys() - run == {"laravel/create_tiktok_events.php"}  # needs a database of Laravel


@pytest.mark.parametrize("file", sorted(EXAMPLES.rglob("*.php")), ids=lambda file: file.name)
def test_a_php_file_is_php(file: Path) -> None:
    programs.needs("php")
    subprocess.run(["php", "-l", file], check=True, capture_output=True)


@pytest.mark.parametrize("name", RECIPES)
async def test_a_recipe_passes_the_audit_and_stores_each_event_once(
    name: str, tmp_path: Path
) -> None:
    first = event_body("portability.download.ready", request_id=7545201234567890123)
    spaced = first.replace(b'content":"{', b'content":"{ ')
    other = first.replace(b"7545201234567890123", b"7545201234567890124")
    inbox = tmp_path / "inbox"
    async with programs.serving(name, tmp_path, secret=SECRET) as url:
        report = await audit.play(url, secret=SECRET)
        wrong = [(each.case.id, each.observed) for each in report.results if each.outcome != "pass"]
        assert wrong == [], (tmp_path / "printed").read_text("utf-8")
        before = {*inbox.iterdir()}
        tally = await trigger.run([first, spaced, first, other], url, secret=SECRET)
        assert tally.outcomes == {"200": 4}
        stored = {*inbox.iterdir()} - before
        assert {file.read_bytes() for file in stored} == {first, other}
        assert {file.suffix for file in stored} == {".json"}
        shutil.rmtree(inbox)
        inbox.write_text("a file in place of the folder")
        tally = await trigger.run([first], url, secret=SECRET)
    assert tally.outcomes == {"500": 1}


PARSED_FIRST = {
    "express": ("update(body)", "update(JSON.stringify(JSON.parse(body)))"),
    "php": ('"$time.$body"', '"$time." . json_encode(json_decode($body))'),
}


@pytest.mark.parametrize("name", PARSED_FIRST)
async def test_the_audit_names_a_body_that_was_parsed_first(name: str, tmp_path: Path) -> None:
    old, new = PARSED_FIRST[name]
    async with programs.serving(
        name, tmp_path, secret=SECRET, change=lambda text: text.replace(old, new, 1)
    ) as url:
        report = await audit.play(url, secret=SECRET)
    assert "reserialised-body" in [mistake.name for mistake in report.mistakes]


@pytest.mark.parametrize("name", RECIPES)
async def test_without_a_secret_nothing_is_accepted(name: str, tmp_path: Path) -> None:
    if name == "express":
        with pytest.raises(ChildProcessError, match="TIKTOK_CLIENT_SECRET is not set"):
            async with programs.serving(name, tmp_path, secret=None):
                pass
        return
    async with programs.serving(name, tmp_path, secret=None) as url:
        tally = await trigger.run([event_body("tiktok.ping")], url, secret="another-example-secret")
    assert tally.outcomes == {"500": 1}


KEYS = {
    "node": (
        "node/tiktok.mjs",
        ("node", "--input-type=module", "-e"),
        'import {{eventKey}} from "{file}"; import {{readFileSync}} from "node:fs";'
        "const bodies = JSON.parse(readFileSync(0));"
        "console.log(JSON.stringify(bodies.map((each) => eventKey(Buffer.from(each)))));",
    ),
    "php": (
        "php/Tiktok.php",
        ("php", "-r"),
        'require "{file}"; $bodies = json_decode(file_get_contents("php://stdin"));'
        'echo json_encode(array_map(["App\\Tiktok", "eventKey"], $bodies));',
    ),
}


@pytest.mark.parametrize("language", KEYS)
def test_the_key_of_an_event_is_that_of_its_repetitions_alone(language: str) -> None:
    file, command, code = KEYS[language]
    programs.needs(command[0])

    def keys(*bodies: str) -> list[str]:
        words = [*command, code.format(file=(EXAMPLES / file).as_posix())]
        given = json.dumps(bodies).encode()
        done = subprocess.run(words, input=given, capture_output=True, check=True)
        return list(json.loads(done.stdout))

    event = {"client_key": "aw1", "event": "a.b", "create_time": int(time.time())}
    content = r'{"a":" x \" { } ","n":7545201234567890123,"s":"a\\"}'
    spaced = r'{ "a" : " x \" { } " , "n":7545201234567890123,"s":"a\\" }'
    same = [
        json.dumps({**event, "content": content}),
        json.dumps({**event, "content": spaced}, indent=2),
        json.dumps({"content": content, "unknown": 1, **dict(reversed(event.items()))}),
    ]
    others = [
        json.dumps({**event, "content": content.replace("0123", "0124")}),
        json.dumps({**event, "content": content.replace(" x ", " x")}),
        json.dumps({**event, "content": content, "create_time": 1}),
        json.dumps({**event, "content": content, "user_openid": "a"}),
        json.dumps({**event, "content": content, "event": "a.c"}),
        json.dumps(event),
        json.dumps({**event, "content": {"n": 1}}),
        json.dumps({**event, "content": {"n": 2}}),
        '"a string"',
        "{",
        "",
        "[]",
        "null",
    ]
    found = keys(*same, *others)
    assert len(set(found[:3])) == 1
    assert len(set(found[2:])) == 1 + len(others)
    long = json.dumps({**event, "content": json.dumps({"a": "x" * (1 << 20)})})
    assert len(set(keys(long, long.replace("xx", "xy", 1), long))) == 2
