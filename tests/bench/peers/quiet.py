"""The product without its console: a session from Python without a subscriber.

``python quiet.py PORT``: history, inspector and verification as the command has them by itself.
"""

import asyncio
import os
import sys

import uvloop

import tiktok_hook


async def main(port: int) -> None:
    secret = os.environ["TIKTOK_CLIENT_SECRET"]
    async with tiktok_hook.listen(secret=secret, tunnel=False, port=port, inspect_port=0):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
