from pathlib import Path

from tiktok_hook.delivery import Delivery
from tiktok_hook.store import open_store


async def test_a_stored_delivery_reads_back_exactly(tmp_path: Path) -> None:
    given = Delivery(
        received_at=1_795_410_390.123456,
        remote_addr="203.0.113.7",
        path="/hook%20a",
        query="a=1&a=2",
        headers=(("X-A", "1"), ("x-a", "\xff")),
        body=b"\x00\xff not JSON",
        status=200,
    )

    with open_store(tmp_path / "history.db") as store:
        stored = await store.add(given)
        assert store.history().get(stored.id) == given.stored(id=1)
