"""Opens the parts of a session that a listener and an attached app have in common."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from tiktok_hook.app_process import AppProcess
from tiktok_hook.bus import Bus
from tiktok_hook.delivery import Ready
from tiktok_hook.forward import Forwarder, local_port
from tiktok_hook.inspector import Status
from tiktok_hook.inspector.options import InspectorOptions
from tiktok_hook.relay import Relay
from tiktok_hook.session import inspector_server
from tiktok_hook.session.answered import AnsweredLog
from tiktok_hook.session.child_app import app_alongside
from tiktok_hook.session.options import AttachOptions, ListenOptions
from tiktok_hook.session.other_replays import follow_replays
from tiktok_hook.session.read_model import ReadModel
from tiktok_hook.session.state import Session
from tiktok_hook.store import Store


class Wiring:
    """Opens parts of a session; the exit stack closes them in reverse order.

    Args:
        stack: Closes the parts at the end of the session.
        bus: Receives the events of the session.
    """

    def __init__(self, stack: AsyncExitStack, bus: Bus) -> None:
        self.stack = stack
        self.bus = bus

    def _follow_events(self, store: Store, targets: Sequence[str]) -> tuple[ReadModel, AnsweredLog]:
        """Derive the session's state and its answered deliveries from its events."""
        state = ReadModel(started_at=time.time(), targets=targets)
        answered = AnsweredLog(store.history(), state.ended)
        for handlers in (state.handlers(), state.tally.handlers(), answered.handlers()):
            self.stack.enter_context(self.bus.connect(handlers))
        return state, answered

    async def _start_app(self, command: Sequence[str], target: str) -> AppProcess:
        """Start the app as a child process."""
        return await self.stack.enter_async_context(
            app_alongside(self.bus.publish, command, target)
        )

    async def _follow_other_replays(
        self, store: Store, options: ListenOptions | AttachOptions
    ) -> None:
        """Publish the replays of other processes, unless the history is in memory."""
        if not options.location.in_memory:
            await self.stack.enter_async_context(
                background_task(follow_replays(store, self.bus.publish))
            )

    async def _inspect(
        self,
        options: InspectorOptions,
        store: Store,
        forwarder: Forwarder,
        state: ReadModel,
        *,
        secrets: tuple[str, ...],
        fixed: Status,
    ) -> str:
        """Serve the inspector and return its URL, including the token."""
        from tiktok_hook import inspector

        parts = inspector.InspectorContext(
            history=store.history(),
            store=store,
            forwarder=forwarder,
            secrets=secrets,
            status=lambda: state.status(fixed),
            publish=self.bus.publish,
        )
        return await self.stack.enter_async_context(
            inspector_server.showing(parts, options, self.bus, avoid=ports_of(fixed.targets))
        )

    def _session(
        self,
        plan: ListenOptions | AttachOptions,
        ready: Ready,
        *,
        store: Store,
        forwarder: Forwarder,
        relay: Relay,
        state: ReadModel,
        answered: AnsweredLog,
        app_process: AppProcess | None,
    ) -> Session:
        """Create the session, and complete `ready` from the options and targets."""
        return Session(
            store=store,
            forwarder=forwarder,
            secrets=plan.secrets,
            bus=self.bus,
            relay=relay,
            state=state,
            answered=answered,
            app_process=app_process,
            ready=replace(
                ready,
                secrets=len(plan.secrets),
                target=plan.targets[0] if plan.targets else None,
                target_up=relay.target_up,
                others=tuple((each, relay.is_up(each)) for each in relay.targets[1:]),
                routes=tuple((str(each.match), each.target) for each in plan.parsed_routes),
                history=None if plan.location.in_memory else as_typed(store.label),
                settings_from=tuple(plan.settings_from),
            ),
        )

    def _begin(self, session: Session, *remarks: object) -> Session:
        """Publish that the session is ready, unless its command has exited.

        Invariant: the caller does not await between here and its return, so that a handler of
        `Ready` runs only when the session has been entered.
        """
        session.ended_early = session.ended.is_set()
        for event in (*remarks, *(() if session.ended_early else (session.ready,))):
            self.bus.publish(event)
        return session


def ports_of(targets: Sequence[str]) -> list[int]:
    """The ports of this machine that targets name."""
    return [port for target in targets if (port := local_port(target)) is not None]


def as_typed(label: str) -> str:
    """Abbreviate the home folder at the start of a history's label to ``~``."""
    with suppress(ValueError, RuntimeError):
        return str("~" / Path(label).relative_to(Path.home()))
    return label


@asynccontextmanager
async def background_task(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run a task until the block ends. If the task fails, the block is cancelled."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        finally:
            task.cancel()
