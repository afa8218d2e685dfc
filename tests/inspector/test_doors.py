"""Who is let in: each rule has a request that only this rule refuses."""

import asyncio
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar

from tests.inspector.running import TOKEN, Running, running
from tests.listener import BODY, SECRET
from tiktok_hook import inspector

LIST = "/api/v1/deliveries"


async def status_of(page: Running, path: str = LIST, method: str = "GET", **options: Any) -> int:
    async with page.http.request(method, path, allow_redirects=False, **options) as answer:
        await answer.read()
        return answer.status


async def raw(page: Running, request: bytes) -> bytes:
    """What is answered to bytes that no client would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.0.0.9", "[::1]"])
@pytest.mark.parametrize("port", ["", ":4040"])
async def test_names_of_this_machine_are_known(page: Running, host: str, port: str) -> None:
    assert await status_of(page, headers={"Host": host + port}) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4040", "localhost.evil.example", "10.0.0.1", "127.0.0.1.nip.io",
     "[::2]", "0.0.0.0", "localhost:1:2", "[::1", "", "@", "127.0.0.1@evil.example"],
)  # fmt: skip
async def test_a_foreign_host_is_refused(page: Running, host: str) -> None:
    assert await status_of(page, headers={"Host": host}) == 403


@pytest.mark.parametrize("path", ["/", "/status", "/api/tunnels", "/static/app.css", "/nowhere"])
async def test_a_foreign_host_gets_at_no_path(page: Running, path: str) -> None:
    assert await status_of(page, path, headers={"Host": "evil.example"}) == 403


async def test_a_request_without_a_host_is_refused(page: Running) -> None:
    answer = await raw(page, b"GET /api/tunnels HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 403")


async def test_a_host_that_the_user_allowed_is_known(tmp_path: Path) -> None:
    async with running(tmp_path / "h.db", names=["inspector.box"]) as page:
        assert await status_of(page, headers={"Host": "Inspector.Box:4040"}) == 200
        assert await status_of(page, headers={"Host": "other.box:4040"}) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "new-value"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_requests_of_other_sites_and_ports_are_refused(
    page: Running, site: str, method: str
) -> None:
    assert await status_of(page, LIST, method, headers={"Sec-Fetch-Site": site}) == 403


@pytest.mark.parametrize("site", ["none", "same-origin"])
async def test_requests_of_the_page_and_of_the_address_bar_are_let_in(
    page: Running, site: str
) -> None:
    assert await status_of(page, headers={"Sec-Fetch-Site": site}) == 200


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:3000", "http://evil.example", "null", "http://[", "", "https://127.0.0.1",
     "file://", "http://localhost:{port}"],
)  # fmt: skip
async def test_other_origins_are_refused(page: Running, origin: str) -> None:
    headers = {"Origin": origin.format(port=page.port)}
    assert await status_of(page, LIST, "DELETE", headers=headers) == 403


async def test_the_own_origin_is_let_in(page: Running) -> None:
    assert await status_of(page, LIST, "DELETE", headers={"Origin": page.url}) == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
@pytest.mark.parametrize("path", [f"{LIST}/1/replay", "/api/requests/http"])
async def test_a_form_of_another_page_is_refused(page: Running, path: str, kind: str) -> None:
    headers = {"Content-Type": kind}
    assert await status_of(page, path, "POST", data=b"{}", headers=headers) == 415


@pytest.mark.parametrize(
    "path",
    ["/", "/static/app.css", LIST, "/api/v1/status", "/api/v1/stream", "/api/v1/export",
     "/api/v1/openapi.json", "/api/requests/http", "/api/requests/http/1", "/nowhere",
     "/api/tunnelsx", "/api/v1/deliveries/1/body", "//api/v1/deliveries",
     "/api/tunnels/../v1/deliveries", "/api/tunnels/..%2fv1/deliveries"],
)  # fmt: skip
async def test_without_the_token_nothing_is_told(page: Running, path: str) -> None:
    await page.add()
    answer = await raw(page, f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.0 401", b"HTTP/1.0 404"))
    assert b"v_pub_file" not in answer


@pytest.mark.parametrize("path", ["/api/tunnels", "/api/endpoints", "/api/tunnels/command_line"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_without_the_token_nothing_is_done(page: Running, path: str, method: str) -> None:
    async with page.stranger.request(method, path, json={}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("path", ["/status", "/api/status", "/api/tunnels", "/api/endpoints"])
async def test_where_the_tunnel_is_can_be_read_without_the_token(page: Running, path: str) -> None:
    async with page.stranger.get(path) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", TOKEN,
     "Bearer é", f"Bearer {TOKEN.upper()}"],
)  # fmt: skip
async def test_a_wrong_token_is_refused(page: Running, authorization: str) -> None:
    async with page.stranger.get(LIST, headers={"Authorization": authorization}) as answer:
        assert answer.status == 401
        assert TOKEN not in await answer.text()


async def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address(
    page: Running,
) -> None:
    address = inspector.url("127.0.0.1", page.port, TOKEN)
    async with page.stranger.get(address, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == "/"
        cookie = answer.headers["Set-Cookie"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert cookie.startswith(f"tiktok_hook_{page.port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    async with page.stranger.get(LIST) as answer:
        assert answer.status == 200


async def test_a_wrong_token_in_the_address_sets_no_cookie(page: Running) -> None:
    async with page.stranger.get("/?token=wrong", allow_redirects=False) as answer:
        assert answer.status == 401
        assert "Set-Cookie" not in answer.headers


async def test_the_token_in_the_address_of_an_api_call_is_not_looked_at(page: Running) -> None:
    async with page.stranger.get(f"{LIST}?token={TOKEN}") as answer:
        assert answer.status == 401


async def test_open_access_lets_in_who_has_no_token_and_checks_the_rest(tmp_path: Path) -> None:
    async with running(tmp_path / "h.db", open_access=True) as page:
        for headers, status in (
            ({}, 200),
            ({"Host": "evil.example"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Origin": "http://127.0.0.1:3000"}, 403),
        ):
            async with page.stranger.get(LIST, headers=headers) as answer:
                assert answer.status == status
        async with page.stranger.post("/api/requests/http", data=b"{}") as answer:
            assert answer.status == 415


@pytest.mark.parametrize("path", ["/", "/static/app.css", LIST, "/nowhere", "/api/v1/stream"])
async def test_every_answer_is_held_to_its_type_and_to_our_own_scripts(
    page: Running, path: str
) -> None:
    async with page.http.get(path) as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy


@pytest.mark.parametrize(
    "path", [f"{LIST}/1/body", "/api/v1/export?format=har", "/api/v1/export?format=pytest"]
)
async def test_downloads_are_never_shown_in_the_page(page: Running, path: str) -> None:
    await page.add(b"<script>alert(1)</script>")
    async with page.http.get(path) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
        assert answer.content_type == "application/octet-stream"


async def test_no_answer_holds_the_secret_or_the_token(page: Running) -> None:
    await page.add()
    paths = ["/", LIST, f"{LIST}/1", "/api/v1/status", "/api/v1/samples", "/api/v1/timeline",
             "/api/v1/openapi.json", "/api/v1/export?format=curl", "/api/v1/export?format=pytest",
             "/api/v1/export?format=har", "/api/status", "/api/tunnels", "/api/requests/http",
             "/status"]  # fmt: skip
    for path in paths:
        async with page.http.get(path) as answer:
            text = await answer.text()
            assert answer.status == 200
            assert SECRET not in text
            assert TOKEN not in text


async def test_refusals_of_the_look_alike_have_its_error_shape(page: Running) -> None:
    async with page.stranger.get("/api/requests/http") as answer:
        assert answer.status == 401
        shape = json.loads(await answer.read())
    assert set(shape) == {"error_code", "status_code", "msg", "details"}
    assert shape["status_code"] == 401
    assert isinstance(shape["details"]["err"], str)


async def test_the_cookie_of_another_port_is_not_ours(page: Running) -> None:
    async with (
        ClientSession(page.url, cookie_jar=DummyCookieJar()) as other,
        other.get(LIST, headers={"Cookie": f"tiktok_hook_{page.port + 1}={TOKEN}"}) as answer,
    ):
        assert answer.status == 401


async def test_a_body_that_is_no_json_is_refused_in_words(page: Running) -> None:
    await page.add()
    for data in (b"{", b"\xff\xfe", b"[]", b"[" * 100_000, b"{}" + BODY):
        headers = {"Content-Type": "application/json"}
        async with page.http.post(f"{LIST}/1/replay", data=data, headers=headers) as answer:
            assert answer.status == 400
            assert "JSON" in (await answer.json())["error"]


async def test_a_body_that_is_too_long_is_refused(page: Running) -> None:
    data = BytesIO(b"{" + b" " * (9 << 20))
    headers = {"Content-Type": "application/json"}
    assert await status_of(page, f"{LIST}/1/replay", "POST", data=data, headers=headers) == 413
