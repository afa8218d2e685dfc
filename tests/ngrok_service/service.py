"""The stand-in as a whole: ngrok's service on this machine's loopback."""

import asyncio
import ipaddress
import random
import socket
import tempfile
from collections.abc import Callable, Collection, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.deadline import DEADLINE
from tests.ngrok_service.agents import Agent, Request
from tests.ngrok_service.certificates import Authority
from tests.ngrok_service.edge import Edge
from tests.ngrok_service.muxado import Session, Stream
from tests.ngrok_service.registry import Account, Json, Registry, RejectedError, Tunnel

GOODBYE_SECONDS = 0.2
"""From a GOAWAY to the end of the connection, which the SDK would leave open."""
UNKNOWN_FRAME = b"\x00\x00\x00\xf0\x00\x00\x00\x03"
ENDLESS_FRAME = b"\xff\xff\xff\x10\x00\x00\x00\x03"


class NgrokService:
    """A stand-in for ngrok: agents connect over TLS, the public over plain HTTP.

    An endpoint without a domain gets an address of its own out of 127.0.0.0/8, so that its URL
    (``http://127.1.0.1:PORT``) can be used as it is and its host can be asked for again. A domain
    that was asked for is honoured as it is: reach it through `address` with a Host header
    where its name does not resolve; ``localhost`` and addresses in 127.0.0.0/8 always do.

    Args:
        tokens: The authtokens that exist; None takes any that looks like one.
        session_limit: Most agent sessions at a time; None for no limit.
        webhooks_allowed: Whether the account may have webhooks verified.
        providers: The webhook providers that the service knows.
        tolerance: Seconds of silence after which an agent's session is forgotten; None keeps to
            what the agent announces (the SDK: 25 s).
        names: The names in the service's certificate.
        max_streams: Most streams at a time per agent; the SDK drops its connection at 513.
        split_bodies: Forward a request's body in a frame of its own, behind its head's.
    """

    def __init__(
        self,
        *,
        tokens: Collection[str] | None = None,
        session_limit: int | None = None,
        webhooks_allowed: bool = True,
        providers: Collection[str] = ("tiktok",),
        tolerance: float | None = None,
        names: Collection[str] = ("127.0.0.1", "localhost"),
        max_streams: int = 480,
        split_bodies: bool = False,
    ) -> None:
        self.account = Account(
            tokens=tokens,
            session_limit=session_limit,
            webhooks_allowed=webhooks_allowed,
            providers=providers,
        )
        self.auths: list[Json] = []
        """Every Auth request, admitted or not, oldest first."""
        self.binds: list[Json] = []
        """Every Bind request, granted or not, oldest first."""
        self.muted: set[Request] = set()
        """Kinds of requests that are read and never answered."""
        self._tolerance = tolerance
        self._names = names
        self._registry = Registry(
            account=self.account, url_of=self._open_host, changed=self._changed
        )
        self._edge = Edge(self._registry, max_streams=max_streams, split_bodies=split_bodies)
        self._connected: dict[Session, Agent] = {}
        self._change = asyncio.Event()
        self._public_hosts: set[str] = set()
        self._next_address = int(ipaddress.IPv4Address("127.1.0.1")) + random.randrange(1 << 16)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ngrok-")))
            authority = Authority()
            self.ca_file = authority.write(folder / "ca.pem")
            self._tls = authority.server_context(*self._names)
            self._group = await stack.enter_async_context(asyncio.TaskGroup())
            self._tasks: set[asyncio.Task[None]] = set()
            self._servers: list[asyncio.Server] = []
            stack.callback(self._close)
            self.public_port = 0
            listening = _listening("127.0.0.1", 0)
            self.public_port = listening.getsockname()[1]
            self._public_hosts.add("127.0.0.1")
            await self._serve_public(listening)
            self._agent_socket = _bound("127.0.0.1", 0)
            self.connect_port: int = self._agent_socket.getsockname()[1]
            await self.accept_again()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Not told of a test's own failure: the task group would wrap it.
        await self._stack.aclose()
        await self.wait_for(lambda: not self._connected)

    # Where it is.

    @property
    def connect_url(self) -> str:
        """``host:port`` for the agent's ``server_addr``."""
        return f"127.0.0.1:{self.connect_port}"

    @property
    def address(self) -> str:
        """The public side's URL; which tunnel a request goes to is in its Host header."""
        return f"http://127.0.0.1:{self.public_port}"

    # What can be seen.

    @property
    def online(self) -> list[Tunnel]:
        """The endpoints that are online, oldest first."""
        return list(self._registry.tunnels)

    @property
    def sessions(self) -> list[Agent]:
        """The sessions that the service knows of, oldest first."""
        return [agent for agent in self._registry.agents if isinstance(agent, Agent)]

    @property
    def connections(self) -> int:
        """How many agent connections are open, those of forgotten sessions included."""
        return len(self._connected)

    @property
    def passed(self) -> int:
        """How many requests were let through into a tunnel."""
        return self._edge.passed

    async def wait_online(self, count: int = 1, *, timeout: float = DEADLINE) -> list[Tunnel]:
        """Wait until at least count endpoints are online and return them."""
        await self.wait_for(lambda: len(self.online) >= count, timeout=timeout)
        return self.online

    async def wait_offline(self, host: str | None = None, *, timeout: float = DEADLINE) -> None:
        """Wait until nothing is online under host (None: nothing at all)."""
        await self.wait_for(
            lambda: all(host not in (None, tunnel.host) for tunnel in self.online), timeout=timeout
        )

    async def wait_for(self, condition: Callable[[], bool], *, timeout: float = DEADLINE) -> None:
        """Wait until a condition on what can be seen holds; raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not condition():
                await self.next_change()

    async def next_change(self) -> None:
        """Wait until something else can be seen than now."""
        await self._change.wait()

    # How it says no.

    def reject_auth(self, code: str | None, message: str) -> None:
        """Reject every agent from now on, reconnecting ones included."""
        self.account.rejecting_auth = RejectedError(code, message)

    def reject_bind(self, code: str | None, message: str) -> None:
        """Reject every endpoint from now on, those of reconnecting agents included."""
        self.account.rejecting_bind = RejectedError(code, message)

    def stop_rejecting(self) -> None:
        """Go back to the account's own rules."""
        self.account.rejecting_auth = self.account.rejecting_bind = None

    # How it misbehaves.

    def cut(self) -> None:
        """Drop all agent connections at once."""
        for session in list(self._connected):
            session.abort()

    async def refuse_connections(self) -> None:
        """Close the agents' port; connections that stand are left alone (see cut)."""
        self._agent_server.close()
        self._agent_socket = _bound("127.0.0.1", self.connect_port)

    async def accept_again(self) -> None:
        """Open the agents' port, with the same number as before."""
        self._agent_server = await asyncio.get_running_loop().create_server(
            lambda: Session(self._opened, self._asked, self._lost),
            sock=self._agent_socket,
            ssl=self._tls,
        )
        self._servers.append(self._agent_server)

    def go_silent(self, *, forget_after: float | None = None) -> None:
        """Keep the agents' connections open, but send and read nothing on them any more.

        New connections are served as ever. A silent session is forgotten after the service's
        tolerance, or after forget_after seconds, without a word to its agent: then its URL
        answers 404 and its host is free again.
        """
        for session, agent in list(self._connected.items()):
            session.silence()
            if forget_after is not None:
                self._start(_later(forget_after, agent.give_up))

    def go_away(self, message: str = "the service is going away") -> None:
        """Send GOAWAY to all agents and drop their connections a moment later."""
        for session in list(self._connected):
            session.go_away(message=message)
            self._start(_later(GOODBYE_SECONDS, session.abort))

    def send_garbage(self, data: bytes = UNKNOWN_FRAME) -> None:
        """Send all agents bytes that are not frames.

        The SDK notices an unknown frame. A frame too long to be one (`ENDLESS_FRAME`) it waits
        for, deaf to all that follows: like silence, but the connection reads and acknowledges.
        """
        for session in list(self._connected):
            session.send(data)

    async def stop_agents(self) -> list[Json]:
        """Command all agents to stop and return their answers."""
        return [await agent.command(Request.STOP, {}) for agent in self.sessions]

    async def restart_agents(self) -> list[Json]:
        """Command all agents to restart and return their answers."""
        return [await agent.command(Request.RESTART, {}) for agent in self.sessions]

    async def update_agents(self, version: str = "9.9.9") -> list[Json]:
        """Command all agents to update and return their answers."""
        request = {"Version": version, "PermitMajorVersion": True}
        return [await agent.command(Request.UPDATE, request) for agent in self.sessions]

    def stop_tunnels(self, message: str, code: str | None = None) -> None:
        """Take all endpoints offline and send their agents the reason."""
        for agent in self.sessions:
            for tunnel in agent.tunnels:
                agent.stop_tunnel(tunnel, message, code)

    # How it works.

    def _opened(self, session: Session) -> None:
        self._connected[session] = Agent(
            session, self._registry, tolerance=self._tolerance, heard=self._heard
        )
        self._changed()

    def _asked(self, session: Session, stream: Stream) -> None:
        self._start(self._connected[session].serve(stream))

    def _heard(self, kind: Request, request: Json) -> bool:
        if kind is Request.AUTH:
            self.auths.append(request)
        elif kind is Request.BIND:
            self.binds.append(request)
        self._changed()
        return kind not in self.muted

    def _lost(self, session: Session) -> None:
        self._connected.pop(session).give_up()
        self._changed()

    def _changed(self) -> None:
        change, self._change = self._change, asyncio.Event()
        change.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _open_host(self, host: str | None) -> tuple[str, str]:
        """Make a host reachable and return it with its URL; None picks an address."""
        if host is None:
            host = str(ipaddress.IPv4Address(self._next_address))
            self._next_address += 1
        if host not in self._public_hosts and _is_loopback(host):
            try:
                listening = _listening(host, self.public_port)
            except OSError as error:
                raise RejectedError(None, f"cannot listen on {host}: {error}") from error
            self._public_hosts.add(host)
            self._start(self._serve_public(listening))
        return host, f"http://{host}:{self.public_port}"

    async def _serve_public(self, listening: socket.socket) -> None:
        server = await asyncio.start_server(
            lambda reader, writer: self._start(self._edge.serve(reader, writer)), sock=listening
        )
        self._servers.append(server)

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._agent_socket.close()
        self.cut()
        for task in self._tasks:
            task.cancel()


def _bound(host: str, port: int) -> socket.socket:
    """A socket that holds a port without listening: it gives connection refused."""
    # The protocol is named because asyncio turns off Nagle's algorithm only where it is.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.settimeout(0)
    try:
        if port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    # Set late for a free port: before, the kernel may pick one that another process holds just so.
    # The connections inherit it, so that the port can be taken again while they stand.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return bound


def _listening(host: str, port: int) -> socket.socket:
    """A socket whose queue takes connections before anything serves them."""
    bound = _bound(host, port)
    bound.listen(512)
    return bound


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


async def _later(seconds: float, act: Callable[[], None]) -> None:
    await asyncio.sleep(seconds)
    act()
