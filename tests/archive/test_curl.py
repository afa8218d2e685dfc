import asyncio
import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.apps import App, http, running_app
from tests.archive.samples import ATTEMPTS, AWKWARD, entry, exported
from tests.deadline import DEADLINE
from tests.store.samples import delivery
from tiktok_hook import signature
from tiktok_hook.archive import Entry, curl
from tiktok_hook.delivery import BodyState, Delivery, Source
from tiktok_hook.replayer import ReplayOptions, prepare
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import State

SECRET = 'it\'s $(touch made) "secret"'
NEEDED = ("curl", "sh")

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason="needs a POSIX shell and curl"
)


async def run(
    tmp_path: Path,
    app: App,
    *entries: Entry,
    path: str | None = None,
    secret: str = SECRET,
    shell: str = "sh",
) -> tuple[int, str]:
    """Run the exported script in an empty folder; its exit code and what it printed."""
    folder = tmp_path / "empty"
    folder.mkdir(exist_ok=True)
    script = tmp_path / "send.sh"
    script.write_bytes(exported(entries, "curl"))
    process = await asyncio.create_subprocess_exec(
        shell,
        str(script),
        app.url,
        cwd=folder,
        env={"PATH": path or os.environ["PATH"], "TIKTOK_CLIENT_SECRET": secret},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE):
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


async def test_curl_sends_the_stored_bytes_with_a_new_signature(tmp_path: Path) -> None:
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


PASTED_INTO = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed"),
    )
    for name in ("dash", "bash", "zsh", "fish")
]
SHELLS = PASTED_INTO[:-1]  # fish cannot run a script for sh
ESCAPES = [
    "\\033]0;PWNED\\007\\033[31mRED",
    "a\\cb",
    "\\n\\t\\x1b",
    "\x1b]52;c;eA==\x07",
    "%s%d%%\\",
    "-n",
    "\u202eevil\x9b31m",
    "!history!",
    "~root $HOME *",
]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", ESCAPES, ids=ascii)
async def test_no_shell_obeys_what_a_stranger_sent(tmp_path: Path, shell: str, name: str) -> None:
    body = json.dumps({"event": name}, ensure_ascii=False).encode()
    raw = name.encode().decode("latin-1")
    sent = delivery(body, headers=(("X-Name", raw),), path="/" + name.replace(" ", "%20"))
    async with running_app() as app:
        code, printed = await run(tmp_path, app, entry(sent, 7), shell=shell)
        assert code == 0, printed
        assert app.bodies == [body]
        assert header(app.requests[0], "X-Name") == raw.strip()
    assert printed.isascii()
    assert printed.isprintable() or printed[:-1].isprintable()
    assert printed.startswith("#7 ")
    assert printed.endswith(": 200\n")
    assert json.dumps(visible(name))[1:-1].replace("\\\\", "\\") in printed.replace("\\\\", "\\")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("secret", ["s" * 64, "s" * 65, "x", "caf\u00e9 'q\" $(id) \\", "%d\\101"])
async def test_each_shell_signs_right_with_any_secret(
    tmp_path: Path, shell: str, secret: str
) -> None:
    sent = [entry(AWKWARD[name], 1) for name in ("event", "binary", "empty")]
    async with running_app() as app:
        code, printed = await run(tmp_path, app, *sent, secret=secret, shell=shell)
    assert code == 0, printed
    for request, body in zip(app.requests, app.bodies, strict=True):
        text = header(request, signature.HEADER) or ""
        now = float(text[2:].partition(",")[0])
        assert signature.check(text, body, secret, now=now).state is State.VALID


