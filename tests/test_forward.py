"""Targets, requests and the client, against apps on raw sockets."""

import asyncio
import resource
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from socket import create_server, socket
from types import FrameType
from typing import Any

import pytest

from tests.apps import OK, Answer, free_port, hang, http, reset, running_app
from tiktok_hook.delivery import FORWARDED_HEADER, Delivery, Headers
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import (
    KEPT_BYTES,
    Forwarder,
    ForwardRequest,
    Reply,
    begun,
    build,
    ended,
    join,
    local_port,
    parse_header,
    parse_target,
    reachable,
    refuse_loop,
    with_header,
)
from tiktok_hook.forward.client import Deadline
from tiktok_hook.forward.connection import AppConnection
from tiktok_hook.forward.response import read_answer
from tiktok_hook.signature import State

BODY = b'{"event":"post.publish.complete",  "content":"{}"}'


@pytest.fixture
async def forwarder() -> AsyncIterator[Forwarder]:
    async with Forwarder() as made:
        yield made


def delivery(
    path: str = "/", query: str = "", headers: Headers = (), body: bytes = BODY
) -> Delivery:
    return Delivery(received_at=1.0, path=path, query=query, headers=headers, body=body)


# Targets.


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("3000", "http://localhost:3000"),
        (" 3000 ", "http://localhost:3000"),
        (":3000", "http://localhost:3000"),
        (":3000/hook", "http://localhost:3000/hook"),
        (":3000?a=1", "http://localhost:3000/?a=1"),
        ("app:8000", "http://app:8000"),
        ("app:8000/a//b%2F", "http://app:8000/a//b%2F"),
        ("127.0.0.1:80", "http://127.0.0.1"),
        ("[::1]:3000/x", "http://[::1]:3000/x"),
        ("http://localhost:3000/", "http://localhost:3000"),
        ("HTTPS://App.Example:443/Hook/", "https://app.example/Hook/"),
        ("https://app.example:8443", "https://app.example:8443"),
        ("http://bücher.example/x", "http://xn--bcher-kva.example/x"),
        ("http://host.docker.internal:3000", "http://host.docker.internal:3000"),
    ],
)
def test_a_target_is_read_in_every_documented_form(text: str, url: str) -> None:
    assert parse_target(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "3000/hook",
        "0",
        "65536",
        "app:port",
        "ftp://app:21",
        "http://",
        "http://:3000",
        "http://a b/",
        "http://app/a b",
        "http://app/\x00",
        "http://app/#part",
        "http://app/ü",
        "http://user:secret@app/",
        "http://[::zz]:1/",
        "//app/x",
        "-x:3",
    ],
)
def test_what_is_no_target_is_a_usage_error_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)
    assert caught.value.hint
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "path", "query", "url"),
    [
        ("http://a", "/", "", "http://a/"),
        ("http://a", "/", "x=1", "http://a/?x=1"),
        ("http://a/hook", "/", "", "http://a/hook"),
        ("http://a/hook", "/", "x=1", "http://a/hook?x=1"),
        ("http://a/hook/", "/", "", "http://a/hook/"),
        ("http://a/hook", "/in", "", "http://a/hook/in"),
        ("http://a/hook/", "/in", "", "http://a/hook/in"),
        ("http://a", "/in/", "", "http://a/in/"),
        ("http://a", "//in", "", "http://a//in"),
        ("http://a/hook?k=v", "/in", "x=%20+", "http://a/hook/in?k=v&x=%20+"),
        ("http://a", "/a//b/../c%2f", "x=%20+&&y", "http://a/a//b/../c%2f?x=%20+&&y"),
    ],
)
def test_paths_are_joined_with_one_slash_and_queries_kept(
    target: str, path: str, query: str, url: str
) -> None:
    assert join(target, path, query) == url


