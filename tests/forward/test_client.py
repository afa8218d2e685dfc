"""The forwarder against apps on raw sockets: bytes out, failures, connections."""

import asyncio
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from socket import SHUT_RDWR, SO_LINGER, SOL_SOCKET, create_server, socket
from types import FrameType
from typing import Any

import pytest

from tests.apps import OK, Together, free_port, hang, http, reset, running_app
from tests.deadline import DEADLINE
from tiktok_hook.delivery import FORWARDED_HEADER, Delivery, Headers
from tiktok_hook.forward import (
    KEPT_BYTES,
    Forwarder,
    ForwardRequest,
    build,
    explain,
)
from tiktok_hook.forward.connection import AppConnection
from tiktok_hook.forward.deadline import Deadline
from tiktok_hook.forward.response import read_response

BODY = b'{"event":"post.publish.complete",  "content":"{}"}'


@pytest.fixture
async def forwarder() -> AsyncIterator[Forwarder]:
    async with Forwarder() as made:
        yield made


def delivery(
    path: str = "/", query: str = "", headers: Headers = (), body: bytes = BODY
) -> Delivery:
    return Delivery(received_at=1.0, path=path, query=query, headers=headers, body=body)


async def test_an_app_gets_the_bytes_as_they_came(forwarder: Forwarder) -> None:
    came: Headers = (
        ("hOsT", "me.ngrok-free.app"),
        ("Tiktok-Signature", "t=1,s=00"),
        ("Connection", "close, X-Mine"),
        ("accept", "*/*"),
        ("X-Mine", "of the last hop"),
        ("X-Twice", "1"),
        ("Keep-Alive", "timeout=5"),
        ("content-LENGTH", "9999"),
        ("Transfer-Encoding", "chunked"),
        ("TE", "trailers"),
        ("x-twice", "2"),
        ("X-Bytes", "\xe9\xff"),
        ("X-Empty", ""),
        ("Upgrade", "h2c"),
    )
    body = bytes(range(256))
    async with running_app() as app:
        made = build(delivery("/a//b/../c%2f;p", "x=%20+&y='", came, body), app.url)
        reply = await forwarder.send(made)
    assert reply.status == 200
    assert app.requests == [
        b"POST /a//b/../c%2f;p?x=%20+&y=' HTTP/1.1\r\n"
        b"hOsT: 127.0.0.1:" + str(app.port).encode() + b"\r\n"
        b"Tiktok-Signature: t=1,s=00\r\n"
        b"accept: */*\r\n"
        b"X-Twice: 1\r\n"
        b"content-LENGTH: 256\r\n"
        b"x-twice: 2\r\n"
        b"X-Bytes: \xe9\xff\r\n"
        b"X-Empty: \r\n" + FORWARDED_HEADER.encode() + b": 1\r\n\r\n" + body
    ]


async def test_a_header_that_is_not_latin_1_leaves_the_others_as_they_came(
    forwarder: Forwarder,
) -> None:
    headers = (("X-Bytes", "\xe9\xff"), ("X-Imported", "\u20ac\ud800"), ("X-Last", "\xe9"))
    async with running_app() as app:
        await forwarder.send(ForwardRequest("POST", app.url, headers))
    [request] = app.requests
    for line in (
        b"X-Bytes: \xe9\xff\r\n",
        b"X-Imported: \xe2\x82\xac\xef\xbf\xbd\r\n",
        b"X-Last: \xe9\r\n",
    ):
        assert line in request


async def test_host_and_length_are_added_where_they_are_missing(forwarder: Forwarder) -> None:
    async with running_app() as app:
        await forwarder.send(ForwardRequest("POST", app.url, (("A", "1"),), b"xy"))
        await forwarder.send(ForwardRequest("GET", f"{app.url}/x y"))
    host = f"Host: 127.0.0.1:{app.port}".encode()
    assert app.requests == [
        b"POST / HTTP/1.1\r\n" + host + b"\r\nA: 1\r\nContent-Length: 2\r\n\r\nxy",
        b"GET /x%20y HTTP/1.1\r\n" + host + b"\r\n\r\n",
    ]


async def test_an_app_that_is_not_running_gives_connection_refused(forwarder: Forwarder) -> None:
    reply = await forwarder.send(ForwardRequest("POST", f"http://localhost:{free_port()}"))
    assert (reply.status, reply.error) == (None, "refused")


