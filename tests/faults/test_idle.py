"""Thousands of connections that send nothing, and a delivery that comes among them."""

import asyncio
import time
from urllib.parse import urlsplit

import psutil

from tests.deadline import DEADLINE
from tests.faults.waiting import until
from tests.listener import listening, post

IDLE = 2000


async def test_a_delivery_is_answered_among_2000_idle_connections_that_leave_nothing_behind() -> (
    None
):
    async with listening("--no-tunnel", "--ephemeral") as listener:
        assert (await post(listener.local_url)).status == 200
        process = psutil.Process(listener.process.pid)
        descriptors, memory = process.num_fds(), process.memory_info().rss
        port = urlsplit(listener.local_url).port
        idle: list[asyncio.StreamWriter] = []
        try:
            async with asyncio.timeout(DEADLINE):
                while len(idle) < IDLE:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    idle.append(writer)
            assert process.num_fds() > descriptors + 100, "they are held open"
            began = time.monotonic()
            # One that comes within the second in which all of them are young is sent away unstored.
            while (await post(listener.local_url)).status != 200:
                assert time.monotonic() - began < DEADLINE
                await asyncio.sleep(0.05)
        finally:
            for writer in idle:
                writer.close()
        await until(lambda: process.num_fds() <= descriptors + 2)
        assert process.memory_info().rss < memory + (32 << 20)
        assert await listener.end() == 0
    assert listener.of("summary")[0]["received"] == 2
    assert "Traceback" not in listener.errors
