"""Samples that a running listener signs, where the server has no secret."""

from pathlib import Path

import pytest

from tests.listener import listening
from tests.mcp.client import SECRET
from tests.mcp.test_permission import connected, text
from tiktok_hook.store import Filter, open_history, parse_location


async def test_a_listener_signs_a_sample_where_the_server_has_no_secret(tmp_path: Path) -> None:
    db = str(tmp_path / "history.db")
    async with (
        listening("--no-tunnel", "--db", db, secret=SECRET) as listener,
        connected(tmp_path, secrets=(), allow_send=True) as client,
    ):
        found = []
        for given in ({}, {"signing": "age"}, {"signing": "bad"}, {"signing": "none"}):
            asked = {"event": "post.publish.complete", **given}
            result = await client.call_tool("trigger_event", asked)
            assert not result.is_error, text(result)
            assert result.structured_content is not None
            found.append((result.structured_content["signed"], result.structured_content["status"]))
        assert found == [(True, 200), (True, 200), (True, 403), (False, 403)]
        await listener.wait_for("delivery", 4)
    with open_history(parse_location(db)) as history:
        states = [str(each.verdict.state) for each in history.walk(Filter())]
    assert states == ["valid", "stale", "invalid", "missing"]


@pytest.mark.parametrize("signing", ["age", "bad"])
async def test_a_wrong_signature_for_another_target_needs_a_secret(
    signing: str, tmp_path: Path
) -> None:
    async with connected(tmp_path, secrets=(), allow_send=True) as client:
        given = {"event": "tiktok.ping", "to": "9", "signing": signing}
        result = await client.call_tool("trigger_event", given)
    assert "needs a client secret" in text(result)
