import asyncio
import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from tests.cli.history import deliveries, filled
from tests.cli.runner import invoke
from tests.listener import run
from tests.pty_terminal import Terminal
from tests.store.samples import delivery
from tiktok_hook import events
from tiktok_hook.delivery import Delivery
from tiktok_hook.store import QueueEntry, open_store


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(filled(tmp_path_factory.mktemp("history") / "history.db"))


def test_a_delivery_is_shown_whole(db: str) -> None:
    result = invoke("show", "2", "--db", db)
    assert (result.exit_code, result.stderr) == (0, "")
    for part in (
        "Delivery 2, received 2026-11-23 ",
        "Of the same event: #3",
        "post.publish.failed",
        "from 203.0.113.9",
        "the request was judged risky: no retry",
        "#2.1 http://127.0.0.1:3000/hook 500 in 3 ms",
        "#2.2 replay re-signed",
        '{"said":"so"}',
        "Content-Type: application/json",
    ):
        assert part in result.stdout


def test_what_is_new_in_a_delivery_is_listed(tmp_path: Path) -> None:
    body = events.sample("authorization.removed").replace(b": 1 }", b': 9,\\"by\\":\\"app\\"}')
    headers = (("x-tt-logid", "20260101\x1b[31m" + "x" * 500),)
    db = tmp_path / "history.db"
    known = delivery(events.sample("tiktok.ping"))
    asyncio.run(stored(db, delivery(body, headers=headers), known, delivery(b"hello")))
    new, as_known, foreign = (invoke("show", n, "--db", str(db)).stdout for n in ("1", "2", "3"))
    assert "TikTok's log id: 20260101\\x1b[31mxx" in new
    assert "x" * 101 not in new.partition("\n\n")[0]
    assert new.endswith(
        "differs from what is known of TikTok's deliveries (tiktok-hook types):\n"
        "    content.reason: a new value, 9\n"
        "    content.by: a new key, a string\n"
    )
    for other in (as_known, foreign):
        assert "differs from" not in other
        assert "log id" not in other


def test_hostile_text_is_shown_harmless(db: str) -> None:
    printed = invoke("show", "last", "--db", db).stdout
    assert "\\u001b[31m\\u202eevil\\r\\n" in printed
    assert all(line.isprintable() for line in printed.splitlines())


def test_without_an_id_it_is_the_newest(db: str) -> None:
    assert json.loads(invoke("show", "--json", "--db", db).stdout)["id"] == 6


def test_last_2_is_the_one_two_before_the_newest(db: str) -> None:
    assert json.loads(invoke("show", "last-2", "--json", "--db", db).stdout)["id"] == 4


def test_the_body_is_printed_byte_for_byte(db: str, tmp_path: Path) -> None:
    output = invoke("show", "3", "--body", "--db", db)
    assert output.stdout.encode() == deliveries()[2].body


def test_headers_are_one_line_each(db: str) -> None:
    assert invoke("show", "3", "--headers", "--db", db).stdout == "Content-Type: application/json\n"


def test_json_is_one_line_with_the_attempts_inside(db: str) -> None:
    shown = json.loads(invoke("show", "2", "--json", "--db", db).stdout)
    assert (shown["type"], shown["id"]) == ("delivery", 2)
    assert [each["id"] for each in shown["attempts"]] == ["2.1", "2.2"]


def test_har_is_that_of_export(db: str) -> None:
    har = invoke("show", "2", "--har", "--db", db).stdout
    assert har == invoke("export", "2", "--format", "har", "--db", db).stdout


def test_curl_is_one_command_to_where_it_was_forwarded(db: str) -> None:
    shown = invoke("show", "2", "--curl", "--db", db, "--secret", "a-secret-of-the-app")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.startswith("curl -X 'POST' \\\n  'http://127.0.0.1:3000/hook' \\\n")
    assert shown.stdout.count("curl") == 1
    assert "Tiktok-Signature: t=" in shown.stdout
    assert "a-secret-of-the-app" not in shown.stdout
    unsigned = invoke("show", "2", "--curl", "--db", db)
    assert "has the stored signature" in unsigned.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("option", ["--body", "--headers", "--curl"])
def test_nothing_raw_reaches_a_terminal(tmp_path: Path, option: str) -> None:
    hostile = "\x1b]52;c;eA==\x07\x9b31m\u202e"
    db = tmp_path / "history.db"
    body = hostile.encode() + b"\n"
    headers = (("X-A", hostile.encode().decode("latin-1")),)
    asyncio.run(stored(db, delivery(body, headers=headers, path="/\u202e")))
    terminal = on_terminal("show", "1", option, "--db", str(db))
    terminal.read_until("52;c;eA==")
    assert terminal.end() == 0
    for character in ("\x1b]52", "\x07", "\u202e", "\x9b"):
        assert character not in terminal.text
    if option == "--body":
        raw = on_terminal("show", "1", "--body", "--raw", "--db", str(db))
        raw.read_until("52;c;eA==")
        raw.end()
        assert "\x1b]52" in raw.text


def on_terminal(*words: str) -> Terminal:
    return Terminal(run(list(words)), columns=200, environment=dict(os.environ))


async def stored(db: Path, *several: Delivery) -> None:
    with open_store(db) as store:
        for each in several:
            await store.add(each)


async def test_the_apps_that_a_delivery_is_queued_for_are_named(tmp_path: Path) -> None:
    db = tmp_path / "history.db"
    due = datetime(2026, 11, 23, 12, 30, 5).astimezone().timestamp()
    queues = [
        QueueEntry("first", "http://127.0.0.1:3000/"),
        QueueEntry("first", "http://127.0.0.1:4000/", tries=2, next_try_at=due),
    ]
    with open_store(db) as store:
        await store.add(delivery(), queues=queues)
    head = (await asyncio.to_thread(invoke, "show", "--db", str(db))).stdout.partition("\n\n")[0]
    assert head.splitlines()[1:] == [
        "Queued for http://127.0.0.1:3000/: in order",
        "Queued for http://127.0.0.1:4000/: next try 2026-11-23 12:30:05",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "error", "hint"),
    [
        (["7"], 2, "There is no delivery 7.", "There are 1 to 6"),
        (["last-6"], 2, "There is no last-6: 6 deliveries match.", "tiktok-hook events"),
        (["2.1"], 2, "2.1 is an attempt", "The delivery it was made of is 2."),
        (["2", "--body", "--har"], 2, "--body and --har do not go together.", "one of them"),
    ],
    ids=["unknown", "too-far-back", "attempt", "two-parts"],
)
def test_what_cannot_be_shown_is_one_sentence_and_a_hint(
    db: str, arguments: list[str], code: int, error: str, hint: str
) -> None:
    result = invoke("show", *arguments, "--db", db)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(f"Error: {error}")
    assert hint in result.stderr.splitlines()[1]


def test_without_a_history_there_is_nothing_to_show(tmp_path: Path) -> None:
    result = invoke("show", "last")
    assert result.exit_code == 5
    assert result.stderr.startswith("Error: There is no history at ")
