"""Access control; each test fails when its rule is taken out."""

import asyncio
import json

import pytest
from aiohttp import ClientSession

from tests.deadline import DEADLINE
from tests.inspector.conftest import TOKEN, URL, Served, running
from tests.listener import SECRET

PRIVATE = ["/api/v1/deliveries", "/api/v1/status", "/api/requests/http"]
PUBLIC = ["/status", "/api/status", "/api/tunnels", "/api/endpoints", "/api/tunnels/command_line"]


@pytest.mark.parametrize("path", PRIVATE)
async def test_without_the_token_nothing_private_is_shown(served: Served, path: str) -> None:
    assert (await served.ask("GET", path, token=None)).status == 401
    assert (await served.ask("GET", path, token="wrong")).status == 401
    assert (await served.ask("GET", path)).status == 200


@pytest.mark.parametrize("path", PUBLIC)
async def test_what_ngroks_clients_ask_first_needs_no_token(served: Served, path: str) -> None:
    assert (await served.ask("GET", path, token=None)).status == 200


@pytest.mark.parametrize("path", ["/api/tunnelsx", "/statusx", "/api/endpoints.json", "/api"])
async def test_only_whole_names_of_open_paths_are_open(served: Served, path: str) -> None:
    assert (await served.ask("GET", path, token=None)).status == 401


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
async def test_an_open_path_is_open_for_reading_only(served: Served, method: str) -> None:
    assert (await served.ask(method, "/api/status", body={}, token=None)).status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/tunnels"),
        ("DELETE", "/api/tunnels/command_line"),
        ("POST", "/api/endpoints"),
        ("PUT", "/api/endpoints/command_line"),
        ("DELETE", "/api/endpoints/command_line"),
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", None])
async def test_an_unsupported_address_is_answered_501_before_a_token_is_required(
    served: Served, method: str, path: str, kind: str | None
) -> None:
    headers = [] if kind is None else [("Content-Type", kind)]
    reply = await served.ask(method, path, *headers, token=None)
    assert (reply.status, json.loads(reply.body)["msg"]) == (501, "not supported")
    foreign = [*headers, ("Origin", "https://evil.example")]
    assert (await served.ask(method, path, *foreign, token=None)).status == 403


@pytest.mark.parametrize("path", ["/inspect/http", "/inspect/http/", "/inspect"])
async def test_the_address_of_the_agents_page_leads_to_ours(served: Served, path: str) -> None:
    reply = await served.ask("GET", path, ("Sec-Fetch-Site", "cross-site"), token=None)
    assert (reply.status, reply.header("Location"), reply.body) == (302, "/", b"")
    assert (await served.ask("GET", f"{path}/x", token=None)).status in {401, 404}


@pytest.mark.parametrize("path", ["/", "/?id=12", "/static/app.js"])
async def test_the_page_holds_no_data_and_needs_no_token(served: Served, path: str) -> None:
    delivery = await served.receive()
    reply = await served.ask("GET", path, token=None)
    assert reply.status == 200
    assert delivery.body not in reply.body
    assert reply.header("Set-Cookie") is None


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
async def test_the_page_may_be_navigated_to_from_anywhere(served: Served, site: str) -> None:
    fetched = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate")]
    assert (await served.ask("GET", "/?id=1", *fetched, token=None)).status == 200


@pytest.mark.parametrize("path", ["/static/app.js", "/api/v1/status", "/api/tunnels", "/status"])
async def test_nothing_but_the_page_may_be_opened_from_another_site(
    served: Served, path: str
) -> None:
    fetched = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
    assert (await served.ask("GET", path, *fetched)).status == 403


async def test_a_token_in_a_cookie_or_in_a_query_opens_nothing(served: Served) -> None:
    for name in (f"tiktok_hook_{served.port}", "token"):
        cookie = ("Cookie", f"{name}={TOKEN}")
        assert (await served.ask("GET", "/api/v1/status", cookie, token=None)).status == 401
    reply = await served.ask("GET", f"/api/v1/deliveries?token={TOKEN}", token=None)
    assert reply.status == 401


async def test_no_response_sets_a_cookie(served: Served) -> None:
    delivery = await served.receive()
    for path in (*PRIVATE, *PUBLIC, "/", "/static/app.js", f"/api/v1/deliveries/{delivery.id}"):
        assert (await served.ask("GET", path)).header("Set-Cookie") is None


