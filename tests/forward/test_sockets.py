"""Connecting to names with several addresses, and finding out whether an app listens."""

import asyncio
import resource
import sys
from contextlib import ExitStack
from pathlib import Path
from socket import AF_INET, AF_INET6, SOCK_STREAM, create_server, socket

import pytest

from tests.apps import OK, free_port, running_app
from tests.deadline import DEADLINE
from tiktok_hook.forward import Forwarder, ForwardRequest, parse_target, reachable, sockets

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/net/tcp")


def has_ipv6() -> bool:
    try:
        with socket(AF_INET6, SOCK_STREAM) as bound:
            bound.bind(("::1", 0))
    except OSError:
        return False
    return True


IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


def info(port: int, ip: str = "127.0.0.1") -> sockets.AddressInfo:
    return (AF_INET6 if ":" in ip else AF_INET, SOCK_STREAM, 0, "", (ip, port))


def silent_port(stack: ExitStack) -> int:
    """A port whose queue of connections is full, so that connecting never ends."""
    listener = stack.enter_context(create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(3):
        waiting = stack.enter_context(socket())
        waiting.settimeout(0)
        waiting.connect_ex(listener.getsockname())
    port: int = listener.getsockname()[1]
    return port


async def test_a_dead_first_address_costs_a_quarter_of_a_second() -> None:
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        dead = silent_port(stack)
        async with running_app() as app, asyncio.timeout(DEADLINE):
            began = loop.time()
            made = await sockets.connect([info(dead), info(app.port)])
            took = loop.time() - began
            assert made.getpeername()[1] == app.port
            made.close()
    assert 0.2 < took < 2


async def test_a_second_address_is_tried_at_once_when_the_first_gives_connection_refused() -> None:
    loop = asyncio.get_running_loop()
    async with running_app() as app:
        began = loop.time()
        (await sockets.connect([info(free_port()), info(app.port)])).close()
        assert loop.time() - began < 0.2


async def test_the_first_address_is_preferred_while_it_is_quick() -> None:
    async with running_app() as first, running_app() as second:
        for _ in range(20):
            made = await sockets.connect([info(first.port), info(second.port)])
            assert made.getpeername()[1] == first.port
            made.close()


async def test_the_reason_of_every_address_is_reported() -> None:
    with pytest.raises(sockets.UnconnectedError) as caught:
        await sockets.connect([info(free_port()), info(9, "255.255.255.255")])
    assert set(caught.value.failures) == {"127.0.0.1", "255.255.255.255"}
    assert "127.0.0.1: " in str(caught.value)


async def test_a_cancelled_connect_leaves_no_socket() -> None:
    def descriptors() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    with ExitStack() as stack:
        dead = [silent_port(stack) for _ in range(2)]
        before = descriptors()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await sockets.connect([info(port) for port in dead])
        assert descriptors() == before


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_lack_of_descriptors_is_reported_as_such(host: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with Forwarder() as forwarder:
        await forwarder.send(ForwardRequest("POST", f"http://{host}:9"))  # so that all is imported
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))  # open ones stay open
        try:
            reply = await forwarder.send(ForwardRequest("POST", f"http://{host}:9"))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert reply.error == "descriptors"


@pytest.mark.parametrize("ip", ["127.0.0.1", pytest.param("::1", marks=IPV6)])
async def test_localhost_finds_an_app_on_either_family(ip: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        writer.close()

    async with await asyncio.start_server(answer, ip, 0) as server:
        target = parse_target(str(server.sockets[0].getsockname()[1]))
        assert await reachable(target)
        async with Forwarder() as forwarder:
            reply = await forwarder.send(ForwardRequest("POST", target))
    assert (reply.status, reply.error) == (200, None)


async def test_an_app_is_reachable_while_it_listens() -> None:
    async with running_app() as app:
        assert await reachable(app.url)
    assert not await reachable(app.url)
    assert not await reachable("http://no-such-host.invalid:1")


@LINUX
@pytest.mark.parametrize(
    ("bind", "host"),
    [
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        pytest.param("::1", "[::1]", marks=IPV6),
        pytest.param("::", "[::1]", marks=IPV6),
    ],
)
async def test_looking_for_an_app_opens_no_connection_to_it(bind: str, host: str) -> None:
    """Servers such as `php -S` write a line for each connection."""
    family = AF_INET6 if ":" in bind else AF_INET
    with create_server((bind, 0), family=family) as listener:
        port = listener.getsockname()[1]
        for _ in range(3):
            assert await reachable(f"http://{host}:{port}")
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


@IPV6
async def test_an_app_on_the_other_loopback_address_is_evidence() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(answer, "::1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Forwarder() as forwarder:
            reply = await forwarder.send(ForwardRequest("POST", f"http://127.0.0.1:{port}"))
    assert (reply.error, reply.evidence) == ("refused", "other-family")
