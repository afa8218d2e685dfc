"""An agent fixes a handler: listener, sample, wait, diagnosis, fix, audit, tests.

``python -m tests.mcp.test_story`` prints it as a transcript with times. The tunnel goes through the
ngrok stand-in.
"""

import asyncio
import hashlib
import hmac
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from mcp.client.client import Client
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import StdioServerParameters
from mcp.types import ElicitRequestParams, ElicitResult

from tests.mcp.client import SECRET, TOKEN, environment
from tests.ngrok_service import NgrokService

Line = Callable[[str], None]


class Handler:
    """The user's app: it verifies the body that it has parsed and written again, until fixed."""

    def __init__(self) -> None:
        self.fixed = False

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        signed = body if self.fixed else self._written_again(body)
        if not self._is_valid(request.headers.get("Tiktok-Signature", ""), signed):
            return web.json_response({"error": "bad signature"}, status=401)
        return web.Response(status=200)

    @staticmethod
    def _written_again(body: bytes) -> bytes:
        try:
            return json.dumps(json.loads(body)).encode()
        except ValueError:
            return body

    @staticmethod
    def _is_valid(header: str, body: bytes) -> bool:
        parts = dict(part.partition("=")[::2] for part in header.split(","))
        moment, given = parts.get("t", ""), parts.get("s", "")
        if not moment.isdigit() or abs(time.time() - int(moment)) > 300 or header.count("t=") != 1:
            return False
        digest = hmac.new(SECRET.encode(), moment.encode() + b"." + body, hashlib.sha256)
        return hmac.compare_digest(digest.hexdigest().encode(), given.encode())


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/webhook", handler.answer)
    runner = web.AppRunner(application, shutdown_timeout=1.0, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def story(home: Path, line: Line) -> dict[str, dict[str, Any]]:
    """Play it; the result of each step by its name."""
    started = time.monotonic()
    results: dict[str, dict[str, Any]] = {}

    def write(text: str) -> None:
        line(f"{time.monotonic() - started:6.2f} s  {text}")

    async def accept(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        write(f"  user is asked: {params.message} -> accept")
        return ElicitResult(action="accept", content={})

    handler = Handler()
    async with NgrokService() as service, serving(handler) as address:
        variables = environment(
            home,
            NGROK_AUTHTOKEN=TOKEN,
            TIKTOK_HOOK_CONNECT_URL=service.connect_url,
            TIKTOK_HOOK_CONNECT_CAS=str(service.ca_file),
            TIKTOK_HOOK_SELF_CHECK="false",  # its address exists in the stand-in only
            TIKTOK_HOOK_INSPECT_PORT="0",
        )
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "tiktok_hook", "mcp", "--db", str(home / "history.db")],
            env=variables,
        )
        async with Client(server, elicitation_callback=accept) as client:
            write("connected: tiktok-hook mcp")

            async def call(step: str, name: str, **arguments: Any) -> dict[str, Any]:
                write(f"{name} {json.dumps(arguments)}")
                result = await client.call_tool(name, arguments)
                assert not result.is_error, result.content
                found = result.structured_content
                assert isinstance(found, dict)
                results[step] = found
                return found

            target = f"{address}/webhook"
            found = await call("start", "start_listener", forward_to=[target], port=0)
            write(f"  Callback URL {found['callback_url']}")
            found = await call("trigger", "trigger_event", event="post.publish.complete")
            write(f"  answered {found['status']}")
            found = await call("wait", "wait_for_delivery", cursor=found["cursor"])
            delivery = found["delivery"]["id"]
            write(f"  delivery {delivery}: {found['delivery']['summary']}")
            write(f"  the app answered {found['last_attempt']['status']}")
            found = await call("diagnose", "diagnose_signature", id=delivery)
            write(f"  verdict {found['verdict']['state']}: the app's own check is wrong")
            found = await call("audit wrong", "audit_handler", url=target)
            write(f"  passed {found['passed']}, {found['counts']}")
            for mistake in found["mistakes"]:
                write(f"  mistake {mistake['name']}: {mistake['words']}")
            handler.fixed = True
            write("the agent fixes the handler: verify the raw body")
            found = await call("audit", "audit_handler", url=target)
            write(f"  passed {found['passed']}, {found['counts']}")
            found = await call("replay", "replay_delivery", id=delivery)
            write(f"  attempt {found['attempt']['id']}: {found['attempt']['status']}")
            found = await call("export", "export_as_pytest", ids=[delivery])
            write(f"  {found['file_name']}: {len(found['module'].splitlines())} lines")
            found = await call("stop", "stop_listener")
            write(f"  stopped, exit code {found['exit_code']}")
        write("disconnected")
    return results


async def test_an_agent_finds_and_fixes_a_wrong_verifier(tmp_path: Path) -> None:
    lines: list[str] = []
    results = await story(tmp_path, lines.append)
    assert results["start"]["callback_url"] != results["start"]["local_url"]
    assert results["trigger"]["status"] == 401
    assert results["wait"]["last_attempt"]["status"] == 401
    assert results["diagnose"]["verdict"]["state"] == "valid"
    assert not results["audit wrong"]["passed"]
    assert results["audit wrong"]["mistakes"]
    assert results["audit"]["passed"], results["audit"]["cases"]
    assert results["replay"]["attempt"]["status"] == 200
    compile(results["export"]["module"], "test_tiktok_webhooks.py", "exec")
    assert results["stop"] == {"stopped": True, "exit_code": 0}
    assert sum("user is asked" in line for line in lines) == 6
    assert not [line for line in lines if TOKEN in line or SECRET in line]


if __name__ == "__main__":
    for variable in [name for name in os.environ if name.startswith(("TIKTOK_", "NGROK_"))]:
        del os.environ[variable]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder), print))
