"""A listener with a history on a PostgreSQL server."""

from pathlib import Path

from tests import postgres
from tests.mcp.client import SECRET
from tests.mcp.test_permission import connected, text
from tiktok_hook.store import parse_location


async def test_a_listener_writes_to_the_history_on_a_server(tmp_path: Path) -> None:
    history = parse_location(postgres.server().empty_history())
    async with connected(
        tmp_path, secrets=(SECRET,), history=history, allow_listen=True, allow_send=True
    ) as client:
        started = await client.call_tool("start_listener", {"tunnel": False, "port": 0})
        assert not started.is_error, text(started)
        sent = await client.call_tool("trigger_event", {"event": "post.publish.complete"})
        assert sent.structured_content is not None
        assert sent.structured_content["status"] == 200
        found = await client.call_tool("wait_for_delivery", {"cursor": 0})
        assert found.structured_content is not None
        assert found.structured_content["delivery"]["id"] == 1
        status = await client.call_tool("status", {})
        assert status.structured_content is not None
        (listener,) = status.structured_content["listeners"]
        assert (listener["started_here"], listener["same_history"]) == (True, True)
        await client.call_tool("stop_listener", {})
