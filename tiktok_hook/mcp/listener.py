"""The listener that an agent may start: a `listen` in a child process, with the user's settings.

No authtoken and no secret comes from the agent: the child finds them where `listen` always does.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tiktok_hook.errors import (
    AppError,
    HookError,
    ListenError,
    StoreError,
    TunnelError,
    UsageError,
)
from tiktok_hook.mcp import inputs, shapes
from tiktok_hook.mcp.call import ToolCall
from tiktok_hook.mcp.options import McpOptions

READY_SECONDS = 45.0
"""How long the tunnel may take to come up; a call of a tool should not take longer."""

STOP_SECONDS = 12.0

_STDERR_LINES = 40
_LINE_LIMIT = 64 << 20
_ERRORS: dict[int, type[HookError]] = {
    each.exit_code: each for each in (UsageError, TunnelError, ListenError, StoreError, AppError)
}


@asynccontextmanager
async def own_listener(options: McpOptions) -> AsyncIterator["OwnListener"]:
    """A place for one listener, which is ended with the block."""
    async with asyncio.TaskGroup() as readers:
        listener = OwnListener(options, readers)
        try:
            yield listener
        finally:
            await asyncio.shield(listener.end())


class OwnListener:
    """At most one listener that this server started.

    Invariant: `_process` is set only while the process runs or its end has not been noticed, and
    is changed only while `_lock` is held.

    Args:
        options: Of the server.
        readers: Owns the tasks that read what the process prints; they end with it.
    """

    def __init__(self, options: McpOptions, readers: asyncio.TaskGroup) -> None:
        self._options = options
        self._readers = readers
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._errors: deque[str] = deque(maxlen=_STDERR_LINES)

    @property
    def pid(self) -> int | None:
        """Its process id; None while there is none."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    async def start(self, asked: inputs.StartListener, call: ToolCall) -> shapes.Shape:
        """Start it, and wait until it is reachable."""
        for each in asked.forward_to:
            call.permissions.checked_target(each)
        if self.pid is not None:
            raise UsageError(
                "A listener that this server started is running already.",
                hint="status shows its Callback URL; stop_listener ends it.",
            )
        arguments = _arguments(asked, self._options)
        found = await asyncio.to_thread(self._options.settings_of_listen, arguments)
        targets = [call.permissions.checked_target(each) for each in found.targets]
        where = "with a public ngrok URL" if asked.tunnel else "on this machine only"
        forwards = f", forwarding to {', '.join(targets)}" if targets else ""
        notices = "".join(f" {each}" for each in found.notices)
        await call.require("listen", f"Start a TikTok webhook listener {where}{forwards}?{notices}")
        async with self._lock:
            if self.pid is not None:
                raise UsageError("A listener that this server started is running already.")
            return await self._start(arguments, targets, call)

    async def stop(self, _: inputs.NoInput, call: ToolCall) -> shapes.Shape:
        """Stop it; other listeners of the user are never stopped."""
        if self.pid is None:
            return {"stopped": False, "exit_code": None}
        await call.require("listen", "Stop the listener that this agent started?")
        code = await self.end()
        return {"stopped": code is not None, "exit_code": code}

    async def _start(
        self, arguments: Sequence[str], targets: Sequence[str], call: ToolCall
    ) -> shapes.Shape:
        environment = dict(os.environ)
        history = self._options.history
        if history.server is not None:  # in the environment, where its password is not on show
            environment["TIKTOK_HOOK_DB"] = history.server.url
        elif history.path is not None:
            environment["TIKTOK_HOOK_DB"] = str(history.path)
        if self._options.secrets:
            environment["TIKTOK_CLIENT_SECRET"] = " ".join(self._options.secrets)
        self._errors.clear()
        # -P: the working directory is a project's, and its files must not be imported.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "tiktok_hook.mcp.listener_process", *arguments,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment, limit=_LINE_LIMIT,
        )  # fmt: skip
        self._process = process
        ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._readers.create_task(self._read(process, ready))
        errors = self._readers.create_task(self._read_errors(process))
        await call.progress(0, None, "starting the listener")
        try:
            async with asyncio.timeout(READY_SECONDS):
                line = await ready
        except BaseException as error:
            code = await asyncio.shield(self._end_now())
            if isinstance(error, EOFError):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        await asyncio.shield(errors)
                raise self._failure(code) from None
            if isinstance(error, TimeoutError):
                raise TunnelError(
                    f"The listener was not ready within {READY_SECONDS:g} s.",
                    hint="doctor checks the tunnel.",
                ) from None
            raise
        return {
            "callback_url": line.get("callback_url"),
            "local_url": str(line["local_url"]),
            # Its fragment holds the token of the page, which is for the user alone.
            "inspector_url": _without_fragment(line.get("inspector_url")),
            "targets": list(targets),
        }

    async def _read(
        self, process: asyncio.subprocess.Process, ready: "asyncio.Future[dict[str, Any]]"
    ) -> None:
        """Read its lines until it ends: an unread pipe would stop it."""
        assert process.stdout is not None
        async for line in process.stdout:
            if not ready.done():
                with contextlib.suppress(ValueError):
                    found = json.loads(line)
                    if found.get("type") == "ready":
                        ready.set_result(found)
        if not ready.done():
            ready.set_exception(EOFError())

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self._errors.append(line.decode("utf-8", "replace").rstrip()[:2000])

    def _failure(self, code: int | None) -> HookError:
        """The error that it ended with, as it printed it."""
        for line in reversed(self._errors):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found = json.loads(line)
                kind = _ERRORS.get(int(found["exit_code"]), HookError)
                return kind(str(found["message"]), hint=str(found["hint"]))
        return HookError(f"The listener ended with exit code {code} before it was ready.")

    async def end(self) -> int | None:
        """End it, if it runs; its exit code."""
        async with self._lock:
            return await self._end_now()

    async def _end_now(self) -> int | None:
        """End it as Ctrl-C does, by closing its input; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()


def _arguments(asked: inputs.StartListener, options: McpOptions) -> list[str]:
    words = ["listen", "--format", "json"]
    if options.config is not None:
        words += ["--config", str(options.config)]
    for target in asked.forward_to:
        words += ["--forward-to", target]
    if asked.ack is not None:
        words += ["--ack", asked.ack]
    if not asked.tunnel:
        words.append("--no-tunnel")
    if asked.port is not None:
        words += ["--port", str(asked.port)]
    return words


def _without_fragment(url: object) -> str | None:
    return url.partition("#")[0].partition("?")[0] if isinstance(url, str) else None