@pytest.mark.parametrize("shell", SHELLS)
async def test_the_secret_is_in_no_process_arguments(tmp_path: Path, shell: str) -> None:
    folder = tmp_path / "tools"
    folder.mkdir()
    log = tmp_path / "arguments"
    for tool in ("openssl", "od", "tr", "cut", "cat", "date", "mktemp", "rm", "curl", "printf"):
        real = shutil.which(tool)
        wrapper = folder / tool
        wrapper.write_text(f'#!/bin/sh\necho "{tool} $*" >>"{log}"\nexec {real} "$@"\n')
        wrapper.chmod(0o755)
    secret = "the-secret-of-the-app"
    async with running_app() as app:
        code, _ = await run(
            tmp_path,
            app,
            entry(AWKWARD["event"]),
            path=f"{folder}:{os.environ['PATH']}",
            secret=secret,
            shell=shell,
        )
    seen = log.read_text()
    assert code == 0
    assert "openssl dgst -sha256" in seen
    assert secret not in seen
    assert secret.encode().hex() not in seen


async def test_the_script_leaves_the_shell_that_it_is_pasted_into(tmp_path: Path) -> None:
    script = exported([entry(AWKWARD["event"])], "curl").decode()
    async with running_app(http(500)) as app:
        process = await asyncio.create_subprocess_exec(
            "bash",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "TIKTOK_CLIENT_SECRET": "a-secret"},
        )
        text = f"set -- {app.url}\n{script}\necho still here $?\n"
        async with asyncio.timeout(DEADLINE):
            printed, _ = await process.communicate(text.encode())
    assert printed.endswith(b"still here 1\n")


def test_the_default_address_is_where_it_was_forwarded() -> None:
    (attempt,) = entry(delivery(), 1, ATTEMPTS[:1]).attempts
    forwarded = entry(delivery(path="/"), 1, ATTEMPTS[:1])
    assert b"send 'http://127.0.0.1:3000' '/hook'" in exported([forwarded], "curl")
    imported = Entry(delivery(path="/x", source=Source.IMPORT), (attempt,))
    assert b"'/x'" in exported([imported], "curl")


def test_a_body_that_is_not_complete_is_not_sent() -> None:
    script = exported([entry(delivery(b"", body_state=BodyState.MISSING))], "curl")
    assert b"# Not sent: its body is not stored completely." in script
    assert b"\nsend '" not in script


COMMANDED = [
    *AWKWARD.items(),
    *((ascii(name), delivery(name.encode(), headers=(("X-A", "\x9b\xe9'!"),))) for name in ESCAPES),
    ("tab", delivery(b'{"a":\t1}')),
    ("long", delivery(b"x" * 200_000)),
    *(
        (f"backslash {number}", delivery(text, headers=(("X-A", text.decode()),)))
        for number, text in enumerate(
            (
                b"\\'; kill $fish_pid #",
                b"\\",
                b"a\\\\b",
                b"\\\\\\'; kill $fish_pid #",
                b"'\\",
                b"'\\''",
            )
        )
    ),
]


@pytest.mark.parametrize("shell", PASTED_INTO)
@pytest.mark.parametrize(("name", "sent"), COMMANDED, ids=[name for name, _ in COMMANDED])
async def test_one_command_sends_the_same_request(
    tmp_path: Path, shell: str, name: str, sent: Delivery
) -> None:
    async with running_app() as app:
        options = ReplayOptions(headers=[("X-Quote", 'it\'s "$HOME" `x` \\ %s')])
        made = prepare(sent, app.url, options, secrets=[SECRET], now=time.time())
        text = curl.command(made.request)
        assert visible(text, keep_newlines=True) == text
        assert text.count("curl -X") == 1
        process = await asyncio.create_subprocess_exec(
            shell, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(DEADLINE):
            await process.communicate(text.encode())
    assert process.returncode == 0
    assert app.bodies == [sent.body]
    sent_header = header(app.requests[0], signature.HEADER) or ""
    verdict = signature.check(sent_header, sent.body, SECRET, now=time.time())
    assert verdict.state is State.VALID
    assert header(app.requests[0], "X-Quote") == 'it\'s "$HOME" `x` \\ %s'
    if name.startswith("backslash"):
        assert header(app.requests[0], "X-A") == sent.body.decode()


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
