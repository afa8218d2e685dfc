"""The developer's app alongside a session: started, waited for, followed to its end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from tiktok_hook import app_process
from tiktok_hook.delivery import AppChanged, AppOutput, Notice
from tiktok_hook.errors import AppError
from tiktok_hook.forward import local_port, reachable

_SILENT_SECONDS = 2.0
"""How long the app may take to listen, until it is said that it is waited for."""


@asynccontextmanager
async def app_alongside(
    publish: Callable[[object], None], command: Sequence[str], target: str
) -> AsyncIterator[app_process.AppProcess]:
    """Run the app until the end of the block.

    The block begins when the app accepts connections, or when a minute has passed.

    Args:
        publish: Called with `AppOutput` for each line that it prints, `AppChanged` when it exits,
            and `Notice`.
        command: Program and arguments.
        target: Its address; its port is waited for if it is on this machine.

    Yields:
        The process.

    Raises:
        UsageError: The command cannot be run.
        AppError: It ended before anything listened on its port; `exit_code` is its own.
    """
    port = local_port(target)
    if port is not None and await reachable(target):
        publish(
            Notice(
                f"Something listens on port {port} already, before the command is started.",
                hint="End the earlier run of your app, or deliveries reach that one.",
            )
        )
    async with app_process.running(
        command, port=port, on_line=lambda line: publish(AppOutput(line))
    ) as process:
        found = "up" if port is None else await _wait(publish, process, port)
        if found == "ended":
            error = AppError(
                f"The command ended with exit code {process.exit_code} before anything listened on "
                f"port {port}.",
                hint="Run it alone to see why. It gets the port in the PORT variable.",
            )
            error.exit_code = process.exit_code or 1
            raise error
        async with asyncio.TaskGroup() as group:
            following = group.create_task(_follow(publish, process))
            if found == "late":
                publish(
                    Notice(
                        f"The app does not listen on port {port} yet.",
                        hint="It gets the port in the PORT variable.",
                    )
                )
            try:
                yield process
            finally:
                following.cancel()


async def _wait(
    publish: Callable[[object], None], process: app_process.AppProcess, port: int
) -> Literal["up", "ended", "late"]:
    """Wait for the app's port, and say so when that lasts."""
    found = await process.wait_for_port(port, seconds=_SILENT_SECONDS)
    if found == "late":
        words = f"Waiting for the app to listen on port {port}."
        publish(Notice(words, level="info"))
        found = await process.wait_for_port(port)
    return found


async def _follow(publish: Callable[[object], None], process: app_process.AppProcess) -> None:
    publish(AppChanged("exited", exit_code=await process.wait()))
