"""A shared history with several listeners and apps: who received, who was sent what, who failed."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from tests.cli.runner import invoke
from tests.postgres import PostgresServer, wait_for
from tests.store.samples import attempt, delivery
from tiktok_hook.archive import Entry
from tiktok_hook.archive.redact import redacted
from tiktok_hook.store import Filter, Names, Store, open_store

ANNA, BEN = "anna@laptop", "ben@desk"


_BEN_BEGINS = (
    "SELECT tiktok_hook.begin_attempts_1('ben@desk', gen_random_uuid(), 10, '{1}', '{1}', '{f}', "
    "'{f}', '{f}', '{http://x}', '{x}', '{POST}', '{[]}', '{NULL}', '{9}')"
)
_BEN_FAILS = (
    "SELECT tiktok_hook.end_attempts_1('ben@desk', '{1}', array[(SELECT max(number) "
    "FROM tiktok_hook.attempts WHERE app = 'ben@desk')], '{t}', '{f}', '{500}', '{[]}', '{x}', "
    "'{f}', '{1}', '{NULL}', '{x}', '{9}')"
)


@pytest.fixture
def url(server: PostgresServer, database: str) -> str:
    """The address of an empty history."""
    return server.url(database)


@pytest.fixture
def stores(url: str) -> Iterator[dict[str, Store]]:
    """The history, opened for each of two apps."""
    with ExitStack() as stack:
        yield {each: stack.enter_context(open_store(url, app=each)) for each in (ANNA, BEN)}


async def _try(store: Store, delivery_id: int, status: int, *, replay: bool = False) -> None:
    begun = await store.begin_attempt(attempt(delivery_id, replay=replay))
    await store.end_attempt(replace(begun, status=status, duration_ms=1.0))


def _ids(store: Store, **conditions: object) -> list[int]:
    return [each.id for each in store.history().page(Filter(**conditions), after=0)]  # type: ignore[arg-type]


async def _fill(stores: dict[str, Store]) -> None:
    """Anna receives 1 and 2, Ben 3; 1 fails for her only, 2 for him only, who replays 3."""
    anna, ben = stores[ANNA], stores[BEN]
    for store in (anna, anna, ben):
        await store.add(delivery(status=200))
    await _try(anna, 1, 500)
    await _try(ben, 1, 200)
    await _try(ben, 2, 500)
    await _try(anna, 2, 200)
    await _try(ben, 3, 200, replay=True)


async def test_what_failed_and_what_was_replayed_is_ones_own(stores: dict[str, Store]) -> None:
    await _fill(stores)
    anna, ben = stores[ANNA], stores[BEN]
    assert (_ids(anna, failed=True), _ids(ben, failed=True)) == ([1], [2])
    assert (_ids(anna, replays=True), _ids(ben, replays=True)) == ([], [3])
    assert _ids(anna, failed=True, app="any") == _ids(ben, failed=True, app="any") == [1, 2]
    assert _ids(anna, failed=True, app=BEN) == [2]
    assert _ids(anna, app=ANNA) == [1, 2]
    assert _ids(anna, app="any") == [1, 2, 3]
    counts = [anna.history().counts(Filter(app=each)) for each in (None, "any")]
    assert [(each.failed, each.replayed) for each in counts] == [(1, 0), (2, 1)]


async def test_a_later_success_is_counted_for_its_own_app(stores: dict[str, Store]) -> None:
    await _fill(stores)
    anna, ben = stores[ANNA], stores[BEN]
    await _try(anna, 1, 200)
    assert (_ids(anna, failed=True), _ids(ben, failed=True)) == ([], [2])
    assert _ids(anna, failed=True, app="any") == [2]
    await _try(ben, 2, 200)
    assert _ids(anna, failed=True, app="any") == []


async def test_an_app_cannot_end_the_attempt_of_another(stores: dict[str, Store]) -> None:
    anna, ben = stores[ANNA], stores[BEN]
    await anna.add(delivery(status=200))
    begun = await anna.begin_attempt(attempt(1))
    await ben.end_attempt(replace(begun, status=500, duration_ms=1.0))
    assert anna.history().attempts(1) == [begun]
    assert _ids(anna, failed=True, app="any") == []


async def _until_one_waits(connection: psycopg.Connection[Any]) -> None:
    """Wait until a statement waits for a lock; asked on a connection that exists, to be quick."""

    def waits() -> bool:
        return bool(connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall())

    await asyncio.to_thread(wait_for, waits)


async def test_one_app_does_not_wait_for_the_commit_of_another(
    url: str, stores: dict[str, Store]
) -> None:
    anna = stores[ANNA]
    for _ in range(2):
        await anna.add(delivery(status=200))
    with psycopg.connect(url) as ben:
        ben.execute(_BEN_BEGINS)
        async with asyncio.timeout(2):
            await _try(anna, 2, 200)
    assert [each.app for each in anna.history().attempts(1)] == [BEN]


async def test_what_two_apps_note_at_once_about_a_delivery_is_both_counted(
    url: str, stores: dict[str, Store]
) -> None:
    anna = stores[ANNA]
    await anna.add(delivery(status=200))
    begun = await anna.begin_attempt(attempt(1))
    with psycopg.connect(url) as ben:
        ben.execute(_BEN_BEGINS)
        ben.execute(_BEN_FAILS)
        async with asyncio.TaskGroup() as group:
            group.create_task(anna.end_attempt(replace(begun, status=200, duration_ms=1.0)))
            await _until_one_waits(ben)
            ben.commit()
    assert _ids(anna, failed=True) == []
    assert _ids(anna, failed=True, app="any") == [1]


async def test_a_deadlock_with_another_transaction_fails_nothing(
    server: PostgresServer, database: str, url: str
) -> None:
    server.execute(f"ALTER DATABASE {database} SET deadlock_timeout = '500ms'")
    with open_store(url, app=ANNA) as anna, psycopg.connect(url) as other:
        for _ in range(2):
            await anna.add(delivery(status=200))
            await _try(anna, 1, 200)
        begun = await anna.begin_attempt(attempt(1))
        await _try(anna, 2, 200)
        other.execute("SET deadlock_timeout = '30s'")
        other.execute("SELECT FROM tiktok_hook.marks WHERE delivery_id = 2 FOR UPDATE")
        anna.end_attempt_nowait(replace(begun, status=500, duration_ms=1.0))
        async with asyncio.TaskGroup() as group:
            second = group.create_task(anna.begin_attempt(attempt(2)))
            await _until_one_waits(other)
            await asyncio.to_thread(
                other.execute, "SELECT FROM tiktok_hook.marks WHERE delivery_id = 1 FOR UPDATE"
            )
            other.commit()
        assert second.result().number == 2
        assert _ids(anna, failed=True) == [1]


async def test_the_names_of_listeners_and_apps_are_known(stores: dict[str, Store]) -> None:
    await _fill(stores)
    reader = stores[ANNA].history()
    assert reader.names() == Names(listeners=(ANNA, BEN), apps=(ANNA, BEN))
    assert reader.apps_of([1, 3, 99]) == {1: (ANNA, BEN), 3: (BEN,)}


async def test_many_attempts_of_one_app_leave_those_of_another(stores: dict[str, Store]) -> None:
    anna, ben = stores[ANNA], stores[BEN]
    await anna.add(delivery(status=200))
    for _ in range(12):
        await _try(ben, 1, 200)
    await _try(anna, 1, 500)
    for _ in range(25):
        await _try(ben, 1, 200)
    last = anna.history().last_attempts([1])
    assert (last[1].app, last[1].status) == (ANNA, 500)
    assert anna.history().last_attempts([1], app="any")[1].app == BEN
    assert len(anna.history().attempts(1)) < 25


async def test_the_last_attempt_of_a_delivery_is_ones_own_if_there_is_one(
    stores: dict[str, Store],
) -> None:
    await _fill(stores)
    reader = stores[ANNA].history()
    assert {key: each.app for key, each in reader.last_attempts([1, 2, 3]).items()} == {
        1: ANNA,
        2: ANNA,
        3: BEN,
    }
    named = reader.last_attempts([1, 2, 3], app=BEN)
    assert [each.app for each in named.values()] == [BEN] * 3


def test_commands_name_apps_and_listeners_where_there_are_several(
    stores: dict[str, Store], url: str
) -> None:
    asyncio.run(_fill(stores))
    table = invoke("events", "--db", url).stdout
    assert "LISTENER" in table.splitlines()[0]
    assert "APP" in table.splitlines()[0]
    one = invoke("events", "--db", url, "--listener", ANNA, "--app", ANNA).stdout
    assert one.split("SUMMARY")[1].count("post.publish.complete") == 2
    assert "LISTENER" not in one
    assert invoke("events", "--db", url, "--failed").stdout == ""
    both = invoke("events", "--db", url, "--failed", "--app", "any").stdout
    assert len(both.splitlines()) == 3
    shown = invoke("show", "1", "--db", url).stdout
    assert f"by {ANNA}" in shown
    assert f"#1.2 {BEN} http" in shown


def test_exports_name_them_and_redacted_ones_do_not(stores: dict[str, Store], url: str) -> None:
    asyncio.run(_fill(stores))
    for form in ("jsonl", "har"):
        exported = invoke("export", "1", "--db", url, "--format", form).stdout
        assert json.dumps(ANNA) in exported
        assert json.dumps(BEN) in exported
    reader = stores[ANNA].history()
    found = reader.get(1)
    assert found is not None
    whole = [Entry(found, tuple(reader.attempts(1)))]
    (entry,) = redacted(lambda: whole)
    assert entry.delivery.listener is None
    assert {each.app for each in entry.attempts} == {None}


async def test_a_replay_does_not_go_to_the_address_of_another_app(
    stores: dict[str, Store], url: str
) -> None:
    await _fill(stores)
    dry = await asyncio.to_thread(invoke, "replay", "3", "--db", url, "--dry-run")
    assert "no target is known" in dry.stderr
