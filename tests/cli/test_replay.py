import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apps import App, free_port, http, https_app, running_app
from tests.cli.runner import Result, invoke
from tests.deadline import DEADLINE
from tests.listener import BODY, SECRET, listening, post
from tests.listener import run as words_of
from tests.pty_terminal import Terminal
from tests.store.contract.conftest import LASTING_BACKENDS, new_location
from tests.store.samples import attempt, delivery, event_body
from tiktok_hook import signature
from tiktok_hook.signature import State
from tiktok_hook.store import (
    ATTACHMENT,
    Attachment,
    Filter,
    QueueEntry,
    open_history,
    open_store,
)
from tiktok_hook.store.sqlite.file_lock import queue_lock


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with running_app() as running:
        yield running


@pytest.fixture
async def db(tmp_path: Path, app: App) -> str:
    """A history with three deliveries, the second of which the app rejected."""
    file = str(tmp_path / "history.db")
    async with listening("--no-tunnel", "--db", file, "-f", f"{app.url}/hook") as listener:
        for status in (200, 500, 200):
            app.answer = http(status)
            await post(listener.local_url)
    app.answer = http(200)
    app.requests.clear()
    return file


async def replay(db: str, *words: str, secret: str | None = SECRET) -> Result:
    given = [] if secret is None else ["--secret", secret]
    return await asyncio.to_thread(invoke, "replay", *words, "--db", db, *given)


def verdict(request: bytes) -> State:
    """The verdict on a request as it came over the wire."""
    head, _, body = request.partition(b"\r\n\r\n")
    header = next(
        (
            line.partition(b": ")[2].decode()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"tiktok-signature:")
        ),
        None,
    )
    return signature.check(header, body, SECRET, now=time.time()).state


async def test_a_replay_goes_to_the_recorded_target_with_a_new_signature(db: str, app: App) -> None:
    result = await replay(db, "last")
    assert result.exit_code == 0, result.output
    assert app.requests[0].startswith(b"POST /hook HTTP/1.1\r\n")
    assert app.bodies == [BODY]
    assert verdict(app.requests[0]) is State.VALID
    with open_history(Path(db)) as history:
        attempts = history.attempts(3)
    assert [(each.number, each.replay, each.status) for each in attempts] == [
        (1, False, 200),
        (2, True, 200),
    ]


async def test_the_failed_ones_are_chosen_by_a_filter(db: str, app: App) -> None:
    result = await replay(db, "--failed")
    assert result.stdout.startswith("2.2 → ")
    assert len(app.requests) == 1


async def test_a_filter_chooses_them_too(db: str, app: App) -> None:
    result = await replay(db, "post.publish.complete", "content.publish_id:*", "--dry-run")
    shown = [line for line in result.stdout.splitlines() if line.startswith("# delivery")]
    with open_history(Path(db)) as history:
        wanted = [each.id for each in history.walk(Filter(match="post.publish.complete"))]
    assert len(shown) == len(wanted) > 0


async def test_several_go_out_in_order_and_the_rest_is_reported(db: str, app: App) -> None:
    app.answer = http(500)
    result = await replay(db, "1-3")
    assert result.exit_code == 6
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["1.2", "2.2", "3.2"]
    assert "3 of 3 sent, 3 failed." in result.stderr
    assert "tiktok-hook replay 1 2 3" in result.stderr


