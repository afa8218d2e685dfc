"""`listen`: opens the parts of a session in order, and closes them in reverse order."""

import asyncio
import inspect
import secrets as random
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import replace
from functools import wraps
from typing import Literal, ParamSpec

from tiktok_hook import descriptors, paths, ports
from tiktok_hook.bus import Bus
from tiktok_hook.delivery import Notice, Ready, SelfCheck, Source
from tiktok_hook.errors import AuthtokenError, StoreError
from tiktok_hook.forward import Forwarder, reject_loop, reject_resolved_loop
from tiktok_hook.receiver import (
    Limits,
    Policy,
    ReceiverReports,
    WebhookHandler,
    serve,
)
from tiktok_hook.relay import Relay, open_relay
from tiktok_hook.relay.attachment import attaching
from tiktok_hook.session import startup_notices
from tiktok_hook.session.argument_names import check_names, naming_arguments
from tiktok_hook.session.attached import AttachWiring
from tiktok_hook.session.failures import FailureReports
from tiktok_hook.session.ingress import find_ingress
from tiktok_hook.session.options import AttachOptions, ListenOptions
from tiktok_hook.session.self_check import self_check
from tiktok_hook.session.state import Session
from tiktok_hook.session.wiring import Wiring, background_task, ports_of
from tiktok_hook.signature import State
from tiktok_hook.store import Filter, Store
from tiktok_hook.tunnel import open_tunnel

Arguments = ParamSpec("Arguments")


def _taking(
    options: Callable[Arguments, ListenOptions],
) -> Callable[
    [Callable[[ListenOptions], AbstractAsyncContextManager[Session]]],
    Callable[Arguments, AbstractAsyncContextManager[Session]],
]:
    """Let callers pass the fields of `ListenOptions` as keyword arguments."""

    def decorate(
        opens: Callable[[ListenOptions], AbstractAsyncContextManager[Session]],
    ) -> Callable[Arguments, AbstractAsyncContextManager[Session]]:
        @wraps(opens)
        def function(
            *positional: Arguments.args, **named: Arguments.kwargs
        ) -> AbstractAsyncContextManager[Session]:
            check_names(opens.__name__, named)
            with naming_arguments():
                return opens(options(*positional, **named))

        vars(function)["__signature__"] = inspect.signature(options)
        return function

    return decorate


@_taking(ListenOptions)
def listen(options: ListenOptions) -> AbstractAsyncContextManager[Session]:
    """Run a receiver and its tunnel until the block ends.

    ``async with tiktok_hook.listen(secret=…, forward_to="3000") as session:``

    The keyword arguments are the fields of `ListenOptions`. They have the names of the
    command-line options, with underscores.

    Raises:
        UsageError: Arguments are invalid or contradict each other.
        TunnelError: ngrok returned an error or cannot be reached.
        ListenError: The port is in use.
        StoreError: The history cannot be opened.
        AppError: `command` exited before its port accepted connections.
    """
    return _open_for_python(options)


@asynccontextmanager
async def _open_for_python(options: ListenOptions) -> AsyncIterator[Session]:
    with naming_arguments():
        async with open_session(options) as session:
            yield session


@asynccontextmanager
async def open_session(
    options: ListenOptions | AttachOptions, bus: Bus | None = None
) -> AsyncIterator[Session]:
    """Open all parts of a session in order, and close them in reverse order.

    Args:
        options: The validated options.
        bus: Receives every event of the session; None means the bus of the options.

    Raises:
        HookError: See `listen`.
    """
    session: Session | None = None
    used = bus or options.bus or Bus()
    try:
        with _one_failure():
            async with AsyncExitStack() as stack:
                wiring: _ListenWiring | AttachWiring
                if isinstance(options, AttachOptions):
                    wiring = AttachWiring(options, stack, used)
                else:
                    wiring = _ListenWiring(options, stack, used)
                session = await wiring.session()
                yield session
    finally:
        if session is not None and not session.ended_early:
            used.publish(session.summary())


