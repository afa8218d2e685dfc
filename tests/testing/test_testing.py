"""`tiktok_hook.testing`: every kind of app, in tests with and without an event loop."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.validate import validator

import pytest
from aiohttp import web

import tiktok_hook
from tests.apps import free_port, hang, http, running_app
from tests.store.samples import delivery
from tiktok_hook import archive, events
from tiktok_hook.errors import AppError, UsageError
from tiktok_hook.exact_json import Json
from tiktok_hook.testing import TiktokWebhook, signed, signed_event

pytest_plugins = ["tiktok_hook.testing.plugin"]

SECRET = "tiktok-client-secret"
PATH = "/webhooks/tiktok"
BODY = '{"event":"ünïcode","content":"{ }","n":7545200000000000001}'.encode()

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
SendMessage = Callable[[Message], Awaitable[None]]


def status_for(path: str, header: str | None, body: bytes) -> int:
    """What a good handler answers."""
    if path != PATH:
        return 404
    verdict = tiktok_hook.check(header, body, SECRET, now=time.time())
    return 200 if verdict.state is tiktok_hook.State.VALID else 403


async def asgi_app(scope: Message, receive: Receive, send: SendMessage) -> None:
    """Without start-up or shutdown."""
    assert scope["type"] == "http"
    body = (await receive())["body"]
    header = dict(scope["headers"]).get(b"tiktok-signature", b"").decode() or None
    status = status_for(scope["path"], header, body)
    await send({"type": "http.response.start", "status": status, "headers": [(b"X-Kind", b"asgi")]})
    await send({"type": "http.response.body", "body": body[:3], "more_body": True})
    await send({"type": "http.response.body", "body": body[3:]})


def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    status = status_for(environ["PATH_INFO"], environ.get("HTTP_TIKTOK_SIGNATURE"), body)
    start_response(
        f"{status} Said so", [("Content-Type", "application/octet-stream"), ("X-Kind", "wsgi")]
    )
    return [body]


async def answer(request: web.Request) -> web.Response:
    body = await request.read()
    status = status_for(request.path, request.headers.get("Tiktok-Signature"), body)
    return web.Response(status=status, body=body, headers={"X-Kind": "aiohttp"})


aiohttp_app = web.Application()
aiohttp_app.router.add_post("/{path:.*}", answer)

APPS = [
    pytest.param(asgi_app, id="asgi"),
    pytest.param(validator(wsgi_app), id="wsgi"),
    pytest.param(aiohttp_app, id="aiohttp"),
]
each_kind = pytest.mark.parametrize("app", APPS)


@each_kind
def test_an_app_of_any_kind_gets_the_bytes_and_its_answer_comes_back(
    tiktok_webhook: TiktokWebhook, app: object
) -> None:
    response = tiktok_webhook(app, secret=SECRET, path=PATH)(BODY)
    assert (response.status, response.body) == (200, BODY)
    assert response.headers["x-kind"] in {"asgi", "wsgi", "aiohttp"}


@each_kind
async def test_it_works_in_a_test_with_an_event_loop(
    tiktok_webhook: TiktokWebhook, app: object
) -> None:
    assert tiktok_webhook(app, secret=SECRET, path=PATH)(BODY).status == 200


@each_kind
@pytest.mark.parametrize(
    "variant",
    [{"age": 3600}, {"age": -3600}, {"bad_signature": True}, {"no_signature": True}],
    ids=["old", "from-the-future", "bad", "none"],
)
def test_a_delivery_signed_otherwise_is_rejected_by_a_good_handler(
    tiktok_webhook: TiktokWebhook, app: object, variant: dict[str, Any]
) -> None:
    send = tiktok_webhook(app, secret=SECRET, path=PATH)
    assert send(BODY, **variant).status == 403
    assert send.event("tiktok.ping", **variant).status == 403


@each_kind
def test_the_path_is_the_one_asked_for(tiktok_webhook: TiktokWebhook, app: object) -> None:
    assert tiktok_webhook(app, secret=SECRET, path="/elsewhere")(BODY).status == 404
    assert tiktok_webhook(app, secret=SECRET, path=f"{PATH}?from=tiktok")(BODY).status == 200


@pytest.mark.parametrize("name", events.CATALOGUE)
def test_every_event_of_the_catalogue_can_be_sent(tiktok_webhook: TiktokWebhook, name: str) -> None:
    response = tiktok_webhook(asgi_app, secret=SECRET, path=PATH).event(name)
    assert response.status == 200
    assert response.json()["event"] == name


def test_an_event_carries_the_values_asked_for_as_they_are(tiktok_webhook: TiktokWebhook) -> None:
    send = tiktok_webhook(asgi_app, secret=SECRET, path=PATH)
    changes: dict[str, Json] = {"content.reason": "7", "content.extra+": [1, None]}
    response = send.event("post.publish.failed", user_openid="12", **changes)
    event = events.parse(response.body)
    assert event is not None
    assert event.envelope["user_openid"] == "12"
    assert isinstance(event.content, dict)
    assert event.content["reason"] == "7", "text stays text"
    assert event.content["extra"] == [1, None]


def test_an_event_is_created_when_it_is_signed(tiktok_webhook: TiktokWebhook) -> None:
    send = tiktok_webhook(asgi_app, secret=SECRET, path=PATH)
    created = events.parse(send.event("post.publish.complete", age=3600).body)
    assert created is not None
    assert created.create_time == pytest.approx(time.time() - 3600, abs=10)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("post.publish.fail", {}, "post.publish.failed"),
        ("post.publish.failed", {"content.raeson": "spam_risk"}, "content.reason"),
    ],
    ids=["event", "path"],
)
def test_a_mistyped_name_is_an_error_with_the_nearest(
    tiktok_webhook: TiktokWebhook, name: str, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        tiktok_webhook(asgi_app, secret=SECRET).event(name, **changes)
    assert words in caught.value.hint


def test_headers_of_ones_own_replace_ours(tiktok_webhook: TiktokWebhook) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", environ["CONTENT_TYPE"])])
        return [f"{environ['HTTP_HOST']} {environ['HTTP_X_FORWARDED_PROTO']}".encode()]

    headers = {"Host": "hooks.example.com", "x-forwarded-proto": "https", "content-type": "a/b"}
    response = tiktok_webhook(app, secret=SECRET, headers=headers)(BODY)
    assert response.text == "hooks.example.com https"
    assert response.headers["Content-Type"] == "a/b"


def test_a_path_is_unquoted_for_the_app_as_servers_do(tiktok_webhook: TiktokWebhook) -> None:
    seen: list[object] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append((environ["PATH_INFO"].encode("latin-1").decode(), environ["QUERY_STRING"]))
        start_response("200 OK", [])
        return []

    async def other(scope: Message, receive: Receive, send: SendMessage) -> None:
        if scope["type"] == "http":
            seen.append((scope["path"], scope["query_string"].decode()))
            await asgi_app(scope, receive, send)

    for each in (app, other):
        tiktok_webhook(each, secret=SECRET, path="/caf%C3%A9?a=%20b")(BODY)
    assert seen == [("/café", "a=%20b")] * 2


def test_what_an_app_lets_out_reaches_the_test(tiktok_webhook: TiktokWebhook) -> None:
    async def failing(scope: Message, receive: Receive, send: SendMessage) -> None:
        raise ZeroDivisionError("in the handler")

    def failing_too(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise ZeroDivisionError("in the handler")

    for app in (failing, failing_too):
        with pytest.raises(ZeroDivisionError, match="in the handler"):
            tiktok_webhook(app, secret=SECRET)(BODY)


class LivelyApp:
    """An ASGI app that keeps count of its life."""

    def __init__(self, *, fails_at: str = "") -> None:
        self.story: list[str] = []
        self.fails_at = fails_at

    async def __call__(self, scope: Message, receive: Receive, send: SendMessage) -> None:
        if scope["type"] == "http":
            self.story.append(f"request with {scope['state']['greeting']}")
            await asgi_app(scope, receive, send)
            return
        for word in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{word}"
            self.story.append(word)
            if self.fails_at == word:
                await send({"type": f"lifespan.{word}.failed", "message": "no database"})
                raise ConnectionError("no database")
            scope["state"]["greeting"] = "hello"
            await send({"type": f"lifespan.{word}.complete"})


def test_an_asgi_app_is_started_once_and_shut_down_at_the_end() -> None:
    app = LivelyApp()
    with TiktokWebhook() as webhook:
        for _ in range(2):
            webhook(app, secret=SECRET, path=PATH)(BODY)
    assert app.story == ["startup", *["request with hello"] * 2, "shutdown"]


@pytest.mark.parametrize("word", ["startup", "shutdown"])
def test_an_asgi_app_that_does_not_start_or_end_is_one_plain_error(word: str) -> None:
    with pytest.raises(AppError, match="no database"), TiktokWebhook() as webhook:
        webhook(LivelyApp(fails_at=word), secret=SECRET, path=PATH)


def test_an_asgi_app_wrapped_in_a_plain_function_is_seen_as_one(
    tiktok_webhook: TiktokWebhook,
) -> None:
    def wrapped(scope: Message, receive: Receive, send: SendMessage) -> Awaitable[None]:
        return asgi_app(scope, receive, send)

    assert tiktok_webhook(wrapped, secret=SECRET, path=PATH)(BODY).status == 200


def test_an_app_that_ends_without_an_answer_is_an_error(tiktok_webhook: TiktokWebhook) -> None:
    async def silent(scope: Message, receive: Receive, send: SendMessage) -> None:
        await receive()

    with pytest.raises(AppError, match="without a complete answer"):
        tiktok_webhook(silent, secret=SECRET)(BODY)


def test_an_answer_that_breaks_off_is_an_error(tiktok_webhook: TiktokWebhook) -> None:
    async def broken(scope: Message, receive: Receive, send: SendMessage) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})

    with pytest.raises(AppError, match="without a complete answer"):
        tiktok_webhook(broken, secret=SECRET)(BODY)


def test_a_timeout_of_the_apps_own_is_not_taken_for_ours(tiktok_webhook: TiktokWebhook) -> None:
    async def hasty(scope: Message, receive: Receive, send: SendMessage) -> None:
        raise TimeoutError("no database")

    with pytest.raises(TimeoutError, match="no database"):
        tiktok_webhook(hasty, secret=SECRET)(BODY)


def test_an_app_that_takes_too_long_is_an_error(tiktok_webhook: TiktokWebhook) -> None:
    async def slow(scope: Message, receive: Receive, send: SendMessage) -> None:
        if scope["type"] == "http":
            await asyncio.Event().wait()

    with pytest.raises(AppError, match=r"within 0\.05 s"):
        tiktok_webhook(slow, secret=SECRET, timeout=0.05)(BODY)


def test_a_disconnect_is_sent_once_the_response_is_complete_and_not_before(
    tiktok_webhook: TiktokWebhook,
) -> None:
    reported: list[str] = []

    async def curious(scope: Message, receive: Receive, send: SendMessage) -> None:
        if scope["type"] != "http":
            return
        await receive()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.01)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})
        reported.append((await receive())["type"])

    tiktok_webhook(curious, secret=SECRET, path=PATH)(BODY)
    assert reported == ["http.disconnect"]


async def test_an_app_that_listens_somewhere_gets_it_over_the_network(
    tiktok_webhook: TiktokWebhook,
) -> None:
    async with running_app(http(200, b"over there", "X-A: 1", "X-A: 2")) as app:
        headers = {"content-type": "a/b"}
        send = tiktok_webhook(app.url, secret=SECRET, path=PATH, headers=headers)
        # It runs in this test's own loop, which must not be kept waiting.
        response = await asyncio.to_thread(send, BODY)
    assert (response.status, response.body) == (200, b"over there")
    assert response.headers["x-a"] == "1, 2"
    assert app.requests[0].startswith(b"POST /webhooks/tiktok HTTP/1.1\r\n")
    assert app.requests[0].lower().count(b"content-type: ") == 1
    assert app.bodies == [BODY]


def test_an_address_without_a_listener_is_an_error_with_a_hint(
    tiktok_webhook: TiktokWebhook,
) -> None:
    with pytest.raises(AppError, match="nothing listens") as caught:
        tiktok_webhook(f"127.0.0.1:{free_port()}", secret=SECRET)(BODY)
    assert caught.value.hint


async def test_an_address_that_never_answers_is_an_error(tiktok_webhook: TiktokWebhook) -> None:
    async with running_app(hang) as app:
        send = tiktok_webhook(app.url, secret=SECRET, timeout=0.05)
        with pytest.raises(AppError, match="did not answer"):
            await asyncio.to_thread(send, BODY)


@pytest.mark.parametrize("app", [None, 1.5, {}, lambda: None], ids=["none", "float", "dict", "()"])
def test_an_unsupported_app_type_is_an_error(tiktok_webhook: TiktokWebhook, app: object) -> None:
    with pytest.raises(UsageError, match="not an app"):
        tiktok_webhook(app, secret=SECRET)


def test_a_path_without_a_slash_is_an_error(tiktok_webhook: TiktokWebhook) -> None:
    with pytest.raises(UsageError, match="slash"):
        tiktok_webhook(asgi_app, secret=SECRET, path="webhook")


def test_outside_its_block_nothing_is_opened() -> None:
    with pytest.raises(RuntimeError, match="with TiktokWebhook"):
        TiktokWebhook()(asgi_app, secret=SECRET)


@pytest.mark.parametrize(
    ("secret", "variant"),
    [(" ", {}), (SECRET, {"bad_signature": True, "no_signature": True})],
    ids=["blank-secret", "bad-and-none"],
)
def test_a_body_that_cannot_be_signed_is_an_error(secret: str, variant: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        signed(BODY, secret, **variant)


def test_a_signed_request_is_what_a_check_calls_valid() -> None:
    request = signed(BODY, SECRET, now=1_756_684_800)
    header = request.headers["Tiktok-Signature"]
    assert tiktok_hook.check(header, request.body, SECRET, now=1_756_684_800.5).state == "valid"


def test_a_signed_event_has_the_values_asked_for_and_its_moment() -> None:
    request = signed_event(
        "post.publish.failed", SECRET, {"content.reason": "spam_risk"}, now=1_756_684_800
    )
    event = events.parse(request.body)
    assert event is not None
    assert event.create_time == 1_756_684_800
    assert event.content["reason"] == "spam_risk"  # type: ignore[index, call-overload] # an object
    assert request.headers["Tiktok-Signature"].startswith("t=1756684800,s=")


def test_the_package_needs_no_pytest() -> None:
    program = "import sys; sys.modules['pytest'] = None; import tiktok_hook.testing"
    subprocess.run([sys.executable, "-c", program], check=True)


USERS_APP = """
import time, tiktok_hook, tiktok_hook.testing

def app(environ, start_response):
    body = environ["wsgi.input"].read()
    header = environ.get("HTTP_TIKTOK_SIGNATURE")
    verdict = tiktok_hook.check(header, body, {secret!r}, now=time.time())
    start_response("200 OK" if verdict.state == "valid" else "403 Forbidden", [])
    return [body]
"""


@pytest.mark.parametrize("secret", [SECRET, "another"], ids=["right", "wrong"])
def test_an_exported_file_runs_against_an_app_that_is_put_into_it(
    tmp_path: Path, secret: str
) -> None:
    exported = b"".join(archive.write([archive.Entry(delivery())], "pytest")).decode()
    (tmp_path / "users_app.py").write_text(USERS_APP.format(secret=secret))
    (tmp_path / "test_captured.py").write_text(
        re.sub(r"(?m)^APP = .*", "from users_app import app as APP", exported)
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-W",
            "error",
            "-p",
            "no:cacheprovider",
            "-p",
            "tiktok_hook.testing.plugin",
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "TIKTOK_CLIENT_SECRET": SECRET,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = "1 passed" if secret == SECRET else "assert 403 == 200"
    assert outcome in done.stdout, done.stdout + done.stderr