@pytest.mark.parametrize(
    "target",
    [
        "http://localhost:3000",
        "http://127.0.0.1:3000/x",
        "http://127.9.9.9:3000",
        "http://[::1]:3000",
        "http://0.0.0.0:3000",
        "http://app.localhost:3000",
        "http://[::ffff:127.0.0.1]:3000",
        "http://localhost:4040/webhook",
        "https://me.ngrok-free.app/webhook",
    ],
)
def test_a_target_that_is_ourselves_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match="round in circles") as caught:
        refuse_loop(
            [parse_target(target)],
            receiver_port=3000,
            inspector_port=4040,
            callback_url="https://me.ngrok-free.app/hook",
        )
    assert caught.value.hint.startswith("Name the address your app listens on")
    assert ("--inspect-port" in caught.value.hint) == ("inspector" in str(caught.value))


def test_other_targets_are_no_loops() -> None:
    refuse_loop(
        ["http://localhost:3001", "http://app:3000", "https://you.ngrok-free.app"],
        receiver_port=3000,
        inspector_port=None,
        callback_url="https://me.ngrok-free.app/",
    )
    assert local_port("http://localhost:3001/x") == 3001
    assert local_port("http://app:3000") is None


async def test_an_app_is_reachable_while_it_listens() -> None:
    async with running_app() as app:
        assert await reachable(app.url)
    assert not await reachable(app.url)
    assert not await reachable("http://no-such-host.invalid:1")


# Headers.


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("X-Debug: 1", ("X-Debug", "1")),
        ("X-Debug:1:2", ("X-Debug", "1:2")),
        ("X-Empty:", ("X-Empty", "")),
        ("Host: app.test", ("Host", "app.test")),
        ("X-Name: é", ("X-Name", "Ã©")),
    ],
)
def test_a_header_option_is_read(text: str, header: tuple[str, str]) -> None:
    assert parse_header(text) == header


@pytest.mark.parametrize(
    "text",
    [
        "X-Debug",
        ": 1",
        "X Debug: 1",
        "X-Debug: 1\r\nX-More: 2",
        "X-Debug: \x00",
        "X-Debug: \ud800",
        "X\n: 1",
        "Content-Length: 5",
        "transfer-encoding: chunked",
        "Connection: close",
    ],
)
def test_a_header_that_cannot_be_sent_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_header(text)
    assert caught.value.hint


def test_a_header_is_set_in_its_place_and_only_once() -> None:
    headers = (("A", "1"), ("x-b", "2"), ("X-B", "3"), ("C", "4"))
    assert with_header(headers, "X-B", "9") == (("A", "1"), ("x-b", "9"), ("C", "4"))
    assert with_header(headers, "D", "9") == (*headers, ("D", "9"))
    assert with_header(headers, "X-B", None) == (("A", "1"), ("C", "4"))


# What is sent.


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


async def test_host_and_length_are_added_where_they_are_missing(forwarder: Forwarder) -> None:
    async with running_app() as app:
        await forwarder.send(ForwardRequest("POST", app.url, (("A", "1"),), b"xy"))
        await forwarder.send(ForwardRequest("GET", f"{app.url}/x y"))
    host = f"Host: 127.0.0.1:{app.port}".encode()
    assert app.requests == [
        b"POST / HTTP/1.1\r\n" + host + b"\r\nA: 1\r\nContent-Length: 2\r\n\r\nxy",
        b"GET /x%20y HTTP/1.1\r\n" + host + b"\r\n\r\n",
    ]


def test_extra_headers_replace_those_of_their_name() -> None:
    came = (("Host", "a"), ("X-Debug", "1"), ("x-debug", "2"))
    made = build(
        delivery(headers=came),
        "http://app",
        extra_headers=[("X-DEBUG", "3"), ("Host", "other"), ("X-New", "4")],
    )
    assert made.headers == (
        ("Host", "other"),
        ("X-Debug", "3"),
        ("Content-Length", str(len(BODY))),
        ("X-New", "4"),
        (FORWARDED_HEADER, "1"),
    )