async def test_a_connection_that_is_reset_while_it_is_made_gives_the_error_reset(
    forwarder: Forwarder,
) -> None:
    # localhost is also ::1, where nothing listens.
    with create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            with suppress(OSError):  # the listener is closed
                while True:
                    accepted, _ = listener.accept()
                    accepted.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                    accepted.close()

        threading.Thread(target=hang_up, daemon=True).start()
        target = f"http://localhost:{listener.getsockname()[1]}"
        errors = {(await forwarder.send(ForwardRequest("POST", target))).error for _ in range(50)}
        listener.shutdown(SHUT_RDWR)
    assert errors == {"reset"}


async def test_an_unknown_host_name_gives_the_error_dns(forwarder: Forwarder) -> None:
    reply = await forwarder.send(ForwardRequest("POST", "http://no-such-host.invalid:1"))
    assert (reply.status, reply.error) == (None, "dns")


async def test_an_app_that_hangs_runs_into_the_timeout(forwarder: Forwarder) -> None:
    async with running_app(hang) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url), timeout=0.2)
    assert (reply.status, reply.error) == (None, "timeout")
    assert 150 < reply.duration_ms < 5000


async def test_an_app_that_accepts_no_connection_is_unreachable(forwarder: Forwarder) -> None:
    with create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as stack:
        for _ in range(3):  # as many as the system keeps for it, and more
            waiting = stack.enter_context(socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with asyncio.timeout(DEADLINE):
            reply = await forwarder.send(ForwardRequest("POST", url), timeout=0.2)
    assert (reply.status, reply.error) == (None, "unreachable")
    assert reply.detail == "no connection within 0.2 s"
    hint = explain(reply, target=url, verdict=None)
    assert hint.startswith(f"No connection within 0.2 s to {url[7:]}: either the address is wrong")


async def test_a_plain_server_that_waits_for_more_than_a_tls_hello_is_named(
    forwarder: Forwarder,
) -> None:
    with create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        reply = await forwarder.send(ForwardRequest("POST", url), timeout=0.2)
    assert (reply.status, reply.error) == (None, "tls")
    assert reply.detail == "no TLS handshake within 0.2 s"
    assert "write http://" in explain(reply, target=url, verdict=None)


async def test_a_response_that_came_while_the_process_was_stopped_is_not_a_timeout(
    forwarder: Forwarder,
) -> None:
    received, stopped = threading.Event(), threading.Event()
    with create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                received.set()
                stopped.wait(DEADLINE)
                connection.sendall(OK)
                connection.recv(4096)  # until the other side has read it

        app = threading.Thread(target=answer)
        app.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def stop() -> None:
            stopped.set()
            time.sleep(2.0)  # nothing runs meanwhile, as between Ctrl-Z and `fg`

        async with asyncio.TaskGroup() as group:
            sending = group.create_task(forwarder.send(ForwardRequest("POST", url), timeout=1.0))
            await asyncio.to_thread(received.wait, 10)
            asyncio.get_running_loop().call_soon(stop)
        reply = await sending
        await forwarder.__aexit__()
        app.join()
    assert (reply.status, reply.error) == (200, None)


async def test_an_app_that_answers_drop_by_drop_runs_into_the_timeout(
    forwarder: Forwarder,
) -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with running_app(drip) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url), timeout=0.3)
    assert (reply.status, reply.error) == (None, "timeout")


@pytest.mark.parametrize("then", ["waits", "closes", "goes on"])
async def test_a_broken_header_is_reported_whatever_follows_it(
    forwarder: Forwarder, then: str
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nhello world\r\n")
        if then == "goes on":
            writer.write(b"and more\r\n" * 10_000)
        if then != "closes":
            await reader.read()

    async with running_app(talk) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url), timeout=5)
    assert reply.error == "protocol"
    assert reply.detail == "the response is malformed: invalid header token"


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"])
@pytest.mark.parametrize("hard", [False, True], ids=["closes", "resets"])
async def test_an_app_that_goes_away_is_a_reset(
    forwarder: Forwarder,
    sent: bytes,
    hard: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        if hard:
            reset(writer)

    async with running_app(answer) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url))
    assert (reply.status, reply.error) == (None, "reset")
    assert len(app.requests) == 1


