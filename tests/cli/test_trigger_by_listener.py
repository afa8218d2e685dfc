"""`trigger` without a client secret, next to a listener that has one."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

import tiktok_hook
from tests.apps import http, running_app
from tests.cli.in_process import run
from tests.cli.runner import Result
from tiktok_hook import paths, trigger
from tiktok_hook.errors import AppError, UsageError
from tiktok_hook.forward import Forwarder, ForwardRequest, Reply
from tiktok_hook.session import Session
from tiktok_hook.signature import State

SECRET = "tiktok-client-secret"
FAILED = "post.publish.failed"


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    """A listener with a client secret and an inspector."""
    async with tiktok_hook.listen(
        secret=SECRET, tunnel=False, ephemeral=True, port=0, inspect_port=0
    ) as running:
        yield running


async def cli(*words: str, stdin: bytes = b"") -> Result:
    return await asyncio.to_thread(run, "trigger", *words, stdin=stdin)


async def states(session: Session) -> list[State]:
    """The verdicts of everything that was received, oldest first."""
    found = await asyncio.to_thread(session.store.history().page, limit=100)
    return [delivery.verdict.state for delivery in reversed(found)]


async def test_the_listener_signs_what_has_no_secret_here(session: Session) -> None:
    result = await cli(FAILED)
    assert result.exit_code == 0, result.output
    assert f"{FAILED} → {session.local_url}: 200" in result.stdout
    assert "Sent without a signature" not in result.stderr
    assert await states(session) == [State.VALID]


@pytest.mark.parametrize(
    ("words", "expected", "code"),
    [
        (["--age", "10m"], State.STALE, 0),
        (["--bad-signature"], State.INVALID, 0),
        (["--no-signature"], State.MISSING, 0),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
async def test_it_signs_late_and_wrongly_as_asked(
    session: Session, words: list[str], expected: State, code: int
) -> None:
    result = await cli(FAILED, *words)
    assert result.exit_code == code, result.output
    assert await states(session) == [expected]


async def test_many_and_any_bytes_are_signed(session: Session) -> None:
    assert (await cli("--scenario", "publish")).exit_code == 0
    assert (await cli(FAILED, "--count", "3", "--concurrency", "2")).exit_code == 0
    assert (await cli("--body", "-", stdin=b"\xff\x00 not json")).exit_code == 0
    assert (await cli(FAILED, "--retry-like-tiktok")).exit_code == 0
    assert await states(session) == [State.VALID] * 7
    newest = await asyncio.to_thread(session.store.history().page, limit=2)
    assert newest[1].body == b"\xff\x00 not json"


async def test_an_address_gets_no_signature_of_the_listener(session: Session) -> None:
    async with running_app(http(403)) as app:
        result = await cli(FAILED, "--to", app.url)
    assert result.exit_code == 6
    assert "Sent without a signature" in result.stderr
    assert b"tiktok-signature" not in app.requests[0].lower()
    assert await states(session) == []


async def test_the_answer_of_the_app_is_explained_as_ever() -> None:
    async with (
        running_app(http(500, b'{"error":"KeyError: user"}')) as app,
        tiktok_hook.listen(
            secret=SECRET, tunnel=False, ephemeral=True, port=0, inspect_port=0, forward_to=app.url
        ),
    ):
        result = await cli(FAILED)
    assert result.exit_code == 6
    assert "answered 500" in result.stderr
    assert "KeyError: user" in result.stderr


async def test_a_listener_without_a_secret_gets_it_unsigned() -> None:
    async with tiktok_hook.listen(tunnel=False, ephemeral=True, port=0, inspect=False) as running:
        result = await cli(FAILED)
        assert await states(running) == [State.UNCHECKED]
    assert result.exit_code == 0, result.output


async def test_without_an_inspector_the_listener_cannot_sign() -> None:
    async with tiktok_hook.listen(
        secret=SECRET, tunnel=False, ephemeral=True, port=0, inspect=False
    ) as running:
        result = await cli(FAILED)
        assert await states(running) == []
    assert result.exit_code == 2
    assert "has no inspector, so it cannot sign" in result.stderr
    assert "TIKTOK_CLIENT_SECRET" in result.stderr


async def ask(session: Session, body: object, *, token: str | None) -> Reply:
    """A request to the listener's API."""
    assert session.inspector_url is not None
    url = session.inspector_url.partition("#")[0] + "api/v1/send"
    headers = [("Content-Type", "application/json")]
    if token is not None:
        headers.append(("Authorization", f"Bearer {token}"))
    request = ForwardRequest(
        method="POST", url=url, headers=tuple(headers), body=json.dumps(body).encode()
    )
    async with Forwarder() as forwarder:
        return await forwarder.send(request)