def test_an_imported_header_cannot_smuggle_another() -> None:
    came = ((":authority", "a"), ("X-A", "1\r\nX-B: 2"), ("Bad name", "3"))
    made = build(delivery(headers=came, body=b""), "http://app")
    assert ("X-A", "1  X-B: 2") in made.headers
    assert {name for name, _ in made.headers} == {
        "Host",
        "X-A",
        "Content-Length",
        FORWARDED_HEADER,
    }


# What comes back.


@pytest.mark.parametrize("status", [200, 201, 204, 301, 304, 403, 404, 500, 503])
async def test_any_status_comes_back_as_it_is(forwarder: Forwarder, status: int) -> None:
    body = b"" if status in {204, 304} else b"said"
    async with running_app(http(status, body, "Location: /elsewhere", "X-A: 1", "x-a: 2")) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url))
    assert (reply.status, reply.body, reply.error) == (status, body, None)
    assert reply.headers[-2:] == (("X-A", "1"), ("x-a", "2"))
    assert reply.header("location") == "/elsewhere"
    assert len(app.requests) == 1  # redirects are not followed
    assert reply.duration_ms > 0


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n",
            b"abcde",
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + http(200, b"a"),
            b"a",
        ),
        (b"HTTP/1.1 200\nContent-Length: 1\n\na", b"a"),
        (http(200, b"\x1f\x8b\x08zip", "Content-Encoding: gzip"), b"\x1f\x8b\x08zip"),
        (b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n", b""),
    ],
    ids=["chunked", "interim", "bare-lf", "gzip-untouched", "folded"],
)
async def test_answers_in_all_their_forms_are_read(
    forwarder: Forwarder, answer: bytes, body: bytes
) -> None:
    async with running_app(answer) as app:
        for _ in range(2):
            reply = await forwarder.send(ForwardRequest("POST", app.url))
            assert (reply.status, reply.body, reply.error) == (200, body, None)
    assert app.connections == 1


@pytest.mark.parametrize(
    ("head", "headers"),
    [
        (b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 1\r\n\r\n", ("A", "Content-Length")),
        (b"HTTP/1.1 200\nContent-Length: 1\n\n", ("Content-Length",)),
        (b"HTTP/1.1 100\r\n\r\nHTTP/1.1 200\r\nContent-Length: 1\r\n\r\n", ("Content-Length",)),
        (b"HTTP/1.1 204\r\n\r\n", ()),
    ],
    ids=["usual", "bare-lf", "interim", "no-headers"],
)
async def test_a_head_may_come_in_two_pieces_cut_anywhere(
    head: bytes, headers: tuple[str, ...]
) -> None:
    for cut in range(1, len(head)):
        connection = AppConnection()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            reading = group.create_task(read_answer(connection, "POST", 10))
            connection.data_received(head[:cut])
            await asyncio.sleep(0)  # until it waits for more
            connection.data_received(head[cut:] + b"x")
        answer = reading.result()
        assert answer.body == (b"x" if headers else b"")
        assert tuple(name for name, _ in answer.headers) == headers


async def test_an_answer_may_end_with_its_connection(forwarder: Forwarder) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    async with running_app(answer) as app:
        for _ in range(2):
            reply = await forwarder.send(ForwardRequest("POST", app.url))
            assert (reply.status, reply.body, reply.truncated) == (200, b"all of it", False)
    assert app.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 99,
    ],
    ids=[
        "ssh",
        "http2",
        "status",
        "colon",
        "negative",
        "two-lengths",
        "chunk",
        "long-chunk",
        "101",
        "endless-interim",
    ],
)
async def test_what_is_not_http_is_said_to_be_so(forwarder: Forwarder, answer: bytes) -> None:
    async with running_app(answer) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url))
    assert (reply.status, reply.error) == (None, "protocol")
    assert reply.detail


