"""Runs ``tiktok-hook listen`` so that it ends when its standard input does.

``python -m tiktok_hook.mcp.listener_process listen …`` is started by the MCP server, which keeps
the other end of that pipe. However the server ends, `kill -9` included, the pipe is closed, and the
public URL disappears with it.
"""

import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 8.0
"""The first Ctrl-C drains for at most 5 s; after this the second one ends it at once."""


def main() -> None:
    """Run the command line of this process's own arguments."""
    threading.Thread(target=_end_with_input, daemon=True, name="end-with-input").start()
    sys.argv[0] = "tiktok-hook"
    runpy.run_module("tiktok_hook", run_name="__main__")


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    # Signals reach the main thread whatever it is doing, and `listen` drains and records what it
    # cut short, as at Ctrl-C.
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(GRACE_SECONDS)
    os._exit(130)


if __name__ == "__main__":
    main()