@pytest.mark.parametrize(
    ("headers", "option"),
    [
        ([("Host", "dev.box:4040")], "--inspect-allow-host dev.box"),
        ([("Origin", "https://dev.box")], "--inspect-allow-host NAME"),
        ([("Sec-Fetch-Site", "cross-site")], "No option allows other sites."),
        ([("Authorization", "Bearer wrong")], "--inspect-open"),
        ([("Content-Type", "text/plain")], "Content-Type: application/json"),
    ],
    ids=["host", "origin", "site", "token", "form"],
)
@pytest.mark.parametrize("path", ["/api/v1/samples/tiktok.ping", "/api/requests/http", "/"])
async def test_a_rejection_names_what_would_allow_it(
    served: Served, headers: list[tuple[str, str]], option: str, path: str
) -> None:
    sends_token = all(name != "Authorization" for name, _ in headers)
    token = TOKEN if sends_token else None
    reply = await served.ask("POST", path, *headers, body=b"{}", token=token)
    assert reply.status in {401, 403, 415}
    assert option in reply.body.decode()


async def test_a_token_that_was_replaced_is_rejected_at_once() -> None:
    tokens = ["first"]
    async with running(token=lambda: tokens[-1]) as served:
        assert (await served.ask("GET", "/api/v1/status", token="first")).status == 200
        tokens.append("second")
        assert (await served.ask("GET", "/api/v1/status", token="first")).status == 401
        assert (await served.ask("GET", "/api/v1/status", token="second")).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4040", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1", "[::2]",
     "localhost:1:2", "[::1", "127.0.0.1@evil.example", "@", ""],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/v1/deliveries", "/api/tunnels"])
async def test_a_foreign_host_name_is_rejected(served: Served, host: str, path: str) -> None:
    assert (await served.ask("GET", path, ("Host", host))).status == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:4040", "127.0.0.1:1", "[::1]:4040"])
async def test_every_name_of_this_machine_is_accepted(served: Served, host: str) -> None:
    assert (await served.ask("GET", "/api/v1/status", ("Host", host))).status == 200


async def test_a_container_may_be_asked_by_the_name_it_was_given() -> None:
    async with running(inspect_allow_hosts=["dev.box"]) as served:
        assert (await served.ask("GET", "/status", ("Host", "dev.box:4040"))).status == 200
        assert (await served.ask("GET", "/status", ("Host", "other.box:4040"))).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "something-new"])
async def test_another_site_and_another_port_of_this_one_are_rejected(
    served: Served, site: str
) -> None:
    for method in ("GET", "POST", "DELETE"):
        path = "/api/v1/deliveries/1/replay" if method == "POST" else "/api/v1/deliveries"
        body: object = {} if method == "POST" else None
        reply = await served.ask(method, path, ("Sec-Fetch-Site", site), body=body)
        assert reply.status == 403


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:3000", "http://127.0.0.1", "https://127.0.0.1", "https://evil.example",
     "https://127.0.0.1:{port}", "ftp://127.0.0.1:{port}", "http://localhost:{port}",
     "127.0.0.1:{port}", "null", "http://[", ""],
)  # fmt: skip
async def test_a_foreign_origin_is_rejected(served: Served, origin: str) -> None:
    given = ("Origin", origin.format(port=served.port))
    reply = await served.ask("DELETE", "/api/v1/deliveries", given)
    assert reply.status == 403


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("dev.box:4040", "http://dev.box:4040", 200),
        ("dev.box", "https://dev.box", 200),
        ("dev.box:8443", "https://dev.box:8443", 200),
        ("127.0.0.1:{port}", "https://dev.box", 200),
        ("127.0.0.1:{port}", "https://named.box:8443", 200),
        ("127.0.0.1:{port}", "https://named.box", 403),
        ("127.0.0.1:{port}", "https://dev.box:9", 403),
        ("127.0.0.1:{port}", "ftp://dev.box", 403),
        ("127.0.0.1:{port}", "https://x.dev.box", 403),
        ("127.0.0.1:{port}", "http://127.0.0.1", 403),
    ],
)
async def test_a_named_proxy_may_terminate_tls_and_rewrite_the_host(
    host: str, origin: str, status: int
) -> None:
    async with running(inspect_allow_hosts=["127.0.0.1", "Dev.box", "named.box:8443"]) as served:
        headers = [("Host", host.format(port=served.port)), ("Origin", origin)]
        reply = await served.ask("DELETE", "/api/v1/deliveries", *headers)
        assert reply.status == status


@pytest.mark.parametrize("raw", [b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"\x16\x03 x"])
async def test_the_server_header_names_no_version(served: Served, raw: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(raw + b"Connection: close\r\n\r\n")
    async with asyncio.timeout(DEADLINE):
        head = (await reader.read()).partition(b"\r\n\r\n")[0]
    writer.close()
    assert b"\r\nServer: tiktok-hook" in head
    assert b"aiohttp" not in head
    assert b"Python" not in head


async def test_our_own_page_may_write(served: Served) -> None:
    await served.receive()
    own = [("Origin", served.address), ("Sec-Fetch-Site", "same-origin")]
    assert (await served.ask("DELETE", "/api/v1/deliveries", *own)).status == 200


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"]
)
async def test_a_form_cannot_write(served: Served, kind: str) -> None:
    reply = await served.ask(
        "POST", "/api/v1/samples/tiktok.ping", ("Content-Type", kind), body=b"{}"
    )
    assert reply.status == 415


