"""The developer's app beside a session: started, waited for, followed to its end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from tiktok_hook import app_process
from tiktok_hook.delivery import AppState, Notice
from tiktok_hook.errors import AppError
from tiktok_hook.forward import local_port, reachable
from tiktok_hook.session.state import Session

_SILENT_SECONDS = 2.0
"""How long the app may take to listen, until it is said that it is waited for."""


@asynccontextmanager
async def app_beside(
    session: Session,
    command: Sequence[str],
    target: str,
    on_line: Callable[[str], None] | None,
) -> AsyncIterator[None]:
    """Run the app until the end of the block, and end the session when the app ends.

    The block begins when the app accepts connections, or when a minute has passed.

    Args:
        session: Told what becomes of it.
        command: Program and arguments.
        target: Its address; only for one on this machine its port is waited for.
        on_line: Called with each line that it prints; None drops them.

    Raises:
        UsageError: The command cannot be run.
        AppError: It ended before anything listened on its port; `exit_code` is its own.
    """
    port = local_port(target)
    if port is not None and await reachable(target):
        session.take(
            Notice(
                f"Something listens on port {port} already, before the command is started.",
                hint="Does an earlier run of your app go on? Deliveries would reach that one.",
            )
        )
    async with app_process.running(
        command, port=port, on_line=on_line or (lambda _line: None)
    ) as process:
        session.app_process = process
        found = "up" if port is None else await _wait(session, process, port)
        if found == "ended":
            error = AppError(
                f"The command ended with exit code {process.exit_code} before anything listened on "
                f"port {port}.",
                hint="Try it alone. Does it read the PORT variable, or name another port?",
            )
            error.exit_code = process.exit_code or 0
            raise error
        async with asyncio.TaskGroup() as group:
            following = group.create_task(_follow(session, process))
            if found == "late":
                session.take(
                    Notice(
                        f"The app does not listen on port {port} yet.",
                        hint="Does it read the PORT variable, or name another port?",
                    )
                )
            try:
                yield
            finally:
                following.cancel()


async def _wait(
    session: Session, process: app_process.AppProcess, port: int
) -> Literal["up", "ended", "late"]:
    """Wait for the app's port, and say so when that lasts."""
    found = await process.wait_for_port(port, seconds=_SILENT_SECONDS)
    if found == "late":
        words = f"Waiting for the app to listen on port {port}."
        session.take(Notice(words, level="info"))
        found = await process.wait_for_port(port)
    return found


async def _follow(session: Session, process: app_process.AppProcess) -> None:
    """End the session when the command beside it ends."""
    code = await process.wait()
    session.exit_code = code
    session.take(AppState("exited", exit_code=code))
    session.ended.set()
