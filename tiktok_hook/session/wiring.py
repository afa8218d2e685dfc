"""Opens the parts of one `listen` in their order, and closes them in the reverse one."""

import asyncio
import secrets as random
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

from tiktok_hook import paths, ports
from tiktok_hook.bus import Bus
from tiktok_hook.delivery import Notice, Ready, SelfCheck, Source
from tiktok_hook.errors import StoreError
from tiktok_hook.forward import (
    Forwarder,
    local_port,
    parse_header,
    parse_target,
    refuse_loop,
)
from tiktok_hook.receiver import (
    Limits,
    Policy,
    ReceiverReports,
    WebhookHandler,
    serve,
    served_paths,
)
from tiktok_hook.relay import Relay, open_relay
from tiktok_hook.session import inspector_server, startup_notices
from tiktok_hook.session.checks import check
from tiktok_hook.session.child_app import app_alongside
from tiktok_hook.session.failures import FailureReports
from tiktok_hook.session.ingress import find_ingress
from tiktok_hook.session.read_model import ReadModel
from tiktok_hook.session.self_check import self_check
from tiktok_hook.session.state import Session
from tiktok_hook.signature import State, checked_secrets
from tiktok_hook.store import Filter, Store, open_store
from tiktok_hook.tunnel import open_tunnel

HOST = "127.0.0.1"
RECEIVER_PORT = 3000

KEEP_BYTES = 1 << 30
KEEP_BYTES_IN_MEMORY = 64 << 20