async def test_open_access_drops_the_token_and_nothing_else() -> None:
    async with running(inspect_open=True) as served:
        assert (await served.ask("GET", "/api/requests/http", token=None)).status == 200
        evil = ("Host", "evil.example")
        assert (await served.ask("GET", "/api/requests/http", evil, token=None)).status == 403


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/v1/status", "/api/tunnels", "/no"])
async def test_every_answer_carries_the_strict_headers(served: Served, path: str) -> None:
    reply = await served.ask("GET", path)
    policy = reply.header("Content-Security-Policy") or ""
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert reply.header("X-Content-Type-Options") == "nosniff"
    assert reply.header("Referrer-Policy") == "no-referrer"
    assert reply.header("Cache-Control") == "no-store"


async def test_a_body_is_a_download_and_never_a_page(served: Served) -> None:
    delivery = await served.receive(b"<script>alert(1)</script>")
    reply = await served.ask("GET", f"/api/v1/deliveries/{delivery.id}/body")
    assert reply.header("Content-Type") == "application/octet-stream"
    assert (reply.header("Content-Disposition") or "").startswith("attachment")
    assert reply.body == b"<script>alert(1)</script>"


async def test_neither_secret_nor_token_is_in_any_answer(served: Served) -> None:
    delivery = await served.receive()
    for path in (*PRIVATE, *PUBLIC, f"/api/v1/deliveries/{delivery.id}", "/api/v1/export"):
        reply = await served.ask("GET", path)
        text = reply.body.decode() + str(reply.headers)
        assert SECRET not in text
        assert TOKEN not in text


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://localhost/x"])
async def test_a_replay_goes_to_http_only(served: Served, target: str) -> None:
    delivery = await served.receive()
    reply = await served.ask(
        "POST", f"/api/v1/deliveries/{delivery.id}/replay", body={"target": target}
    )
    assert reply.status == 400


@pytest.mark.parametrize("target", ["http://localhost:3000/hook", "{page}", f"{URL}/hook"])
async def test_a_replay_does_not_come_back_to_us(served: Served, target: str) -> None:
    delivery = await served.receive()
    path = f"/api/v1/deliveries/{delivery.id}/replay"
    reply = await served.ask("POST", path, body={"target": target.format(page=served.address)})
    assert reply.status == 400
    assert "every delivery would be received again" in json.loads(reply.body)["error"]


async def test_the_stream_carries_the_strict_headers_too(served: Served) -> None:
    async with (
        ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as client,
        client.get(f"{served.address}/api/v1/stream") as answer,
    ):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", TOKEN, "Bearer \xe9"],
)
async def test_a_token_that_is_nearly_right_is_rejected(served: Served, authorization: str) -> None:
    header = ("Authorization", authorization)
    reply = await served.ask("GET", "/api/v1/status", header, token=None)
    assert reply.status == 401
    assert TOKEN.encode() not in reply.body


@pytest.mark.parametrize(
    "path", ["//api/v1/deliveries", "/api/tunnels/../v1/deliveries", "/api/tunnelsx",
             "/api/tunnels/..%2fv1/deliveries", "/api/tunnels/%2e%2e/v1/deliveries"]
)  # fmt: skip
async def test_no_spelling_of_a_path_gets_around_the_token(served: Served, path: str) -> None:
    await served.receive()
    reply = await served.ask("GET", path, token=None)
    assert reply.status in {401, 404}
    assert b"v_pub_file" not in reply.body


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[]", b"[" * 100_000, b"{}{}", b'{"set":1}'])
async def test_an_unusable_body_is_rejected_with_a_message(served: Served, body: bytes) -> None:
    await served.receive()
    reply = await served.ask("POST", "/api/v1/deliveries/1/replay", body=body)
    assert reply.status == 400
    assert json.loads(reply.body)["error"].endswith(".")


async def test_an_unknown_charset_is_ignored(served: Served) -> None:
    kind = ("Content-Type", "application/json; charset=klingon")
    for path in ("/api/v1/deliveries/1/replay", "/api/requests/http"):
        assert (await served.ask("POST", path, kind, body=b"{}")).status == 404


async def test_a_body_that_is_too_long_is_rejected(served: Served) -> None:
    body = b"{" + b" " * (9 << 20)
    assert (await served.ask("POST", "/api/v1/deliveries/1/replay", body=body)).status == 413


async def test_a_malformed_request_is_answered_400_and_kept_off_the_screen(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"GET /?a=\x80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    async with asyncio.timeout(DEADLINE):
        assert (await reader.readline()).startswith(b"HTTP/1.0 400")
    writer.close()
    assert caplog.records == []
