import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.deadline import DEADLINE
from tests.store.contract.conftest import BACKENDS, new_location
from tests.store.samples import attempt, delivery, event_body, wait_until
from tiktok_hook.delivery import Source
from tiktok_hook.filters import matches_any
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store import Counts, Filter, HistoryReader, Names, QueueEntry, Store, open_store


@pytest.fixture(scope="module", params=BACKENDS)
def history(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HistoryReader]:
    """Ten deliveries, most with something in common with another; only read."""
    with open_store(new_location(request.param, tmp_path_factory.mktemp("read"))) as store:
        asyncio.run(_fill(store))
        yield store.history()


async def _fill(store: Store) -> None:
    again = event_body("post.publish.failed", publish_id="p-again", user="u-2")
    for given in (
        delivery(event_body("post.publish.complete", publish_id="p-1"), status=200),
        delivery(again, status=500, received_at=2.0),
        delivery(b"no event", status=200, state=State.UNCHECKED),
        delivery(event_body("authorization.removed", user="u-2"), state=State.STALE, status=200),
        delivery(again, status=200, received_at=3.0),
        delivery(event_body("post.publish.complete"), state=State.INVALID, status=403),
        delivery(
            event_body("tiktok.ping", word='say "é" 50%_x'), source=Source.TRIGGER, status=404
        ),
        delivery(state=State.MISSING, path="/Hook", query="a=b", remote_addr="203.0.113.7"),
        delivery(again, received_at=4.0, headers=(("X-Odd", 'quo"ted'),)),
        delivery(event_body("post.publish.complete", publish_id="p-1", step=2), status=200),
    ):
        await store.add(given)
    for number, status, replay in (
        (1, 500, False),
        (1, 200, True),
        (5, 500, True),
        (10, 200, False),
    ):
        begun = await store.begin_attempt(attempt(number, replay=replay))
        await store.end_attempt(
            replace(begun, status=status, duration_ms=4.0, body=b"Traceback", hint="read the log")
        )
    await store.begin_attempt(attempt(5))