@pytest.mark.parametrize("token", [None, "A" * 22], ids=["none", "wrong"])
async def test_without_the_token_nothing_is_signed(session: Session, token: str | None) -> None:
    reply = await ask(session, {"body_base64": "e30="}, token=token)
    assert reply.status == 401
    assert await states(session) == []


async def test_no_answer_contains_a_signature_and_no_target_is_taken(session: Session) -> None:
    body = {"body_base64": base64.b64encode(b"{}").decode()}
    reply = await ask(session, body, token=paths.user_token())
    assert reply.status == 200
    assert b"s=" not in reply.body
    assert b"ignature" not in reply.body
    (delivery,) = await asyncio.to_thread(session.store.history().page, limit=1)
    signed = delivery.header("Tiktok-Signature")
    assert signed is not None
    assert signed.rpartition("s=")[2].encode() not in reply.body
    for name in ("url", "to", "target"):
        with_target = await ask(session, {**body, name: "http://x"}, token=paths.user_token())
        assert with_target.status == 400


async def test_what_is_not_base64_is_rejected(session: Session) -> None:
    reply = await ask(session, {"body_base64": "é?"}, token=paths.user_token())
    assert reply.status == 400


@pytest.mark.parametrize("host", ["192.0.2.1", "example.com", "0.0.0.0"])
def test_the_token_is_sent_to_the_loopback_address_only(
    host: str,
) -> None:
    with (
        paths.listening(
            local_url="http://127.0.0.1:1/", inspector_url=f"http://{host}:4040/", verifies=True
        ),
        pytest.raises(UsageError, match="not on the loopback address"),
    ):
        trigger.signing_listener()


def test_a_listener_file_that_others_can_write_is_not_used() -> None:
    with paths.listening(
        local_url="http://127.0.0.1:1/", inspector_url="http://127.0.0.1:1/", verifies=True
    ):
        assert trigger.signing_listener() is not None
        (paths.state_dir() / "listeners").chmod(0o777)
        assert trigger.signing_listener() is None


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (http(401, b'{"error":"the token is missing or wrong","hint":""}'), "rejected the token"),
        (http(200, b"[]"), "answered 200"),
        (http(200, b'{"status":200}'), "answered 200"),
        (http(404, b"404"), "answered 404"),
    ],
    ids=["token", "list", "incomplete", "other-program"],
)
async def test_what_is_not_a_listener_is_one_sentence(answer: bytes, message: str) -> None:
    async with running_app(answer) as app, Forwarder() as forwarder:
        api = replace(trigger.ListenerApi(app.url, "token"), through_tunnel=True)
        with pytest.raises(AppError, match=message) as caught:
            await api.send(forwarder, b"{}")
    assert "TIKTOK_CLIENT_SECRET" in caught.value.hint


async def test_a_listener_that_is_gone_is_one_sentence() -> None:
    async with running_app() as app:
        url = app.url
    async with Forwarder() as forwarder:
        with pytest.raises(AppError, match="did not answer"):
            await trigger.ListenerApi(url, "token").send(forwarder, b"{}")


def test_the_token_is_not_in_its_repr() -> None:
    assert "hunter2" not in repr(trigger.ListenerApi("http://127.0.0.1/", "hunter2"))


async def test_another_secret_than_the_listeners_is_named_and_that_it_would_sign(
    session: Session,
) -> None:
    result = await cli(FAILED, "--secret", "another-client-secret")
    assert result.exit_code == 6
    assert "the listener has another client secret than the one given here" in result.stderr
    assert "it signs the event itself" in result.stderr
