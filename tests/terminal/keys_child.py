"""Shows each key it is given, under a status line; ends with ``q``, crashes with ``x``."""

import asyncio
import sys

from tiktok_hook.delivery import TunnelChanged
from tiktok_hook.terminal import console, keys


async def main() -> None:
    pressed: asyncio.Queue[str] = asyncio.Queue()
    with console.make("full") as screen:
        screen.show(TunnelChanged("online", "https://x.ngrok.app", 1_756_684_801, latency_ms=23))
        async with keys.read(pressed.put_nowait, screen) as works:
            screen.write(f"keys {works}")
            while works and (key := await pressed.get()) != "q":
                screen.write(f"key {key!r}")
                if key == "x":
                    raise RuntimeError("crash")


if __name__ == "__main__":
    if "uvloop" in sys.argv:
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
