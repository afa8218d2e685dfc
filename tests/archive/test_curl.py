import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.apps import App, http, running_app
from tests.archive.samples import ATTEMPTS, AWKWARD, entry, exported
from tests.store.samples import delivery
from tiktok_hook import signature
from tiktok_hook.archive import Entry
from tiktok_hook.signature import State

SECRET = 'it\'s $(touch made) "secret"'
NEEDED = ("curl", "sh", "base64")

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason="needs a POSIX shell and curl"
)


async def run(
    tmp_path: Path, app: App, *entries: Entry, path: str | None = None, secret: str = SECRET
) -> tuple[int, str]:
    """Run the exported script in an empty folder; its exit code and what it printed."""
    folder = tmp_path / "empty"
    folder.mkdir()
    script = tmp_path / "send.sh"
    script.write_bytes(exported(entries, "curl"))
    process = await asyncio.create_subprocess_exec(
        "sh",
        str(script),
        app.url,
        cwd=folder,
        env={"PATH": path or os.environ["PATH"], "TIKTOK_CLIENT_SECRET": secret},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30):
        printed, _ = await process.communicate()
    assert not list(folder.iterdir()), "the script ran something that it was given as data"
    assert process.returncode is not None
    return process.returncode, printed.decode()


def header(request: bytes, name: str) -> str | None:
    for line in request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None


async def test_bodies_arrive_byte_for_byte_and_freshly_signed(tmp_path: Path) -> None:
    sent = [entry(each, number) for number, each in enumerate(AWKWARD.values(), 1)]
    async with running_app() as app:
        code, printed = await run(tmp_path, app, *sent)
    assert (code, app.bodies) == (0, [each.delivery.body for each in sent]), printed
    for request, body in zip(app.requests, app.bodies, strict=True):
        text = header(request, signature.HEADER) or ""
        now = float(text[2:].partition(",")[0])
        assert signature.check(text, body, SECRET, now=now).state is State.VALID


async def test_a_request_is_sent_as_it_came(tmp_path: Path) -> None:
    sent = delivery(
        path="/hook",
        query="a=[1]&b={2}",
        headers=(
            ("Host", "name.ngrok.app"),
            ("User-Agent", "TikTok"),
            ("X-Empty", ""),
            ("X-Name", "caf\xe9"),
            ("Connection", "keep-alive"),
            ("Tiktok-Signature", "t=1,s=00"),
        ),
    )
    async with running_app() as app:
        await run(tmp_path, app, entry(sent))
    head = app.requests[0].partition(b"\r\n\r\n")[0]
    assert head.startswith(b"POST /hook?a=%5B1%5D&b=%7B2%7D HTTP/1.1\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    assert sorted(names) == [
        b"content-length", b"host", b"tiktok-signature", b"user-agent", b"x-empty", b"x-name",
    ]  # fmt: skip
    assert b"X-Name: caf\xe9\r\n" in head + b"\r\n"
    assert header(app.requests[0], "Host") == f"127.0.0.1:{app.port}"


HOSTILE = "'; touch made; $(touch made) `touch made` \\\n touch made\nEND\n touch made #"


async def test_nothing_that_strangers_sent_is_run(tmp_path: Path) -> None:
    sent = [
        delivery(HOSTILE.encode()),
        delivery(b"\xff" + HOSTILE.encode()),
        delivery(json.dumps({"event": HOSTILE}).encode()),
        delivery(path="/" + HOSTILE.replace(" ", "%20").replace("\n", "")),
        delivery(headers=(("X-Name", HOSTILE), ("@/etc/passwd", "a"), (HOSTILE, "a"))),
    ]  # fmt: skip
    async with running_app() as app:
        code, _ = await run(tmp_path, app, *(entry(each) for each in sent))
    assert code == 0
    assert app.bodies == [each.body for each in sent]


async def test_an_answer_that_is_not_200_ends_with_1(tmp_path: Path) -> None:
    async with running_app(http(201)) as app:
        code, printed = await run(tmp_path, app, entry(AWKWARD["event"], 7))
    assert (code, printed) == (1, "#7 post.publish.complete: 201\n")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder to find programs in that has our own command, but no openssl."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("sh", "curl", "base64", "mktemp", "rm", "cat", "cut", "date"):
        (folder / name).symlink_to(shutil.which(name) or name)
    ours = folder / "tiktok-hook"
    ours.write_text(f'#!/bin/sh\nexec {sys.executable} -m tiktok_hook "$@"\n')
    ours.chmod(0o755)
    return folder


async def test_without_openssl_our_own_command_signs(tmp_path: Path, tools: Path) -> None:
    secret = "a-secret-of-the-app"
    async with running_app() as app:
        code, _ = await run(tmp_path, app, entry(AWKWARD["event"]), path=str(tools), secret=secret)
    text = header(app.requests[0], signature.HEADER) or ""
    now = float(text[2:].partition(",")[0])
    verdict = signature.check(text, AWKWARD["event"].body, secret, now=now)
    assert (code, verdict.state) == (0, State.VALID)


async def test_what_cannot_be_signed_is_not_sent(tmp_path: Path, tools: Path) -> None:
    (tools / "tiktok-hook").unlink()
    async with running_app() as app:
        code, _ = await run(tmp_path, app, entry(AWKWARD["event"]), path=str(tools))
    assert code != 0
    assert app.requests == []


def test_no_secret_signature_or_attempt_is_in_it() -> None:
    sent = delivery(headers=(("Tiktok-Signature", "t=1,s=" + "ab" * 32),))
    script = exported([entry(sent, 1, ATTEMPTS)], "curl")
    assert b"abab" not in script
    assert script.count(b"\nsend '") == 1
