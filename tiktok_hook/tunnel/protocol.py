"""Messages between the supervisor and its child, one JSON object per line.

The child reads one `Order` from stdin, which then stays open: its end means leave. It writes
`Message` lines to stdout.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

NGROK_SERVER = "connect.ngrok-agent.com:443"

NO_POOLING = "NO_POOLING"
"""Code of an error that is the SDK's, not ngrok's: this version cannot pool endpoints."""

Cause = Literal["dns", "refused", "timeout", "unreachable", "ok"]
"""Why a connection failed, by a try of our own: the SDK has one text for all. ``ok``: none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the child shall open.

    Attributes:
        upstream: Address of the receiver, with its scheme.
        authtoken: ngrok's.
        domain: Host to ask for; None leaves it to ngrok.
        webhook_secret: Turns on ngrok's own check of TikTok's signature; None leaves it off.
        server_addr: ``host:port`` of another server than ngrok's; None for ngrok's.
        cas: ``trusted``, ``host`` or the path of a PEM file; None for ngrok's own CA.
        traffic_policy: The policy document; None without one.
        pooling: Share the URL with other endpoints that do so too.
        heartbeat_interval: Whole seconds between two heartbeats.
        heartbeat_tolerance: Whole seconds an answer may take.
    """

    upstream: str
    authtoken: str = field(repr=False)
    domain: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)
    server_addr: str | None = None
    cas: str | None = None
    traffic_policy: str | None = field(default=None, repr=False)
    pooling: bool = False
    heartbeat_interval: int = 5
    heartbeat_tolerance: int = 10

    def line(self) -> bytes:
        """As it is written to the child's stdin."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> "Order":
        """The order in a line; raises ValueError or TypeError for anything else."""
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Online:
    """The URL is up."""

    type: ClassVar = "online"
    url: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """No session or no endpoint: the child ends after this.

    Attributes:
        stage: What failed, in the SDK's words.
        message: ngrok's or the SDK's own, without token and secret; several lines at times.
        code: ``ERR_NGROK_…`` for ngrok's own errors, `NO_POOLING`, otherwise None.
        cause: Why no connection could be made; None when that was not the trouble.
    """

    type: ClassVar = "rejected"
    stage: str
    message: str
    code: str | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat was answered."""

    type: ClassVar = "beat"
    latency_ms: int


@dataclass(frozen=True, slots=True)
class Missed:
    """A heartbeat was not answered in time: the connection is as good as lost."""

    type: ClassVar = "missed"


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection or the endpoint is gone; the child ends after this."""

    type: ClassVar = "lost"
    error: str


@dataclass(frozen=True, slots=True)
class RemoteCommand:
    """A button was pressed in ngrok's dashboard."""

    type: ClassVar = "command"
    name: Literal["stop", "restart", "update"]


Message = Online | Rejected | Beat | Missed | Lost | RemoteCommand

_KINDS: dict[str, type[Message]] = {
    kind.type: kind for kind in (Online, Rejected, Beat, Missed, Lost, RemoteCommand)
}


def dump(message: Message) -> bytes:
    """A message as a line, newline included."""
    return json.dumps({"type": message.type, **asdict(message)}).encode() + b"\n"


def load(line: bytes) -> Message | None:
    """The message in a line; None for a line that is none, such as what a library printed."""
    try:
        values: dict[str, Any] = json.loads(line)
        return _KINDS[values.pop("type")](**values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
