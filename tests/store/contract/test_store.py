import asyncio
from dataclasses import replace

import pytest

from tests.store.samples import (
    LONG,
    TARGET,
    attempt,
    delivery,
    event_body,
    hostile_body,
    wait_until,
)
from tiktok_hook.delivery import Delivery, Source
from tiktok_hook.errors import StoreError
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store import (
    MAX_REJECTED,
    REJECTED_BODY_BYTES,
    Filter,
    QueueEntry,
    QueueMode,
    Store,
    open_store,
)

FIRST = QueueEntry("first", TARGET)


@pytest.mark.parametrize(
    "given",
    [
        delivery(
            remote_addr="203.0.113.7",
            path="/hook%20a",
            query="a=1&a=2",
            http_version="1.0",
            headers=(("X-A", "1"), ("x-a", "\xff"), ("X-A", "1")),
            status=200,
            imported_id=7,
        ),
        delivery(b"", method="PUT", headers=()),
        delivery(b"\x00\xff not JSON"),
        delivery(b'{"event":"\\ud800","user_openid":"\\ud800"}'),
        delivery(path="/\udcff\ud800", query="\udcfe", headers=(("X", "\udcff"),)),
        delivery(path="/a\0b", headers=(("X", "a\0b"),)),
        delivery(event_body(n=2**70)),
        delivery(b"x" * (1 << 20)),
        delivery(
            verdict=Verdict(State.INVALID, "why", "do this", age_seconds=-2.5, secret=None),
            source=Source.TRIGGER,
        ),
        delivery(verdict=Verdict(State.STALE, age_seconds=1e9, secret=2), source=Source.IMPORT),
    ],
    ids=[
        "everything set",
        "empty",
        "binary",
        "surrogates in the event",
        "surrogates in the request",
        "NUL",
        "large integer",
        "1 MiB",
        "refused",
        "stale",
    ],
)
async def test_a_delivery_reads_back_as_it_was_given(store: Store, given: Delivery) -> None:
    stored = await store.add(given)
    received = given.source is not Source.IMPORT
    assert stored == given.replace(id=1, listener=store.app if received else None)
    assert store.history().get(1) == stored


async def test_what_a_listener_received_is_found_by_its_name(store: Store) -> None:
    await store.add(delivery())
    await store.add(delivery(source=Source.IMPORT))
    reader = store.history()
    assert [each.listener for each in reader.page()] == [None, store.app]
    assert reader.page(Filter(listener="other@desk")) == []
    if store.app is not None:
        assert [each.id for each in reader.page(Filter(listener=store.app))] == [1]


async def test_ids_count_up_from_one(store: Store) -> None:
    assert [(await store.add(delivery())).id for _ in range(3)] == [1, 2, 3]


async def test_callers_at_the_same_time_each_get_their_own(store: Store) -> None:
    bodies = [event_body() for _ in range(600)]
    stored = await asyncio.gather(*(store.add(delivery(body)) for body in bodies))
    assert [each.body for each in stored] == bodies
    assert sorted(each.id for each in stored) == list(range(1, 601))
    assert [each.body for each in store.history().walk()] == [
        each.body for each in sorted(stored, key=lambda one: one.id)
    ]


@pytest.mark.parametrize("together", [1, 2, 3, 31, 100])
async def test_repetitions_are_numbered_within_a_batch_and_across_them(
    store: Store, together: int
) -> None:
    body = event_body()
    stored = []
    for _ in range(2):
        mixed = [delivery(body), *(delivery() for _ in range(together)), delivery(body)]
        stored += await asyncio.gather(*(store.add(each) for each in mixed))
    same = [each for each in stored if each.body == body]
    assert [each.redelivery_number for each in same] == [1, 2, 3, 4]
    assert [each.redelivery_of for each in same] == [None, *[same[0].id] * 3]
    assert {each.redelivery_number for each in stored if each.body != body} == {1}


async def test_a_result_is_made_on_the_event_loop(store: Store) -> None:
    loop = asyncio.get_running_loop()
    made = await store.add_nowait(
        delivery(), status=202, then=lambda it: (it.id, it.status, asyncio.get_running_loop())
    )
    assert made == (1, 202, loop)
    found = store.history().get(1)
    assert found is not None
    assert found.status == 202


