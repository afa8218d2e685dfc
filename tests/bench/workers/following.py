"""Follows a history as ``events --follow`` does, and prints what it saw and how late.

``python -m tests.bench.workers.following LOCATION``: it gets a line with the newest id, and ends
once it has seen that one, or after a while.
"""

import json
import sys
import threading
import time

from tiktok_hook.store import Filter, open_history
from tiktok_hook.store.change_feed import Arrival, follow

PATIENCE_SECONDS = 10.0


def main(location: str) -> None:
    """Follow, and print ids in the order of their arrival and the seconds each was behind."""
    ids: list[int] = []
    behind: list[float] = []
    ends: list[tuple[int, float]] = []

    def wait_for_end() -> None:
        newest = int(sys.stdin.readline() or 0)
        ends.append((newest, time.monotonic() + PATIENCE_SECONDS))

    def is_over() -> bool:
        if not ends:
            return False
        newest, until = ends[0]
        return bool(ids and ids[-1] >= newest) or time.monotonic() > until

    threading.Thread(target=wait_for_end, daemon=True).start()
    with open_history(location) as history:
        after = history.newest_id()
        while history.changes() == -1:
            time.sleep(0.01)  # polls: it has no count before its connection listens
        print("ready", flush=True)
        for each in follow(history, Filter(), after, stopped=is_over):
            if isinstance(each, Arrival):
                ids.append(each.delivery.id)
                behind.append(time.time() - each.delivery.received_at)
    print(json.dumps({"ids": ids, "behind_ms": [round(each * 1000, 3) for each in behind]}))


if __name__ == "__main__":
    main(sys.argv[1])
