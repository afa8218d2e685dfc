import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.store.samples import delivery
from tiktok_hook.store import Store
from tiktok_hook.store.bounds import Bounds
from tiktok_hook.store.jobs import Job
from tiktok_hook.store.sqlite.backend import SQLiteBackend


class SlowBackend(SQLiteBackend):
    """A history on a disk that takes 6 ms more for each commit."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Bounds.of(1000, 1 << 30))
        self.batches: list[int] = []

    def commit(self, jobs: Sequence[Job]) -> list[Any]:
        self.batches.append(len(jobs))
        time.sleep(0.006)
        return super().commit(jobs)


@pytest.mark.realtime
async def test_those_who_are_answered_together_are_written_together_next_time(
    tmp_path: Path,
) -> None:
    senders, rounds = 16, 12

    async def send(store: Store) -> None:
        for _ in range(rounds):
            await store.add(delivery())
            # The event loop answers one after the other: 3 ms for all of them.
            time.sleep(0.0002)  # noqa: ASYNC251 - it is to be busy

    commits = []
    for repetition in range(3):  # on a busy machine some may come too late
        backend = SlowBackend(tmp_path / f"{repetition}.db")
        with Store(backend) as store:
            await asyncio.gather(*(send(store) for _ in range(senders)))
        assert sum(backend.batches) == senders * rounds
        commits.append(len(backend.batches))
    # Two halves that never meet would take two commits for each round.
    assert min(commits) < 1.5 * rounds