async def test_what_making_a_result_raises_goes_to_the_caller(store: Store) -> None:
    def broken(_: Delivery) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.add_nowait(delivery(), then=broken)
    assert (await store.add(delivery())).id == 2


async def test_a_row_that_cannot_be_written_leaves_the_others_of_its_batch(store: Store) -> None:
    odd = delivery(imported_id=1 << 63)
    results = await asyncio.gather(
        *(store.add(each) for each in (delivery(), odd, delivery())), return_exceptions=True
    )
    assert [type(each) for each in results] == [Delivery, StoreError, Delivery]
    assert len(store.history().page()) == 2


async def test_a_caller_that_gave_up_does_not_disturb_others(store: Store) -> None:
    async with asyncio.TaskGroup() as group:
        impatient = group.create_task(store.add(delivery()))
        patient = group.create_task(store.add(delivery()))
        await asyncio.sleep(0)
        impatient.cancel()
    assert patient.result().id in {1, 2}


async def test_closing_commits_pending_writes(location: str) -> None:
    store = open_store(location)
    stored = await store.add(delivery())
    store.set_status(stored.id, 202)
    store.close()
    store.close()
    with open_store(location) as again:
        found = again.history().get(stored.id)
    assert found is not None
    assert found.status == 202


async def test_using_a_closed_history_is_an_error(store: Store) -> None:
    store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.add(delivery())
    with pytest.raises(StoreError, match="closed"):
        store.history().page()


async def test_a_status_follows_without_being_waited_for(store: Store) -> None:
    stored = await store.add(delivery())
    store.set_status(stored.id, 201)
    store.set_status(stored.id, 502)
    await store.flush()
    found = store.history().get(stored.id)
    assert found is not None
    assert found.status == 502


async def test_statuses_that_follow_together_each_reach_their_own(store: Store) -> None:
    wanted = {1: 200, 2: 500, 3: 200, 4: 404, 5: 200}
    await asyncio.gather(*(store.add(delivery()) for _ in range(6)))
    for number, status in wanted.items():
        store.set_status(number, status)
    await store.flush()
    got = {each.id: each.status for each in store.history().walk()}
    assert got == {**wanted, 6: delivery().status}


async def test_a_status_is_written_even_if_nothing_else_follows(store: Store) -> None:
    stored = await store.add(delivery())
    store.set_status(stored.id, 201)
    wait_until(lambda: store.history().page(Filter(statuses=(201,))) != [])


class TestRedeliveries:
    async def test_they_are_linked_to_the_first_and_counted(self, store: Store) -> None:
        body = event_body()
        stored = [await store.add(delivery(each)) for each in (body, event_body(), body, body)]
        assert [each.redelivery_of for each in stored] == [None, None, 1, 1]
        assert [each.redelivery_number for each in stored] == [1, 1, 2, 3]
        assert store.history().redeliveries(3) == [1, 3, 4]

    async def test_two_in_one_batch_are_linked(self, store: Store) -> None:
        body = event_body()
        stored = await asyncio.gather(*(store.add(delivery(body)) for _ in range(5)))
        assert sorted(each.redelivery_number for each in stored) == [1, 2, 3, 4, 5]
        first = next(each.id for each in stored if each.redelivery_number == 1)
        others = {each.redelivery_of for each in stored if each.id != first}
        assert others == {first}

    async def test_the_link_outlives_the_first(self, location: str) -> None:
        body = event_body()
        with open_store(location, keep=2) as store:
            for each in (body, event_body(), body, event_body()):
                await store.add(delivery(each))
            again = await store.add(delivery(body))
        assert (again.redelivery_of, again.redelivery_number) == (1, 3)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"state": State.INVALID}, {"state": State.VALID}),
            ({"state": State.MISSING}, {"state": State.UNCHECKED}),
            ({"source": Source.TRIGGER}, {"source": Source.TIKTOK}),
            ({"source": Source.IMPORT}, {"source": Source.TIKTOK}),
        ],
        ids=["forged then real", "unsigned then unchecked", "sample then real", "import then real"],
    )
    async def test_kinds_are_never_mixed_up(
        self, store: Store, one: dict[str, State], other: dict[str, State]
    ) -> None:
        body = event_body()
        for kind in (one, other, one, other):
            await store.add(delivery(body, **kind))
        found = store.history().page(after=0)
        assert [each.redelivery_of for each in found] == [None, None, 1, 2]

    async def test_bodies_that_are_not_events_are_not_linked(self, store: Store) -> None:
        stored = [await store.add(delivery(b"same")) for _ in range(2)]
        assert [each.redelivery_of for each in stored] == [None, None]
        assert store.history().redeliveries(1) == [1]


