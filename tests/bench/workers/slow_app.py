"""An app that takes some time for each delivery: ``… PORT SECONDS``."""

import asyncio
import sys
from functools import partial

from aiohttp import web


async def answer(seconds: float, request: web.BaseRequest) -> web.Response:
    """Answer a delivery later, and everything that is not one at once."""
    await request.read()
    if request.method == "POST":
        await asyncio.sleep(seconds)
    return web.Response(body=b'{"ok":true}', content_type="application/json")


async def main(port: int, seconds: float) -> None:
    runner = web.ServerRunner(web.Server(partial(answer, seconds)))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