@dataclass(kw_only=True)
class listen(AbstractAsyncContextManager[Session]):  # noqa: N801 - used like a function
    """Receive deliveries until the block ends: receiver and tunnel together.

    ``async with tiktok_hook.listen(secret=…, forward_to="3000") as session:``

    Args:
        secret: The app's client secret, or several; without one nothing is verified.
        forward_to: The app's addresses: ``3000``, ``:3000/path``, ``host:port`` or a URL. The
            first one's answer counts.
        port: Of the receiver; None takes 3000 or a free one, 0 any free one.
        path: Appended to the Callback URL that is printed and checked; every path is received.
        tunnel: False opens none.
        authtoken: ngrok's; None takes ``NGROK_AUTHTOKEN``, else that of ngrok's own config file.
        domain: Host to ask ngrok for; None takes the one that the account has.
        verify_webhook: Let ngrok's edge refuse forged requests, with the first secret.
        connect_url: ``host:port`` of another ngrok ingress; None is what ngrok's config file says,
            else ngrok's own.
        connect_cas: ``trusted`` (ngrok's CA), ``host`` (the system's) or a PEM file; None is what
            ngrok's config file says, else ``trusted``.
        traffic_policy: A policy document for ngrok; None without.
        pooling: Share the URL with other listeners.
        public_url: What is public instead of our tunnel; only without one.
        self_checked: Whether to ask the public URL if it leads here.
        db: The history; None is the one in the user's data folder.
        ephemeral: Keep the history for this session only.
        keep: How many deliveries the history keeps.
        keep_bytes: How many bytes of bodies it keeps; None is 1 GiB, with `ephemeral` 64 MiB.
        tolerance: Seconds beyond which a right signature is refused; None accepts any age.
        max_body_bytes: Longer bodies are answered 413.
        serve_file: A file answered to GET ``/<its name>``, for TikTok's ownership check.
        ack: When TikTok is answered: ``app``, ``first``, ``hold`` or a status to send.
        pass_through: Hand everything that is not a POST to the first target.
        headers: ``NAME: VALUE`` to set on what is forwarded.
        insecure: Do not check the certificate of an https target.
        forward_timeout: Seconds that an app may take.
        events: Globs of the events to forward; empty forwards all.
        command: Your app, started beside; needs a target.
        app: An app of our own that lives as long as the session and yields its address, which
            becomes the target: the demo's.
        inspect: Whether to serve the inspector.
        inspect_port: Of the inspector; None takes the first free one of 4040 to 4049, 0 any.
        inspect_host: Address it listens on.
        inspect_allow_hosts: Further names it may be asked by, for containers.
        inspect_open: Let programs in that cannot send the token.
        bus: Where everything that happens is published, from the start on; None makes one.

    Raises:
        UsageError: Arguments that do not go together or cannot be used.
        TunnelError: ngrok refused, or cannot be reached.
        ListenError: The port is taken.
        StoreError: The history cannot be opened.
        AppError: `command` ended before anything listened on its port; `exit_code` is its own.
    """

    secret: str | Sequence[str] = field(default=(), repr=False)
    forward_to: str | Sequence[str] = ()
    port: int | None = None
    path: str = "/"
    tunnel: bool = True
    authtoken: str | None = field(default=None, repr=False)
    domain: str | None = None
    verify_webhook: bool = False
    connect_url: str | None = None
    connect_cas: str | None = None
    traffic_policy: str | None = field(default=None, repr=False)
    pooling: bool = False
    public_url: str | None = None
    self_checked: bool = True
    db: Path | str | None = None
    ephemeral: bool = False
    keep: int = 100_000
    keep_bytes: int | None = None
    tolerance: float | None = None
    max_body_bytes: int = 1 << 20
    serve_file: Path | None = None
    ack: Literal["app", "first", "hold"] | int = "app"
    pass_through: bool = False
    headers: Sequence[str] = field(default=(), repr=False)
    insecure: bool = False
    forward_timeout: float = 10.0
    events: Sequence[str] = ()
    command: Sequence[str] = ()
    app: Callable[[], AbstractAsyncContextManager[str]] | None = None
    inspect: bool = True
    inspect_port: int | None = None
    inspect_host: str = HOST
    inspect_allow_hosts: Sequence[str] = ()
    inspect_open: bool = False
    bus: Bus | None = None

    def __post_init__(self) -> None:
        self._secrets = checked_secrets(self.secret)
        given = [self.forward_to] if isinstance(self.forward_to, str) else self.forward_to
        self._targets = tuple(parse_target(text) for text in given)
        self._headers = tuple(parse_header(text) for text in self.headers)
        if self.db is not None:
            paths.history_file(self.db, where="db")
        self._opened: AbstractAsyncContextManager[Session] | None = None
        check(self)

    async def __aenter__(self) -> Session:
        self._opened = self._open()
        return await self._opened.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        assert self._opened is not None
        return await self._opened.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Session]:
        session: Session | None = None
        bus = Bus() if self.bus is None else self.bus
        try:
            with _one_failure():
                async with AsyncExitStack() as stack:
                    session = await _Wiring(self, stack, bus).session()
                    yield session
        finally:
            if session is not None and not session.ended_early:
                bus.publish(session.summary())

    @property
    def known_secrets(self) -> tuple[str, ...]:
        """The client secrets, first one first."""
        return self._secrets

    @property
    def targets(self) -> tuple[str, ...]:
        """The addresses of `forward_to`, as URLs."""
        return self._targets

    @property
    def extra_headers(self) -> tuple[tuple[str, str], ...]:
        """Names and values of `headers`."""
        return self._headers


