"""The look-alike of the ngrok agent under clients that others wrote."""

import asyncio
import base64
import http.client
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyngrok.agent import CapturedRequest, NgrokAgent
from pyngrok.conf import PyngrokConfig
from pyngrok.exception import PyngrokNgrokHTTPError
from pyngrok.ngrok import NgrokTunnel, api_request

from tests.apps import App, running_app
from tests.deadline import DEADLINE
from tests.inspector.conftest import URL, Served, running
from tests.listener import BODY, SECRET
from tiktok_hook import signature
from tiktok_hook.delivery import Attempt

REQUESTS = "/api/requests/http"
CALLS = Path(__file__).with_name("ngrok_client.js")


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with running_app() as made:
        yield made


@pytest.fixture
async def agent(app: App) -> AsyncIterator[Served]:
    """The look-alike with `--inspect-open`, since these clients send no token."""
    async with running(inspect_open=True, targets=(app.url,)) as made:
        yield made


async def pyngrok(agent: Served, path: str, method: str = "GET", **options: Any) -> Any:
    """A call of pyngrok's own client."""
    return await asyncio.to_thread(api_request, agent.address + path, method, **options)


async def captured(agent: Served, **params: Any) -> list[CapturedRequest]:
    """As pyngrok's get_requests puts it together, newest first."""
    found = await pyngrok(agent, REQUESTS, params=params)
    return [CapturedRequest(each) for each in found["requests"]]