async def test_a_plain_app_behind_https_is_a_tls_error(forwarder: Forwarder) -> None:
    async def complain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(http(400, b"not HTTP"))
        writer.close()

    server = await asyncio.start_server(complain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reply = await forwarder.send(ForwardRequest("POST", f"https://127.0.0.1:{port}"))
    assert (reply.status, reply.error) == (None, "tls")


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A server's context with an untrusted certificate."""
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 "
        "-subj /CN=localhost".split(),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    return context


async def test_a_certificate_is_checked_unless_that_is_turned_off(
    certificate: ssl.SSLContext,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificate)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with Forwarder() as strict:
            reply = await strict.send(ForwardRequest("POST", url))
            assert (reply.status, reply.error) == (None, "tls")
            assert "certificate" in reply.detail
        async with Forwarder(insecure=True) as lenient:
            for _ in range(2):
                assert (await lenient.send(ForwardRequest("POST", url))).status == 200
    finally:
        server.close()


async def test_a_connection_is_used_again(forwarder: Forwarder) -> None:
    async with running_app() as app:
        for _ in range(5):
            assert (await forwarder.send(ForwardRequest("POST", app.url, body=BODY))).status == 200
    assert app.connections == 1


@pytest.mark.realtime
async def test_connections_that_nothing_goes_over_are_closed_one_by_one(
    forwarder: Forwarder,
) -> None:
    ends: asyncio.Queue[float] = asyncio.Queue()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        with suppress(ConnectionError):
            await reader.read()
        ends.put_nowait(time.monotonic())

    async with running_app(talk) as first, running_app(talk) as second:
        began = time.monotonic()
        await forwarder.send(ForwardRequest("POST", first.url))
        await asyncio.sleep(0.5)  # apart, so that one end follows the other by as much
        await forwarder.send(ForwardRequest("POST", second.url))
        async with asyncio.timeout(DEADLINE):
            early, late = await ends.get(), await ends.get()
    assert early - began > 1.4  # each kept for its own 1.5 s
    assert late - early > 0.4


@pytest.mark.parametrize(
    "answer",
    [http(200, b"a", "Connection: close"), http(200, b"a") + b"more", http(200, b"a") + OK],
    ids=["asked-to-close", "extra-bytes", "two-answers"],
)
async def test_a_spoilt_connection_is_not_used_again(forwarder: Forwarder, answer: bytes) -> None:
    async with running_app(answer) as app:
        for _ in range(3):
            reply = await forwarder.send(ForwardRequest("POST", app.url))
            assert (reply.status, reply.body) == (200, b"a")
    assert app.connections == 3


@pytest.mark.parametrize("hard", [False, True], ids=["closed", "reset"])
async def test_a_connection_closed_under_us_does_not_fail_a_delivery(
    forwarder: Forwarder,
    hard: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    seen: list[bytes] = []
    answered = threading.Event()
    close_now = threading.Event()
    closed = threading.Event()

    def app() -> None:
        with listener:
            first, _ = listener.accept()
            seen.append(first.recv(65536))
            first.sendall(OK)
            answered.set()
            close_now.wait(DEADLINE)
            if hard:
                first.setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")  # SO_LINGER: a reset
            first.close()
            closed.set()
            second, _ = listener.accept()
            with second:
                seen.append(second.recv(65536))
                second.sendall(OK)

    listener = create_server(("127.0.0.1", 0))
    listener.settimeout(DEADLINE)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=app)
    thread.start()
    try:
        assert (await forwarder.send(ForwardRequest("POST", url, body=b"1"))).status == 200
        # The event loop is held here, so that it sends before it can see the connection's end.
        close_now.set()
        assert closed.wait(DEADLINE)
        reply = await forwarder.send(ForwardRequest("POST", url, body=b"2"))
    finally:
        thread.join(DEADLINE)
    assert (reply.status, reply.error) == (200, None)
    assert [request[-1:] for request in seen] == [b"1", b"2"]


async def test_a_request_that_an_app_has_read_is_never_sent_twice(forwarder: Forwarder) -> None:
    async def once_then_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        app.requests.append(await reader.readuntil(b"\r\n\r\n"))

    async with running_app(once_then_close) as app:
        assert (await forwarder.send(ForwardRequest("GET", app.url))).status == 200
        reply = await forwarder.send(ForwardRequest("GET", app.url))
    assert (reply.status, reply.error) == (None, "reset")
    assert len(app.requests) == 2
    assert app.connections == 1


async def test_many_at_once_each_get_their_own_answer(forwarder: Forwarder) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(200, app.requests[-1][-3:]))
        while head := await reader.readuntil(b"\r\n\r\n"):
            body = await reader.readexactly(3)
            writer.write(http(200, body))
            assert head

    async with running_app(echo) as app, asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                forwarder.send(ForwardRequest("POST", app.url, body=b"%03d" % number))
            )
            for number in range(100)
        ]
        for number, task in enumerate(tasks):
            assert (await task).body == b"%03d" % number