class TestAttempts:
    async def test_one_is_recorded_as_begun_and_then_as_ended(self, store: Store) -> None:
        stored = await store.add(delivery())
        begun = await store.begin_attempt(attempt(stored.id, request_body=b"edited", resigned=True))
        assert begun.id == "1.1"
        assert store.history().attempts(1) == [begun]

        ended = replace(
            begun,
            status=500,
            headers=(("A", "b"),),
            body=b"\xffoops",
            truncated=True,
            duration_ms=1.5,
            hint="a hint",
        )
        await store.end_attempt(ended)
        assert store.history().attempts(1) == [ended]

    async def test_an_error_is_kept_too(self, store: Store) -> None:
        await store.add(delivery())
        begun = await store.begin_attempt(attempt(1))
        store.end_attempt_nowait(ended := replace(begun, error="refused", duration_ms=0.5))
        await store.flush()
        assert store.history().attempts(1) == [ended]

    async def test_they_are_numbered_within_their_delivery(self, store: Store) -> None:
        for _ in range(2):
            await store.add(delivery())
        begun = await asyncio.gather(
            *(store.begin_attempt(attempt(each)) for each in (1, 2, 1, 1, 2))
        )
        assert [each.id for each in begun] == ["1.1", "2.1", "1.2", "1.3", "2.2"]
        assert {key: each.id for key, each in store.history().last_attempts([1, 2, 3]).items()} == {
            1: "1.3",
            2: "2.2",
        }

    async def test_the_first_may_begin_with_its_delivery(self, store: Store) -> None:
        stored = await store.add(delivery(), attempt=attempt(0))
        first = attempt(stored.id, number=1, app=store.app)
        assert store.history().attempts(stored.id) == [first]

    async def test_the_last_attempt_that_ended_decides_whether_a_delivery_failed(
        self, store: Store
    ) -> None:
        def failed() -> list[int]:
            return [each.id for each in store.history().page(Filter(failed=True))]

        await store.add(delivery())
        one, other = [await store.begin_attempt(attempt(1)) for _ in range(2)]
        assert failed() == []
        await store.end_attempt(replace(one, status=500, duration_ms=1.0))
        assert failed() == [1]
        await store.end_attempt(replace(other, status=200, duration_ms=1.0))
        assert failed() == []
        await store.end_attempt(replace(one, status=500, duration_ms=2.0))
        assert failed() == []

    async def test_they_belong_to_the_app_that_the_history_was_opened_for(
        self, store: Store
    ) -> None:
        await store.add(delivery())
        begun = await store.begin_attempt(attempt(1, replay=True))
        await store.end_attempt(replace(begun, status=500, duration_ms=1.0))
        assert begun.app == store.app == store.history().app
        reader = store.history()
        for app in (None, "any", store.app):
            for where in (Filter(failed=True, app=app), Filter(replays=True, app=app)):
                assert [each.id for each in reader.page(where)] == [1]
                assert reader.counts(where).received == 1
                assert reader.counts(where).failed == 1
            assert reader.last_attempts([1], app=app)[1].number == 1

    async def test_no_other_app_has_any(self, store: Store) -> None:
        await store.add(delivery())
        begun = await store.begin_attempt(attempt(1, replay=True))
        await store.end_attempt(replace(begun, status=500, duration_ms=1.0))
        reader = store.history()
        other = Filter(app="other@desk")
        for where in (other, replace(other, failed=True), replace(other, replays=True)):
            assert reader.page(where) == []
            assert reader.counts(where).received == 0
        assert reader.last_attempts([1], app="other@desk") == {}

    async def test_one_of_a_delivery_that_is_gone_is_not_kept(self, store: Store) -> None:
        begun = await store.begin_attempt(attempt(9))
        await store.end_attempt(replace(begun, status=200, duration_ms=1.0))
        assert begun.number == 1
        assert store.history().attempts(9) == []


