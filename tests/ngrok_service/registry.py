"""Who may connect, what is online, and the service's errors."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]
"""A message of the agent protocol; the SDK's own field names, nothing parsed away."""


class RejectedError(Exception):
    """An error response, with one of ngrok's codes or without."""

    def __init__(self, code: str | None, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def text(self) -> str:
        """The error answer's text; the SDK takes the code from its own line."""
        return f"{self.message}\n\n{self.code}\n" if self.code else self.message


class Peer(Protocol):
    """An agent, as far as the registry cares."""

    client_id: str
    token: str

    def give_up(self) -> None:
        """Forget the session: its tunnels are offline and its connection is of no interest."""


@dataclass(eq=False, slots=True)
class Tunnel:
    """One endpoint that is online."""

    id: str
    agent: Peer
    host: str
    url: str
    request: Json
    """The Bind request as it came: Proto, ForwardsTo, Opts, Extra."""

    @property
    def opts(self) -> Json:
        opts: Json = self.request["Opts"]
        return opts

    @property
    def proto(self) -> str:
        return str(self.request["Proto"])

    @property
    def pooling(self) -> bool:
        return bool((self.request.get("Extra") or {}).get("PoolingEnabled"))

    @property
    def webhook_verification(self) -> tuple[str, str] | None:
        """Provider and secret when the edge is to check signatures, otherwise None."""
        asked = self.opts.get("WebhookVerification")
        return (asked["provider"], asked["secret"]) if asked else None


@dataclass(kw_only=True, slots=True)
class Account:
    """What the account behind the tokens may do."""

    tokens: Collection[str] | None = None
    """The tokens that exist; None: any that looks like one."""
    session_limit: int | None = None
    webhooks_allowed: bool = True
    providers: Collection[str] = ("tiktok",)
    rejecting_auth: RejectedError | None = None
    rejecting_bind: RejectedError | None = None

    def admit(self, token: str, sessions: int) -> None:
        """Let an agent in or raise RefusedError.

        Args:
            token: The authtoken it showed.
            sessions: How many other sessions the account has.
        """
        if self.rejecting_auth is not None:
            raise self.rejecting_auth
        if not token:
            raise RejectedError("ERR_NGROK_4018", "An authtoken of a verified account is required.")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", token):
            raise RejectedError("ERR_NGROK_105", f"This does not look like an authtoken: {token}")
        if self.tokens is not None and token not in self.tokens:
            raise RejectedError(
                "ERR_NGROK_107", f"The authtoken is revoked or wrong.\nYours: {token}"
            )
        if self.session_limit is not None and sessions >= self.session_limit:
            raise RejectedError(
                "ERR_NGROK_108",
                f"The account is limited to {self.session_limit} agent sessions at a time.",
            )

    def permit(self, opts: Json) -> None:
        """Agree to what a Bind asks for or raise RefusedError."""
        if self.rejecting_bind is not None:
            raise self.rejecting_bind
        asked = opts.get("WebhookVerification")
        if asked and asked["provider"] not in self.providers:
            raise RejectedError("ERR_NGROK_364", f"Unknown webhook provider: {asked['provider']}")
        if asked and not self.webhooks_allowed:
            raise RejectedError("ERR_NGROK_9016", "The account's plan has no webhook verification.")


@dataclass(kw_only=True)
class Registry:
    """The sessions and tunnels that the service knows of.

    Args:
        account: The rules.
        url_of: Opens a host to the public and returns its URL; for None it picks a host.
        changed: Called whenever something came online or went.
    """

    account: Account
    url_of: Callable[[str | None], tuple[str, str]]
    changed: Callable[[], None]
    agents: list[Peer] = field(default_factory=list)
    tunnels: list[Tunnel] = field(default_factory=list)
    _hosts_by_id: dict[str, str] = field(default_factory=dict)
    _turn: int = 0
    _given: int = 0

    def new_id(self) -> str:
        """Return an id that was never given before."""
        self._given += 1
        return f"{self._given:032x}"

    def enter(self, agent: Peer, client_id: str) -> None:
        """Take a session in; one that the same client left behind is replaced.

        Raises:
            RefusedError: The account's rules.
        """
        left_behind = [other for other in self.agents if client_id and other.client_id == client_id]
        self.account.admit(agent.token, len(self.agents) - len(left_behind))
        for other in left_behind:
            other.give_up()
        agent.client_id = client_id or self.new_id()
        self.agents.append(agent)
        self.changed()

    def leave(self, agent: Peer) -> None:
        """Forget a session and all its tunnels."""
        if agent in self.agents:
            self.agents.remove(agent)
        self.tunnels = [tunnel for tunnel in self.tunnels if tunnel.agent is not agent]
        self.changed()

    def bind(self, agent: Peer, request: Json) -> Tunnel:
        """Bring an endpoint online.

        A request that names the id of an earlier answer is a reconnect: it gets the same URL and
        replaces what is still online under that id.

        Raises:
            RefusedError: The account's rules, or another endpoint has the host.
        """
        opts = request["Opts"]
        self.account.permit(opts)
        id_ = request.get("Id") or ""
        # SDK 1.4 sends the domain as Hostname, 1.7 as Domain.
        asked = opts.get("Domain") or opts.get("Hostname") or ""
        host = self._hosts_by_id.get(id_) or _host(asked) or None
        tunnel = Tunnel(
            id=id_ if id_ in self._hosts_by_id else self.new_id(),
            agent=agent,
            host="",
            url="",
            request=request,
        )
        rivals = [other for other in self.tunnels if other.host == host and other.id != tunnel.id]
        if rivals and not all(other.pooling for other in [tunnel, *rivals]):
            raise RejectedError(
                "ERR_NGROK_334",
                f"The endpoint {rivals[0].url} is already online. Either stop it first, "
                "or start both with pooling.",
            )
        tunnel.host, tunnel.url = self.url_of(host)
        self._hosts_by_id[tunnel.id] = tunnel.host
        self.tunnels = [other for other in self.tunnels if other.id != tunnel.id]
        self.tunnels.append(tunnel)
        self.changed()
        return tunnel

    def unbind(self, id_: str) -> None:
        """Take an endpoint offline; raises RefusedError when there is none of that id."""
        gone = [tunnel for tunnel in self.tunnels if tunnel.id == id_]
        if not gone:
            raise RejectedError(None, f"There is no endpoint with the id {id_}.")
        self.tunnels.remove(gone[0])
        self.changed()

    def route(self, host_header: str) -> Tunnel | None:
        """Return the tunnel that a request to this host goes to; pooled ones take turns."""
        host = _host(host_header)
        pool = [tunnel for tunnel in self.tunnels if tunnel.host == host]
        if not pool:
            return None
        self._turn += 1
        return pool[self._turn % len(pool)]


def _host(text: str) -> str:
    """The host in a Host header or in a domain asked for: lower case, without a port."""
    return re.sub(r":\d*$", "", text).lower()
