"""docs/security.md is true, and no secret is anywhere after a busy run."""

import ast
import asyncio
import base64
import itertools
import json
import os
import re
import signal
import stat
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from tests.apps import http, running_app
from tests.cli.runner import invoke
from tests.deadline import DEADLINE
from tests.faults.waiting import until
from tests.listener import BODY, SECRET, TOKEN, Listener, command, listening, post, run, signed
from tests.ngrok_service import NgrokService
from tiktok_hook import inspector
from tiktok_hook.forward import Forwarder, ForwardRequest

OTHER_SECRET = "client-secret-of-the-sandbox"
SECRETS = {"authtoken": TOKEN, "client secret": SECRET, "second client secret": OTHER_SECRET}
WAITING = textwrap.dedent("""
    import subprocess, sys
    below = "import time; print('up', flush=True); time.sleep(600)"
    subprocess.run([sys.executable, "-c", below])
""")
"""An app beside that starts a program of its own; once that is up, both wait."""

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[^`]*?)::([^`]*)`", TEXT)))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=lambda word: word)
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    """By the name that pytest runs it by: a test in a class goes by its class, too."""
    tests: list[ast.stmt] = ast.parse((ROOT / file).read_text("utf-8")).body
    *classes, name = test.split("::")
    for each in classes:
        [found] = [node for node in tests if isinstance(node, ast.ClassDef) and node.name == each]
        tests = found.body
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert name in {node.name for node in tests if isinstance(node, functions)}


def test_every_statement_names_a_test() -> None:
    statements = re.findall(r"(?ms)^- .*?(?=^- |^#|\Z)", TEXT.partition("## Report")[0])
    assert len(statements) >= 20
    assert [each for each in statements if "::test_" not in each] == []


def _starts_of_python() -> list[tuple[str, str]]:
    """Where the package starts Python, and the argument after the interpreter."""
    found = []
    for file in sorted((ROOT / "tiktok_hook").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            words = getattr(node, "args", None) or getattr(node, "elts", [])
            for word, after in itertools.pairwise(words if isinstance(words, list) else []):
                if ast.unparse(word) == "sys.executable":
                    found.append((str(file.relative_to(ROOT)), ast.unparse(after)))
    return found


def test_no_python_that_is_started_imports_from_the_working_directory() -> None:
    """With -m and -c Python looks for modules there first: a cloned repository has it run one."""
    found = _starts_of_python()
    assert len(found) >= 4
    assert [each for each in found if each[1] != "'-P'"] == []


def spellings(secret: str) -> list[bytes]:
    """A secret as it might be found: as it is, in hexadecimal, and in base64 at any offset."""
    found = [secret.encode(), secret.encode().hex().encode()]
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + secret.encode())
        found.append(encoded[4 if offset else 0 : -4])
    return found


def files_below(*folders: Path) -> list[Path]:
    return [file for folder in folders for file in folder.rglob("*") if file.is_file()]


def found_in(places: Mapping[str, bytes], secrets: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which secret is where, in any encoding."""
    return [
        (place, name)
        for place, content in places.items()
        for name, secret in secrets.items()
        if any(spelling in content for spelling in spellings(secret))
    ]


def processes_of(pid: int) -> dict[str, psutil.Process]:
    """A session's processes by what they are: the command, the tunnel's child, the child apps."""
    parent = psutil.Process(pid)
    below = parent.children(recursive=True)
    tunnel = [each for each in below if "tiktok_hook.tunnel.child" in each.cmdline()]
    apps = [each for each in below if each not in tunnel]
    named = {"the command": parent}
    named.update({f"tunnel {number}": each for number, each in enumerate(tunnel)})
    named.update({f"app {number}": each for number, each in enumerate(apps)})
    return named


async def stream_of(base: str, token: str) -> bytes:
    """What the page's live stream sends of everything so far."""
    host, _, port = base.partition("//")[2].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"GET /api/v1/stream?after=0 HTTP/1.1\r\nHost: {host}:{port}\r\n"
    writer.write(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
    async with asyncio.timeout(DEADLINE):
        received = await reader.readuntil(b"id: 11\n")
    writer.close()
    return received


async def ask_the_inspector(listener: Listener, forwarder: Forwarder) -> dict[str, bytes]:
    """Replay there, then every address of the inspector, errors too."""
    address, _, token = listener.ready["inspector_url"].partition("#token=")
    base = address.rstrip("/")
    host = ("Host", base.partition("//")[2])
    answers: dict[str, bytes] = {}

    async def ask(method: str, path: str, body: bytes = b"", *, given: str = token) -> bytes:
        headers = [host, ("Authorization", f"Bearer {given}"), ("Content-Type", "application/json")]
        if not body:
            headers.pop()
        request = ForwardRequest(method, base + path, tuple(headers), body)
        reply = await forwarder.send(request, timeout=DEADLINE)
        assert reply.status is not None, (path, reply)
        allowed = given == token or path == "/"
        assert (reply.status < 400) == ("nothing" not in path and allowed), (path, reply)
        answers[f"{method} {path} {len(answers)}"] = reply.body + repr(reply.headers).encode()
        return reply.body

    await ask("POST", "/api/v1/deliveries/1/replay", b"{}")
    await ask("POST", "/api/v1/deliveries/1/replay", b'{"signing":"as-is"}')
    await ask("POST", "/api/v1/deliveries/1/replay?nothing", b'{"set":["content.none=1"]}')
    await ask("POST", "/api/v1/samples/authorization.removed", b"{}")
    await ask("POST", "/api/v1/samples/nothing", b"{}")
    await ask("DELETE", "/api/v1/deliveries?until=1")
    for form in ("jsonl", "har", "curl", "pytest", "nothing"):
        await ask("GET", f"/api/v1/export?format={form}")
    described = json.loads(await ask("GET", "/api/v1/openapi.json"))
    for path, methods in described["paths"].items():
        if "get" in methods and not path.endswith("/stream"):
            event = "authorization.removed"
            await ask("GET", path.replace("{id}", "1").replace("{event}", event))
    for path in ("/", "/status", "/api", "/api/status", "/api/tunnels", "/api/endpoints"):
        await ask("GET", path)
    for folder, name in (("tunnels", "tunnels"), ("endpoints", "endpoints")):
        for each in json.loads(await ask("GET", f"/api/{folder}"))[name]:
            await ask("GET", f"/api/{folder}/{each.get('name', each.get('ID'))}")
    captured = json.loads(await ask("GET", "/api/requests/http"))["requests"][0]["id"]
    await ask("GET", f"/api/requests/http/{captured}")
    await ask("POST", "/api/requests/http", json.dumps({"id": captured}).encode())
    for file in (Path(inspector.__file__).parent / "static").glob("*.[!h]*"):
        await ask("GET", f"/static/{file.name}")
    for path in ("/api/tunnels/nothing", "/api/endpoints/nothing"):
        await ask("DELETE", path)
    await ask("DELETE", "/api/requests/http")
    for path in ("/nothing", "/api/nothing", "/api/v1/nothing"):
        await ask("GET", path)
    for path in ("/", "/api/v1/deliveries", "/api/requests/http"):
        await ask("GET", path, given="wrong")
    answers["the stream"] = await stream_of(base, token)
    return answers


async def run_commands_alongside(db: Path, words: list[str]) -> dict[str, bytes]:
    """What is printed by commands that find the running listener by its file."""
    account = ["--connect-url", words[1], "--connect-cas", words[3]]
    runs = {
        "doctor": ["doctor", "--json", "--db", str(db), *account],
        "trigger": ["trigger", "authorization.removed"],
    }
    done = {name: await asyncio.to_thread(invoke, *each) for name, each in runs.items()}
    assert json.loads(done["doctor"].stdout), done["doctor"].output
    assert done["trigger"].exit_code == 0, done["trigger"].output
    return {f"{name} beside it": each.output.encode() for name, each in done.items()}


async def run_all_commands(db: Path, app: str, words: list[str]) -> dict[str, bytes]:
    """What the other commands print and write for a user who has set all secrets."""
    report = db.parent / "junit.xml"
    account = ["--connect-url", words[1], "--connect-cas", words[3]]
    runs = {
        "show": ["show", "1", "--db", str(db)],
        "events": ["events", "--db", str(db)],
        "replay": ["replay", "1", "--to", app, "--db", str(db)],
        "trigger": ["trigger", "authorization.removed", "--to", app],
        "doctor": ["doctor", "--json", "--db", str(db), "-f", app, *account],
        "audit": ["audit", app, "--only", "valid", "--junit", str(report)],
        "audit as JSON": ["audit", app, "--only", "valid", "--json"],
    }
    for form in ("jsonl", "har", "curl", "pytest"):
        runs[f"export as {form}"] = ["export", "--db", str(db), "--format", form]
        runs[f"{form}, redacted"] = [*runs[f"export as {form}"], "--redact"]
    places = {}
    for name, arguments in runs.items():
        done = await asyncio.to_thread(invoke, *arguments)
        assert done.output, name
        assert "Traceback" not in done.output, done.output
        assert done.exit_code in {0, 1}, (name, done.output)  # what is examined may fail
        places[name] = done.output.encode()
    places["audit's report"] = report.read_bytes()
    report.unlink()
    return places


async def test_no_secret_is_anywhere_after_a_busy_run(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: dict[str, bytes] = {}
    db = tmp_path / "history" / "history.db"
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    monkeypatch.setenv("TIKTOK_CLIENT_SECRET", f"{SECRET} {OTHER_SECRET}")
    async with NgrokService() as service, running_app() as app, Forwarder() as forwarder:
        words = ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]
        async with listening(
            *words, "--verify-webhook", "--db", str(db), "--forward-to", app.url,
            "--", sys.executable, "-c", "import sys, time; print('up'); time.sleep(600)",
            secret=None,
        ) as listener:  # fmt: skip
            for _ in range(10):
                assert (await post(listener.url, forwarder=forwarder)).status == 200
            app.answer = http(401, b"no")
            await post(listener.local_url, BODY, signed(BODY, secret=OTHER_SECRET))
            for secret in (f'"{SECRET}"', SECRET + " ", "another"):
                forged = signed(BODY, secret=secret)
                reply = await post(listener.local_url, BODY, forged, forwarder=forwarder)
                assert reply.status == 403
                places[f"answer to {secret!r}"] = reply.body + repr(reply.headers).encode()
            service.cut()
            await service.wait_online(1)
            places.update(await ask_the_inspector(listener, forwarder))
            app.answer = http(200, b"ok")
            places.update(await run_commands_alongside(db, words))
            files = files_below(home, db.parent)
            assert {"history.db", "history.db-wal"} <= {file.name for file in files}
            places.update({f"{file} while it runs": file.read_bytes() for file in files})
            assert await listener.end() == 0
        places.update(await run_all_commands(db, app.url, words))
        places["what the app got"] = b"\n".join(app.requests)
    ready = listener.lines.index(listener.ready)
    page_token = listener.lines[ready].pop("inspector_url").partition("#token=")[2]
    places["stdout"] = json.dumps(listener.lines).encode()
    places["stderr"] = listener.errors.encode()
    files = files_below(home, db.parent)
    places.update({str(file): file.read_bytes() for file in files})
    own = {place for place in places if "inspector-token" in place}
    assert len(own) == 2, "the state folder was looked into, too"
    elsewhere = {place: content for place, content in places.items() if place not in own}
    assert found_in(places, SECRETS) == []
    assert found_in(elsewhere, {"the inspector's token": page_token}) == []
    modes = {file.name: stat.filemode(file.stat().st_mode) for file in files}
    assert set(modes.values()) == {"-rw-------"}, modes


async def test_no_process_is_started_with_a_secret_it_must_not_have() -> None:
    async with NgrokService() as service, running_app() as app:
        words = ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]
        async with listening(
            *words, "--verify-webhook", "-f", app.url, "--", sys.executable, "-c", WAITING,
            secret=f"{SECRET} {OTHER_SECRET}",
            environment={"NGROK_AUTHTOKEN": TOKEN, "TIKTOK_HOOK_AUTHTOKEN": TOKEN},
        ) as listener:  # fmt: skip
            await until(lambda: "up\n" in listener.errors)
            named = processes_of(listener.process.pid)
            assert sorted(named) == ["app 0", "app 1", "the command", "tunnel 0"]
            arguments = {name: "\0".join(each.cmdline()).encode() for name, each in named.items()}
            variables = {
                name: "\0".join(f"{key}={text}" for key, text in each.environ().items()).encode()
                for name, each in named.items()
            }
    page = {"the inspector's token": listener.ready["inspector_url"].partition("#token=")[2]}
    assert found_in(arguments, SECRETS | page) == []
    assert found_in(variables, page) == []
    del variables["the command"]  # its own is what the user gave it
    assert found_in(variables, {"authtoken": TOKEN}) == []
    assert found_in({"tunnel 0": variables["tunnel 0"]}, SECRETS) == []


BREAKS = """
import hmac, pathlib
whole = hmac.compare_digest
def broken(*given):
    if pathlib.Path({marker!r}).exists():
        raise RuntimeError("broken on purpose")
    return whole(*given)
hmac.compare_digest = broken
"""
"""Python runs it first: from some moment on, a function of the standard library fails in use."""


@pytest.mark.skipif(os.name != "posix", reason="SIGABRT is a POSIX matter")
@pytest.mark.parametrize("form", ["full", "normal", "compact", "json"])
async def test_no_secret_is_in_what_a_bug_or_a_crash_prints(
    form: str, home: Path, tmp_path: Path
) -> None:
    marker, printed = tmp_path / "now", tmp_path / "printed"
    (tmp_path / "sitecustomize.py").write_text(BREAKS.format(marker=str(marker)))
    variables = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "PYTHONFAULTHANDLER": "1",
        "PYTHONUNBUFFERED": "1",
        "NGROK_AUTHTOKEN": TOKEN,
        "TIKTOK_CLIENT_SECRET": f"{SECRET} {OTHER_SECRET}",
    }
    async with NgrokService() as service:
        words = ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]
        with printed.open("wb") as stream:
            process = await asyncio.create_subprocess_exec(
                *command(*words, "--verify-webhook", form=form),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=variables,
            )
        try:
            await until(lambda: b"#token=" in printed.read_bytes(), seconds=20)
            shown = re.search(rb"(http://127[0-9.:]+)/#token=([\w-]+)", printed.read_bytes())
            assert shown is not None
            address, token = shown[1].decode(), shown[2].decode()
            [state] = [file for file in files_below(home) if file.parent.name == "listeners"]
            local = json.loads(state.read_text())["local_url"]
            assert (await post(local)).status == 200
            marker.touch()
            assert (await post(local)).status != 200
            wrong = (("Host", address.partition("//")[2]), ("Authorization", f"Bearer {token}"))
            async with Forwarder() as forwarder:
                asked = ForwardRequest("GET", f"{address}/api/v1/deliveries", wrong, b"")
                assert (await forwarder.send(asked, timeout=DEADLINE)).status == 500
            await until(lambda: b"A bug in tiktok-hook" in printed.read_bytes())
            await until(lambda: b"Error handling request" in printed.read_bytes())
            process.send_signal(signal.SIGABRT)
            async with asyncio.timeout(DEADLINE):
                assert await process.wait() == -signal.SIGABRT
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    received = printed.read_bytes()
    assert b"Traceback" in received
    assert b"Fatal Python error: Aborted" in received
    assert found_in({"printed": received}, SECRETS) == []
    [_, *later] = received.split(token.encode())  # the banner's own
    assert later[1:] == []


async def test_no_secret_is_in_the_traceback_of_a_command(tmp_path: Path) -> None:
    marker = tmp_path / "now"
    marker.touch()
    (tmp_path / "sitecustomize.py").write_text(BREAKS.format(marker=str(marker)))
    header = signed(BODY)[1]
    done = await asyncio.create_subprocess_exec(
        *run(["verify", "--body", "-", "--header", header]),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "TIKTOK_CLIENT_SECRET": SECRET},
    )
    async with asyncio.timeout(DEADLINE):
        stdout, stderr = await done.communicate(BODY)
    assert b"broken on purpose" in stderr
    assert found_in({"stdout": stdout, "stderr": stderr}, SECRETS) == []
