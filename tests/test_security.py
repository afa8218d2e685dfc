"""SECURITY.md says what is so, and no secret is anywhere after a busy run."""

import ast
import asyncio
import base64
import json
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.apps import http, running_app
from tests.cli.runner import invoke
from tests.listener import BODY, SECRET, TOKEN, Listener, listening, post, signed
from tests.ngrok_service import NgrokService
from tiktok_hook.forward import Forwarder, Request

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=lambda word: word)
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert test in {each.name for each in ast.walk(tree) if isinstance(each, functions)}


def test_every_statement_names_a_test() -> None:
    statements = re.findall(r"(?ms)^- .*?(?=^- |^#|\Z)", TEXT.partition("## Report")[0])
    assert len(statements) >= 20
    assert [each for each in statements if "::test_" not in each] == []


def spellings(secret: str) -> list[bytes]:
    """A secret as it might be found: as it is, in hexadecimal, and in base64 at any offset."""
    found = [secret.encode(), secret.encode().hex().encode()]
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + secret.encode())
        found.append(encoded[4 if offset else 0 : -4])
    return found


def files_below(*folders: Path) -> list[Path]:
    return [file for folder in folders for file in folder.rglob("*") if file.is_file()]


def arguments_of_all(process: int) -> Iterator[str]:
    """The argument lists of a process and of all below it."""
    parent = psutil.Process(process)
    for each in (parent, *parent.children(recursive=True)):
        yield "\0".join(each.cmdline())


async def ask_the_inspector(listener: Listener, forwarder: Forwarder) -> list[bytes]:
    """Replay there, then everything that the inspector answers to."""
    address, _, token = listener.ready["inspector_url"].partition("?token=")
    base = address.rstrip("/")
    authorization = (("Authorization", f"Bearer {token}"), ("Host", base.partition("//")[2]))
    answers = []

    async def ask(method: str, path: str, body: bytes = b"") -> bytes:
        headers = (*authorization, ("Content-Type", "application/json")) if body else authorization
        reply = await forwarder.send(Request(method, base + path, headers, body), timeout=20)
        assert reply.status is not None, (path, reply)
        assert reply.status < 400, (path, reply)
        answers.append(reply.body + repr(reply.headers).encode())
        return reply.body

    await ask("POST", "/api/v1/deliveries/1/replay", b"{}")
    await ask("POST", "/api/v1/deliveries/1/replay", b'{"signing":"as-is"}')
    described = json.loads(await ask("GET", "/api/v1/openapi.json"))
    for path, methods in described["paths"].items():
        if "get" in methods and "{event}" not in path and not path.endswith("/stream"):
            await ask("GET", path.replace("{id}", "1"))
    for path in ("/", "/static/app.js", "/status", "/api/status", "/api/tunnels"):
        await ask("GET", path)
    await ask("GET", "/api/endpoints")
    await ask("GET", "/api/requests/http")
    return answers


async def test_no_secret_is_anywhere_after_a_busy_run(home: Path, tmp_path: Path) -> None:
    places: dict[str, bytes] = {}
    db = tmp_path / "history" / "history.db"
    async with NgrokService() as service, running_app() as app, Forwarder() as forwarder:
        words = ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]
        words += ["--verify-webhook", "--db", str(db), "--forward-to", app.url]
        async with listening(
            *words, "--", sys.executable, "-c", "import time; time.sleep(600)",
            environment={"NGROK_AUTHTOKEN": TOKEN},
        ) as listener:  # fmt: skip
            arguments = list(arguments_of_all(listener.process.pid))
            assert len(arguments) >= 3, "the command, the tunnel's child and the app beside"
            for _ in range(10):
                assert (await post(listener.url, forwarder=forwarder)).status == 200
            app.answer = http(401, b"no")
            await post(listener.url, forwarder=forwarder)
            for secret in (f'"{SECRET}"', SECRET + " ", "another"):
                forged = signed(BODY, secret=secret)
                reply = await post(listener.local_url, BODY, forged, forwarder=forwarder)
                assert reply.status == 403
                places[f"answer to {secret!r}"] = reply.body + repr(reply.headers).encode()
            service.cut()
            await service.wait_online(1)
            answers = await ask_the_inspector(listener, forwarder)
            arguments += arguments_of_all(listener.process.pid)
            files = files_below(home, db.parent)
            assert {"history.db", "history.db-wal"} <= {file.name for file in files}
            places.update({f"{file} while it runs": file.read_bytes() for file in files})
            assert await listener.end() == 0
        places["what the app got"] = b"\n".join(app.requests)
    places["arguments"] = "\n".join(arguments).encode()
    places["stdout"] = json.dumps(listener.lines).encode()
    places["stderr"] = listener.errors.encode()
    places["the inspector's answers"] = b"\n".join(answers)
    files = files_below(home, db.parent)
    places.update({str(file): file.read_bytes() for file in files})
    for form in ("jsonl", "har", "curl", "pytest"):
        done = await asyncio.to_thread(invoke, "export", "--db", str(db), "--format", form)
        assert done.exit_code == 0
        places[f"export as {form}"] = done.output.encode()
    shown = await asyncio.to_thread(invoke, "show", "1", "--db", str(db))
    places["show"] = shown.output.encode()
    found = [
        (place, name)
        for place, content in places.items()
        for name, secret in (("authtoken", TOKEN), ("client secret", SECRET))
        for spelling in spellings(secret)
        if spelling in content
    ]
    assert found == []
    modes = {file.name: stat.filemode(file.stat().st_mode) for file in files}
    assert set(modes.values()) == {"-rw-------"}, modes
    assert "token" in " ".join(modes), "the state folder was looked into, too"
