"""The stand-in of ngrok's service, tried with the ngrok SDK as it comes."""

import asyncio
import contextlib
import hashlib
import hmac
import http.client
import importlib.metadata
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.deadline import DEADLINE
from tests.ngrok_service import NgrokService, Request
from tests.ngrok_service.certificates import Authority
from tests.ngrok_service.frames import SYN, Code, Decoder, Frame, FrameError, Kind, encode
from tests.ngrok_service.registry import Account, Registry, RejectedError

SDK_AGENT = Path(__file__).with_name("sdk_agent.py")
SDK = tuple(int(part) for part in importlib.metadata.version("ngrok").split(".")[:2])
SECRET = "tiktok-client-secret"
BODY = b'{"event":"tiktok.ping"}'


class Agent:
    """A child process with the SDK in it; see sdk_agent.py."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def reported(self, kind: str) -> dict[str, Any]:
        """Return the next event of that kind that the child prints."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            while line := await self.process.stdout.readline():
                happening: dict[str, Any] = json.loads(line)
                if happening["type"] == kind:
                    return happening
        raise AssertionError(f"the agent ended without telling {kind!r}")

    async def online(self) -> str:
        """Return the URL once the endpoint is up."""
        return str((await self.reported("online"))["url"])

    async def rejected(self) -> list[str]:
        """Return the arguments of the exception that the SDK raised."""
        return list((await self.reported("error"))["args"])

    def close(self) -> None:
        """Have the endpoint closed, as by ``listener.close()``."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"close\n")


@asynccontextmanager
async def sdk_agent(connect_url: str, ca_file: Path, *options: str) -> AsyncIterator[Agent]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SDK_AGENT),
        "--server-addr",
        connect_url,
        "--ca",
        str(ca_file),
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Agent(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def agent_of(service: NgrokService, *options: str) -> contextlib.AbstractAsyncContextManager[Agent]:
    return sdk_agent(service.connect_url, service.ca_file, *options)


class App:
    """A small HTTP server: echoes the request, or returns the result of its answer function."""

    def __init__(self) -> None:
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.requests: list[bytes] = []
        self.answer: Callable[[bytes], bytes] = _echo
        self.serve = self._serve
        self.url = ""
        self.seconds = 0.0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                if length := re.search(rb"(?i)content-length: (\d+)", request):
                    request += await reader.readexactly(int(length[1]))
                elif b"chunked" in request.lower():
                    request += await reader.readuntil(b"0\r\n\r\n")
                self.requests.append(request)
                await asyncio.sleep(self.seconds)
                answer = self.answer(request)
                writer.write(answer)
                await writer.drain()
                if not answer or b"Connection: close" in answer:
                    break
        self.open -= 1
        writer.close()


def _echo(request: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(request) + request


@pytest.fixture
async def app() -> AsyncIterator[App]:
    app = App()
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[None]] = []
        server = await asyncio.start_server(
            lambda reader, writer: tasks.append(group.create_task(app.serve(reader, writer))),
            "127.0.0.1",
            limit=1 << 24,
        )
        app.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield app
        server.close()
        for task in tasks:
            task.cancel()


@pytest.fixture
async def service() -> AsyncIterator[NgrokService]:
    async with NgrokService() as service:
        yield service


class Answer:
    def __init__(self, response: http.client.HTTPResponse, *, body: bool = True) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read() if body else b""

    @property
    def error_code(self) -> str | None:
        return self.headers["Ngrok-Error-Code"]


async def post(url: str, body: Any = BODY, **headers: str) -> Answer:
    """POST to a public URL; underscores in header names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def exchange() -> Answer:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=DEADLINE)
        try:
            connection.request("POST", "/hook?x=1", body, named)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    return await asyncio.to_thread(exchange)