@pytest.mark.parametrize(
    ("option", "state"),
    [
        (["--age", "10m"], State.STALE),
        (["--bad-signature"], State.INVALID),
        (["--no-signature"], State.MISSING),
        (["--as-is"], State.VALID),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
async def test_it_is_signed_as_asked(db: str, app: App, option: list[str], state: State) -> None:
    await replay(db, "1", *option)
    assert verdict(app.requests[0]) is state


@pytest.mark.parametrize("option", [["--age", "10m"], ["--bad-signature"], ["--no-signature"]])
async def test_to_a_bad_signature_a_4xx_is_the_success_and_a_200_the_failure(
    db: str, app: App, option: list[str]
) -> None:
    app.answer = http(401)
    rejected = await replay(db, "1", *option)
    assert rejected.exit_code == 0, rejected.output
    assert "401 in" in rejected.stdout
    assert "rejected as it should be" in rejected.stdout
    assert rejected.stderr == ""
    app.answer = http(200)
    accepted = await replay(db, "1", *option)
    assert accepted.exit_code == 6
    assert "did not answer with a 4xx" in accepted.stderr
    assert "Your app" in accepted.stderr or "The app accepted" in accepted.stderr


async def test_without_a_recorded_target_it_goes_to_the_settings_target(
    tmp_path: Path, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = await filled(tmp_path / "unsent.db", 1)
    nowhere = await replay(db, "1")
    assert nowhere.exit_code == 2
    assert "Delivery 1 was never forwarded, and no target is known for it." in nowhere.stderr
    monkeypatch.setenv("TIKTOK_HOOK_FORWARD_TO", f"{app.url}/configured")
    result = await replay(db, "1")
    assert result.exit_code == 0, result.output
    assert app.requests[0].startswith(b"POST /configured")


async def test_without_a_recorded_target_it_goes_to_the_running_listeners(
    tmp_path: Path, app: App
) -> None:
    db = await filled(tmp_path / "unsent.db", 1)
    other = str(tmp_path / "other.db")
    async with listening("--no-tunnel", "--db", other, "-f", f"{app.url}/live"):
        result = await replay(db, "1")
    assert result.exit_code == 0, result.output
    assert app.requests[0].startswith(b"POST /live")


async def test_an_imported_delivery_asks_for_a_target(tmp_path: Path, app: App) -> None:
    file, db = tmp_path / "theirs.jsonl", str(tmp_path / "mine.db")
    shape = {
        "type": "delivery",
        "id": 1,
        "received_at": "2026-11-23T08:00:00Z",
        "source": "tiktok",
        "body": event_body().decode(),
        "verdict": {"state": "valid", "secret": 1},
    }
    attempt = {
        "type": "attempt",
        "delivery_id": 1,
        "started_at": "2026-11-23T08:00:00Z",
        "target": f"{app.url}/collect",
        "request": {},
        "status": 200,
        "duration_ms": 1,
    }
    file.write_text(json.dumps(shape) + "\n" + json.dumps(attempt) + "\n")
    assert (await asyncio.to_thread(invoke, "import", str(file), "--db", db)).exit_code == 0
    for words in (["last"], ["1"], ["1", "--as-is"], ["1", "--path", "/x"]):
        result = await replay(db, *words)
        assert result.exit_code == 2
        assert "was imported, and no target is known for it" in result.stderr
        assert "--to 3000" in result.stderr
    assert app.requests == []
    assert (await replay(db, "1", "--to", f"{app.url}/mine")).exit_code == 0
    assert app.requests[0].startswith(b"POST /mine ")


async def test_what_is_changed_is_written_back_and_signed(db: str, app: App) -> None:
    words = ["--set", "content.publish_id=v_new", "--unset", "user_openid", "--path", "/other?x=1"]
    result = await replay(db, "1", *words, "--header", "X-Debug: 1", "--to", app.url)
    assert result.exit_code == 0, result.output
    assert app.requests[0].startswith(b"POST /other?x=1 HTTP/1.1\r\n")
    assert b"\r\nX-Debug: 1\r\n" in app.requests[0]
    assert b'\\"publish_id\\":\\"v_new\\"' in app.bodies[0]
    assert b"user_openid" not in app.bodies[0]
    assert verdict(app.requests[0]) is State.VALID


async def test_a_dry_run_shows_and_sends_nothing(db: str, app: App) -> None:
    result = await replay(db, "1", "--dry-run")
    assert result.exit_code == 0
    assert "Tiktok-Signature: t=" in result.stdout
    assert BODY.decode() in result.stdout
    assert app.requests == []


async def test_the_editor_changes_the_body(
    db: str, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import sys, pathlib\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "file.write_text(file.read_text().replace('DIRECT_PUBLISH', 'INBOX_SHARE'))\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {editor}")
    result = await replay(db, "1", "--edit")
    assert result.exit_code == 0, result.output
    assert app.bodies == [BODY.replace(b"DIRECT_PUBLISH", b"INBOX_SHARE")]


async def test_an_editor_that_changes_nothing_sends_nothing(
    db: str, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    result = await replay(db, "1", "--edit")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Delivery 1 was not sent: nothing was changed in the editor." in result.stderr
    assert 'EDITOR="code --wait"' in result.stderr
    assert app.requests == []


async def test_an_editor_that_fails_is_one_sentence(
    db: str, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "false")
    result = await replay(db, "1", "--edit")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: The editor failed")
    assert app.requests == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "Which deliveries?"),
        (["99"], 2, "There is no delivery 99"),
        (["--event", "no.such"], 2, "No delivery matches"),
        (["no.such"], 2, "No delivery matches no.such"),
        (["reason=x"], 2, "Did you mean content.reason:x?"),
        (["post.*", "--pending"], 2, "--pending sends everything that waits"),
        (["1", "--age", "soon"], 2, "--age 'soon'"),
        (["1", "--age", "1m", "--as-is"], 2, "exclude each other"),
        (["1", "--set", "content.no_such=1"], 2, "no_such"),
        (["1-3", "--unset", "content.no_such"], 2, "Delivery 1: "),
        (["1", "--pending"], 2, "--pending sends everything that waits"),
        (["--failed", "--pending"], 2, "--pending sends everything that waits"),
        (["1", "--to", "nonsense"], 2, "nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_what_cannot_be_sent_is_one_sentence(
    db: str, app: App, words: list[str], code: int, message: str
) -> None:
    result = await replay(db, *words)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert app.requests == []


async def test_without_a_secret_the_stored_signature_goes_out(db: str, app: App) -> None:
    result = await replay(db, "1", secret=None)
    assert result.exit_code == 0, result.output
    assert verdict(app.requests[0]) is State.VALID


async def test_a_missing_secret_is_named_where_the_stored_signature_was_rejected(
    db: str, app: App
) -> None:
    for status, words, secret, is_named in (
        (401, [], None, True),
        (403, ["--set", "content.publish_id=p-1"], None, True),
        (500, [], None, False),
        (401, ["--as-is"], None, False),
        (401, [], SECRET, False),
    ):
        app.answer = http(status)
        result = await replay(db, "1", *words, secret=secret)
        assert result.exit_code == 6
        named = "no client secret was given" in " ".join(result.stderr.split())
        assert named is is_named, (status, words, secret)


async def gone(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_a_queued_delivery_is_sent_and_dequeued(tmp_path: Path, app: App) -> None:
    db = str(tmp_path / "held.db")
    async with listening("--no-tunnel", "--db", db, "-f", app.url, "--ack", "hold") as listener:
        for _ in range(3):
            await post(listener.local_url)
    assert app.requests == []
    app.answer = gone
    failed = await replay(db, "--pending")
    assert failed.exit_code == 6
    assert failed.stderr.count("The app closed the connection") == 1
    assert failed.stderr.endswith("Once it is fixed: tiktok-hook replay --pending\n")
    app.answer = http(200)
    app.requests.clear()
    assert (await replay(db, "--pending")).exit_code == 0
    assert len(app.requests) == 3
    empty = await replay(db, "--pending")
    assert (empty.exit_code, empty.stdout) == (2, "")
    assert empty.stderr.splitlines() == [
        "Error: No delivery waits for an app.",
        "Hint: Only listen --ack hold and --ack first queue deliveries; "
        "`tiktok-hook replay --failed` sends what an app did not answer 200.",
    ]


async def test_a_delivery_queued_for_two_targets_goes_to_both_or_once_to_the_target_given(
    tmp_path: Path, app: App
) -> None:
    db = str(tmp_path / "held.db")
    words = ["--no-tunnel", "--db", db, "--ack", "hold", "-f", app.url]
    async with running_app() as other, listening(*words, "-f", other.url) as listener:
        for to in ([], ["--to", app.url]):
            await post(listener.local_url)
            assert (await replay(db, "--pending", *to)).exit_code == 0
        assert "No delivery waits" in (await replay(db, "--pending")).stderr
        assert len(app.requests) == 2
        assert len(other.requests) == 1


async def test_a_delivery_that_another_process_forwards_is_left_to_it(
    tmp_path: Path, app: App
) -> None:
    db = str(tmp_path / "first.db")
    async with listening("--no-tunnel", "--db", db, "-f", app.url, "--ack", "hold") as listener:
        for _ in range(2):
            await post(listener.local_url)
        with queue_lock(Path(db), app.url) as lock:
            assert lock.acquire()
            rejected = await replay(db, "--pending")
            assert rejected.exit_code == 2
            assert f"queue of {app.url} is being forwarded by another process" in rejected.stderr
            assert (await replay(db, "--pending", "--dry-run")).exit_code == 0
        assert app.requests == []
        assert (await replay(db, "--pending")).exit_code == 0
        with queue_lock(Path(db), app.url) as lock:
            assert lock.acquire()
    assert len(app.requests) == 2
    assert listener.of("summary")[0]["pending"] == 0


@pytest.mark.parametrize("backend", LASTING_BACKENDS)
async def test_the_queue_of_an_attached_app_is_sent_unless_it_is_running(
    tmp_path: Path, app: App, backend: str
) -> None:
    db = new_location(backend, tmp_path, shared=True)
    name = "anna@laptop"
    with open_store(db, app=name) as store:
        stored = await store.add(delivery(event_body(), status=200))
        async with store.queue_lock(ATTACHMENT) as lock:
            assert await lock.acquire()
            epoch = store.history().attachment().epoch
            await store.attach(Attachment(app=name, target=app.url, epoch=epoch))
            assert await store.advance(0, stored.id, [(stored.id, QueueEntry("attached", app.url))])
            rejected = await replay(db, "--pending", "--as", name)
            assert rejected.exit_code == 2
            assert f"{name} is attached, and forwards its queue by itself" in rejected.stderr
        assert "No delivery waits" in (await replay(db, "--pending", "--as", "ben")).stderr
        app.answer = http(500)
        failed = await replay(db, "--pending", "--as", name)
        assert failed.stderr.endswith(f"replay {stored.id} --as {name}\n")
        app.answer = http(200)
        with open_history(db) as history:
            assert [each.status for each in history.attempts(stored.id)] == [500]
        assert (await replay(db, str(stored.id), "--as", name)).exit_code == 0
        assert store.history().pending_count() == 0
    assert len(app.requests) == 2


async def filled(path: Path, count: int) -> str:
    with open_store(path) as store:
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                body = event_body(user=f"u-{number}")
                group.create_task(store.add(delivery(body, status=200)))
    return str(path)


async def test_a_delivery_that_cannot_be_edited_is_reported_and_the_others_go_out(
    tmp_path: Path, app: App
) -> None:
    with open_store(tmp_path / "odd.db") as store:
        for body in (event_body(user="u-1"), b"no JSON", event_body(user="u-3")):
            await store.add(delivery(body, status=200))
    result = await replay(
        str(tmp_path / "odd.db"), "1-3", "--set", "user_openid=u-9", "--to", app.url
    )
    assert result.exit_code == 2
    assert len(app.requests) == 2
    assert "Delivery 2 was not sent: " in result.stderr
    assert "2 of 3 sent" in result.stderr


async def test_json_prints_the_attempts_as_everywhere(db: str) -> None:
    result = await replay(db, "1-2", "--format", "json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["type"], each["id"], each["replay"], each["status"]) for each in lines] == [
        ("attempt", "1.2", True, 200),
        ("attempt", "2.2", True, 200),
    ]


async def test_a_replay_works_next_to_a_running_listener_and_never_sends_to_it(
    tmp_path: Path, app: App
) -> None:
    db = str(tmp_path / "history.db")
    async with listening("--no-tunnel", "--db", db, "-f", app.url) as listener:
        await post(listener.local_url)
        assert (await replay(db, "last")).exit_code == 0
        rejected = await replay(db, "last", "--to", listener.local_url)
        assert rejected.exit_code == 2
        assert "tiktok-hook's own receiver" in rejected.stderr
    with open_history(Path(db)) as history:
        assert [each.replay for each in history.attempts(1)] == [False, True]


async def test_ctrl_c_prints_what_was_done_and_ends_with_0(tmp_path: Path, app: App) -> None:
    db = await filled(tmp_path / "many.db", 200)
    words = ["replay", "1-200", "--db", db, "--to", app.url, "--secret", SECRET, "--rate", "50"]
    process = await asyncio.create_subprocess_exec(
        *words_of(words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ,
    )
    await app.wait_for(3)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(DEADLINE):
        _, errors = await process.communicate()
    assert process.returncode == 0, errors
    assert b" of 200 sent, 0 failed." in errors
    assert b"Traceback" not in errors


async def test_many_on_a_terminal_show_a_bar_and_not_each(tmp_path: Path, app: App) -> None:
    db = await filled(tmp_path / "many.db", 30)
    words = words_of(["replay", "1-30", "--db", db, "--to", app.url, "--secret", SECRET])

    def watch() -> tuple[int, str]:
        terminal = Terminal(words, columns=100, environment={**os.environ, "TERM": "xterm"})
        terminal.read_until("30 sent, all answered 200.")
        return terminal.end(), terminal.plain

    code, shown = await asyncio.to_thread(watch)
    assert code == 0
    assert "Replaying" in shown
    assert " of 30" in shown
    assert "→" not in shown


async def test_a_certificate_of_ones_own_is_taken_when_asked_for(db: str) -> None:
    async with https_app() as url:
        rejected = await replay(db, "last", "--to", url)
        taken = await replay(db, "last", "--to", url, "--insecure")
    assert rejected.exit_code == 6
    assert "--insecure" in rejected.output
    assert taken.exit_code == 0, taken.output


async def test_a_path_that_a_stranger_sent_cannot_control_the_terminal(
    tmp_path: Path, app: App
) -> None:
    db = tmp_path / "history.db"
    with open_store(db) as store:
        await store.add(delivery(path="/\x9b2J\u202e\ud800"))
    result = await replay(str(db), "1", "--to", app.url)
    assert result.exit_code == 0, result.stderr
    assert f"1.1 → {app.url}/\\x9b2J\\u202e\\ud800 200 in" in result.stdout


async def test_what_to_do_again_names_the_target_that_was_asked_for(db: str) -> None:
    unreachable = f"http://127.0.0.1:{free_port()}/hook?a=1&b"
    result = await replay(db, "1", "--to", unreachable)
    assert result.stderr.endswith(f"Once it is fixed: tiktok-hook replay 1 --to '{unreachable}'\n")


async def test_what_was_changed_is_not_to_be_sent_again_unchanged(db: str) -> None:
    unreachable = f"http://127.0.0.1:{free_port()}"
    result = await replay(db, "1", "--to", unreachable, "--set", "content.publish_id=other")
    assert result.stderr.endswith("Once it is fixed: the same command again\n")


async def test_failed_leaves_out_what_is_still_queued(tmp_path: Path, app: App) -> None:
    path = tmp_path / "history.db"
    with open_store(path) as store:
        for waits in (True, False):
            entry = QueueEntry("first", app.url)
            stored = await store.add(delivery(), queues=[entry] if waits else ())
            begun = await store.begin_attempt(attempt(stored.id))
            await store.end_attempt(begun.replace(status=500, duration_ms=1.0))
    assert (await replay(str(path), "--failed", "--to", app.url)).exit_code == 0
    assert len(app.requests) == 1
    with open_store(path) as store:
        assert len(store.history().attempts(1)) == 1
        assert len(store.history().attempts(2)) == 2
    nothing = await replay(str(path), "--failed", "--to", app.url)
    assert nothing.exit_code == 2
    assert "What is still queued is left out" in nothing.stderr


async def test_one_whose_recorded_target_is_our_receiver_does_not_keep_the_others_back(
    app: App, tmp_path: Path
) -> None:
    db = str(tmp_path / "history.db")
    async with listening("--no-tunnel", "--db", db) as listener:
        with open_store(Path(db)) as store:
            for to in (listener.local_url, app.url):
                stored = await store.add(delivery(status=500))
                begun = await store.begin_attempt(attempt(stored.id, target=f"{to}/hook"))
                await store.end_attempt(begun.replace(status=500, duration_ms=1.0))
        result = await replay(db, "--failed")
    assert result.exit_code == 2
    assert "Delivery 1 was not sent: The target" in result.stderr
    assert "tiktok-hook's own receiver" in result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["2.2"]
    assert len(app.requests) == 1
