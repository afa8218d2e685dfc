"""Storing what a file contains: nothing twice, and nothing that the file cannot prove."""

import io

import pytest

from tests.archive.samples import ATTEMPTS, AWKWARD, entry, everything, exported, lines, minimal
from tests.store.samples import delivery
from tiktok_hook import archive
from tiktok_hook.archive import ImportResult
from tiktok_hook.archive.capture import MAX_DIAGNOSES
from tiktok_hook.signature import State
from tiktok_hook.store import Store, open_store


async def add(store: Store, data: bytes) -> ImportResult:
    return await archive.import_into(store, archive.load(io.BytesIO(data), "FILE"))


async def test_importing_twice_adds_nothing() -> None:
    data = exported([entry(delivery(), number, ATTEMPTS[:1]) for number in (1, 2, 3)])
    with open_store(None) as store:
        first = await add(store, data)
        assert first == ImportResult(3, 3, first=1, last=3)
        second = await add(store, data)
        assert second == ImportResult(0, 0, first=0, last=0, duplicates=3)
        assert len(everything(store)) == 3


@pytest.mark.parametrize("form", ["jsonl", "har"])
async def test_an_export_adds_nothing_to_the_history_it_came_from(form: archive.Format) -> None:
    # A clock's float is finer than the microseconds of a file, which may round it either way.
    times = (1.5, 1795410390.123456, 1795410390.1234567, 1795410390.1234563, 1795410390.9999999)
    with open_store(None) as store:
        for at in times:
            await store.add(delivery(received_at=at))
        for each in AWKWARD.values():
            await store.add(each)
        data = b"".join(archive.write(everything(store), form))
        result = await add(store, data)
        assert (result.deliveries, result.duplicates) == (0, len(times) + len(AWKWARD))


async def test_what_differs_in_time_body_or_path_is_added() -> None:
    with open_store(None) as store:
        one = minimal()
        await add(store, lines(one))
        others = lines(
            {**one, "received_at": "2026-11-23T08:00:00.000005Z"},
            {**one, "body": "other"},
            {**one, "path": "/other"},
            {**one, "query": "a=b"},
            one,
        )
        result = await add(store, others)
    assert (result.deliveries, result.duplicates) == (4, 1)


async def test_several_that_are_equal_in_one_file_are_all_added() -> None:
    one = minimal()
    with open_store(None) as store:
        assert (await add(store, lines(one, one))).deliveries == 2


async def test_more_of_one_time_than_are_read_at_once_are_recognised() -> None:
    data = lines(*({**minimal(), "body": str(number)} for number in range(600)))
    with open_store(None) as store:
        assert (await add(store, data)).deliveries == 600
        assert (await add(store, data)).duplicates == 600


async def test_all_attempts_of_a_delivery_are_stored_in_order() -> None:
    answered, failed, _, begun = ATTEMPTS
    given = [(), (answered,), (answered, failed), (begun,), (answered, failed, begun)]
    data = exported([entry(delivery(), number, each) for number, each in enumerate(given, 1)])
    with open_store(None) as store:
        assert (await add(store, data)).attempts == 7
        found = [store.history().attempts(number) for number in range(1, 6)]
    assert [[each.number for each in some] for some in found] == [[], [1], [1, 2], [1], [1, 2, 3]]
    assert [[each.status for each in some] for some in found] == [
        [each.get("status") for each in some] for some in given
    ]


def test_of_many_rejected_signatures_only_the_first_are_diagnosed() -> None:
    data = lines(*([minimal()] * (MAX_DIAGNOSES + 3)))
    options = archive.ImportOptions(secrets=["another"])
    capture = archive.load(io.BytesIO(data), "FILE", options)
    verdicts = [each.delivery.verdict for each in capture.entries()]
    assert capture.undiagnosed == 3
    assert [bool(each.hint) for each in verdicts] == [True] * MAX_DIAGNOSES + [False] * 3
    assert {each.state for each in verdicts} == {State.MISSING}