class TestQueue:
    async def test_the_queue_is_read_in_order(self, store: Store) -> None:
        hold, elsewhere = QueueEntry("hold", TARGET), QueueEntry("first", "http://else/")
        for queues in ([FIRST], [], [hold, elsewhere], [elsewhere], [FIRST]):
            await store.add(delivery(), queues=queues)
        history = store.history()
        assert [each.id for each in history.pending()] == [1, 3, 4, 5]
        assert [each.id for each in history.pending(TARGET)] == [1, 3, 5]
        assert [each.id for each in history.pending(TARGET, "first")] == [1, 5]
        assert [each.id for each in history.pending(mode="hold")] == [3]
        assert history.counts().pending == 4
        assert history.queues_of(1) == [FIRST]
        assert history.queues_of(2) == []
        assert history.queues_of(3) == [hold, elsewhere]
        assert history.queue_targets() == [TARGET, "http://else/"]

    async def test_it_is_left_for_one_target_at_a_time(self, store: Store) -> None:
        await store.add(delivery(), queues=[FIRST, QueueEntry("first", "http://else/")])
        store.dequeue(1, TARGET)
        await store.flush()
        assert list(store.history().pending(TARGET)) == []
        assert store.history().counts().pending == 1
        store.dequeue(1, "http://else/")
        await store.flush()
        assert store.history().counts().pending == 0

    async def test_a_long_one_is_read_whole(self, store: Store) -> None:
        await asyncio.gather(*(store.add(delivery(), queues=[FIRST]) for _ in range(250)))
        assert [each.id for each in store.history().pending()] == list(range(1, 251))

    async def test_what_is_set_aside_leaves_the_order_until_it_is_due(self, store: Store) -> None:
        history = store.history()
        for number in range(1, 6):
            mode: QueueMode = "hold" if number == 3 else "first"
            await store.add(delivery(status=200), queues=[QueueEntry(mode, TARGET, deadline=9.0)])

        def head(up_to: dict[QueueMode, int | None]) -> list[int]:
            return [each.delivery.id for each in history.queue_head(TARGET, up_to, 3)]

        def due(now: float) -> list[tuple[int, int, float | None]]:
            found = history.queue_due(TARGET, {"first": None}, now, 3)
            return [(each.delivery.id, each.entry.tries, each.entry.next_try_at) for each in found]

        assert head({"first": None}) == [1, 2, 4]
        assert head({"first": 2, "hold": None}) == [1, 2, 3]
        assert head({}) == []
        assert history.queue_head("http://else/", {"first": None}, 3) == []
        assert history.queue_head(TARGET, {"hold": None}, 3)[0].entry == QueueEntry(
            "hold", TARGET, deadline=9.0
        )
        store.set_aside(1, TARGET, tries=1, next_try_at=30.0)
        store.set_aside(2, TARGET, tries=2, next_try_at=20.0)
        await store.flush()
        assert head({"first": None}) == [4, 5]
        assert due(10.0) == []
        assert due(30.0) == [(2, 2, 20.0), (1, 1, 30.0)]
        assert history.next_due_at(TARGET, {"first": None}) == 20.0
        assert history.next_due_at(TARGET, {"hold": None}) is None
        store.make_due(TARGET, 15.0)
        store.set_aside(2, TARGET, tries=2, next_try_at=None)
        await store.flush()
        assert due(15.0) == [(1, 1, 15.0)]
        assert head({"first": None}) == [2, 4, 5]

    async def test_one_at_a_time_has_its_lock(self, location: str) -> None:
        with open_store(location) as one, open_store(location) as other:
            async with one.queue_lock(TARGET) as lock, other.queue_lock(TARGET) as second:
                assert (lock.held, await lock.acquire(), lock.held) == (False, True, True)
                assert (await second.acquire(), second.held) == (False, False)
                await lock.release()
                assert (lock.held, await second.acquire()) == (False, True)

    async def test_it_is_there_after_a_restart(self, location: str) -> None:
        with open_store(location) as store:
            await store.add(delivery(), queues=[FIRST])
        with open_store(location) as store:
            assert [each.id for each in store.history().pending(TARGET, "first")] == [1]


