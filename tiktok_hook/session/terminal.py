"""Runs a session on a terminal or a pipe: output, signals, shutdown and exit code."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from tiktok_hook.bus import Bus, Handler
from tiktok_hook.delivery import AttemptEnded, DeliveryAnswered, Notice
from tiktok_hook.session.keyboard import keyboard
from tiktok_hook.session.lifecycle import open_session
from tiktok_hook.session.options import AttachOptions, ListenOptions
from tiktok_hook.session.signals import signals
from tiktok_hook.session.state import Session
from tiktok_hook.terminal import console as consoles
from tiktok_hook.terminal.console import Console, Format

SECOND_INTERRUPT = 130
LEFT_BY_QUIT = 131
"""128 + SIGQUIT. Raising the signal itself would write a core file that contains the secrets."""

_PATIENCE_SECONDS = 0.7
"""Seconds before a slow shutdown is explained on a terminal."""

Script = Callable[[Session], AbstractAsyncContextManager[None]]
"""Runs alongside a session for its whole duration, such as the demo's sample deliveries."""


def run(
    options: ListenOptions | AttachOptions,
    *,
    format: Format | None = None,  # noqa: A002 - named as the option is
    color: bool | None = None,
    quiet: bool = False,
    exit_after: int | None = None,
    timeout: float | None = None,
    open_page: bool = False,
    script: Script | None = None,
) -> int:
    """Run one session on the terminal until it ends, and return the exit code.

    Args:
        options: The session's options.
        format: Output format of deliveries; None means ``normal`` on a terminal and ``compact``
            otherwise.
        color: Whether to use colors; None decides by terminal and environment.
        quiet: Show only deliveries that failed or were rejected.
        exit_after: Number of deliveries after which the session ends; None means no limit.
        timeout: Seconds after which the session ends; None means no limit.
        open_page: Open the inspector in a browser once it is ready.
        script: Runs alongside the session once it is ready; None means no script.

    Returns:
        0, 1 if `timeout` expired before `exit_after` was reached, or the exit code of the command.

    Raises:
        HookError: The session could not start or had to stop.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(
            _Run(
                options,
                format=format,
                color=color,
                quiet=quiet,
                exit_after=exit_after,
                timeout=timeout,
                open_page=open_page,
                script=script,
            ).main()
        )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop factory of uvloop if installed: it handles a third more requests than asyncio's."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _spare_the_collector() -> None:
    """Exclude the objects that exist now from garbage collection, and collect less often.

    These objects live until the process exits. Scanning them repeatedly took 10 % of the time of
    each delivery.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


class _Run:
    def __init__(
        self,
        options: ListenOptions | AttachOptions,
        *,
        format: Format | None,  # noqa: A002 - named as the option is
        color: bool | None,
        quiet: bool,
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
        self._seen: set[int] = set()
        self._session: Session | None = None
        self._stopping = asyncio.Event()
        self._bus = Bus()
        self._format = format
        self._color = color
        self._quiet = quiet

    async def main(self) -> int:
        loop = asyncio.get_running_loop()

        def closed() -> None:
            """End the session when the reader of our output closes the pipe."""
            loop.call_soon_threadsafe(self._stopping.set)

        made = consoles.make(self._format, color=self._color, quiet=self._quiet, on_closed=closed)
        with (
            made as console,
            self._bus.connect(console.handlers()),
            self._bus.connect(self._counting()),
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
                task.cancel()  # still starting: cancel the start

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
            patience = loop.call_later(_PATIENCE_SECONDS, self._name_what_lasts, console)
        patience.cancel()
        if session.exit_code is not None:
            return session.exit_code
        return 0 if reached else 1

    async def _until_the_end(self, session: Session) -> bool:
        """Wait until the session should end; False if `timeout` expired before `exit_after`."""
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
            return self._exit_after is None or len(self._seen) >= self._exit_after
        return True

    def _quit(self) -> None:
        """End the session on Ctrl-C or ``q``. The app is stopped by an interrupt too."""
        if self._session is not None and self._session.app_process is not None:
            self._session.app_process.interrupt()
        self._stopping.set()

    def _name_what_lasts(self, console: Console) -> None:
        if console.live:
            message = (
                "Shutting down: waiting up to 5 s for requests in progress. "
                "Press Ctrl-C again to quit now."
            )
            self._bus.publish(Notice(message, level="info"))

    def _counting(self) -> Mapping[type[Any], Handler]:
        """What ``--exit-after`` counts: answers to TikTok, or what left the queue of an app."""
        if isinstance(self._options, AttachOptions) and self._options.targets:
            return {AttemptEnded: self._count_attempt}
        return {DeliveryAnswered: self._count_answer}

    def _count_answer(self, event: DeliveryAnswered) -> None:
        if _counts(event):
            self._count(event.delivery.id)

    def _count_attempt(self, event: AttemptEnded) -> None:
        if not event.will_retry and not event.attempt.replay:
            self._count(event.attempt.delivery_id)

    def _count(self, delivery_id: int) -> None:
        if self._exit_after is None:
            return
        self._seen.add(delivery_id)
        if len(self._seen) >= self._exit_after:
            self._stopping.set()

    def _leave_now(self, console: Console, exit_code: int | None) -> None:
        r"""Exit immediately on a second Ctrl-C or Ctrl-\, and kill the child process."""
        if self._session is not None:
            self._session.abandon()
        console.abandon()
        os._exit(SECOND_INTERRUPT if exit_code is None else exit_code)


def _counts(event: DeliveryAnswered) -> bool:
    """Whether ``--exit-after`` counts a delivery.

    Rejected deliveries do not count because anyone can send them. Pings do not count because they
    are not user events. Deliveries that no route takes do not count.
    Without a client secret nothing is verified, and every other delivery counts.
    """
    delivery = event.delivery
    if event.skipped or delivery.rejected or delivery.verdict.rejected:
        return False
    return delivery.event is None or delivery.event.name != "tiktok.ping"
