import asyncio
from pathlib import Path

import pytest

from tests.relay.attached import APP, attached
from tests.relay.samples import delivery
from tiktok_hook.session.startup_notices import doubled_path, exposed, left_waiting
from tiktok_hook.store import QueueEntry, open_store


@pytest.mark.parametrize(
    ("target", "path", "sent_to", "meant"),
    [
        (
            "http://localhost:3000/webhook",
            "/webhook",
            "http://localhost:3000/webhook/webhook",
            "http://localhost:3000",
        ),
        (
            "http://localhost:3000/api/hook/?a=1",
            "/hook",
            "http://localhost:3000/api/hook/hook",
            "http://localhost:3000/api",
        ),
    ],
)
def test_a_path_in_target_and_callback_url_is_named(
    target: str, path: str, sent_to: str, meant: str
) -> None:
    (notice,) = doubled_path([target], path)
    assert f"deliveries go to {sent_to}." in notice.message
    assert f"the target as {meant}," in notice.hint


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://localhost:3000/webhook", "/"),
        ("http://localhost:3000", "/webhook"),
        ("http://localhost:3000/mywebhook", "/webhook"),
        ("http://localhost:3000/webhook/v1", "/webhook"),
    ],
)
def test_other_paths_are_not_named(target: str, path: str) -> None:
    assert doubled_path([target], path) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "2001:db8::1"])
def test_a_receiver_that_other_machines_can_reach_is_named(host: str) -> None:
    (notice,) = exposed(host)
    assert f"listens on {host}: other machines" in notice.message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_a_receiver_on_a_loopback_address_is_not_named(host: str) -> None:
    assert exposed(host) == []


async def test_what_an_attached_app_has_left_is_named_with_what_forwards_it(tmp_path: Path) -> None:
    location = str(tmp_path / "history.db")
    named, other = "http://127.0.0.1:9", "http://127.0.0.1:10"
    with open_store(location, app=APP) as store:
        held = [QueueEntry("hold", named), QueueEntry("attached", other)]
        await store.add(delivery(), queues=held)
        async with attached(location, named) as (relay, _):
            notices = await asyncio.to_thread(left_waiting, relay, store.history())
    assert [(each.message, each.hint) for each in notices] == [
        (
            f"Queued for {other} since an earlier session: 1 delivery.",
            "They are forwarded once this target is named again.",
        ),
        (
            f"Queued for {named} since an earlier session: 1 delivery.",
            "tiktok-hook replay --pending sends them.",
        ),
    ]
