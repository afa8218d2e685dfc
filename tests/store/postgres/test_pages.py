"""How much the server reads for a page: a few rows, however many match."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests import postgres
from tests.store.samples import delivery, event_body
from tiktok_hook.signature import State
from tiktok_hook.store import Filter, HistoryReader, Store, open_history, open_store
from tiktok_hook.store.postgres.connections import QueryConnections

FIRST = 200
"""How many deliveries are added; the server makes 5,000 of them."""

PAGE = 10

_COPY = """
    INSERT INTO tiktok_hook.{table}
    SELECT (jsonb_populate_record(d, jsonb_build_object('{id}', d.{id} + 200 * n, 'link', NULL))).*
    FROM tiktok_hook.{table} d, generate_series(1, 24) n
"""


async def _fill(store: Store) -> None:
    common = delivery(event_body("post.publish.complete"), status=200)
    rare = delivery(event_body("authorization.removed"), state=State.STALE, status=500)
    late = delivery(event_body("post.publish.failed", user="u-2"), state=State.UNCHECKED)
    places = {43: rare, 143: rare} | dict.fromkeys(range(13, FIRST, 20), late)
    stored = await store.add_many([places.get(number, common) for number in range(FIRST)])
    for each in stored[13::20]:
        store.set_status(each.id, 404)
    await store.flush()


@pytest.fixture(scope="module")
def history() -> Iterator[HistoryReader]:
    """A history of 5,000 deliveries, that the server knows the statistics of."""
    server = postgres.server()
    database = server.new_database()
    with open_store(server.url(database)) as store:
        asyncio.run(_fill(store))
    for table, column in (("deliveries", "id"), ("marks", "delivery_id")):
        server.execute(_COPY.format(table=table, id=column), database)
    server.execute("VACUUM ANALYZE", database)
    with open_history(server.url(database)) as opened:
        yield opened


def _rows_read(plan: dict[str, Any]) -> int:
    """By all scans of tables and indexes together, those that a condition left out included."""
    below = sum(_rows_read(each) for each in plan.get("Plans", ()))
    if "Relation Name" not in plan or plan["Node Type"] == "Bitmap Heap Scan":
        return below
    removed = plan.get("Rows Removed by Filter", 0)
    return below + int((plan["Actual Rows"] + removed) * plan["Actual Loops"])


@pytest.mark.parametrize(
    "where",
    [
        Filter(),
        Filter(events=("authorization.removed",)),
        Filter(events=("post.publish.failed", "authorization.removed")),
        Filter(verdicts=(State.STALE, State.UNCHECKED)),
        Filter(statuses=(404,)),
        Filter(statuses=(404, 500, 502)),
        Filter(statuses=(404, 500), events=("post.*",)),
    ],
    ids=["all", "event", "events", "verdicts", "status", "statuses", "both"],
)
@pytest.mark.parametrize("old", [False, True], ids=["newest", "from the start"])
def test_a_page_reads_few_of_the_rows_that_match(
    history: HistoryReader, monkeypatch: pytest.MonkeyPatch, where: Filter, *, old: bool
) -> None:
    query_all = QueryConnections.all

    def noted(connections: QueryConnections, query: str, values: Any = ()) -> list[Any]:
        found = query_all(connections, query, values)
        ((plan,),) = query_all(connections, f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", values)
        found_plan = json.loads(plan) if isinstance(plan, str) else plan
        read.append(_rows_read(found_plan[0]["Plan"]))
        return found

    read: list[int] = []
    monkeypatch.setattr(QueryConnections, "all", noted)
    found = history.page(where, limit=PAGE, after=0 if old else None)
    assert len(found) == PAGE
    assert read[-1] <= 40 * PAGE
