"""One agent's session: what it asks, what the service asks it, and its end."""

import asyncio
import json
import os
import struct
from collections.abc import Callable
from enum import IntEnum

from tests.ngrok_service.muxado import Session, Stream
from tests.ngrok_service.registry import Json, Registry, RejectedError, Tunnel

MAX_MESSAGE_BYTES = 1 << 20
ANSWER_TIMEOUT = 10.0
HEARTBEAT = 0xFFFF_FFFF


class Request(IntEnum):
    """What a stream is for: its first four bytes."""

    AUTH = 0
    BIND = 1
    UNBIND = 2
    PROXY = 3
    RESTART = 4
    STOP = 5
    UPDATE = 6
    STOP_TUNNEL = 9


class Agent:
    """A connected agent.

    Args:
        session: Its connection.
        registry: Where it is entered once it has authenticated.
        tolerance: Silence in seconds after which the service forgets it; None: the heartbeat
            interval plus the tolerance that the agent itself announced.
        heard: Called with each request; false leaves it without an answer.
    """

    def __init__(
        self,
        session: Session,
        registry: Registry,
        *,
        tolerance: float | None,
        heard: Callable[[Request, Json], bool],
    ) -> None:
        self.session = session
        self.client_id = ""
        self.token = ""
        self.auth: Json = {}
        """Its Auth request, as it came."""
        self._registry = registry
        self._tolerance = tolerance
        self._heard = heard
        self._given_up = False

    @property
    def tunnels(self) -> list[Tunnel]:
        """What it has online."""
        return [tunnel for tunnel in self._registry.tunnels if tunnel.agent is self]

    def give_up(self) -> None:
        """Forget the session without notifying the agent, whose connection stays as it is."""
        if not self._given_up:
            self._given_up = True
            self.session.desert()
            self._registry.leave(self)

    def open_proxy(self, tunnel: Tunnel, client_addr: str, first: bytes) -> Stream:
        """Open a stream to the application behind a tunnel; first goes along in one frame."""
        header = json.dumps(
            {
                "Id": tunnel.id,
                "ClientAddr": client_addr,
                "Proto": tunnel.proto,
                "EdgeType": "0",
                "PassthroughTLS": False,
            }
        ).encode()
        opening = struct.pack(">I", Request.PROXY) + struct.pack("<q", len(header)) + header
        return self.session.open(opening + first)

    async def command(self, kind: Request, request: Json) -> Json:
        """Ask the agent to stop, restart or update and return its answer.

        Raises:
            TimeoutError: It did not answer within 10 s.
        """
        stream = self.session.open(struct.pack(">I", kind) + json.dumps(request).encode())
        async with asyncio.timeout(ANSWER_TIMEOUT):
            answer = await _read_message(stream)
        stream.finish()
        return answer

    def stop_tunnel(self, tunnel: Tunnel, message: str, code: str | None) -> None:
        """Take a tunnel offline and send the agent the reason; it does not respond."""
        request = {"Id": tunnel.id, "Message": message, "ErrorCode": code}
        first = struct.pack(">I", Request.STOP_TUNNEL) + json.dumps(request).encode()
        self.session.open(first).finish()
        self._registry.unbind(tunnel.id)

    async def ping(self) -> float:
        """Send one heartbeat and return the seconds until its echo."""
        loop = asyncio.get_running_loop()
        beat = os.urandom(4)
        started = loop.time()
        stream = self.session.open(struct.pack(">I", HEARTBEAT) + beat)
        async with asyncio.timeout(ANSWER_TIMEOUT):
            if await stream.readexactly(4) != beat:
                raise ValueError("the agent echoed other bytes")
        # No FIN: the SDK's responder would spin.
        return loop.time() - started

    async def serve(self, stream: Stream) -> None:
        """Answer one stream that the agent opened."""
        try:
            kind = struct.unpack(">I", await stream.readexactly(4))[0]
            if kind == HEARTBEAT:
                while True:
                    stream.write(await stream.readexactly(4))
            if kind > Request.UNBIND or (not self.auth and kind != Request.AUTH):
                stream.reset()
                return
            request = await _read_message(stream)
            if not self._heard(Request(kind), request):
                return
            stream.write(json.dumps(self._answer(Request(kind), request)).encode())
            stream.finish()
            if kind == Request.AUTH and self.auth:
                await self._watch()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        except ValueError:
            stream.reset()

    async def _watch(self) -> None:
        """Give the session up once it has been silent for too long."""
        loop = asyncio.get_running_loop()
        tolerance = self._tolerance
        if tolerance is None:
            extra = self.auth["Extra"]
            tolerance = (extra["HeartbeatInterval"] + extra["HeartbeatTolerance"]) / 1e9
        while not self._given_up:
            left = self.session.last_heard + tolerance - loop.time()
            if left <= 0:
                self.give_up()
            else:
                await asyncio.sleep(left)

    def _answer(self, kind: Request, request: Json) -> Json:
        try:
            if kind is Request.AUTH:
                return self._authenticate(request)
            if kind is Request.BIND:
                return self._bind(request)
            self._registry.unbind(request["Id"])
        except RejectedError as rejected:
            return {"Error": rejected.text}
        return {}

    def _authenticate(self, request: Json) -> Json:
        self.token = request["Extra"]["AuthToken"]
        self._registry.enter(self, request["ClientId"])
        self.auth = request
        extra = {
            "Version": "prod",
            "Region": "us",
            "Cookie": self._registry.new_id(),
            "AccountName": "stand-in",
            "SessionDuration": 0,
            "PlanName": "Free",
            "Banner": "",
        }
        return {"Version": "3", "ClientId": self.client_id, "Error": "", "Extra": extra}

    def _bind(self, request: Json) -> Json:
        tunnel = self._registry.bind(self, request)
        return {
            "Id": tunnel.id,
            "URL": tunnel.url,
            "Proto": tunnel.proto,
            "Opts": tunnel.opts,
            "Extra": {"Token": self._registry.new_id()},
            "Error": "",
        }


async def _read_message(stream: Stream) -> Json:
    """Read one JSON object; only the JSON itself shows where it ends."""
    text = b""
    while len(text) < MAX_MESSAGE_BYTES:
        data = await stream.read(MAX_MESSAGE_BYTES)
        text += data
        try:
            message = json.loads(text)
        except ValueError:
            if not data:
                raise
        else:
            if isinstance(message, dict):
                return message
            break
    raise ValueError("not a message of the agent protocol")
