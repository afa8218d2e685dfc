"""Python reads this first where it is on its path: the soak asks a process how many tasks it has.

A signal and not a thread: nothing runs in the command until it is asked.
"""

import asyncio
import os
import signal
from pathlib import Path


def _write_task_count(number: int, frame: object) -> None:
    Path(os.environ["TASKS_FILE"]).write_text(str(len(asyncio.all_tasks())), "ascii")


if "TASKS_FILE" in os.environ:
    signal.signal(signal.SIGUSR2, _write_task_count)
