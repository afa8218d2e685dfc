"""Deleting what is more than may stay."""

from contextlib import closing
from pathlib import Path

from tiktok_hook.store.bounds import Counters, delete
from tiktok_hook.store.schema import Database


def test_whatever_number_goes_few_statements_do_it(tmp_path: Path) -> None:
    """SQLite keeps each statement that it has made: hundreds of long ones were ten megabytes."""
    database = Database(tmp_path / "history.db")
    database.create()
    lengths = set()
    with closing(database.connect()) as connection:
        connection.set_trace_callback(lambda text: lengths.add(text.count(",")))
        counters = Counters.read(connection, 0, 0)
        for number in range(1, 65):
            assert delete(connection, range(1, number + 1), counters) == 0
    # 1, 2, 4 and so on up to 64, and one comma more in a statement that returns two columns.
    assert len(lengths) <= 2 * 7
