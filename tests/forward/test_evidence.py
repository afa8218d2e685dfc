"""What a look at a failing target finds."""

import asyncio
import subprocess
import sys
from contextlib import suppress
from socket import AF_INET6, SOCK_STREAM, socket

import pytest

from tests.apps import http, https_app, running_app
from tiktok_hook.forward import Forwarder, ForwardRequest


def port_on_both_families() -> int | None:
    """A port that is free at 127.0.0.1 and ::1; None without IPv6."""
    with suppress(OSError), socket(AF_INET6, SOCK_STREAM) as bound:
        bound.bind(("::1", 0))
        port: int = bound.getsockname()[1]
        return port
    return None


async def test_a_tls_server_behind_a_plain_target_is_recognised() -> None:
    async with https_app() as url, Forwarder() as forwarder:
        reply = await forwarder.send(ForwardRequest("POST", url.replace("https:", "http:")))
    assert (reply.status, reply.evidence) == (None, "tls")


async def test_an_app_that_closes_is_not_taken_for_a_tls_server() -> None:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with running_app(close) as app, Forwarder() as forwarder:
        reply = await forwarder.send(ForwardRequest("POST", app.url))
    assert (reply.error, reply.evidence) == ("reset", "")


async def test_a_target_is_looked_at_once_and_not_for_every_failure() -> None:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with running_app(close) as app, Forwarder() as forwarder, asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(forwarder.send(ForwardRequest("POST", app.url)))
    assert app.connections == 11


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("own", [True, False], ids=["another-program", "the-same-program"])
async def test_two_programs_on_one_port_are_distinguished_from_one(*, own: bool) -> None:
    port = port_on_both_families()
    if port is None:
        pytest.skip("this machine has no ::1")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http(404))

    # Either may be asked: which address localhost stands for first is a setting of the system.
    listen = (
        "import asyncio\n"
        "async def main():\n"
        f"    await asyncio.start_server(answer, '::1', {port})\n"
        "    print('up', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "async def answer(reader, writer):\n"
        "    await reader.readuntil(b'\\r\\n\\r\\n')\n"
        f"    writer.write({http(404)!r})\n"
        "asyncio.run(main())\n"
    )
    async with running_app(http(404), port=port):
        if own:
            with subprocess.Popen(  # noqa: ASYNC220 - it starts in milliseconds
                [sys.executable, "-c", listen], stdout=subprocess.PIPE
            ) as other:
                assert other.stdout is not None
                assert await asyncio.to_thread(other.stdout.readline) == b"up\n"
                evidence = await evidence_of_404(port)
                other.kill()
        else:
            async with await asyncio.start_server(answer, "::1", port):
                evidence = await evidence_of_404(port)
    assert evidence == ("two-programs" if own else "")


async def evidence_of_404(port: int) -> str:
    async with Forwarder() as forwarder:
        request = ForwardRequest("POST", f"http://localhost:{port}")
        reply = await forwarder.send(request, timeout=5)
    assert reply.status == 404
    return reply.evidence
