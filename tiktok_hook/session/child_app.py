"""Runs the developer's app as a child process of a session."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from tiktok_hook import app_process
from tiktok_hook.delivery import AppChanged, AppOutput, Notice
from tiktok_hook.errors import AppError
from tiktok_hook.forward import local_port, reachable

_SILENT_SECONDS = 2.0
"""Seconds to wait for the app's port before a notice reports the wait."""


@asynccontextmanager
async def app_alongside(
    publish: Callable[[object], None], command: Sequence[str], target: str
) -> AsyncIterator[app_process.AppProcess]:
    """Run the app until the block ends.

    The block starts when the app accepts connections, or after one minute.

    Args:
        publish: Called with `AppOutput` for each line of the app's output, with `AppChanged` when
            the app exits, and with each `Notice`.
        command: Program and arguments.
        target: The URL of the app. Its port is awaited only if it is on this machine.

    Yields:
        The process.

    Raises:
        UsageError: The command cannot be run.
        AppError: The command exited before its port accepted connections. `exit_code` is the
            exit code of the command.
    """
    port = local_port(target)
    if port is not None and await reachable(target):
        publish(
            Notice(
                f"Port {port} is already in use, although the command has not started yet.",
                hint="Stop the earlier run of your app, or it will receive the deliveries.",
            )
        )
    async with app_process.running(
        command, port=port, on_line=lambda line: publish(AppOutput(line))
    ) as process:
        found = "up" if port is None else await _wait(publish, process, port)
        if found == "ended":
            error = AppError(
                f"The command ended with exit code {process.exit_code} before it listened on port "
                f"{port}.",
                hint="Run it alone to see why. The PORT variable contains the port.",
            )
            error.exit_code = process.exit_code or 1
            raise error
        async with asyncio.TaskGroup() as group:
            following = group.create_task(_follow(publish, process))
            if found == "late":
                publish(
                    Notice(
                        f"The app does not listen on port {port} yet.",
                        hint="The PORT variable contains the port.",
                    )
                )
            try:
                yield process
            finally:
                following.cancel()


async def _wait(
    publish: Callable[[object], None], process: app_process.AppProcess, port: int
) -> Literal["up", "ended", "late"]:
    """Wait for the app's port, and publish a notice if the wait is long."""
    found = await process.wait_for_port(port, seconds=_SILENT_SECONDS)
    if found == "late":
        words = f"Waiting for the app to listen on port {port}."
        publish(Notice(words, level="info"))
        found = await process.wait_for_port(port)
    return found


async def _follow(publish: Callable[[object], None], process: app_process.AppProcess) -> None:
    publish(AppChanged("exited", exit_code=await process.wait()))
