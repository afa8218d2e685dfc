"""`tiktok_hook.History`, as a program reads and replays with it."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

import tiktok_hook
from tests.apps import free_port
from tests.doc_pages import block
from tests.listener import BODY, SECRET, signed
from tests.store.samples import attempt, delivery, event_body
from tiktok_hook import Filter, State, paths
from tiktok_hook.store import QueueEntry, open_store
from tiktok_hook.store.sqlite.file_lock import queue_lock

SAMPLES = [
    delivery(BODY, headers=(("Content-Type", "application/json"), signed(BODY, at=1_756_684_801))),
    delivery(event_body("post.publish.failed"), path="/hook", query="a=1"),
    delivery(event_body("authorization.removed"), state=State.INVALID),
]


async def filled(path: Path | None) -> None:
    with open_store(path) as store:
        for each in SAMPLES:
            await store.add(each)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "history.db"
    asyncio.run(filled(file))
    return file


@pytest.fixture
def history(path: Path) -> Iterator[tiktok_hook.History]:
    with tiktok_hook.History(path) as opened:
        yield opened


Seen = list[tuple[str, State, bytes, dict[str, str]]]


@contextmanager
def app(status: int = 200) -> Iterator[tuple[str, Seen]]:
    """An app in a thread, which notes path, verdict, body and headers."""
    seen: Seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            header = self.headers["Tiktok-Signature"]
            verdict = tiktok_hook.check(header, body, SECRET, now=time.time())
            seen.append((self.path, verdict.state, body, dict(self.headers)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def test_deliveries_come_oldest_first(history: tiktok_hook.History) -> None:
    assert [each.id for each in history] == [1, 2, 3]


def test_a_filter_leaves_those_that_fit(history: tiktok_hook.History) -> None:
    fitting = Filter(events=("post.publish.*",))
    assert [each.id for each in history.find(fitting)] == [1, 2]
    assert history.counts(fitting).received == 2
    newest = history.last(fitting)
    assert newest is not None
    assert newest.id == 2


def test_a_filter_is_given_as_text(history: tiktok_hook.History, tmp_path: Path) -> None:
    assert [each.id for each in history.find("post.publish.* user:u-1")] == [2]
    assert history.counts("post.publish.*").received == 2
    newest = history.last("post.publish.*")
    assert newest is not None
    assert newest.id == 2
    assert b"".join(history.export("jsonl", "authorization.*")).count(b'"type":"delivery"') == 1
    with pytest.raises(tiktok_hook.UsageError, match="usr:1 is not a term"):
        history.find("usr:1")


def test_a_search_is_bounded_and_may_begin_with_the_newest(history: tiktok_hook.History) -> None:
    assert [each.id for each in history.find(limit=2)] == [1, 2]
    assert [each.id for each in history.find(newest_first=True)] == [3, 2, 1]
    assert [each.id for each in history.find("post.*", limit=1, newest_first=True)] == [2]
    assert [*history.find(limit=0)] == []
    assert [each.id for each in history.find(limit=10**30)] == [1, 2, 3]
    with pytest.raises(tiktok_hook.UsageError, match="limit=-1 is negative"):
        history.find(limit=-1)


async def test_the_newest_come_first_over_many_pages(tmp_path: Path) -> None:
    with open_store(tmp_path / "many.db") as store:
        await store.add_many([delivery() for _ in range(450)])
    with tiktok_hook.History(tmp_path / "many.db") as history:
        found = [each.id for each in history.find(newest_first=True)]
    assert found == list(range(450, 0, -1))


def test_it_has_a_length_and_items_and_a_name(path: Path, history: tiktok_hook.History) -> None:
    assert len(history) == 3
    assert history[2].id == 2
    assert 3 in history
    assert history[3] in history
    assert 4 not in history
    with pytest.raises(KeyError, match="4"):
        history[4]
    assert [each.id for each in reversed(history)] == [3, 2, 1]
    assert repr(history) == f"<tiktok_hook.History {str(path)!r}>"


@pytest.mark.parametrize("wrong", ["1", "last", None, 1.0, True])
def test_an_invalid_id_is_a_usage_error(history: tiktok_hook.History, wrong: Any) -> None:
    for use in (history.get, history.attempts, history.replay, history.__getitem__):
        with pytest.raises(tiktok_hook.UsageError, match="is not a delivery id"):
            use(wrong)


@pytest.mark.parametrize("wrong", ["3", 2.5, True])
def test_an_invalid_limit_is_a_usage_error(history: tiktok_hook.History, wrong: Any) -> None:
    with pytest.raises(tiktok_hook.UsageError, match="is not a whole number"):
        history.find(limit=wrong)


def test_an_empty_history_is_true(tmp_path: Path) -> None:
    with tiktok_hook.History(tmp_path / "empty.db", create=True) as history:
        assert len(history) == 0
        assert history


def test_durations_and_times_may_be_those_of_datetime(history: tiktok_hook.History) -> None:
    with app() as (address, _):
        made = history.replay(
            1, to=address, secret=SECRET, age=timedelta(minutes=20), timeout=timedelta(seconds=5)
        )
    assert made.variant == "20 min old"
    since = datetime.fromtimestamp(SAMPLES[0].received_at, UTC)
    assert len([*history.find(tiktok_hook.Filter(since=since))]) == 3
    assert history.clear(before=since + timedelta(seconds=1)) == 3


def test_one_delivery_is_got_by_its_id(history: tiktok_hook.History) -> None:
    found = history.get(1)
    assert found is not None
    assert found.body == BODY
    assert history.get(99) is None


def test_without_a_path_it_is_the_users_own(home: Path) -> None:
    asyncio.run(filled(paths.history_path()))
    with tiktok_hook.History() as history:
        newest = history.last()
    assert newest is not None
    assert newest.id == 3


def test_where_there_is_none_it_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(tiktok_hook.StoreError, match="no history"):
        tiktok_hook.History(tmp_path / "none.db")


def test_a_replay_is_signed_again_answered_and_recorded(history: tiktok_hook.History) -> None:
    with app(500) as (address, seen):
        made = history.replay(2, to=f"http://{address}/base", secret=SECRET)
    assert [(path, state) for path, state, *_ in seen] == [("/base/hook?a=1", State.VALID)]
    assert (made.status, made.replay, made.resigned) == (500, True, True)
    assert history.attempts(2) == [made]


def test_it_can_be_read_on_and_replayed_at_once(history: tiktok_hook.History) -> None:
    with app() as (address, seen):
        statuses = [history.replay(each, to=address, secret=SECRET).status for each in history]
    assert statuses == [200, 200, 200]
    assert [body for *_, body, _ in seen] == [each.body for each in SAMPLES]


def test_changes_body_and_headers_are_what_the_app_gets(history: tiktok_hook.History) -> None:
    with app() as (address, seen):
        history.replay(
            1,
            to=address,
            secret=SECRET,
            changes={"content.publish_type": "7", "content.new+": 1},
            headers={"X-Extra": "yes"},
        )
        history.replay(1, to=address, secret=SECRET, body=b"{}")
    (_, first, body, headers), (_, second, whole, _) = seen
    assert json.loads(json.loads(body)["content"])["publish_type"] == "7"
    assert json.loads(json.loads(body)["content"])["new"] == 1
    assert headers["X-Extra"] == "yes"
    assert (first, second, whole) == (State.VALID, State.VALID, b"{}")


def test_path_and_what_is_taken_out_are_as_asked(history: tiktok_hook.History) -> None:
    with app() as (address, seen):
        history.replay(1, to=address, secret=SECRET, unset=["user_openid"], path="/other?x=1")
        put = history.replay(1, to=address, secret=SECRET, method="put")
    ((path, state, body, _),) = seen
    assert (path, state, b"user_openid" in body) == ("/other?x=1", State.VALID, False)
    assert put.request_method == "PUT"


@pytest.mark.parametrize(
    ("variant", "state"),
    [
        ({"age": 3600}, State.STALE),
        ({"bad_signature": True}, State.INVALID),
        ({"no_signature": True}, State.MISSING),
        ({"as_is": True}, State.STALE),
    ],
    ids=["age", "bad", "none", "as-is"],
)
def test_a_replay_can_be_signed_otherwise(
    history: tiktok_hook.History, variant: dict[str, Any], state: State
) -> None:
    with app() as (address, seen):
        history.replay(1, to=address, secret=SECRET, **variant)
    assert [found for _, found, *_ in seen] == [state]


def test_without_an_address_it_goes_where_it_went_first(
    path: Path, history: tiktok_hook.History
) -> None:
    async def sent(target: str) -> None:
        with open_store(path) as store:
            await store.begin_attempt(attempt(2, target=target))

    with app() as (address, seen):
        asyncio.run(sent(f"http://{address}/where/it/went"))
        history.replay(2, secret=SECRET)
    assert [each for each, *_ in seen] == ["/where/it/went"]


@pytest.mark.parametrize("mode", ["first", "hold"])
def test_a_queued_delivery_is_replayed_to_its_target_and_dequeued_when_asked(
    path: Path, history: tiktok_hook.History, mode: Literal["first", "hold"]
) -> None:
    async def queued(target: str) -> None:
        with open_store(path) as store:
            await store.add(delivery(path="/hook"), queues=[QueueEntry(mode, target)])

    with app() as (address, seen):
        asyncio.run(queued(f"http://{address}/base"))
        (waiting,) = history.pending()
        assert history.replay(waiting, secret=SECRET).status == 200
        assert [each.id for each in history.pending()] == [waiting.id]
        assert history.replay(waiting, secret=SECRET, dequeue=True).status == 200
        assert list(history.pending()) == []
    assert [each for each, *_ in seen] == ["/base/hook"] * 2


def test_a_delivery_that_did_not_reach_the_app_stays_queued(
    path: Path, history: tiktok_hook.History
) -> None:
    async def queued(target: str) -> None:
        with open_store(path) as store:
            await store.add(delivery(), queues=[QueueEntry("hold", target)])

    asyncio.run(queued(f"http://127.0.0.1:{free_port()}/"))
    (waiting,) = history.pending()
    assert history.replay(waiting, secret=SECRET, dequeue=True).error == "refused"
    assert [each.id for each in history.pending()] == [waiting.id]


def test_a_delivery_that_another_process_forwards_is_not_dequeued(
    path: Path, history: tiktok_hook.History
) -> None:
    target = "http://127.0.0.1:1/"

    async def queued() -> None:
        with open_store(path) as store:
            await store.add(delivery(), queues=[QueueEntry("first", target)])

    asyncio.run(queued())
    (waiting,) = history.pending()
    with queue_lock(path, target) as lock:
        assert lock.acquire()
        with pytest.raises(tiktok_hook.UsageError, match="is being forwarded by another process"):
            history.replay(waiting, secret=SECRET, dequeue=True)
    assert history.attempts(waiting) == []


def test_it_follows_what_comes_from_now_on(path: Path, history: tiktok_hook.History) -> None:
    arrivals = history.follow(Filter(events=("authorization.*",)))

    async def add() -> None:
        with open_store(path) as store:
            await store.add(delivery(status=200))
            await store.add(delivery(event_body("authorization.removed"), status=200))

    asyncio.run(add())
    assert next(arrivals).id == 5


def test_the_example_of_the_readme_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = block("tiktok_hook.History()")
    failed = attempt(2, status=500, duration_ms=1.0)

    async def fail(path: Path) -> None:
        await filled(path)
        with open_store(path) as store:
            await store.end_attempt(await store.begin_attempt(failed))

    asyncio.run(fail(paths.history_path()))
    with app() as (address, seen):
        exec(example.replace("3000", address).replace("…", SECRET), {})
    assert [state for _, state, *_ in seen] == [State.VALID]
    assert capsys.readouterr().out.startswith("2 ")


async def test_it_works_while_an_event_loop_is_running(history: tiktok_hook.History) -> None:
    with app() as (address, _):
        assert history.replay(1, to=address, secret=SECRET).status == 200


def test_an_app_that_is_not_there_is_no_exception(history: tiktok_hook.History) -> None:
    made = history.replay(1, to=str(free_port()), secret=SECRET)
    assert (made.status, made.error) == (None, "refused")
    assert made.hint


def test_an_export_is_taken_in_by_another_history(
    history: tiktok_hook.History, tmp_path: Path
) -> None:
    file = tmp_path / "history.jsonl"
    with file.open("wb") as stream:
        stream.writelines(history.export())
    with tiktok_hook.History(tmp_path / "other.db", create=True) as other:
        kept = other.import_from(file)
        assert (kept.deliveries, kept.first, kept.last) == (3, 1, 3)
        assert [each.body for each in other] == [each.body for each in history]
        assert {each.source for each in other} == {"import"}


def test_an_export_holds_matching_deliveries_under_pseudonyms(history: tiktok_hook.History) -> None:
    fitting = Filter(events=("post.publish.complete",))
    (line,) = b"".join(history.export("jsonl", fitting, redact=True)).splitlines()
    assert b"post.publish.complete" in line
    assert b"awexampleclient1" not in line


async def test_an_import_is_judged_by_the_secret(
    history: tiktok_hook.History, tmp_path: Path
) -> None:
    unjudged = tmp_path / "captured.jsonl"
    header = json.dumps([list(signed(BODY, at=1_795_410_390))])
    unjudged.write_bytes(
        b'{"type":"delivery","received_at":"2026-11-23T08:00:00Z","headers":%b,"body":%b}'
        % (header.encode(), json.dumps(BODY.decode()).encode())
    )
    kept = history.import_from(unjudged, secret=SECRET)
    found = history.get(kept.last)
    assert found is not None
    assert found.verdict.secret == 1


def test_a_foreign_file_leaves_everything_as_it_is(
    history: tiktok_hook.History, tmp_path: Path
) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("hello")
    with pytest.raises(tiktok_hook.UsageError, match=r"notes\.txt"):
        history.import_from(foreign)
    assert history.counts().received == 3


def test_clearing_deletes_what_came_before(history: tiktok_hook.History) -> None:
    assert history.clear(before=1.0) == 0
    assert history.clear() == 3
    assert list(history) == []


def test_clearing_deletes_what_a_filter_matches(history: tiktok_hook.History) -> None:
    assert history.clear("no.such.event") == 0
    oldest, _, newest = history
    assert history.clear(tiktok_hook.Filter(ids=newest.id)) == 1
    assert history.clear(tiktok_hook.Filter(until=0.5), before="2030-01-01") == 0
    assert oldest.event is not None
    assert history.clear(oldest.event.name, before=oldest.received_at) == 0
    assert history.clear(oldest.event.name) == 1
    assert len(history) == 1


def test_clearing_what_an_empty_list_of_ids_names_deletes_nothing(
    history: tiktok_hook.History,
) -> None:
    for empty in (tiktok_hook.Filter(ids=[]), ""):
        with pytest.raises(tiktok_hook.UsageError, match=r"no condition|filter is empty"):
            history.clear(empty)
    assert len(history) == 3


def test_a_history_that_is_made_is_empty_and_one_that_is_there_stays(
    path: Path, tmp_path: Path
) -> None:
    for file, count in ((tmp_path / "new.db", 0), (path, 3)):
        with tiktok_hook.History(file, create=True) as opened:
            assert opened.counts().received == count


@pytest.mark.parametrize(
    ("number", "arguments", "words"),
    [
        (9, {"to": "3000"}, "no delivery 9"),
        (1, {}, "no target is known"),
        (1, {"to": "what?"}, "what"),
        (1, {"to": "3000", "secret": ()}, "secret"),
        (1, {"to": "3000", "changes": {"nothing": 1}}, "nothing"),
        (1, {"to": "3000", "age": 1, "as_is": True}, "exclude"),
        (1, {"to": "3000", "headers": {"A": "b\nc"}}, "line break"),
        (1, {"to": 70000}, "not between 1 and 65535"),
        (1, {"to": 3000, "changes": ["a=1"]}, "changes is not a mapping but list"),
    ],
    ids=["id", "no-target", "target", "secret", "path", "signing", "header", "port", "changes"],
)
def test_what_cannot_be_sent_is_a_usage_error(
    history: tiktok_hook.History, number: int, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(tiktok_hook.UsageError, match=words):
        history.replay(number, **{"secret": SECRET, **arguments})
    assert history.attempts(1) == []
