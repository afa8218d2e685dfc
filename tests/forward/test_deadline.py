"""The deadline of an exchange."""

import asyncio
import time

from tiktok_hook.forward.deadline import Deadline


async def test_a_suspended_process_gets_one_more_read_and_no_second_one() -> None:
    ended = asyncio.Event()
    Deadline(0.1).on_passed(ended.set)
    for seconds in (0.7, 1.2):
        assert not ended.is_set()
        time.sleep(seconds)  # noqa: ASYNC251 - nothing runs meanwhile, as between Ctrl-Z and `fg`
        await asyncio.sleep(0.01)  # a turn of the loop for what is due
    assert ended.is_set()
