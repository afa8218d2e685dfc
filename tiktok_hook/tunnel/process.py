"""One life of the child: started, listened to, ended and reaped."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tiktok_hook.tunnel import protocol
from tiktok_hook.tunnel.protocol import Message, Order
from tiktok_hook.tunnel.rejections import NotOnlineError, Rejection, redact

STDERR_BYTES = 8192
"""How much of the end of the child's stderr is kept, to explain a crash."""


class Child:
    """A running child; made by `running`.

    Invariants, all on one event loop:

    - Only the supervisor's task calls `next`, and it has stopped doing so before `end` runs, so
      two tasks never read the same pipe.
    - The child is reaped by asyncio alone. When `end` returns, the process has ended: the deadline
      is on the orderly way only, and a kill cannot be ignored.
    - stderr is read at the end only. The child writes nothing there but a crash, and the pipe and
      asyncio's buffer hold more than 64 KiB, so it does not block on it.

    Attributes:
        orderly: Whether it is to be asked to leave, which takes the URL offline at ngrok, or
            killed, because the connection is of no use any more.
    """

    def __init__(self, process: asyncio.subprocess.Process, order: Order) -> None:
        self.orderly = True
        self._process = process
        self._secrets = (order.authtoken, order.webhook_secret)
        self._stderr = b""

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's too where there are such."""
        return self._process.pid

    async def next(self) -> Message | None:
        """The next message, for whom it may take long; None once the child sends no more.

        Safe to cancel: nothing is lost.
        """
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if (message := protocol.load(line)) is not None:
                return message
        return None

    async def end(self, patience: float) -> None:
        """End it: by closing its stdin, or by force after `patience` seconds."""
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        stdin.close()
        try:
            if self.orderly:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(patience):
                        await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._kill()
            await self._process.wait()
        # To their ends, so that the descriptors are closed when this returns.
        await stdout.read()
        self._stderr += await stderr.read()
        with contextlib.suppress(OSError):
            await stdin.wait_closed()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if os.name == "posix":
                # Process.kill looks first whether it is dead, and reaps it behind asyncio's back,
                # which then complains on stderr of an unknown child.
                os.kill(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def last_words(self) -> tuple[int | None, str]:
        """After its `end`: exit code, negative for a signal, and the end of its stderr."""
        text = self._stderr[-STDERR_BYTES:].decode("utf-8", "replace")
        return self._process.returncode, redact(text, self._secrets)


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Ours without tokens and secrets, which other users' programs can read at times."""
    return {
        name: value
        for name, value in own.items()
        # RUST_BACKTRACE would bury the one line that names the panic.
        if not name.upper().startswith(("NGROK_", "TIKTOK_", "RUST_"))
    }


@asynccontextmanager
async def running(order: Order, *, patience: float) -> AsyncIterator[Child]:
    """Start a child with an order, and see it out on every way out.

    Args:
        order: Token and secret go through stdin, so that no list of processes shows them.
        patience: Seconds it may take to leave before it is killed.

    Raises:
        NotOnlineError: The process cannot be started.
    """
    try:
        # -P: a file named ngrok.py or json.py in the working directory must not come first.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "tiktok_hook.tunnel.child",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(os.environ),
            # A group of its own: a terminal's Ctrl-C is for us to pass on, by closing stdin.
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except OSError as error:
        message = f"The tunnel's process could not be started: {error}."
        raise NotOnlineError(
            Rejection(message, "Close other programs: memory or processes ran short.")
        ) from error
    child = Child(process, order)
    try:
        assert process.stdin is not None
        process.stdin.write(order.line())
        yield child
    finally:
        await child.end(patience)