async def test_a_connection_whose_time_ran_out_is_not_used_again() -> None:
    """The answer may come in the same moment: then it counts, but without a second wait."""
    async with running_app() as app:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(AppConnection, "127.0.0.1", app.port)
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
            reading = group.create_task(read_response(connection, "POST", 100))
            await asyncio.sleep(0)  # until it waits
            connection.data_received(OK)
            connection.time_out()
        assert reading.result().status == 200
        assert not connection.release()
        connection.abort()
        await connection.closed


async def test_after_its_deadline_nothing_is_sent_and_the_connection_closed(
    forwarder: Forwarder,
) -> None:
    ended, deadline = asyncio.Event(), Deadline(0)
    deadline.on_passed(ended.set)
    async with running_app() as app, asyncio.timeout(DEADLINE):
        request = ForwardRequest("POST", app.url)
        await forwarder.send(request)
        await ended.wait()
        (kept,) = forwarder._open  # time runs out between two lines of it
        with pytest.raises(TimeoutError):
            await forwarder._send(request, KEPT_BYTES, deadline)
        await kept.closed
    assert len(app.requests) == 1


async def test_one_too_many_closes_those_that_are_of_no_more_use(forwarder: Forwarder) -> None:
    more, last, ended = asyncio.Event(), asyncio.Event(), asyncio.Semaphore(0)
    numbers = count(1)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if next(numbers) == 33:
            await last.wait()
            writer.write(OK)
            await reader.read()
            return
        writer.write(OK)
        await more.wait()
        writer.write(b"more than was said")
        with suppress(ConnectionError):
            await reader.read()
        ended.release()

    async with asyncio.timeout(DEADLINE), running_app(talk) as app, asyncio.TaskGroup() as group:
        request = ForwardRequest("POST", app.url)
        pending = {group.create_task(forwarder.send(request)) for _ in range(33)}
        while len(pending) > 1:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        more.set()
        await asyncio.sleep(0.1)  # until what was not asked for has come
        last.set()
        assert (await pending.pop()).status == 200
        for _ in range(32):
            await ended.acquire()


async def test_a_cancelled_request_leaves_no_connection(forwarder: Forwarder) -> None:
    async with running_app(hang) as app:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(forwarder.send(ForwardRequest("POST", app.url)))
            await app.wait_for(1)
            task.cancel()
        assert task.cancelled()
        app.answer = OK
        assert (await forwarder.send(ForwardRequest("POST", app.url))).status == 200
        assert app.connections == 2


@pytest.mark.parametrize("step", [1, 2, 3])
async def test_a_ctrl_c_in_the_middle_of_waking_cancels_and_no_more(step: int) -> None:
    """Its handler cancels the waiting task between any two lines of what runs just then."""
    seen = 0

    def interrupt(frame: FrameType, event: str, _value: object) -> Any:
        nonlocal seen
        if frame.f_code.co_name == "_wake" and event == "line":
            seen += 1
            if seen == step:
                waiting.cancel()
        return interrupt

    async with asyncio.TaskGroup() as group:
        connection = AppConnection()
        waiting = group.create_task(connection.read(at_end=False))
        await asyncio.sleep(0)  # until it waits
        before = sys.gettrace()
        sys.settrace(interrupt)
        try:
            connection.data_received(b"HTTP/1.1 200 OK\r\n")
        finally:
            sys.settrace(before)
    assert waiting.cancelled()


async def test_no_more_requests_run_at_a_time_than_it_may_have_sockets() -> None:
    together = Together(2)
    async with running_app(together) as app, Forwarder(at_once=2) as forwarder:
        request = ForwardRequest(method="POST", url=app.url, headers=(), body=b"x")
        replies = await asyncio.gather(
            *(forwarder.send(request, timeout=DEADLINE) for _ in "12345")
        )
    assert together.most == 2
    assert [each.status for each in replies] == [200] * 5
