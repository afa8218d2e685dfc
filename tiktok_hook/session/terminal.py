"""Runs a session for somebody at a terminal, or behind a pipe: screen, signals, the end."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from tiktok_hook.bus import Bus
from tiktok_hook.delivery import DeliveryAnswered, Notice
from tiktok_hook.session.keyboard import keyboard
from tiktok_hook.session.lifecycle import open_session
from tiktok_hook.session.options import ListenOptions
from tiktok_hook.session.signals import signals
from tiktok_hook.session.state import Session
from tiktok_hook.terminal import console as consoles
from tiktok_hook.terminal.console import Console, Format

SECOND_INTERRUPT = 130
LEFT_BY_QUIT = 131
"""128 + SIGQUIT. Not the signal itself, which would write a core file with the secrets in it."""

_PATIENCE_SECONDS = 0.7
"""An end that takes longer is explained on a terminal."""

Script = Callable[[Session], AbstractAsyncContextManager[None]]
"""What runs beside a session from its start to its end, such as the demo's own deliveries."""


def run(
    options: ListenOptions,
    *,
    format: Format | None = None,  # noqa: A002 - named as the option is
    exit_after: int | None = None,
    timeout: float | None = None,
    open_page: bool = False,
    script: Script | None = None,
) -> int:
    """Run one session on the terminal until somebody or something ends it.

    Args:
        options: Of the session.
        format: How deliveries are shown; None is ``full`` on a terminal, else ``compact``.
        exit_after: End after this many deliveries; None goes on.
        timeout: End after this many seconds; None goes on.
        open_page: Open the inspector in a browser once it is up.
        script: Runs beside the session once it is ready; None runs nothing.

    Returns:
        0, or 1 when `exit_after` was not reached in time, or the code of the command beside.

    Raises:
        HookError: What kept it from starting or going on.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(
            _Run(
                options,
                format=format,
                exit_after=exit_after,
                timeout=timeout,
                open_page=open_page,
                script=script,
            ).main()
        )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of uvloop where it is installed: a third more requests than on asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _spare_the_collector() -> None:
    """Have Python's collector look at what deliveries leave behind, not at the whole program.

    What is loaded by now stays until the end; looking through it over and over cost a tenth of
    the time that a delivery takes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


class _Run:
    def __init__(
        self,
        options: ListenOptions,
        *,
        format: Format | None,  # noqa: A002 - named as the option is
        exit_after: int | None,
        timeout: float | None,
        open_page: bool,
        script: Script | None,
    ) -> None:
        self._options = options
        self._exit_after = exit_after
        self._timeout = timeout
        self._open_page = open_page
        self._script = script
        self._seen = 0
        self._session: Session | None = None
        self._stopping = asyncio.Event()
        self._bus = Bus()
        self._format = format

    async def main(self) -> int:
        loop = asyncio.get_running_loop()

        def closed() -> None:
            """Whoever read our output has left: end, as other programs in a pipe do."""
            loop.call_soon_threadsafe(self._stopping.set)

        with (
            consoles.make(self._format, on_closed=closed) as console,
            self._bus.connect(console.handlers()),
            self._bus.connect({DeliveryAnswered: self._count}),
        ):
            return await self._until_ended(console)

    async def _until_ended(self, console: Console) -> int:
        task = asyncio.current_task()
        assert task is not None

        def interrupt(number: int, *, again: bool) -> None:
            if again:
                self._leave_now(console, LEFT_BY_QUIT if number != signal.SIGINT else None)
            if number == signal.SIGINT:
                self._quit()
            else:
                self._stopping.set()
            if self._session is None:
                task.cancel()  # still starting: give it up

        with signals(interrupt):
            try:
                return await self._session_to_its_end(console)
            except asyncio.CancelledError:
                if not self._stopping.is_set():
                    raise
                task.uncancel()
                return 0

    async def _session_to_its_end(self, console: Console) -> int:
        async with open_session(self._options, self._bus) as session:
            if session.ended_early and session.exit_code is not None:
                return session.exit_code
            self._session = session
            _spare_the_collector()
            async with AsyncExitStack() as stack:
                if self._script is not None:
                    await stack.enter_async_context(self._script(session))
                await stack.enter_async_context(keyboard(session, console, self._quit))
                if self._open_page and session.inspector_url is not None:
                    session.open_inspector()
                reached = await self._until_the_end(session)
            loop = asyncio.get_running_loop()
            patience = loop.call_later(_PATIENCE_SECONDS, self._say_what_lasts, console)
        patience.cancel()
        if session.exit_code is not None:
            return session.exit_code
        return 0 if reached else 1

    async def _until_the_end(self, session: Session) -> bool:
        """Wait for whatever comes first; False when `exit_after` was not reached in time."""
        try:
            async with asyncio.timeout(self._timeout), asyncio.TaskGroup() as group:
                ends = [
                    group.create_task(self._stopping.wait()),
                    group.create_task(session.ended.wait()),
                ]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for end in ends:
                    end.cancel()
        except TimeoutError:
            return self._exit_after is None or self._seen >= self._exit_after
        return True

    def _quit(self) -> None:
        """Ctrl-C, or the key for it: end, and let the app beside end as it would by its own."""
        if self._session is not None and self._session.app_process is not None:
            self._session.app_process.interrupt()
        self._stopping.set()

    def _say_what_lasts(self, console: Console) -> None:
        if console.live:
            message = (
                "Shutting down: waiting up to 5 s for requests in progress. "
                "Press Ctrl-C again to quit now."
            )
            self._bus.publish(Notice(message, level="info"))

    def _count(self, event: DeliveryAnswered) -> None:
        if self._exit_after is None or not _counts(event):
            return
        self._seen += 1
        if self._seen >= self._exit_after:
            self._stopping.set()

    def _leave_now(self, console: Console, exit_code: int | None) -> None:
        r"""A second Ctrl-C, or Ctrl-\: wait for nothing, leave nothing of ours running."""
        if self._session is not None:
            self._session.abandon()
        console.abandon()
        os._exit(SECOND_INTERRUPT if exit_code is None else exit_code)


def _counts(event: DeliveryAnswered) -> bool:
    """Whether ``--exit-after`` counts a delivery.

    Anybody can send what is rejected, a ping is no event of a user, and what no target takes was
    not asked for. Without a client secret nothing is verified, so that everything else counts.
    """
    delivery = event.delivery
    if event.skipped or delivery.refused or delivery.verdict.refused:
        return False
    return delivery.event is None or delivery.event.name != "tiktok.ping"
