"""The listener that an agent starts: what the user is asked, and with which settings it runs."""

from pathlib import Path

from tests import postgres
from tests.mcp.client import SECRET, TOKEN
from tests.mcp.client import connected as started
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


def test_the_user_is_asked_with_what_the_working_directory_sets(tmp_path: Path) -> None:
    """A cloned repository may contain these files, and the agent works in it."""
    (tmp_path / "tiktok-hook.toml").write_text('forward-to = 6379\nack = "first"\n')
    (tmp_path / ".env").write_text(f"NGROK_AUTHTOKEN={TOKEN}\n")
    with started(tmp_path / "home", folder=tmp_path) as agent:
        agent.answer = "decline"
        agent.error("start_listener")
        agent.error("start_listener", tunnel=False, forward_to=["3999"])
        (tmp_path / "tiktok-hook.toml").write_text('forward-to = "https://elsewhere.example"\n')
        assert "not an address of this machine" in agent.error("start_listener")["message"]
    with_settings, with_own_target = agent.asked
    assert with_settings == (
        "Start a TikTok webhook listener with a public ngrok URL, forwarding to "
        f"http://localhost:6379? {tmp_path}/tiktok-hook.toml sets forward-to, ack. "
        "The authtoken comes from .env in this folder: its account is used."
    )
    assert with_own_target == (
        "Start a TikTok webhook listener on this machine only, forwarding to "
        f"http://localhost:3999? {tmp_path}/tiktok-hook.toml sets ack."
    )
    assert not [text for text in agent.texts if TOKEN in text]


def test_the_listener_has_the_settings_file_of_the_server_and_is_stopped_on_request_only(
    tmp_path: Path,
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[listen]\nforward-to = "https://elsewhere.example"\n')
    # A project's file with a name of ours or of a library is not run.
    (tmp_path / "tiktok_hook.py").write_text("raise SystemExit(9)")
    with started(tmp_path, "--config", str(file), folder=tmp_path) as agent:
        denied = agent.error("start_listener", tunnel=False, port=0)
        assert "--allow-remote" in denied["hint"]
        file.write_text("[listen]\nforward-to = 9\n")
        listener = agent.call("start_listener", tunnel=False, port=0)
        assert listener["targets"] == ["http://localhost:9"]
        agent.answer = "decline"
        assert "did not allow" in agent.error("stop_listener")["message"]
        assert len(agent.call("status")["listeners"]) == 1
        agent.answer = "accept"
        assert agent.call("stop_listener") == {"stopped": True, "exit_code": 0}
        assert len(agent.asked) == 3