class _ListenWiring(Wiring):
    """Opens the parts of a session in order. The exit stack closes them in reverse order."""

    def __init__(self, plan: ListenOptions, stack: AsyncExitStack, bus: Bus) -> None:
        super().__init__(stack, bus)
        self.plan = plan

    async def session(self) -> Session:
        plan, enter = self.plan, self.stack.enter_async_context
        store = self.stack.enter_context(plan.open_store(app=plan.attach_as and plan.app_name))
        shares = descriptors.shares(descriptors.open_files_limit())
        forwarder = await enter(Forwarder(insecure=plan.insecure, at_once=shares.attempts))
        if plan.app is not None:
            plan = self.plan = replace(plan, app=None, forward_to=await enter(plan.app()))
        targets = plan.targets
        state, answered = self._follow_events(store, targets)
        sockets = plan.bind(ports_of(targets))
        for each in sockets:
            self.stack.callback(each.close)
        listening, port = sockets[0].getsockname()[:2]
        await reject_resolved_loop(
            targets,
            listening=listening,
            receiver_port=port,
            inspector_port=plan.inspect_port if plan.inspect else None,
        )
        process = await self._start_app(plan.command, targets[0]) if plan.command else None
        name = None
        if plan.is_attached:
            name = await enter(
                attaching(
                    store.app or plan.app_name,
                    store,
                    match=None,
                    targets=targets,
                    start="now",
                    publish=self.bus.publish,
                )
            )
        relay = await enter(
            open_relay(
                plan,
                store=store,
                forwarder=forwarder,
                publish=self.bus.publish,
                secrets=plan.secrets,
                attached=name is not None,
            )
        )
        if name is not None:
            await enter(background_task(name.fill_queues(relay)))
        state.note_first_check({each: relay.is_up(each) for each in relay.targets})
        local_url = ports.local_url(plan.host, port)
        public_url = await self._public_url(local_url)
        token = random.token_urlsafe(24)
        await self._receive(relay, sockets, token)
        callback_url = _joined(public_url or local_url, plan.path)
        receiver_url = _joined(local_url, plan.path)
        reject_loop(targets, callback_url=callback_url)
        inspector_url = None
        if plan.inspect:
            from tiktok_hook import inspector

            fixed = inspector.Status(
                callback_url=callback_url,
                local_url=receiver_url,
                targets=relay.targets,
                routes=plan.routing,
                answers=tuple(each.words for each in plan.parsed_answers),
                ack=str(relay.ack) if relay.targets else None,
                signed=bool(plan.secrets),
                public=public_url is not None,
                pooling=plan.pooling,
            )
            inspector_url = await self._inspect(
                plan, store, forwarder, state, secrets=plan.secrets, fixed=fixed
            )
        session = self._session(
            plan,
            Ready(
                callback_url=callback_url,
                local_url=receiver_url,
                inspector_url=inspector_url,
                self_check=await self._self_check(forwarder, callback_url, token),
                memory=await self._memory(store, callback_url) if public_url else "first",
                edge_verification=bool(plan.verify_webhook),
                answers=tuple(each.words for each in plan.parsed_answers),
                ack=str(plan.ack_mode) if targets or isinstance(plan.ack_mode, int) else None,
                tunnelled=plan.tunnel,
                public=public_url is not None,
            ),
            store=store,
            forwarder=forwarder,
            relay=relay,
            state=state,
            answered=answered,
            app_process=process,
        )
        self._announce(session.ready)
        remarks = (
            *startup_notices.exposed(plan.host),
            *startup_notices.doubled_path(targets, plan.path),
            *startup_notices.warnings(plan),
            *await asyncio.to_thread(startup_notices.left_waiting, relay, store.history()),
        )
        await self._follow_other_replays(store, plan)
        return self._begin(session, *remarks)

    async def _public_url(self, local_url: str) -> str | None:
        """Open the tunnel and return the public URL; None if the session has none."""
        plan = self.plan
        if not plan.tunnel:
            return plan.public_url
        ingress = find_ingress(
            authtoken=plan.authtoken,
            authtoken_from=plan.authtoken_from,
            connect_url=plan.connect_url,
            connect_cas=plan.connect_cas,
        )
        opening = open_tunnel(
            replace(
                plan,
                authtoken=ingress.authtoken,
                connect_url=ingress.connect_url,
                connect_cas=ingress.connect_cas,
            ),
            upstream=local_url,
            verify_secret=plan.secrets[0] if plan.verify_webhook else None,
            publish=self.bus.publish,
        )
        try:
            tunnel = await self.stack.enter_async_context(opening)
        except AuthtokenError as error:
            source = f"The authtoken came from {ingress.authtoken_from}."
            raise AuthtokenError(f"{error} {source}", hint=error.hint) from error
        await self.stack.enter_async_context(background_task(tunnel.wait_closed()))
        return tunnel.url

    async def _receive(self, relay: Relay, sockets: Sequence[socket.socket], token: str) -> None:
        plan = self.plan
        failures = FailureReports(self.bus.publish)
        self.stack.enter_context(self.bus.connect(failures.handlers()))
        policy = Policy(
            plan, secrets=plan.secrets, self_check_token=token, passes=plan.pass_through
        )
        reports = ReceiverReports(self.bus.publish)
        handler = WebhookHandler(policy, relay, reports)
        limits = Limits.of(plan)
        await self.stack.enter_async_context(serve(handler, sockets, limits, reports=reports))

    async def _self_check(self, forwarder: Forwarder, url: str, token: str) -> SelfCheck:
        plan = self.plan
        if not plan.self_checked or not (plan.tunnel or plan.public_url):
            return SelfCheck(result="skipped")
        return await self_check(
            url,
            token,
            plan.secrets,
            forwarder,
            through_edge=bool(plan.verify_webhook),
            pooling=plan.pooling,
        )

    def _announce(self, ready: Ready) -> None:
        """Register this session so that ``trigger`` and other commands can find it."""
        try:
            self.stack.enter_context(
                paths.listening(
                    local_url=ready.local_url,
                    callback_url=ready.callback_url if ready.public else None,
                    inspector_url=(ready.inspector_url or "").partition("#")[0] or None,
                    history=self.plan.location.identity,
                    target=ready.target,
                    verifies=ready.secrets > 0,
                )
            )
        except StoreError as error:
            self.bus.publish(Notice(str(error), hint=error.hint))

    async def _memory(self, store: Store, url: str) -> Literal["first", "same", "changed"]:
        """Compare the Callback URL with the last one; ``first`` if TikTok has not delivered yet.

        If the state folder cannot be used, publish a notice and return ``first``.
        """
        try:
            memory = paths.remember_callback(url)
        except StoreError as error:
            self.bus.publish(Notice(str(error), hint=error.hint))
            return "first"
        accepted = (State.VALID, State.STALE, State.UNCHECKED)
        from_tiktok = Filter(source=Source.TIKTOK, verdicts=accepted)
        seen = await asyncio.to_thread(store.history().page, from_tiktok, limit=1)
        return memory if seen else "first"


def _joined(url: str, path: str) -> str:
    return url.rstrip("/") + ("" if path == "/" else path)


@contextmanager
def _one_failure() -> Iterator[None]:
    """Unwrap exception groups that contain a single exception."""
    try:
        yield
    except BaseExceptionGroup as group:
        failure: BaseException = group
        while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
            failure = failure.exceptions[0]
        raise failure from failure.__cause__
