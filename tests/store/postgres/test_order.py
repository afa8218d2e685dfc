"""Ids are committed in their order: a reader that continues from the newest id misses nothing."""

import asyncio
import threading
import time
from importlib import resources

import pytest

from tests.postgres import PostgresServer
from tests.store.samples import delivery
from tiktok_hook.errors import StoreError
from tiktok_hook.store import open_history, open_store

_LOCK = "LOCK TABLE adding IN EXCLUSIVE MODE;"

# As a disk that is sometimes slow: some commits take long, after the ids were given.
_UNEVEN_COMMITS = """
    CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF NEW.id % 3 = 0 THEN PERFORM pg_sleep(0.01); END IF; RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON tiktok_hook.deliveries
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.dawdle();
"""


def _missed(
    server: PostgresServer, database: str, *, seconds: float
) -> tuple[int, int, list[StoreError]]:
    """How many deliveries of four writers a follower never saw, how many there are; failed adds."""
    address = server.url(database)
    until = time.monotonic() + seconds
    failures: list[StoreError] = []

    def write() -> None:
        async def add() -> None:
            with open_store(address) as store:
                while time.monotonic() < until:
                    try:
                        await store.add(delivery())
                    except StoreError as error:
                        failures.append(error)

        asyncio.run(add())

    writers = [threading.Thread(target=write) for _ in range(4)]
    seen: list[int] = []
    with open_history(address) as history:
        for each in writers:
            each.start()
        while any(each.is_alive() for each in writers):
            seen += [each.id for each in history.page(after=seen[-1] if seen else 0, limit=200)]
        seen += [each.id for each in history.page(after=seen[-1], limit=1000)]
        stored = [each.id for each in history.walk()]
    assert seen == sorted(set(seen))
    return len(set(stored) - set(seen)), len(stored), failures


@pytest.mark.parametrize("ordered", [True, False], ids=["as it is", "without the lock"])
def test_a_follower_misses_nothing(server: PostgresServer, database: str, *, ordered: bool) -> None:
    open_store(server.url(database)).close()
    server.execute(_UNEVEN_COMMITS, database)
    if not ordered:  # the control: it shows that this test would notice
        _without_lock(server, database)
    missed, stored, failures = _missed(server, database, seconds=1.5)
    assert stored > 20
    assert (missed == 0) is ordered
    assert not (failures and ordered)  # without the lock two writers may give the same id


def _without_lock(server: PostgresServer, database: str) -> None:
    script = resources.files("tiktok_hook.store.postgres").joinpath("schema.sql").read_text()
    assert script.count(_LOCK) == 1
    start = script.index("CREATE FUNCTION add_1")
    function = script[start : script.index("END $add$;") + len("END $add$;")]
    function = function.replace(_LOCK, "").replace(
        "CREATE FUNCTION ", "CREATE OR REPLACE FUNCTION "
    )
    server.execute(f"SET search_path = tiktok_hook; {function}", database)
