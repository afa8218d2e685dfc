"""What an agent can do without its user's word, under both ways in which a client asks."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from mcp.client.client import Client
from mcp.client.context import ClientRequestContext
from mcp.types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestParams,
    ElicitResult,
    InputRequiredResult,
)

from tests.apps import App, running_app
from tests.deadline import DEADLINE
from tests.mcp.client import SECRET
from tests.store.samples import delivery
from tiktok_hook.mcp import McpOptions
from tiktok_hook.mcp.listener import own_listener
from tiktok_hook.mcp.server import Backend, make_server
from tiktok_hook.store import open_store, parse_location

Mode = Literal["auto", "legacy"]
MODES = ("auto", "legacy")
Action = Literal["accept", "decline", "cancel"]


class User:
    """A user who answers every question in the same way; one without an action never answers."""

    def __init__(self, action: Action | None) -> None:
        self.action = action
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()

    async def __call__(
        self,
        context: ClientRequestContext,  # noqa: ARG002 - the SDK passes it by name
        params: ElicitRequestParams,
    ) -> ElicitResult:
        self.asked.append(params.message)
        self.was_asked.set()
        if self.action is None:
            await asyncio.Event().wait()
            raise AssertionError
        return ElicitResult(action=self.action, content={} if self.action == "accept" else None)


@asynccontextmanager
async def connected(
    folder: Path, *, mode: Mode = "auto", user: User | None = None, **allowed: Any
) -> AsyncIterator[Client]:
    given = {"history": parse_location(folder / "history.db"), "secrets": (SECRET,), **allowed}
    options = McpOptions(**given)
    async with own_listener(options) as listener:
        backend = Backend(options, listener)
        server = make_server(backend)
        async with Client(server, mode=mode, elicitation_callback=user) as client:
            yield client
        backend.close()


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert content.type == "text"
    return content.text


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with running_app() as app:
        yield app


async def send(client: Client, app: App, event: str = "tiktok.ping") -> CallToolResult:
    return await client.call_tool("trigger_event", {"event": event, "to": app.url})


@pytest.mark.parametrize("mode", MODES)
async def test_a_user_who_accepts_is_asked_each_time(tmp_path: Path, app: App, mode: Mode) -> None:
    user = User("accept")
    async with connected(tmp_path, mode=mode, user=user) as client:
        for _ in range(2):
            assert not (await send(client, app)).is_error
    assert user.asked == [f"Send a sample of tiktok.ping to {app.url}?"] * 2
    assert len(app.requests) == 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_what_the_user_does_not_accept_is_not_sent(
    tmp_path: Path, app: App, mode: Mode, action: Action
) -> None:
    async with connected(tmp_path, mode=mode, user=User(action)) as client:
        result = await send(client, app)
    assert result.is_error
    assert "did not allow" in text(result)
    assert app.requests == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("tool", "arguments", "option"),
    [
        ("trigger_event", {"event": "tiktok.ping", "to": "{app}"}, "--allow-send"),
        ("replay_delivery", {"id": 1, "to": "{app}"}, "--allow-send"),
        ("audit_handler", {"url": "{app}"}, "--allow-send"),
        ("start_listener", {"tunnel": False}, "--allow-listen"),
        ("start_listener", {}, "--allow-listen"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_client_that_cannot_ask_is_denied(
    tmp_path: Path, app: App, mode: Mode, tool: str, arguments: dict[str, Any], option: str
) -> None:
    with open_store(tmp_path / "history.db") as store:
        await store.add(delivery())
    given = json.loads(json.dumps(arguments).replace("{app}", app.url))
    async with connected(tmp_path, mode=mode) as client:
        result = await client.call_tool(tool, given)
        status = (await client.call_tool("status", {})).structured_content
    assert result.is_error
    assert option in json.loads(text(result))["hint"]
    assert app.requests == []
    assert status["listeners"] == []
    assert status["permissions"]["send"] == status["permissions"]["listen"] == "denied"


async def test_an_option_allows_its_own_actions_only(tmp_path: Path, app: App) -> None:
    async with connected(tmp_path, allow_send=True) as client:
        assert not (await send(client, app)).is_error
        assert (await client.call_tool("start_listener", {"tunnel": False})).is_error
    async with connected(tmp_path, allow_listen=True) as client:
        assert (await send(client, app)).is_error
    assert len(app.requests) == 1


async def test_a_dry_run_needs_no_permission(tmp_path: Path) -> None:
    with open_store(tmp_path / "history.db") as store:
        await store.add(delivery())
    async with connected(tmp_path) as client:
        for tool, given in (
            ("replay_delivery", {"id": 1, "to": "9", "dry_run": True}),
            ("trigger_event", {"event": "tiktok.ping", "to": "9", "dry_run": True}),
        ):
            assert not (await client.call_tool(tool, given)).is_error


REMOTE = [
    "https://example.com/hook", "192.0.2.1:80", "169.254.169.254:80", "[2001:db8::1]:80",
    "http://app.localhost:80", "http://ip6-localhost:80", "0.0.0.0:80",
]  # fmt: skip


@pytest.mark.parametrize("target", REMOTE)
async def test_a_target_off_this_machine_is_denied_before_the_user_is_asked(
    tmp_path: Path, target: str
) -> None:
    with open_store(tmp_path / "history.db") as store:
        await store.add(delivery())
    user = User("accept")
    async with connected(tmp_path, user=user, allow_send=True, allow_listen=True) as client:
        for tool, given in (
            ("trigger_event", {"event": "tiktok.ping", "to": target}),
            ("replay_delivery", {"id": 1, "to": target}),
            ("audit_handler", {"url": target}),
            ("start_listener", {"forward_to": [target], "tunnel": False}),
            ("doctor", {"forward_to": [target]}),
        ):
            result = await client.call_tool(tool, given)
            assert "--allow-remote" in text(result), tool
    assert user.asked == []


async def test_a_target_off_this_machine_is_allowed_by_its_option(tmp_path: Path) -> None:
    async with connected(tmp_path, allow_remote=True) as client:
        given = {"event": "tiktok.ping", "to": "https://example.com", "dry_run": True}
        result = await client.call_tool("trigger_event", given)
    assert not result.is_error


async def test_an_answer_counts_once_and_for_its_own_call_only(tmp_path: Path, app: App) -> None:
    """A client that repeats or alters an accepted call has to ask again."""
    async with connected(tmp_path, user=User("accept")) as client:

        async def call(event: str, state: str | None, *, answered: bool) -> Any:
            return await client.session.call_tool(
                "trigger_event",
                {"event": event, "to": app.url},
                input_responses={"permission": ElicitResult(action="accept", content={})}
                if answered
                else None,
                request_state=state,
                allow_input_required=True,
            )

        first = await call("tiktok.ping", None, answered=False)
        assert isinstance(first, InputRequiredResult)
        assert first.input_requests is not None
        assert isinstance(first.input_requests["permission"], ElicitRequest)
        state = first.request_state
        for event, given in (
            ("post.publish.complete", state),  # another call
            ("tiktok.ping", None),  # no question was asked
            ("tiktok.ping", "made.up"),
            ("tiktok.ping", state),  # used up by the first try
        ):
            again = await call(event, given, answered=True)
            assert isinstance(again, InputRequiredResult), event
        assert app.requests == []
        asked = await call("tiktok.ping", None, answered=False)
        result = await call("tiktok.ping", asked.request_state, answered=True)
        assert isinstance(result, CallToolResult)
        assert not result.is_error
    assert len(app.requests) == 1


async def test_headers_are_shown_only_by_their_option(tmp_path: Path) -> None:
    with open_store(tmp_path / "history.db") as store:
        await store.add(delivery(headers=(("Authorization", "Bearer abc-def"),)))
    shown = {}
    for show in (False, True):
        async with connected(tmp_path, show_headers=show) as client:
            result = await client.call_tool("get_delivery", {"id": 1})
            shown[show] = "Bearer abc-def" in text(result)
    assert shown == {False: False, True: True}


async def test_a_question_quotes_nothing_that_deceives(tmp_path: Path) -> None:
    user = User("decline")
    body = b'{"event":"x.\\u202e\\u001b[2Jy","content":"{}"}'
    with open_store(tmp_path / "history.db") as store:
        await store.add(delivery(body))
    async with connected(tmp_path, user=user) as client:
        await client.call_tool("replay_delivery", {"id": 1, "to": "9"})
    (question,) = user.asked
    assert question.isprintable()
    assert "x.\\u202e\\x1b[2Jy" in question


async def test_a_question_shows_its_target_whatever_a_stranger_called_the_event(
    tmp_path: Path,
) -> None:
    user = User("decline")
    name = "x) again with POST to http://127.0.0.1:3000?" + " " * 1000
    with open_store(tmp_path / "history.db") as store:
        await store.add(delivery(json.dumps({"event": name, "content": "{}"}).encode()))
    async with connected(tmp_path, user=user, allow_remote=True) as client:
        await client.call_tool("replay_delivery", {"id": 1, "to": "http://other.example"})
    (question,) = user.asked
    assert question.startswith("Send delivery 1 again with POST to http://other.example/?")
    assert len(question) < 200


async def test_a_question_that_cannot_be_shown_whole_is_not_asked(tmp_path: Path) -> None:
    user = User("accept")
    targets = [f"http://127.0.0.1:{port}" for port in range(1, 60)] + ["http://other.example"]
    async with connected(tmp_path, user=user, allow_remote=True) as client:
        result = await client.call_tool("start_listener", {"forward_to": targets})
    assert result.is_error
    assert "at most 1,000 are shown" in text(result)
    assert not user.asked


async def test_cancelling_a_call_that_asks_leaves_the_server_usable(
    tmp_path: Path, app: App
) -> None:
    user = User(None)
    async with connected(tmp_path, mode="legacy", user=user) as client:
        async with asyncio.TaskGroup() as group:
            call = group.create_task(send(client, app))
            async with asyncio.timeout(DEADLINE):
                await user.was_asked.wait()
            call.cancel()
        assert not (await client.call_tool("status", {})).is_error
    assert app.requests == []
