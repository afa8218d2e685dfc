"""What a user's type checker sees; mypy --strict reads this file, it is never run."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import assert_type

import tiktok_hook
from tiktok_hook import testing
from tiktok_hook.events import contents


def verifying(header: str | None, body: bytes) -> bool:
    verdict = tiktok_hook.check(header, body, "secret", now=1.0)
    assert_type(verdict, tiktok_hook.Verdict)
    assert_type(verdict.state, tiktok_hook.State)
    assert_type(verdict.age_seconds, float | None)
    assert_type(tiktok_hook.sign(body, "secret", timestamp=1), str)
    if diagnosis := tiktok_hook.diagnose(header, body, ["secret"], now=1.0):
        assert_type(diagnosis.hint, str)
    assert_type(tiktok_hook.sample("tiktok.ping"), bytes)
    assert_type(tiktok_hook.samples(), Mapping[str, bytes])
    return verdict.state is tiktok_hook.State.VALID


async def listening() -> None:
    async with tiktok_hook.listen(secret=["a", "b"], forward_to="3000", ack="first") as session:
        assert_type(session, tiktok_hook.Session)
        assert_type(session.callback_url, str)
        assert_type(session.inspector_url, str | None)
        assert_type(aiter(session), AsyncIterator[tiktok_hook.Delivery])
        async for delivery in session:
            assert_type(delivery, tiktok_hook.Delivery)
            assert_type(delivery.event, tiktok_hook.Event | None)
            assert_type(delivery.body, bytes)
    tiktok_hook.listen(ack="later")  # type: ignore[arg-type] # no such mode


def listening_without_a_loop() -> None:
    with tiktok_hook.listening(secret="a", forward_to=3000) as session:
        assert_type(session, tiktok_hook.BlockingSession)
        assert_type(session.wait_for("post.*", timeout=10), tiktok_hook.Delivery)
    tiktok_hook.listening(ack="later")  # type: ignore[arg-type] # no such mode


def reading() -> None:
    with tiktok_hook.History() as history:
        assert_type(history, tiktok_hook.History)
        assert_type(iter(history), Iterator[tiktok_hook.Delivery])
        assert_type(history.last(tiktok_hook.Filter(failed=True)), tiktok_hook.Delivery | None)
        made = history.replay(
            1, to="3000", secret="s3cret", changes={"content.reason": "spam_risk"}
        )
        assert_type(made, tiktok_hook.Attempt)
        assert_type(made.status, int | None)
        history.replay("1")  # type: ignore[arg-type] # ids are numbers


def typed(event: tiktok_hook.Event) -> None:
    if failed := event.content_as(contents.PostPublishFailedContent):
        assert_type(failed["reason"], str)
        failed["no_such_key"]  # type: ignore[typeddict-item] # not of this event


def failing(error: tiktok_hook.HookError) -> tuple[str, int]:
    return error.hint, error.exit_code


def posting(tiktok_webhook: testing.TiktokWebhook, app: object) -> None:
    send = tiktok_webhook(app, secret="secret", path="/webhook")
    assert_type(send, testing.Send)
    assert_type(send(b"{}", age=600), testing.Response)
    assert_type(send.event("tiktok.ping", bad_signature=True), testing.Response)
    assert_type(
        send.event("post.publish.failed", **{"content.reason": "spam_risk"}), testing.Response
    )
    assert_type(
        send.event("post.publish.failed", age=9, **{"content.reason": "spam_risk"}),
        testing.Response,
    )
    assert_type(send(b"{}").headers["Content-Type"], str)
    send("{}")  # type: ignore[arg-type] # a body is bytes
    request = testing.signed_event("tiktok.ping", "secret", {"client_key": "a"}, age=-1)
    assert_type(request.headers, dict[str, str])