class TestRetention:
    async def test_the_oldest_deliveries_beyond_the_count_are_deleted(self, location: str) -> None:
        with open_store(location, keep=10) as store:
            await asyncio.gather(*(store.add(delivery()) for _ in range(700)))
            await store.add(delivery(), attempt=attempt(0))
            assert [each.id for each in store.history().page()] == list(range(701, 691, -1))

    async def test_a_full_history_makes_room_for_several_at_once(self, location: str) -> None:
        with open_store(location, keep=1200) as store:
            await asyncio.gather(*(store.add(delivery()) for _ in range(1200)))
            assert store.history().counts().received == 1200
            await store.add(delivery())
            assert store.history().counts().received == 1200 - 12

    async def test_a_smaller_bound_is_caught_up_with_when_opening(self, location: str) -> None:
        with open_store(location) as store:
            await store.add_many([delivery() for _ in range(1500)])
        with open_store(location, keep=5) as store:
            wait_until(lambda: store.history().counts().received == 5)
            assert [each.id for each in store.history().walk()] == list(range(1496, 1501))

    async def test_the_oldest_deliveries_beyond_the_bytes_are_deleted(self, location: str) -> None:
        with open_store(location, keep_bytes=1_000_000) as store:
            for _ in range(30):
                await store.add(delivery(bytes(100_000)))
            assert [each.id for each in store.history().walk()] == list(range(22, 31))

    async def test_bytes_of_attempts_count_too(self, location: str) -> None:
        with open_store(location, keep_bytes=1_000_000) as store:
            for number in range(1, 31):
                await store.add(delivery())
                begun = await store.begin_attempt(attempt(number))
                await store.end_attempt(
                    replace(begun, status=200, duration_ms=1.0, body=bytes(100_000))
                )
            await store.add(delivery())
            kept = [each.id for each in store.history().walk()]
            assert kept == list(range(22, 32))
            assert store.history().attempts(21) == []
            assert len(store.history().attempts(22)) == 1

    async def test_deliveries_queued_for_the_app_are_kept(self, location: str) -> None:
        with open_store(location, keep=3) as store:
            for number in range(1, 11):
                await store.add(delivery(), queues=[FIRST] if number in {2, 4} else ())
            assert [each.id for each in store.history().walk()] == [2, 4, 10]
            store.dequeue(2, TARGET)
            await store.add(delivery())
            assert [each.id for each in store.history().walk()] == [4, 10, 11]

    async def test_more_may_wait_than_may_stay(self, location: str) -> None:
        with open_store(location, keep=3) as store:
            for _ in range(10):
                await store.add(delivery(), queues=[FIRST])
            await store.add(delivery())
            assert [each.id for each in store.history().pending()] == list(range(1, 11))
            store.dequeue(10, TARGET)
            await store.add(delivery(), queues=[FIRST])
            assert [each.id for each in store.history().walk()] == [*range(1, 10), 12]

    async def test_deliveries_queued_for_a_secondary_target_are_deleted_with_the_oldest(
        self, location: str
    ) -> None:
        alongside = QueueEntry("first", "http://else/", secondary=True)
        with open_store(location, keep=3) as store:
            for number in range(1, 11):
                await store.add(
                    delivery(), queues=[FIRST, alongside] if number == 4 else [alongside]
                )
            history = store.history()
            assert [each.id for each in history.walk()] == [4, 9, 10]
            assert [each.id for each in history.pending("http://else/")] == [4, 9, 10]
            assert history.queues_of(4) == [FIRST, alongside]

    async def test_rejected_deliveries_have_a_bound_of_their_own(self, location: str) -> None:
        with open_store(location, keep=5) as store:
            real = await store.add(delivery())
            rejected = [delivery(state=State.INVALID) for _ in range(MAX_REJECTED + 20)]
            await asyncio.gather(*(store.add(each) for each in rejected))
            found = [each.id for each in store.history().walk()]
            assert found[0] == real.id
            assert found[1:] == list(range(22, MAX_REJECTED + 22))

    async def test_the_body_of_a_rejected_delivery_is_cut(self, store: Store) -> None:
        whole = event_body(padding="x" * REJECTED_BODY_BYTES)
        returned = await store.add(delivery(whole, state=State.MISSING))
        found = store.history().get(returned.id)
        assert found is not None
        assert returned == found
        assert found.body == whole[:REJECTED_BODY_BYTES]
        assert found.body_bytes == len(whole)
        # It was searched for before it was cut.
        assert store.history().page(Filter(events=("post.publish.complete",))) == [found]

    async def test_an_imported_one_is_never_cut_nor_in_the_ring(self, store: Store) -> None:
        whole = event_body(padding="x" * REJECTED_BODY_BYTES)
        await store.add(delivery(whole, state=State.INVALID, source=Source.IMPORT))
        await store.add_many([delivery(state=State.INVALID) for _ in range(MAX_REJECTED + 1)])
        found = store.history().get(1)
        assert found is not None
        assert found.body == whole