FILTERS = [
    (Filter(), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
    (Filter(events=("tiktok.ping",)), [7]),
    (Filter(events=("post.publish.failed", "tiktok.ping")), [9, 7, 5, 2]),
    (Filter(events=("post.publish.*",)), [10, 9, 8, 6, 5, 2, 1]),
    (Filter(events=("*.removed", "tiktok.ping")), [7, 4]),
    (Filter(events=("Tiktok.*",)), []),
    (Filter(events=("no.such",)), []),
    (Filter(verdicts=(State.VALID,)), [10, 9, 7, 5, 2, 1]),
    (Filter(verdicts=(State.INVALID, State.MISSING)), [8, 6]),
    (Filter(verdicts=(State.UNCHECKED, State.STALE, State.UNCHECKED)), [4, 3]),
    (Filter(statuses=(200,)), [10, 5, 4, 3, 1]),
    (Filter(statuses=(500, 404)), [7, 2]),
    (Filter(statuses=(200, 500)), [10, 5, 4, 3, 2, 1]),
    (Filter(failed=True), [5]),
    (Filter(replays=True), [5, 1]),
    (Filter(redeliveries=True), [9, 5]),
    (Filter(since=3.0), [10, 9, 8, 7, 6, 5, 4, 3, 1]),
    (Filter(until=4.0), [5, 2]),
    (Filter(since=3.0, until=4.5), [9, 5]),
    (Filter(since=5.0, until=6.0), []),
    (Filter(user="u-2"), [9, 5, 4, 2]),
    (Filter(user="nobody"), []),
    (Filter(publish_id="p-1"), [10, 1]),
    (Filter(source=Source.TRIGGER), [7]),
    (Filter(ids=(3, 9, 77, 1 << 70)), [9, 3]),
    (Filter(events=("post.*",), verdicts=(State.INVALID,)), [6]),
    (Filter(publish_id="p-again", statuses=(200,)), [5]),
    (Filter(redeliveries=True, since=3.5), [9]),
    (Filter(text="v_pub_url"), [8, 7, 6, 4]),
    (Filter(text="P-AGAIN"), [9, 5, 2]),
    (Filter(text="/hook"), [10, 8, 5, 1]),
    (Filter(text="203.0.113"), [8]),
    (Filter(text="a reason"), [6]),
    (Filter(text="x-odd"), [9]),
    (Filter(text='quo"ted'), [9]),
    (Filter(text='"publish_id":"p-1"'), [10, 1]),
    (Filter(text='say "é"'), [7]),
    (Filter(text="50%_"), [7]),
    (Filter(text="5%x"), []),
    (Filter(text="not a TikTok event"), [3]),
    (Filter(text="traceback"), [10, 5, 1]),
    (Filter(text="the log"), [10, 5, 1]),
    (Filter(text="traceback", failed=True), [5]),
    (Filter(text="p-again", events=("post.publish.failed", "tiktok.ping")), [9, 5, 2]),
    (Filter(match="post.publish.*"), [10, 9, 8, 6, 5, 2, 1]),
    (Filter(match="post.publish.complete"), [10, 8, 6, 1]),
    (Filter(match="post.publish.[!c]*"), [9, 5, 2]),
    (Filter(match="post.publish.[^c]*"), [10, 8, 6, 1]),
    (Filter(match="post.* *.failed"), [9, 5, 2]),
    (Filter(match="post.* tiktok.*"), []),
    (Filter(match="post.publish.failed", events=("*.failed", "*.removed")), [9, 5, 2]),
    (Filter(match="user:u-2"), [9, 5, 4, 2]),
    (Filter(match="user:u-2", user="u-1"), []),
    (Filter(match="key:awexampleclient1"), [10, 9, 8, 7, 6, 5, 4, 2, 1]),
    (Filter(match="key:another"), []),
    (Filter(match="content.publish_id:p-*"), [10, 9, 5, 2, 1]),
    (Filter(match="content.step:2"), [10]),
    (Filter(match=r'content.word:"say \"é\" *"'), [7]),
    (Filter(match="post.* user:u-2 content.publish_id:p-again", statuses=(200,)), [5]),
    (Filter(match="content.publish_id:p-*", verdicts=(State.VALID,), text="/hook"), [10, 5, 1]),
]


def _set(where: Filter) -> str:
    changed = [
        f"{name}={getattr(where, name)}"
        for name in Filter.__slots__
        if getattr(where, name) != getattr(Filter(), name)
    ]
    return ",".join(changed) or "everything"


@pytest.mark.parametrize(("where", "expected"), FILTERS, ids=[_set(where) for where, _ in FILTERS])
class TestFilters:
    def test_a_list_is_newest_first(
        self, history: HistoryReader, where: Filter, expected: list[int]
    ) -> None:
        assert [each.id for each in history.page(where)] == expected

    def test_pages_by_key_make_up_the_list(
        self, history: HistoryReader, where: Filter, expected: list[int]
    ) -> None:
        found: list[int] = []
        while page := history.page(where, before=found[-1] if found else None, limit=2):
            found += [each.id for each in page]
        assert found == expected

    def test_walking_goes_oldest_first(
        self, history: HistoryReader, where: Filter, expected: list[int]
    ) -> None:
        assert [each.id for each in history.walk(where, batch=2)] == expected[::-1]

    def test_they_are_counted(
        self, history: HistoryReader, where: Filter, expected: list[int]
    ) -> None:
        assert history.counts(where).received == len(expected)
        assert history.count(where) == len(expected)

    def test_searching_in_windows_finds_the_same(
        self, history: HistoryReader, where: Filter, expected: list[int]
    ) -> None:
        found: list[int] = []
        before: int | None = None
        for _ in range(20):
            page, before = history.search(where, before=before, limit=2, window=3)
            found += [each.id for each in page]
            if before is None:
                break
        assert found == expected


def test_only_what_is_newer_oldest_first(history: HistoryReader) -> None:
    assert [each.id for each in history.page(after=7)] == [8, 9, 10]
    assert [each.id for each in history.page(after=2, limit=2)] == [3, 4]
    assert history.page(after=2, limit=10**30) == history.page(after=2)
    assert [each.id for each in history.page(after=2, before=5)] == [3, 4]
    assert history.page(after=10) == []


def test_an_empty_history_has_nothing(store: Store) -> None:
    history = store.history()
    assert history.newest_id() == 0
    assert history.page() == []
    assert history.search(Filter(text="x")) == ([], None)
    assert list(history.walk()) == []
    assert history.counts() == Counts()
    assert history.count() == 0
    assert history.last_attempts([1]) == {}
    assert history.apps_of([1]) == {}
    assert history.names() == Names()
    assert history.pending_count() == 0


@pytest.mark.parametrize("delivery_id", [0, -1, 11, 1 << 63, 1 << 200])
def test_an_id_that_is_not_there_is_none(history: HistoryReader, delivery_id: int) -> None:
    assert history.get(delivery_id) is None
    assert history.attempts(delivery_id) == []
    assert history.redeliveries(delivery_id) == []
    assert history.page(before=delivery_id + 1, after=delivery_id - 1) == []


def test_the_whole_history_is_counted_by_sort(history: HistoryReader) -> None:
    assert history.counts() == Counts(
        received=10,
        valid=6,
        stale=1,
        rejected=2,
        unchecked=1,
        redeliveries=2,
        failed=1,
        replayed=2,
    )
    assert history.counts(Filter(publish_id="p-again")) == Counts(
        received=3, valid=3, redeliveries=2, failed=1, replayed=1
    )


def test_the_newest_id_is_known(history: HistoryReader) -> None:
    assert history.newest_id() == 10


def test_redeliveries_are_found_from_any_of_them(history: HistoryReader) -> None:
    assert history.redeliveries(2) == history.redeliveries(9) == [2, 5, 9]


def test_the_last_attempt_of_each_is_found(history: HistoryReader) -> None:
    found = history.last_attempts([1, 2, 5])
    assert {key: (each.id, each.status) for key, each in found.items()} == {
        1: ("1.2", 200),
        5: ("5.2", None),
    }


async def test_those_that_wait_are_counted(store: Store) -> None:
    for mode, target in (("first", "a"), ("hold", "a"), ("first", "b")):
        await store.add(delivery(), queues=[QueueEntry(mode, target)])  # type: ignore[arg-type]  # literals
    history = store.history()
    assert history.pending_count() == 3
    assert history.pending_count("a") == 2
    assert history.pending_count("a", "hold") == 1


async def test_more_event_names_than_are_looked_up_are_found_too(store: Store) -> None:
    await store.add_many([delivery(event_body(f"odd.{number:03}")) for number in range(300)])
    found = store.history().page(Filter(events=("odd.0*",)), limit=1000)
    assert [each.id for each in found] == list(range(100, 0, -1))


GLOBS = (
    "a[bc]d",
    "a[!b]d",
    "a[^b]d",
    "a[^]d",
    "a[]]d",
    "a[!]]d",
    "a[b-d]d",
    "a[bd",
    "a*]d",
    "a[-b]d",
)
NAMES = ("abd", "acd", "a^d", "a]d", "a[bd", "a-d", "a!d", "add")


@pytest.mark.parametrize("glob", GLOBS)
async def test_a_glob_means_the_same_in_the_store_and_in_memory(store: Store, glob: str) -> None:
    await store.add_many([delivery(event_body(name)) for name in NAMES])
    wanted = [name for name in NAMES if matches_any(name, (glob,))]
    for where in (Filter(events=(glob,)), Filter(events=(glob,), since=0.0, ids=tuple(range(99)))):
        found = store.history().walk(where)
        assert [each.event.name for each in found if each.event] == wanted


async def test_an_event_with_two_spellings_is_found_under_both(store: Store) -> None:
    names = [f"post.publish.no_longer_{word}_available" for word in ("publicaly", "publicly")]
    await store.add_many([delivery(event_body(name)) for name in (*names, "tiktok.ping")])
    for match in (*names, "*_publicly_*"):
        for where in (Filter(match=match), Filter(events=(match,))):
            assert [each.id for each in store.history().page(where)] == [2, 1]


async def test_the_body_is_read_where_a_value_of_content_is_asked_for(store: Store) -> None:
    odd = [b'{"event":"e","content":"{\\"id\\":1e400}"}', b"\xff\xfe", b"", b'{"event":1}']
    await store.add_many([delivery(body) for body in odd])
    assert [each.id for each in store.history().page(Filter(match="content.id:1e400"))] == [1]


async def test_time_is_found_though_ids_do_not_follow_it(store: Store) -> None:
    times = [100.0, 101.0, 102.0, 5.0, 103.0, 6.0, 104.0]
    for at in times:
        await store.add(delivery(received_at=at))
    history = store.history()
    assert [each.id for each in history.page(Filter(until=50.0))] == [6, 4]
    assert [each.id for each in history.page(Filter(until=50.0), before=6)] == [4]
    assert [each.id for each in history.walk(Filter(since=101.5), batch=1)] == [3, 5, 7]
    assert [each.id for each in history.page(Filter(since=5.5, until=102.5))] == [6, 3, 2, 1]


async def test_what_was_received_at_some_times_is_found(store: Store) -> None:
    at = 1795410390.123456
    for given in (at, 5.0, at + 0.9e-6, at, at - 1.5e-6, 7.0):
        await store.add(delivery(received_at=given))
    history = store.history()
    assert history.ids_received_at([], within=1e-6) == []
    assert history.ids_received_at([6.0, at, at + 0.5e-6, 7.0], within=1e-6) == [1, 3, 4, 6]
    assert history.ids_received_at([*map(float, range(5000)), 5.0], within=0.5) == [2, 6]


async def test_a_timeline_counts_what_came_in_each_span(store: Store) -> None:
    for at, state in (
        (9.9, State.VALID),
        (10.0, State.VALID),
        (11.5, State.VALID),
        (11.9, State.INVALID),
        (19.99, State.STALE),
        (20.0, State.VALID),
    ):
        await store.add(delivery(received_at=at, state=state))
    for number, at, status, duration in (
        (2, 10.1, 200, 4.0),
        (3, 11.6, 500, 8.0),
        (3, 12.0, 200, 2.0),
    ):
        begun = await store.begin_attempt(attempt(number, started_at=at))
        await store.end_attempt(replace(begun, status=status, duration_ms=duration))
    await store.begin_attempt(attempt(3, started_at=12.0))

    spans = store.history().timeline(10.0, 20.0, buckets=5)

    assert [each.since for each in spans] == [10.0, 12.0, 14.0, 16.0, 18.0]
    assert spans[0].verdicts == {State.VALID: 2, State.INVALID: 1}
    assert (spans[0].attempts, spans[0].failed, spans[0].mean_ms) == (2, 1, 6.0)
    assert (spans[1].verdicts, spans[1].attempts, spans[1].mean_ms) == ({}, 1, 2.0)
    assert (spans[2].verdicts, spans[2].attempts, spans[2].mean_ms) == ({}, 0, None)
    assert spans[4].verdicts == {State.STALE: 1}


async def test_a_timeline_of_nothing_is_flat(store: Store) -> None:
    assert [each.verdicts for each in store.history().timeline(0.0, 10.0, buckets=2)] == [{}, {}]


async def test_changes_moves_when_something_was_written(store: Store) -> None:
    wait_until(lambda: store.changes() != -1)  # a server has to be asked first
    before = store.changes()
    assert store.changes() == before
    await store.add(delivery())
    assert store.changes() != before


async def test_many_threads_read_while_one_writes(store: Store) -> None:
    """No reader fails, none sees half a batch, none holds up the writer for long."""
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                newest = store.history().page(limit=5)
                ids = [each.id for each in newest]
                assert ids == sorted(ids, reverse=True)
                assert store.history().counts().received % 4 == 0
                list(store.history().pending())
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for each in threads:
        each.start()
    try:
        async with asyncio.timeout(DEADLINE):
            for _ in range(100):
                await store.add_many([delivery() for _ in range(4)])
    finally:
        done.set()
        for each in threads:
            each.join()
    assert failures == []


async def test_a_walk_continues_while_rows_come_and_go(location: str) -> None:
    with open_store(location, keep=50) as store:
        await store.add_many([delivery() for _ in range(50)])
        walk: Iterator[int] = (each.id for each in store.history().walk(batch=10))
        seen = [next(walk) for _ in range(10)]
        await store.add_many([delivery() for _ in range(25)])
        seen += list(walk)
        assert seen == [*range(1, 11), *range(26, 76)]


async def test_a_status_that_is_recorded_later_counts_in_place_of_the_first(store: Store) -> None:
    for status in (500, 500, 404, 200, None):
        await store.add(delivery(event_body(), status=status))
    for number, status in ((2, 404), (3, 404), (4, 500), (5, 500)):
        store.set_status(number, status)
    await store.flush()

    def found(*statuses: int) -> list[int]:
        return [each.id for each in store.history().page(Filter(statuses=statuses), limit=3)]

    assert found(500) == [5, 4, 1]
    assert found(404) == [3, 2]
    assert found(404, 500) == [5, 4, 3]
    assert found(200) == []


def test_a_verdict_is_read_whole(history: HistoryReader) -> None:
    found = history.get(6)
    assert found is not None
    assert found.verdict == Verdict(State.INVALID, reason="a reason")
