"""The bare server to compare with: aiohttp's low-level one on uvloop, only answering."""

import asyncio
import sys

import uvloop
from aiohttp import web


async def answer(request: web.BaseRequest) -> web.Response:
    """Read the body and answer 200, as any receiver has to."""
    await request.read()
    return web.Response(body=b'{"ok":true}', content_type="application/json")


async def main(port: int) -> None:
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