class TestClear:
    async def test_everything_goes_and_no_id_comes_back(self, store: Store) -> None:
        for _ in range(3):
            await store.add(delivery(), queues=[FIRST], attempt=attempt(0))
        assert await store.clear() == 3
        history = store.history()
        assert (history.page(), history.attempts(1), list(history.pending())) == ([], [], [])
        assert (await store.add(delivery())).id == 4

    async def test_ids_do_not_come_back_after_a_restart_either(self, location: str) -> None:
        with open_store(location) as store:
            await store.add(delivery())
            await store.clear()
        with open_store(location) as store:
            assert (await store.add(delivery())).id == 2

    async def test_only_what_came_before_goes(self, store: Store) -> None:
        for at in (10.0, 20.0, 30.0):
            await store.add(delivery(received_at=at))
        assert await store.clear(Filter(until=30.0)) == 2
        assert [each.id for each in store.history().page()] == [3]

    async def test_only_what_matches_goes_with_all_that_belongs_to_it(self, store: Store) -> None:
        for name in ("post.publish.failed", "authorization.removed", "post.publish.complete"):
            await store.add(delivery(event_body(name)), queues=[FIRST], attempt=attempt(0))
        assert await store.clear(Filter(match="post.publish.*")) == 2
        history = store.history()
        assert [each.id for each in history.page()] == [2]
        assert [each.id for each in history.pending()] == [2]
        assert (history.attempts(1), len(history.attempts(2))) == ([], 1)
        assert await store.clear(Filter(ids=(1, 2, 3))) == 1

    async def test_what_is_newer_than_the_given_id_stays(self, store: Store) -> None:
        await store.add_many([delivery() for _ in range(4)])
        assert await store.clear(Filter(events="post.*"), up_to=3) == 3
        assert await store.clear(up_to=3) == 0
        assert [each.id for each in store.history().page()] == [4]

    async def test_more_than_one_slice_of_what_matches_goes(self, store: Store) -> None:
        await store.add_many([delivery() for _ in range(1200)])
        await store.add(delivery(event_body("authorization.removed")))
        assert await store.clear(Filter(events="post.*")) == 1200
        assert [each.id for each in store.history().page()] == [1201]

    async def test_more_than_one_slice_goes(self, store: Store) -> None:
        await store.add_many([delivery() for _ in range(1200)])
        assert await store.clear() == 1200
        assert store.history().counts().received == 0


async def test_some_can_be_removed(store: Store) -> None:
    await store.add_many([delivery() for _ in range(600)])
    await store.begin_attempt(attempt(1))
    assert await store.remove([*range(1, 500), 599, 7_000]) == 500
    assert store.history().counts().received == 100
    assert store.history().attempts(1) == []
    assert await store.remove([]) == 0