async def test_a_long_answer_is_cut_and_its_connection_stays(forwarder: Forwarder) -> None:
    async with running_app(http(200, b"x" * (KEPT_BYTES + 1))) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url))
        assert (reply.status, len(reply.body), reply.truncated) == (200, KEPT_BYTES, True)
        app.answer = http(200, b"x" * KEPT_BYTES)
        reply = await forwarder.send(ForwardRequest("POST", app.url))
        assert (len(reply.body), reply.truncated) == (KEPT_BYTES, False)
    assert app.connections == 1


def endless(head: bytes, piece: bytes, total: int = 100 << 20) -> Answer:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for _piece in range(total // len(piece)):
            writer.write(piece)
            await writer.drain()

    return answer


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (endless(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n", b"x" * 65536), 200, None),
        (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), 200, None),
        (
            endless(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"1000\r\n" + b"x" * 4096 + b"\r\n",
            ),
            200,
            None,
        ),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"), None, "too_large"),
        (endless(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 65536), None, "too_large"),
    ],
    ids=["100-megabytes", "for-ever", "chunks-for-ever", "headers-for-ever", "long-header"],
)
async def test_endless_answers_end_with_flat_memory(
    forwarder: Forwarder, answer: Answer, status: int | None, error: str | None
) -> None:
    async with running_app(answer) as app:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reply = await forwarder.send(ForwardRequest("POST", app.url), timeout=5)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (reply.status, reply.error) == (status, error)
    assert len(reply.body) == (KEPT_BYTES if status else 0)
    assert reply.truncated == bool(status)
    assert grown_kib < 16 * 1024


# How it fails.


async def test_an_app_that_is_not_there_refuses(forwarder: Forwarder) -> None:
    reply = await forwarder.send(ForwardRequest("POST", f"http://localhost:{free_port()}"))
    assert (reply.status, reply.error) == (None, "refused")


async def test_an_unknown_name_is_said_to_be_one(forwarder: Forwarder) -> None:
    reply = await forwarder.send(ForwardRequest("POST", "http://no-such-host.invalid:1"))
    assert (reply.status, reply.error) == (None, "dns")


async def test_an_app_that_hangs_runs_into_the_timeout(forwarder: Forwarder) -> None:
    async with running_app(hang) as app:
        reply = await forwarder.send(ForwardRequest("POST", app.url), timeout=0.2)
    assert (reply.status, reply.error) == (None, "timeout")
    assert 150 < reply.duration_ms < 5000