async def raw(url: str, request: bytes) -> bytes:
    """Send bytes to a public URL and return all that comes until it closes."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        async with asyncio.timeout(DEADLINE):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def sign(body: bytes = BODY, *, secret: str = SECRET, age: int = 0) -> str:
    timestamp = str(int(time.time()) - age)
    payload = timestamp.encode() + b"." + body
    return f"t={timestamp},s={hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()}"


# Traffic.


async def test_a_post_to_the_url_reaches_the_application(service: NgrokService, app: App) -> None:
    async with agent_of(service, "--forward-to", app.url) as agent:
        answer = await post(await agent.online())
    assert answer.status == 200
    assert answer.body.startswith(b"POST /hook?x=1 HTTP/1.1\r\n")
    assert answer.body.endswith(b"\r\n\r\n" + BODY)


async def test_the_application_sees_the_headers_that_ngrok_adds(
    service: NgrokService, app: App
) -> None:
    async with agent_of(service, "--forward-to", app.url) as agent:
        url = await agent.online()
        answer = await post(url, TIKTOK_SIGNATURE="t=1,s=2", X_Forwarded_For="203.0.113.9")
    host = urlsplit(url).netloc.encode()
    assert b"\r\nTiktok-Signature: t=1,s=2\r\n" in answer.body
    assert b"\r\nX-Forwarded-For: 203.0.113.9, 127.0.0.1\r\n" in answer.body
    assert b"\r\nX-Forwarded-Proto: https\r\n" in answer.body
    assert b"\r\nX-Forwarded-Host: " + host + b"\r\n" in answer.body
    assert b"\r\nHost: " + host + b"\r\n" in answer.body


async def test_a_kept_connection_uses_one_stream(service: NgrokService, app: App) -> None:
    def twice(netloc: str) -> list[int]:
        connection = http.client.HTTPConnection(netloc, timeout=DEADLINE)
        statuses = []
        for _ in range(2):
            connection.request("POST", "/", BODY)
            statuses.append(Answer(connection.getresponse()).status)
        connection.close()
        return statuses

    async with agent_of(service, "--forward-to", app.url) as agent:
        assert await asyncio.to_thread(twice, urlsplit(await agent.online()).netloc) == [200, 200]
    assert app.connections == 1


@pytest.mark.parametrize("split_bodies", [False, True], ids=["one-frame", "two-frames"])
@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
async def test_bodies_larger_than_a_window_pass_whole_both_ways(
    app: App, *, chunked: bool, split_bodies: bool
) -> None:
    whole = bytes(range(1, 256)) * 4096
    pieces = [whole[at : at + 100_000] for at in range(0, len(whole), 100_000)]
    async with (
        NgrokService(split_bodies=split_bodies) as service,
        agent_of(service, "--forward-to", app.url) as agent,
    ):
        url = await agent.online()
        if chunked:
            answer = await post(url, iter(pieces))
        else:
            answer = await post(url, whole)
    body = answer.body.split(b"\r\n\r\n", 1)[1]
    if chunked:
        body = _dechunked(body)
    assert body == whole


def _dechunked(body: bytes) -> bytes:
    whole = b""
    while True:
        size, body = body.split(b"\r\n", 1)
        if not (length := int(size, 16)):
            return whole
        whole += body[:length]
        body = body[length + 2 :]


async def test_more_requests_than_streams_wait_their_turn(app: App) -> None:
    app.seconds = 0.02
    async with (
        NgrokService(max_streams=4) as service,
        agent_of(service, "--forward-to", app.url) as agent,
    ):
        url = await agent.online()
        answers = await asyncio.gather(*(post(url) for _ in range(20)))
    assert [answer.status for answer in answers] == [200] * 20
    assert app.most_open == 3  # the agent's heartbeats have a stream, too


ANSWERS = {
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"2\r\nok\r\n0\r\n\r\n",
    ),
    "until-the-end": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok", b"ok"),
    "interim": (
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ),
    "no-content": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
}


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.values(), ids=ANSWERS)
async def test_a_response_passes_with_any_framing(
    service: NgrokService, app: App, answer: bytes, expected: bytes
) -> None:
    app.answer = lambda _request: answer
    async with agent_of(service, "--forward-to", app.url) as agent:
        url = await agent.online()
        request = f"GET / HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nConnection: close\r\n\r\n"
        received = await raw(url, request.encode())
    assert received.split(b"\r\n\r\n", 1)[1] == expected


async def test_a_websocket_passes_both_ways(service: NgrokService, app: App) -> None:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
        writer.write(b"heard " + await reader.readexactly(5))
        writer.close()

    app.serve = upgrade
    async with agent_of(service, "--forward-to", app.url) as agent:
        url = await agent.online()
        head = f"GET / HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nUpgrade: websocket\r\n\r\n"
        received = await raw(url, head.encode() + b"hello")
    assert received.endswith(b"\r\n\r\nheard hello")


async def test_a_client_that_expects_100_continue_gets_it(service: NgrokService, app: App) -> None:
    async with agent_of(service, "--forward-to", app.url) as agent:
        parts = urlsplit(await agent.online())
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = f"POST / HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 2\r\n"
        writer.write(head.encode() + b"Expect: 100-continue\r\n\r\n")
        async with asyncio.timeout(DEADLINE):
            assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
            writer.write(b"ok")
            await reader.readline()
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.close()
        await writer.wait_closed()


# The edge's own answers.


async def test_a_host_that_is_not_online_is_answered_404(service: NgrokService) -> None:
    answer = await post(service.address)
    assert (answer.status, answer.error_code) == (404, "ERR_NGROK_3200")


async def test_an_application_that_is_down_is_answered_502(service: NgrokService) -> None:
    async with agent_of(service, "--forward-to", "http://127.0.0.1:9") as agent:
        answer = await post(await agent.online())
    assert answer.status == 502
    # From 1.7 on the SDK makes up the answer, so that it passes for the application's.
    assert answer.error_code == ("ERR_NGROK_3004" if SDK < (1, 7) else None)


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n"], ids=["hangs-up", "not-http"])
async def test_an_application_without_a_good_answer_is_answered_502(
    service: NgrokService, app: App, answer: bytes
) -> None:
    app.answer = lambda _request: answer
    async with agent_of(service, "--forward-to", app.url) as agent:
        received = await post(await agent.online())
    assert (received.status, received.error_code) == (502, "ERR_NGROK_3004")


async def test_an_application_cannot_set_an_error_code_of_ngroks(
    service: NgrokService, app: App
) -> None:
    app.answer = lambda _request: (
        b"HTTP/1.1 500 Oops\r\nNgrok-Error-Code: ERR_NGROK_1\r\nContent-Length: 0\r\n\r\n"
    )
    async with agent_of(service, "--forward-to", app.url) as agent:
        answer = await post(await agent.online())
    assert (answer.status, answer.error_code) == (500, None)


UNREADABLE = {
    "no-host": b"GET / HTTP/1.1\r\n\r\n",
    "no-http": b"hello\r\n\r\n",
    "bad-header": b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    "bad-length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "two-framings": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n",
    "endless-head": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_request_that_cannot_be_read_is_answered_400(
    service: NgrokService, request_bytes: bytes
) -> None:
    assert (await raw(service.address, request_bytes)).startswith(b"HTTP/1.1 400 ")


# Verification at the edge.


@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
async def test_a_signed_post_passes_the_edge(
    service: NgrokService, app: App, *, chunked: bool
) -> None:
    options = ["--forward-to", app.url, "--webhook-secret", SECRET]
    async with agent_of(service, *options) as agent:
        url = await agent.online()
        if chunked:
            answer = await post(url, iter([BODY[:5], BODY[5:]]), TikTok_Signature=sign())
        else:
            answer = await post(url, TikTok_Signature=sign())
    assert answer.status == 200
    assert answer.body.endswith(b"\r\n\r\n" + BODY)


FORGED = {
    "none": {},
    "wrong-secret": {"TikTok_Signature": sign(secret="another")},
    "other-body": {"TikTok_Signature": sign(b"{}")},
    "stale": {"TikTok_Signature": sign(age=400)},
    "nonsense": {"TikTok_Signature": "x"},
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
async def test_a_forged_post_is_stopped_at_the_edge(
    service: NgrokService, app: App, headers: dict[str, str]
) -> None:
    options = ["--forward-to", app.url, "--webhook-secret", SECRET]
    async with agent_of(service, *options) as agent:
        answer = await post(await agent.online(), **headers)
    assert (answer.status, answer.error_code) == (403, "ERR_NGROK_3204")
    assert (app.requests, service.passed) == ([], 0)


# What agents ask for.


async def test_requests_of_agents_can_be_seen(service: NgrokService) -> None:
    async with agent_of(service, "--webhook-secret", SECRET) as agent:
        url = await agent.online()
        [tunnel] = service.online
        [session] = service.sessions
    assert tunnel.url == url
    assert tunnel.webhook_verification == ("tiktok", SECRET)
    assert session.auth["Extra"]["AuthToken"] == "token"
    assert service.auths[0]["Extra"]["Metadata"] == "about the session"
    assert service.binds[0]["Extra"]["Metadata"] == "about the listener"


async def test_each_endpoint_has_a_url_of_its_own(service: NgrokService) -> None:
    async with agent_of(service) as one, agent_of(service) as other:
        assert await one.online() != await other.online()


async def test_a_domain_is_honoured(service: NgrokService, app: App) -> None:
    options = ["--forward-to", app.url, "--domain", "My-Hook.example"]
    async with agent_of(service, *options) as agent:
        assert await agent.online() == f"http://my-hook.example:{service.public_port}"
        answer = await post(service.address, Host="my-hook.example")
    assert answer.status == 200


@pytest.mark.parametrize("domain", ["localhost", "127.7.7.7"])
async def test_a_domain_on_the_loopback_is_reachable_by_its_url(
    service: NgrokService, app: App, domain: str
) -> None:
    async with agent_of(service, "--forward-to", app.url, "--domain", domain) as agent:
        url = await agent.online()
        assert urlsplit(url).hostname == domain
        assert (await post(url)).status == 200


async def test_a_closed_listener_is_offline_and_its_domain_free(service: NgrokService) -> None:
    async with agent_of(service, "--domain", "localhost") as agent:
        url = await agent.online()
        agent.close()
        await agent.reported("closed")
        assert (await post(url)).status == 404
        async with agent_of(service, "--domain", "localhost") as next_agent:
            assert await next_agent.online() == url


async def test_a_killed_agent_is_offline(service: NgrokService) -> None:
    async with agent_of(service) as agent:
        await agent.online()
        agent.process.kill()
        await service.wait_offline()
    assert (service.sessions, service.connections) == ([], 0)


@pytest.mark.skipif(SDK < (1, 5), reason="this SDK cannot pool endpoints")
async def test_pooled_endpoints_of_two_agents_take_turns(service: NgrokService, app: App) -> None:
    options = ["--pooling", "--domain", "localhost", "--forward-to"]
    other = "http://127.0.0.1:9"
    async with agent_of(service, *options, app.url) as a, agent_of(service, *options, other) as b:
        url = await a.online()
        assert await b.online() == url
        statuses = [(await post(url)).status for _ in range(4)]
    assert sorted(statuses) == [200, 200, 502, 502]


class Client:
    """An agent as the registry sees it."""

    def __init__(self) -> None:
        self.client_id = ""
        self.token = "token"
        self.given_up = False

    def give_up(self) -> None:
        self.given_up = True


def registry_of(**rules: Any) -> Registry:
    return Registry(
        account=Account(**rules),
        url_of=lambda host: (host or "any", f"http://{host or 'any'}"),
        changed=lambda: None,
    )


def test_a_client_that_returns_replaces_its_old_session() -> None:
    registry = registry_of(session_limit=1)
    old, new = Client(), Client()
    registry.enter(old, "")
    registry.enter(new, old.client_id)
    assert old.given_up
    assert new.client_id == old.client_id


def test_pooled_endpoints_take_turns_and_others_are_kept_out() -> None:
    registry = registry_of()
    pooled = {"Opts": {"Hostname": "h"}, "Proto": "https", "Extra": {"PoolingEnabled": True}}
    tunnels = [registry.bind(Client(), pooled) for _ in range(2)]
    assert registry.route("H:80") is not registry.route("h")
    with pytest.raises(RejectedError, match="already online") as caught:
        registry.bind(Client(), pooled | {"Extra": None})
    assert caught.value.code == "ERR_NGROK_334"
    registry.unbind(tunnels[0].id)
    assert registry.route("h") is tunnels[1]


# Refusals.

REJECTIONS: dict[str, tuple[dict[str, Any], Sequence[str], str]] = {
    "no-token": ({}, ["--authtoken", ""], "ERR_NGROK_4018"),
    "no-such-shape": ({}, ["--authtoken", "not a token"], "ERR_NGROK_105"),
    "wrong-token": ({"tokens": ["other"]}, [], "ERR_NGROK_107"),
    "sessions": ({"session_limit": 0}, [], "ERR_NGROK_108"),
    "provider": (
        {},
        ["--webhook-secret", SECRET, "--webhook-provider", "tictoc"],
        "ERR_NGROK_364",
    ),
    "plan": ({"webhooks_allowed": False}, ["--webhook-secret", SECRET], "ERR_NGROK_9016"),
}


@pytest.mark.parametrize(("rules", "options", "code"), REJECTIONS.values(), ids=REJECTIONS)
async def test_what_the_account_may_not_do_is_an_ngrok_error(
    rules: dict[str, Any], options: Sequence[str], code: str
) -> None:
    async with NgrokService(**rules) as service, agent_of(service, *options) as agent:
        rejected = await agent.rejected()
    assert rejected[2] == code
    assert service.online == []


async def test_the_error_for_a_wrong_token_repeats_it() -> None:
    async with (
        NgrokService(tokens=["other"]) as service,
        agent_of(service, "--authtoken", "wrong_token") as agent,
    ):
        assert "wrong_token" in (await agent.rejected())[1]


async def test_a_host_that_is_online_cannot_be_opened_by_others(service: NgrokService) -> None:
    async with agent_of(service, "--domain", "localhost") as agent:
        await agent.online()
        async with agent_of(service, "--domain", "localhost") as other:
            assert (await other.rejected())[2] == "ERR_NGROK_334"


@pytest.mark.parametrize(
    ("kind", "text"),
    [("auth", "failed to connect session"), ("bind", "failed to start listener")],
    ids=["auth", "bind"],
)
async def test_any_ngrok_error_can_be_ordered(service: NgrokService, kind: str, text: str) -> None:
    reject = service.reject_auth if kind == "auth" else service.reject_bind
    reject("ERR_NGROK_9999", "No more today.")
    async with agent_of(service) as agent:
        assert await agent.rejected() == [text, "No more today.", "ERR_NGROK_9999"]
    service.stop_rejecting()
    async with agent_of(service) as agent:
        await agent.online()


async def test_an_authority_that_is_not_trusted_fails_the_handshake(
    service: NgrokService, tmp_path: Path
) -> None:
    other = Authority().write(tmp_path / "other.pem")
    async with sdk_agent(service.connect_url, other) as agent:
        assert await agent.rejected() == ["failed to connect session", "tls handshake error"]


async def test_a_name_that_is_not_in_the_certificate_fails_the_handshake() -> None:
    async with NgrokService(names=["elsewhere.example"]) as service, agent_of(service) as agent:
        assert await agent.rejected() == ["failed to connect session", "tls handshake error"]


async def test_a_port_without_tls_fails_the_handshake(service: NgrokService) -> None:
    # Every port of the public side is such a port.
    without_tls = f"127.0.0.1:{service.public_port}"
    async with sdk_agent(without_tls, service.ca_file) as agent:
        assert await agent.rejected() == ["failed to connect session", "tls handshake error"]


# Misbehaviour.


async def test_a_muted_request_is_heard_and_never_answered(service: NgrokService) -> None:
    service.muted.add(Request.AUTH)
    async with agent_of(service) as agent:
        await service.wait_for(lambda: len(service.auths) == 1)
        assert service.sessions == []
        assert agent.process.returncode is None


LOSSES: dict[str, Callable[[NgrokService], None]] = {
    "cut": NgrokService.cut,
    "goaway": NgrokService.go_away,
    "garbage": NgrokService.send_garbage,
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
async def test_an_agent_is_back_under_its_url_after_a_loss(
    service: NgrokService, app: App, lose: Callable[[NgrokService], None]
) -> None:
    async with agent_of(service, "--forward-to", app.url) as agent:
        url = await agent.online()
        lose(service)
        await agent.reported("lost")
        await service.wait_for(lambda: len(service.binds) == 2)
        await service.wait_for(lambda: service.connections == 1)
        assert [tunnel.url for tunnel in service.online] == [url]
        assert (await post(url)).status == 200


async def test_a_closed_port_gives_connection_refused_and_opens_again_with_its_number(
    service: NgrokService,
) -> None:
    connect_url = service.connect_url
    async with agent_of(service) as connected:
        await connected.online()
        await service.refuse_connections()
        async with agent_of(service) as agent:
            text = "failed to establish tcp connection"
            assert await agent.rejected() == ["failed to connect session", text]
        assert len(service.online) == 1
        await service.accept_again()
        assert service.connect_url == connect_url
        async with agent_of(service) as agent:
            await agent.online()


async def test_a_silent_session_holds_its_host_until_it_is_forgotten() -> None:
    options = ["--domain", "localhost", "--heartbeat", "1"]
    async with NgrokService(tolerance=60) as service, agent_of(service, *options) as agent:
        url = await agent.online()
        service.go_silent()
        await agent.reported("missed")
        async with agent_of(service, "--domain", "localhost") as early:
            assert (await early.rejected())[2] == "ERR_NGROK_334"
        service.go_silent(forget_after=0.0)
        await service.wait_offline("localhost")
        assert (await post(url)).error_code == "ERR_NGROK_3200"
        async with agent_of(service, "--domain", "localhost") as late:
            assert await late.online() == url
            assert agent.process.returncode is None
            assert service.connections == 2


async def test_a_stopped_agent_is_forgotten_after_the_services_tolerance() -> None:
    async with NgrokService(tolerance=1.0) as service, agent_of(service) as agent:
        url = await agent.online()
        agent.process.send_signal(19)  # SIGSTOP
        in_flight = asyncio.gather(post(url))
        await service.wait_offline()
        assert (await in_flight)[0].error_code == "ERR_NGROK_3004"


# Commands.


@pytest.mark.parametrize(
    "command",
    [NgrokService.stop_agents, NgrokService.restart_agents, NgrokService.update_agents],
    ids=["stop", "restart", "update"],
)
async def test_an_agent_without_a_handler_answers_a_command_with_an_error(
    service: NgrokService, command: Callable[[NgrokService], Awaitable[list[Any]]]
) -> None:
    async with agent_of(service) as agent:
        await agent.online()
        [answer] = await command(service)
    assert answer["Error"] == "the agent has not defined a callback for this operation"


async def test_an_agent_with_a_handler_is_asked_to_stop(service: NgrokService) -> None:
    async with agent_of(service, "--stoppable") as agent:
        await agent.online()
        assert service.auths[0]["Extra"]["StopUnsupportedError"] == ""
        assert not any(answer.get("Error") for answer in await service.stop_agents())
        await agent.reported("stop")


async def test_a_stopped_tunnel_is_offline(service: NgrokService) -> None:
    async with agent_of(service) as agent:
        url = await agent.online()
        service.stop_tunnels("not allowed any more", "ERR_NGROK_1")
        assert (await post(url)).status == 404


async def test_heartbeats_are_echoed_at_once(service: NgrokService) -> None:
    async with agent_of(service) as agent:
        await agent.online()
        # Two small writes under Nagle's algorithm would take 40 ms each time.
        assert min([await service.sessions[0].ping() for _ in range(5)]) < 0.02


# The program.


async def test_the_program_prints_its_address_and_ends_with_its_input() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.ngrok_service",
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        ready = json.loads(await process.stdout.readline())
        async with sdk_agent(ready["connect_url"], Path(ready["ca_file"])) as agent:
            url = await agent.online()
            online = json.loads(await process.stdout.readline())
            assert (online["type"], online["url"]) == ("online", url)
        await process.communicate(b"")
    assert process.returncode == 0


# Frames.


def test_a_frame_is_encoded_as_the_protocol_has_it() -> None:
    frame = encode(Kind.DATA, 2, b"hi", SYN)
    assert frame.hex(" ") == "00 00 02 12 00 00 00 02 68 69"


def test_frames_are_found_however_the_bytes_arrive() -> None:
    frames = [Frame(Kind.DATA, SYN, 3, b"hi"), Frame(Kind.WNDINC, 0, 3, b"\0\0\0\1")]
    sent = b"".join(encode(f.kind, f.stream_id, f.body, f.flags) for f in frames)
    decoder = Decoder()
    found = [frame for byte in sent for frame in decoder.feed(bytes([byte]))]
    assert found == frames
    assert list(Decoder().feed(sent)) == frames


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\0\0\0\x40\0\0\0\3", Code.PROTOCOL), (b"\xff\xff\xff\x10\0\0\0\3", Code.FRAME_SIZE)],
    ids=["unknown-kind", "too-large"],
)
def test_an_invalid_frame_is_an_error(data: bytes, code: Code) -> None:
    with pytest.raises(FrameError) as caught:
        list(Decoder().feed(data))
    assert caught.value.code is code