class TestAddMany:
    async def test_all_are_stored_with_the_ids_they_came_from(self, store: Store) -> None:
        given = [delivery(source=Source.IMPORT, imported_id=each) for each in range(1000, 1600)]
        stored = await store.add_many(given)
        assert [each.id for each in stored] == list(range(1, 601))
        assert list(store.history().walk()) == stored

    async def test_first_attempts_are_recorded_as_begun_with_them(self, store: Store) -> None:
        given = [delivery() for _ in range(300)]
        firsts = [attempt(1) if number % 2 else None for number in range(300)]
        await store.add_many(given, firsts)
        for number in (2, 300):
            (begun,) = store.history().attempts(number)
            assert (begun.delivery_id, begun.number, begun.ended) == (number, 1, False)
            assert begun.request_headers == attempt(1).request_headers
        assert store.history().attempts(1) == []
        await store.end_attempt(replace(attempt(2), number=1, status=500, duration_ms=1.0))
        assert store.history().attempts(2)[0].status == 500
        assert store.history().counts().failed == 1

    async def test_one_that_cannot_be_stored_takes_all_out_again(self, store: Store) -> None:
        before = await store.add(delivery())
        with pytest.raises(StoreError):
            await store.add_many([*(delivery() for _ in range(600)), delivery(imported_id=1 << 63)])
        await store.flush()
        assert store.history().page() == [before]
        assert store.history().counts().received == 1

    @pytest.mark.parametrize("turns", [1, 2, 3, 5, 8, 20, 50])
    async def test_giving_up_takes_all_out_again(self, store: Store, turns: int) -> None:
        async with asyncio.TaskGroup() as group:
            adding = group.create_task(store.add_many([delivery() for _ in range(2000)]))
            for _ in range(turns):
                await asyncio.sleep(0.0005)
            adding.cancel()
        await store.flush()
        assert store.history().counts().received == (0 if adding.cancelled() else 2000)


async def test_a_rejected_one_is_kept_and_returned_cut(store: Store) -> None:
    headers = (("X-Large", "x" * 20_000), ("Tiktok-Signature", "t=1,s=00"))
    sent = delivery(
        hostile_body(1),
        state=State.INVALID,
        path="/" + "p" * 9000,
        query="q" * 9000,
        headers=headers,
    )
    returned = await store.add(sent)
    assert store.history().get(1) == returned
    assert len(returned.body) == 16 * 1024
    assert returned.body_bytes == len(sent.body)
    assert returned.headers == headers[1:]
    assert len(returned.target) < 5000


@pytest.mark.parametrize("field", ["user", "publish_id", "events"])
async def test_a_long_value_is_found_exactly(store: Store, field: str) -> None:
    await asyncio.gather(*(store.add(delivery(hostile_body(number))) for number in range(3)))
    name = {"user": "u", "publish_id": "p", "events": "e"}[field]
    value = name * LONG + "1"
    wanted = Filter(events=(value,)) if field == "events" else Filter(**{field: value})  # type: ignore[arg-type]  # each of the two takes a string
    (found,) = store.history().page(wanted)
    assert found.body == hostile_body(1)
    assert store.history().counts(wanted).received == 1


async def test_replays_of_other_processes_are_read_without_ones_own(location: str) -> None:
    with open_store(location) as own, open_store(location) as other:
        await own.add(delivery(status=200))
        for store, at, replay in (
            (other, 3.0, True),
            (own, 3.5, True),
            (other, 2.0, True),
            (other, 4.0, False),
            (other, 5.0, True),
        ):
            await store.begin_attempt(attempt(1, started_at=at, replay=replay))
        history = own.history()
        assert [each.number for each in history.replays_by_others(0.0, 10)] == [3, 1, 5]
        assert [each.number for each in history.replays_by_others(3.0, 10)] == [1, 5]
        assert [each.number for each in history.replays_by_others(0.0, 2)] == [3, 1]
        assert [each.number for each in other.history().replays_by_others(0.0, 10)] == [2]