class _Wiring:
    """Opens the parts in their order; what is entered last is closed first."""

    def __init__(self, plan: listen, stack: AsyncExitStack, bus: Bus) -> None:
        self.plan = plan
        self.stack = stack
        self.bus = bus

    async def session(self) -> Session:
        plan, enter = self.plan, self.stack.enter_async_context
        path = None if plan.ephemeral else paths.history_file(plan.db, where="db")
        usual = KEEP_BYTES_IN_MEMORY if plan.ephemeral else KEEP_BYTES
        store = self.stack.enter_context(
            open_store(path, keep=plan.keep, keep_bytes=plan.keep_bytes or usual)
        )
        forwarder = await enter(Forwarder(insecure=plan.insecure))
        targets = plan.targets
        if plan.app is not None:
            targets = (await enter(plan.app()),)
        state = ReadModel(started_at=time.time(), targets=targets)
        for handlers in (state.handlers(), state.tally.handlers()):
            self.stack.enter_context(self.bus.connect(handlers))
        apps = [taken for target in targets if (taken := local_port(target)) is not None]
        sockets = ports.bind(
            plan.port, host=HOST, preferred=RECEIVER_PORT, avoid=apps, flag="--port"
        )
        for each in sockets:
            self.stack.callback(each.close)
        port = sockets[0].getsockname()[1]
        process = None
        if plan.command:
            process = await enter(app_alongside(self.bus.publish, plan.command, targets[0]))
        relay = await enter(
            open_relay(
                store=store,
                forwarder=forwarder,
                publish=self.bus.publish,
                targets=targets,
                ack=plan.ack,
                secrets=plan.known_secrets,
                events=plan.events,
                extra_headers=plan.extra_headers,
                timeout=plan.forward_timeout,
            )
        )
        state.target_up = relay.target_up
        local_url = f"http://{HOST}:{port}"
        public_url = await self._public_url(local_url)
        token = random.token_urlsafe(24)
        await self._receive(relay, sockets, token)
        callback_url = _joined(public_url or local_url, plan.path)
        receiver_url = _joined(local_url, plan.path)
        refuse_loop(
            targets,
            receiver_port=port,
            inspector_port=plan.inspect_port if plan.inspect else None,
            callback_url=callback_url,
        )
        inspector_url = await self._inspect(
            store, forwarder, state, relay, apps, callback_url, receiver_url, public_url
        )
        session = Session(
            store=store,
            forwarder=forwarder,
            secrets=plan.known_secrets,
            bus=self.bus,
            relay=relay,
            state=state,
            app_process=process,
            ready=Ready(
                callback_url=callback_url,
                local_url=receiver_url,
                inspector_url=inspector_url,
                self_check=await self._self_check(forwarder, callback_url, token),
                memory=await self._memory(store, callback_url) if public_url else "first",
                secrets=len(plan.known_secrets),
                edge_verification=plan.verify_webhook,
                target=targets[0] if targets else None,
                target_up=relay.target_up,
                others=tuple((each, relay.is_up(each)) for each in relay.targets[1:]),
                events=tuple(plan.events) if targets else (),
                ack=str(plan.ack) if targets or isinstance(plan.ack, int) else None,
                tunnelled=plan.tunnel,
                public=public_url is not None,
                history=None if path is None else _as_typed(path),
            ),
        )
        self._announce(session.ready, path)
        remarks = (
            *startup_notices.mistyped(plan.events),
            *await asyncio.to_thread(startup_notices.left_waiting, relay, store.history()),
        )
        session.ended_early = session.ended.is_set()
        # From here on nothing is awaited: who reacts to `Ready` finds the session entered.
        for event in (*remarks, *(() if session.ended_early else (session.ready,))):
            self.bus.publish(event)
        return session

    async def _public_url(self, local_url: str) -> str | None:
        """Open the tunnel; None when nothing is public."""
        plan = self.plan
        if not plan.tunnel:
            return plan.public_url
        ingress = find_ingress(
            authtoken=plan.authtoken,
            connect_url=plan.connect_url,
            connect_cas=plan.connect_cas,
        )
        tunnel = await self.stack.enter_async_context(
            open_tunnel(
                upstream=local_url,
                authtoken=ingress.authtoken,
                domain=plan.domain,
                verify_secret=plan.known_secrets[0] if plan.verify_webhook else None,
                connect_url=ingress.connect_url,
                connect_cas=ingress.connect_cas,
                traffic_policy=plan.traffic_policy,
                pooling=plan.pooling,
                publish=self.bus.publish,
            )
        )
        await self.stack.enter_async_context(_beside(tunnel.wait_closed()))
        return tunnel.url

    async def _receive(self, relay: Relay, sockets: Sequence[socket.socket], token: str) -> None:
        plan = self.plan
        failures = FailureReports(self.bus.publish)
        self.stack.enter_context(self.bus.connect(failures.handlers()))
        policy = Policy(
            secrets=plan.known_secrets,
            tolerance=plan.tolerance,
            self_check_token=token,
            file_paths=served_paths(plan.serve_file, plan.path),
            passes=plan.pass_through,
        )
        reports = ReceiverReports(
            self.bus.publish, on_unstored=failures.not_stored, on_bug=failures.bug
        )
        handler = WebhookHandler(
            policy,
            relay,
            reports,
            serve_file=plan.serve_file,
            pass_through=relay.pass_through if plan.pass_through else None,
        )
        limits = Limits(body_bytes=plan.max_body_bytes)
        await self.stack.enter_async_context(serve(handler, sockets, limits, reports=reports))

    async def _inspect(
        self,
        store: Store,
        forwarder: Forwarder,
        state: ReadModel,
        relay: Relay,
        apps: Sequence[int],
        callback_url: str,
        receiver_url: str,
        public_url: str | None,
    ) -> str | None:
        """Serve the inspector; its address, token included, or None without one."""
        plan = self.plan
        if not plan.inspect:
            return None
        from tiktok_hook import inspector

        fixed = inspector.Status(
            callback_url=callback_url,
            local_url=receiver_url,
            targets=relay.targets,
            ack=str(relay.ack) if relay.targets else None,
            signed=bool(plan.known_secrets),
            public=public_url is not None,
            pooling=plan.pooling,
        )
        parts = inspector.InspectorContext(
            history=store.history(),
            store=store,
            forwarder=forwarder,
            secrets=plan.known_secrets,
            status=lambda: state.status(fixed),
            publish=self.bus.publish,
        )
        return await self.stack.enter_async_context(
            inspector_server.showing(
                parts,
                self.bus,
                port=plan.inspect_port,
                host=plan.inspect_host,
                avoid=apps,
                allow_hosts=plan.inspect_allow_hosts,
                open_access=plan.inspect_open,
            )
        )

    async def _self_check(self, forwarder: Forwarder, url: str, token: str) -> SelfCheck:
        plan = self.plan
        if not plan.self_checked or not (plan.tunnel or plan.public_url):
            return SelfCheck(result="skipped")
        return await self_check(
            url,
            token,
            plan.known_secrets,
            forwarder,
            through_edge=plan.verify_webhook,
            pooling=plan.pooling,
        )

    def _announce(self, ready: Ready, path: Path | None) -> None:
        """Let ``trigger`` and others find this session."""
        try:
            self.stack.enter_context(
                paths.listening(
                    local_url=ready.local_url,
                    callback_url=ready.callback_url if ready.public else None,
                    inspector_url=(ready.inspector_url or "").partition("#")[0] or None,
                    history=path,
                    target=ready.target,
                )
            )
        except StoreError as error:
            self.bus.publish(Notice(str(error), hint=error.hint))

    async def _memory(self, store: Store, url: str) -> Literal["first", "same", "changed"]:
        """Whether TikTok has been seen at this Callback URL, or the portal has yet to be set up.

        A failing state folder is a notice.
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


def _as_typed(path: Path) -> str:
    """A path as its owner would type it, from the home folder where it lies in there."""
    with suppress(ValueError, RuntimeError):
        return str("~" / path.relative_to(Path.home()))
    return str(path)


def _joined(url: str, path: str) -> str:
    return url.rstrip("/") + ("" if path == "/" else path)


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run something until the end of the block; its failure ends the block."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        finally:
            task.cancel()


@contextmanager
def _one_failure() -> Iterator[None]:
    """Raise what a task group wraps as itself, when it is alone in there."""
    try:
        yield
    except BaseExceptionGroup as group:
        failure: BaseException = group
        while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
            failure = failure.exceptions[0]
        raise failure from failure.__cause__
