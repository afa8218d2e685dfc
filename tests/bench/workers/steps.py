"""How a worker and the bench agree on when to start: see `tests.bench.programs.Worker`."""

import sys


def ready() -> str:
    """Print that everything is prepared, and wait for the start; the text of its line."""
    print("ready", flush=True)
    return sys.stdin.readline().strip()
