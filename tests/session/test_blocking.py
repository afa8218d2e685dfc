"""`tiktok_hook.listening`: a session in a program without an event loop."""

import inspect
import urllib.request
from contextlib import AbstractContextManager
from itertools import islice

import pytest

import tiktok_hook
from tests.listener import BODY, SECRET, signed
from tests.store.samples import event_body


def local(**arguments: object) -> AbstractContextManager[tiktok_hook.BlockingSession]:
    """Without tunnel, inspector and file, on a free port."""
    basics = {"secret": SECRET, "tunnel": False, "inspect": False, "port": 0, "ephemeral": True}
    return tiktok_hook.listening(**{**basics, **arguments})  # type: ignore[arg-type] # by name


def send(url: str, body: bytes = BODY) -> None:
    headers = dict([signed(body), ("Content-Type", "application/json")])
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20) as answer:
        assert answer.status == 200


def test_deliveries_are_waited_for_and_iterated_without_an_event_loop() -> None:
    failed = event_body("post.publish.failed")
    with local() as session:
        assert session.callback_url == session.local_url
        assert session.inspector_url is None
        assert repr(session) == f"<tiktok_hook.BlockingSession {session.local_url}>"
        send(session.local_url)
        send(session.local_url, failed)
        assert session.wait_for("*.failed", timeout=20).body == failed
        assert [each.body for each in islice(session, 2)] == [BODY, failed]
        assert session.summary().received == 2
        with pytest.raises(TimeoutError):
            session.wait_for("tiktok.ping", timeout=0.05)


def test_a_call_after_the_block_has_ended_is_an_error() -> None:
    with local() as session:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        session.wait_for(timeout=0.05)


async def test_it_works_where_an_event_loop_is_running() -> None:
    with local() as session:
        send(session.local_url)
        assert session.wait_for(timeout=20).body == BODY


def test_what_keeps_it_from_opening_is_raised() -> None:
    with pytest.raises(tiktok_hook.UsageError), local(forward_to="what?"):
        pass
    with local() as session:
        port = int(session.local_url.rpartition(":")[2])
        with pytest.raises(tiktok_hook.ListenError, match=str(port)), local(port=port):
            pass


def test_it_takes_the_arguments_of_listen() -> None:
    assert inspect.signature(tiktok_hook.listening) == inspect.signature(tiktok_hook.listen)
