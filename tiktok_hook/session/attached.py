"""`attach`: a session that forwards from a history and receives nothing itself."""

import asyncio
import time
from contextlib import AsyncExitStack

from tiktok_hook.bus import Bus
from tiktok_hook.delivery import AttachedTo, Ready
from tiktok_hook.forward import Forwarder, reject_resolved_loop
from tiktok_hook.relay import open_relay
from tiktok_hook.relay.attachment import attaching, follow, starting_cursor
from tiktok_hook.session import startup_notices
from tiktok_hook.session.options import AttachOptions
from tiktok_hook.session.state import Session
from tiktok_hook.session.wiring import Wiring, background_task
from tiktok_hook.store import open_history, open_store


class AttachWiring(Wiring):
    """Opens the parts of a session without receiver and tunnel.

    Args:
        plan: The validated options.
        stack: Closes the parts.
        bus: Receives the events of the session.
    """

    def __init__(self, plan: AttachOptions, stack: AsyncExitStack, bus: Bus) -> None:
        super().__init__(stack, bus)
        self.plan = plan

    async def session(self) -> Session:
        """Open everything, and start to forward or, without a target, to show deliveries.

        Raises:
            UsageError: The name is taken, or an option is invalid.
            StoreError: There is no history, or it cannot be used.
        """
        plan, enter = self.plan, self.stack.enter_async_context
        targets, location = plan.targets, plan.location
        await asyncio.to_thread(lambda: open_history(location).close())  # only `listen` creates one
        app = plan.app_name if targets else None
        store = self.stack.enter_context(open_store(location, prune=False, app=app))
        if app is not None and store.app is not None:
            app = store.app  # two users of a database may share an account of this machine
        forwarder = await enter(Forwarder(insecure=plan.insecure))
        state, answered = self._follow_events(store, targets)
        name = None
        if app is not None:
            name = await enter(
                attaching(
                    app,
                    store,
                    match=plan.filter,
                    targets=targets,
                    start=plan.start,
                    publish=self.bus.publish,
                )
            )
        process = await self._start_app(plan.command, targets[0]) if plan.command else None
        relay = await enter(
            open_relay(
                plan,
                store=store,
                forwarder=forwarder,
                publish=self.bus.publish,
                secrets=plan.secrets,
                attached=True,
            )
        )
        state.note_first_check({each: relay.is_up(each) for each in relay.targets})
        await reject_resolved_loop(
            targets, inspector_port=plan.inspect_port if plan.inspect else None
        )
        inspector_url = None
        if plan.inspect:
            from tiktok_hook import inspector

            fixed = inspector.Status(
                targets=targets,
                routes=tuple((match or plan.match, target) for match, target in plan.routing),
                signed=bool(plan.secrets),
            )
            inspector_url = await self._inspect(
                plan, store, forwarder, state, secrets=plan.secrets, fixed=fixed
            )
        if name is not None:
            cursor = name.cursor
            await enter(background_task(name.fill_queues(relay)))
        else:
            cursor = await store.read(
                lambda reader: starting_cursor(reader, plan.start, time.time())
            )
            await enter(background_task(follow(store, plan.filter, cursor, self.bus.publish)))
        remarks = (
            *startup_notices.warnings(plan, *([plan.filter] if plan.filter else [])),
            *await asyncio.to_thread(startup_notices.left_waiting, relay, store.history()),
        )
        session = self._session(
            plan,
            Ready(
                callback_url="",
                local_url="",
                inspector_url=inspector_url,
                tunnelled=False,
                public=False,
                attached=AttachedTo(app=app, match=plan.match, cursor=cursor),
            ),
            store=store,
            forwarder=forwarder,
            relay=relay,
            state=state,
            answered=answered,
            app_process=process,
        )
        await self._follow_other_replays(store, plan)
        return self._begin(session, *remarks)