async def shell(agent: Served, line: str) -> str:
    """What a one-liner prints; PORT in it is the inspector's."""
    process = await asyncio.create_subprocess_shell(
        line.replace("PORT", str(agent.port)), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(DEADLINE):
        printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode().strip()


async def test_pyngrok_reads_the_agents_status(agent: Served) -> None:
    status = NgrokAgent(await pyngrok(agent, "/api/status"))
    assert status.status == "online"
    assert re.fullmatch(r"\d+\.\d+\.\d+", status.agent_version or "")
    assert status.session["legs"][0]["latency"] == "31ms"


async def test_pyngrok_reads_the_tunnel_and_its_metrics(agent: Served, app: App) -> None:
    await agent.receive()
    (found,) = (await pyngrok(agent, "/api/tunnels"))["tunnels"]
    tunnel = NgrokTunnel(found, PyngrokConfig(), agent.address)
    assert (tunnel.public_url, tunnel.proto, tunnel.name) == (URL, "https", "command_line")
    assert tunnel.config["addr"] == f"http://localhost:{app.port}"
    again = await pyngrok(agent, found["uri"])
    assert again["ID"] == tunnel.id
    assert again["metrics"]["http"]["count"] == 1
    assert all(isinstance(each, int) for each in again["metrics"]["conns"].values())


async def test_pyngrok_reads_the_endpoint(agent: Served, app: App) -> None:
    (found,) = (await pyngrok(agent, "/api/endpoints"))["endpoints"]
    tunnel = NgrokTunnel(found, PyngrokConfig(), agent.address)
    assert tunnel.public_url == URL
    assert found["upstream"] == {"url": f"http://localhost:{app.port}", "protocol": "http1"}
    assert found["traffic_policy"] == ""


@pytest.mark.parametrize(
    ("targets", "address"),
    [
        ([], "http://localhost:3000"),
        (["http://127.0.0.1:8000/webhook"], "http://localhost:8000"),
        (["http://[::1]:8000"], "http://localhost:8000"),
        (["https://localhost:8443/a", "http://localhost:9"], "https://localhost:8443"),
        (["http://app:8000", "http://localhost:9000"], "http://localhost:9000"),
        (["https://example.com/hook"], "http://localhost:3000"),
        (["http://localhost/hook"], "http://localhost:80"),
    ],
    ids=["none", "ipv4", "ipv6", "https", "container", "elsewhere", "default-port"],
)
async def test_the_tunnels_address_is_the_first_target_on_this_machine(
    targets: list[str], address: str
) -> None:
    async with running(targets=tuple(targets)) as agent:
        (tunnel,) = (await agent.get("/api/tunnels"))["tunnels"]
        (endpoint,) = (await agent.get("/api/endpoints"))["endpoints"]
    assert (tunnel["config"]["addr"], endpoint["upstream"]["url"]) == (address, address)


def parsed_response(raw: bytes) -> tuple[http.client.HTTPResponse, bytes]:
    """A response as Python's own client reads it, to its end."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(raw)
        there.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(here)
        response.begin()
        body = response.read()
        assert here.recv(1) == b""
        return response, body


@pytest.mark.parametrize(
    "framing",
    [
        [("Transfer-Encoding", "chunked")],
        [("transfer-encoding", "gzip, Chunked"), ("Content-Length", "7")],
        [("Content-Length", "9999999")],
        [("Content-Length", str(len(BODY)))],
        [],
    ],
    ids=["chunked", "both", "cut", "right", "none"],
)
async def test_what_is_raw_can_be_parsed(framing: list[tuple[str, str]]) -> None:
    async with running() as agent:
        headers = (("Host", "x"), *framing, ("X-After", "1"))
        delivery = await agent.receive(headers=headers)
        begun = await agent.store.begin_attempt(
            Attempt(delivery_id=delivery.id, started_at=1.0, target="http://127.0.0.1:9/")
        )
        answered = replace(
            begun, headers=(*framing, ("X-After", "1")), body=BODY, status=200, duration_ms=1.0
        )
        await agent.store.end_attempt(answered)
        shape = (await agent.get(REQUESTS))["requests"][0]
    raw = base64.b64decode(shape["request"]["raw"])
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == BODY
    assert head.count(b"Content-Length: %d" % len(BODY)) == 1
    assert head.lower().count(b"content-length") == 1
    assert b"ransfer-" not in head
    response, read = parsed_response(base64.b64decode(shape["response"]["raw"]))
    assert (response.status, read, response.headers["X-After"]) == (200, BODY, "1")


async def test_pyngrok_lists_replays_and_deletes_requests(agent: Served, app: App) -> None:
    await agent.receive()
    (first,) = await captured(agent)
    assert base64.b64decode(first.request["raw"]).partition(b"\r\n\r\n")[2] == BODY
    assert first.request["headers"]["Tiktok-Signature"]
    assert first.tunnel_name == "command_line"
    request_body = {"id": first.id, "tunnel_name": None}
    assert await pyngrok(agent, REQUESTS, "POST", data=request_body) == {}
    await app.wait_for(1)
    head = re.search(rb"(?i)tiktok-signature: *([^\r]+)", app.requests[0])
    assert head is not None
    second, again = await captured(agent)
    assert again.id == first.id
    assert str(first.id) < str(second.id)
    assert second.tunnel_name == first.tunnel_name
    t = int(head[1].decode().removeprefix("t=").partition(",")[0])
    assert signature.check(head[1].decode(), BODY, SECRET, now=t).state is signature.State.VALID
    assert await pyngrok(agent, REQUESTS, "DELETE") == {}
    assert await captured(agent) == []
    assert agent.store.history().newest_id() == 1


async def test_pyngrok_asks_for_a_few_or_for_one_tunnel(agent: Served) -> None:
    for _ in range(3):
        await agent.receive()
    assert len(await captured(agent, limit=2)) == 2
    assert len(await captured(agent, tunnel_name="command_line")) == 3
    assert await captured(agent, tunnel_name="an other (one)") == []
    one = (await captured(agent))[0]
    assert (await pyngrok(agent, one.uri or ""))["id"] == one.id


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/tunnels/nobody", 404),
        ("GET", "/api/endpoints/nobody", 404),
        ("GET", f"{REQUESTS}/nobody", 404),
        ("POST", REQUESTS, 404),
        ("POST", "/api/tunnels", 501),
        ("DELETE", "/api/tunnels/command_line", 501),
        ("PUT", "/api/endpoints/command_line", 501),
        ("GET", "/api/nowhere", 404),
        ("PATCH", "/api/status", 405),
    ],
)
async def test_pyngrok_understands_every_error(
    agent: Served, method: str, path: str, status: int
) -> None:
    data = {"id": "nobody", "proto": "http", "addr": "80"} if method in {"POST", "PUT"} else None
    with pytest.raises(PyngrokNgrokHTTPError) as rejected:
        await pyngrok(agent, path, method, data=data)
    shape = json.loads(rejected.value.body)
    assert rejected.value.status_code == status == shape["status_code"]
    assert shape.keys() == {"error_code", "status_code", "msg", "details"}
    assert shape["details"]["err"]


async def test_a_request_that_is_not_answered_yet_has_a_null_response(agent: Served) -> None:
    await agent.receive(status=None)
    assert (await captured(agent))[0].data["response"] is None


async def test_without_a_tunnel_the_list_is_empty() -> None:
    async with running(inspect_open=True, public=False, tunnel=None) as agent:
        assert await pyngrok(agent, "/api/tunnels") == {"tunnels": [], "uri": "/api/tunnels"}
        assert (await pyngrok(agent, "/api/endpoints"))["endpoints"] == []


async def npm(agent: Served) -> Any:
    """What the client of npm's ngrok package gives for one call of each kind."""
    node = shutil.which("node")
    folder = Path(sys.prefix) / "npm"
    if node is None or not (folder / "node_modules" / "ngrok").exists():
        assert not os.environ.get("CI"), "make system installs npm's ngrok package"
        pytest.skip("needs npm's ngrok package: make system installs it where there is npm")
    process = await asyncio.create_subprocess_exec(
        node, str(CALLS), str(folder), agent.address, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(DEADLINE):
        printed, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(printed)


async def test_npms_client_gets_what_it_expects_of_an_agent(agent: Served, app: App) -> None:
    await agent.receive()
    found = await npm(agent)
    assert [tunnel["public_url"] for tunnel in found["tunnels"]] == [URL]
    assert found["tunnel"]["name"] == "command_line"
    (request,) = found["requests"]
    assert base64.b64decode(request["request"]["raw"]).endswith(BODY)
    assert found["detail"] == request
    assert (found["replayed"], found["deleted"], found["left"]) == (True, True, [])
    assert app.bodies == [BODY]
    rejections = [found[each] for each in ("noTunnel", "noRequest", "stopped", "started")]
    assert [each["status"] for each in rejections] == [404, 404, 501, 501]
    assert all(each["name"] == "NgrokClientError" and each["message"] for each in rejections)


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("grep -o 'https://[^\"]*ngrok[^\"]*' | head -n1", URL),
        ('grep -oE \'"public_url":"https:[^"]*\' | cut -d\\" -f4', URL),
        ('sed -nE \'s/.*public_url":"(https:[^"]*).*/\\1/p\'', URL),
        ("jq -r '.tunnels[0].public_url'", URL),
        ("jq -r '.tunnels[] | select(.proto == \"https\") | .public_url'", URL),
        ("jq -r '.tunnels[] | select(.config.addr | endswith(\":3000\")) | .name'", "command_line"),
    ],
    ids=["grep", "grep-cut", "sed", "jq", "jq-proto", "jq-port"],
)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_one_liners_find_the_public_address(line: str, printed: str, host: str) -> None:
    for need in ("curl", line.split(maxsplit=1)[0]):
        if shutil.which(need) is None:
            pytest.skip(f"there is no {need} here")
    async with running() as agent:  # no token is needed for this
        assert await shell(agent, f"curl -sf -4 {host}:PORT/api/tunnels | {line}") == printed


async def test_a_one_liner_with_the_token_reads_the_last_body(agent: Served) -> None:
    if shutil.which("jq") is None or shutil.which("curl") is None:
        pytest.skip("there is no jq or curl here")
    await agent.receive()
    line = (
        f"curl -s 'localhost:PORT{REQUESTS}?limit=1' | jq -r '.requests[0].request.raw' "
        "| base64 -d | tail -n1"
    )
    assert await shell(agent, line) == BODY.decode()


@pytest.mark.parametrize("what", ["tunnels", "endpoints"])
async def test_without_a_tunnel_a_look_for_the_one_by_name_is_an_error(what: str) -> None:
    async with running(tunnel=None, callback_url=None) as served:
        reply = await served.ask("GET", f"/api/{what}/command_line")
        assert reply.status == 404
        assert json.loads(reply.body)["details"]["err"] == "there is no tunnel now"
