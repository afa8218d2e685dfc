"""Requests to the inspector that no program of ours or ngrok's would send."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests import fuzzing
from tests.apps import free_port, running_app
from tests.deadline import DEADLINE
from tests.inspector.conftest import Served, running
from tiktok_hook.forward import Reply
from tiktok_hook.inspector.access_control import HEADERS

PRIVATE = "only-for-who-knows-the-token"

# As it is, what is not ASCII comes no further than aiohttp's parser.
TEXTS = st.text(max_size=6).map(lambda text: quote(text.encode("utf-8", "surrogatepass")))

SEGMENTS = st.sampled_from(
    [
        "api", "status", "tunnels", "endpoints", "requests", "http", "command_line", "v1",
        "deliveries", "static", "app.js", "stream", "1", "0000000000000000", "..", ".", "",
        "%2e%2e", "%2f", "%00", "%ff", ";", "\udcff",
    ]
)  # fmt: skip
PATHS = st.one_of(
    st.lists(SEGMENTS | TEXTS | st.text(max_size=2), max_size=6).map("/".join),
    st.sampled_from(
        [
            "api/requests/http",
            "api/requests/http/1",
            "api/tunnels/command_line",
            "api/v1/deliveries",
        ]
    ),
).map(lambda path: "/" + path.replace("?", "").replace("#", ""))
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["limit", "tunnel_name", "id", "q", "token", "before", "since", "verdict"]),
        TEXTS | st.text(max_size=2) | st.integers().map(str),
    ),
    max_size=3,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).replace("#", ""))
BODIES = (
    st.none()
    | st.binary(max_size=20)
    | st.dictionaries(
        st.sampled_from(["id", "tunnel_name", "addr", "name", "proto"]), fuzzing.json_values
    ).map(lambda value: json.dumps(value).encode())
)
METHODS = st.sampled_from(["GET", "GET", "HEAD", "POST", "DELETE", "PUT"])
VALUES = st.text(st.characters(max_codepoint=0xFF, exclude_characters="\r\n\0"), max_size=12)
CALLERS = st.lists(
    st.tuples(st.just("Authorization"), VALUES | VALUES.map("Bearer ".__add__))
    | st.tuples(st.just("Cookie"), VALUES | VALUES.map("tiktok_hook_4040=".__add__))
    | st.tuples(
        st.sampled_from(["Host", "Origin", "Sec-Fetch-Site", "X-Forwarded-Host", "Upgrade"]),
        VALUES
        | st.sampled_from(["localhost", "127.0.0.1", "none", "same-origin", "null", "[::1]"]),
    ),
    max_size=3,
)

Ask = Callable[..., Reply]


async def alongside(served: Served, test: Callable[[Ask], None]) -> None:
    """Run generated cases in a thread, with a way to ask the inspector from there."""
    loop = asyncio.get_running_loop()

    def ask(*arguments: Any, **options: Any) -> Reply:
        asked = served.ask(*arguments, **options)
        return asyncio.run_coroutine_threadsafe(asked, loop).result(timeout=DEADLINE)

    await asyncio.to_thread(test, ask)


@pytest.mark.hypothesis
async def test_whatever_is_asked_of_the_look_alike_is_answered_without_a_failure() -> None:
    unreachable = f"http://127.0.0.1:{free_port()}"

    def attack(ask: Ask) -> None:
        @fuzzing.one_in(4)
        @given(method=METHODS, path=PATHS, query=QUERIES, body=BODIES)
        def calls(method: str, path: str, query: str, body: bytes | None) -> None:
            reply = ask(method, f"{path}?{query}" if query else path, body=body)
            assert reply.status is not None, reply
            assert reply.status < 500 or reply.status == 501, reply
            assert HEADERS.items() <= {*reply.headers}
            if reply.header("Content-Type") == "application/json" and not reply.truncated:
                assert method == "HEAD" or json.loads(reply.body) is not None

        calls()

    async with running(targets=(unreachable,)) as served:
        await served.receive()
        await alongside(served, attack)


@pytest.mark.hypothesis
async def test_without_the_token_no_spelling_of_an_address_and_no_header_shows_the_history() -> (
    None
):
    encoded = base64.b64encode(PRIVATE.encode())[:20]

    def attack(ask: Ask) -> None:
        @fuzzing.one_in(2)
        @given(method=METHODS, path=PATHS, query=QUERIES, caller=CALLERS)
        @example(method="GET", path="/api/tunnels/../requests/http", query="", caller=[])
        @example(method="GET", path="/api/tunnels/%2e%2e/requests/http", query="", caller=[])
        @example(method="GET", path="//api/v1/deliveries", query="", caller=[])
        def calls(method: str, path: str, query: str, caller: list[tuple[str, str]]) -> None:
            reply = ask(method, f"{path}?{query}" if query else path, *caller, token=None)
            assert PRIVATE.encode() not in reply.body
            assert encoded not in reply.body
            parts = [part for part in path.split("/") if part not in {"", "."}]
            if parts[:1] not in ([], ["status"], ["api"], ["static"]) or method not in {
                "GET",
                "HEAD",
            }:
                assert reply.status is None or 400 <= reply.status < 500

        calls()

    async with running() as served:
        await served.receive(PRIVATE.encode(), path=f"/{PRIVATE}")
        await alongside(served, attack)
        assert served.published == []
        assert len(served.store.history().page()) == 1


HOSTILE = st.text(max_size=6) | st.sampled_from(
    ["\ud800", "\udcff", "a\r\nb: c", "\0", "//", "?", "#"]
)


def assigned(name: str) -> st.SearchStrategy[str]:
    """The name with any value."""
    return HOSTILE.map(f"{name}=".__add__)


REQUEST_BODIES = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["POST", "PUT", "get", "P OST", "\ud800"]),
        "path": HOSTILE.map("/".__add__),
        "headers": st.lists(HOSTILE.map("X-A: ".__add__) | HOSTILE, max_size=2),
        "set": st.lists(
            st.sampled_from(["event", "new+", "content.a"]).flatmap(assigned), max_size=2
        ),
        "body": HOSTILE,
        "signing": st.sampled_from(["fresh", "as-is", "bad", "none", "age"]),
        "age_seconds": st.floats(allow_nan=False) | st.integers(),
        "dry_run": st.booleans(),
    },
)


@pytest.mark.hypothesis
async def test_any_replay_request_is_done_or_rejected_with_a_message() -> None:
    def attack(ask: Ask) -> None:
        @fuzzing.one_in(4)
        @given(
            number=st.sampled_from([1, 1, 2, 2, 3]),
            request_body=REQUEST_BODIES,
            more=st.sampled_from([{}, {}, {"set": 1}, {"path": [1]}]),
        )
        def calls(number: int, request_body: dict[str, Any], more: dict[str, Any]) -> None:
            reply = ask(
                "POST", f"/api/v1/deliveries/{number}/replay", body={**request_body, **more}
            )
            assert reply.status in {200, 400, 404}, reply
            assert reply.truncated or isinstance(json.loads(reply.body), dict)

        calls()

    async with running_app() as app, running(targets=(app.url,)) as served:
        await served.receive()
        await served.receive(b"\xff\x00", path="/\ud800", headers=(("X\r\nY", "a\r\nb"),))
        await alongside(served, attack)