async def test_an_app_that_accepts_no_connection_runs_into_the_timeout(
    forwarder: Forwarder,
) -> None:
    with create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as stack:
        for _ in range(3):  # as many as the system keeps for it, and more
            waiting = stack.enter_context(socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with asyncio.timeout(10):
            reply = await forwarder.send(ForwardRequest("POST", url), timeout=0.2)
    assert (reply.status, reply.error) == (None, "timeout")
    assert reply.detail == "no complete answer within 0.2 s"


async def test_an_answer_that_came_while_the_process_was_stopped_is_no_timeout(
    forwarder: Forwarder,
) -> None:
    received, stopped = threading.Event(), threading.Event()
    with create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                received.set()
                stopped.wait(10)
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
async def test_a_broken_header_is_said_to_be_one_whatever_follows(
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
    assert (reply.error, reply.detail) == ("protocol", "a header without a colon: 'hello world'")


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
    """A server's context with a certificate that nobody trusts."""
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


async def test_a_certificate_is_checked_unless_told_not_to(certificate: ssl.SSLContext) -> None:
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


# Connections.


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
        async with asyncio.timeout(10):
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
            close_now.wait(10)
            if hard:
                first.setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")  # SO_LINGER: a reset
            first.close()
            closed.set()
            second, _ = listener.accept()
            with second:
                seen.append(second.recv(65536))
                second.sendall(OK)

    listener = create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=app)
    thread.start()
    try:
        assert (await forwarder.send(ForwardRequest("POST", url, body=b"1"))).status == 200
        # The event loop is held here, so that it sends before it can see the connection's end.
        close_now.set()
        assert closed.wait(10)
        reply = await forwarder.send(ForwardRequest("POST", url, body=b"2"))
    finally:
        thread.join(10)
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
    """The answer may come in the same moment: then it counts, but nobody may wait again."""
    async with running_app() as app:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(AppConnection, "127.0.0.1", app.port)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            reading = group.create_task(read_answer(connection, "POST", 100))
            await asyncio.sleep(0)  # until it waits
            connection.data_received(OK)
            connection.expire()
        assert reading.result().status == 200
        assert not connection.rest()
        connection.abort()
        await connection.gone


async def test_after_its_deadline_nothing_is_sent_and_the_connection_closed(
    forwarder: Forwarder,
) -> None:
    ended, deadline = asyncio.Event(), Deadline(0)
    deadline.ends(ended.set)
    async with running_app() as app, asyncio.timeout(10):
        request = ForwardRequest("POST", app.url)
        await forwarder.send(request)
        await ended.wait()
        (kept,) = forwarder._open  # time runs out between two lines of it
        with pytest.raises(TimeoutError):
            await forwarder._send(request, KEPT_BYTES, deadline)
        await kept.gone
    assert len(app.requests) == 1


async def test_time_that_a_process_was_stopped_for_is_given_back_only_once() -> None:
    ended = asyncio.Event()
    Deadline(0.1).ends(ended.set)
    for seconds in (0.7, 1.2):
        assert not ended.is_set()
        time.sleep(seconds)  # noqa: ASYNC251 - nothing runs meanwhile, as between Ctrl-Z and `fg`
        await asyncio.sleep(0.01)  # a turn of the loop for what is due
    assert ended.is_set()


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

    async with asyncio.timeout(20), running_app(talk) as app, asyncio.TaskGroup() as group:
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
        waiting = group.create_task(connection.read_line(100))
        await asyncio.sleep(0)  # until it waits
        before = sys.gettrace()
        sys.settrace(interrupt)
        try:
            connection.data_received(b"HTTP/1.1 200 OK\r\n")
        finally:
            sys.settrace(before)
    assert waiting.cancelled()


# What is recorded.


def test_an_attempt_begins_with_what_goes_out_and_ends_with_what_came_back() -> None:
    came = delivery(path="/hook")
    request = build(came, "http://app:1")
    attempt = begun(came, request, now=5.0)
    assert (attempt.target, attempt.started_at, attempt.ended) == ("http://app:1/hook", 5.0, False)
    assert (attempt.request_headers, attempt.request_body) == (request.headers, None)
    reply = Reply(302, (("LOCATION", "/hook/"),), b"said", truncated=True, duration_ms=3.0)
    done = ended(attempt, reply, verdict=State.VALID)
    assert (done.status, done.body, done.truncated, done.duration_ms) == (302, b"said", True, 3.0)
    assert "slash at its end" in done.hint


def test_a_changed_body_is_recorded_too() -> None:
    request = ForwardRequest("POST", "http://app:1/", (), b"other")
    assert begun(delivery(), request, now=5.0, replay=True).request_body == b"other"


@pytest.mark.parametrize(
    ("reply", "verdict", "words"),
    [
        (Reply(200), State.VALID, ""),
        (Reply(200), State.INVALID, "does not verify"),
        (Reply(200), State.MISSING, "does not verify"),
        (Reply(403), State.VALID, "refuses a good signature"),
        (Reply(None, error="tls", detail="expired\x1b[2J"), State.VALID, "(expired\\x1b[2J)"),
    ],
    ids=["fine", "forged-accepted", "unsigned-accepted", "good-refused", "detail"],
)
def test_the_hint_weighs_the_answer_against_the_signature(
    reply: Reply, verdict: State, words: str
) -> None:
    attempt = begun(delivery(), ForwardRequest("POST", "http://app:1/"), now=5.0)
    hint = ended(attempt, reply, verdict=verdict).hint
    assert words in hint
    assert bool(words) == bool(hint)
