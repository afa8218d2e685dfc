"""What `listen` shows on a terminal, recorded from a real one and drawn as an SVG."""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.listener import BODY, SECRET, signed
from tests.pty_terminal import Terminal
from tiktok_hook import trigger
from tiktok_hook.session import demo

COLUMNS = 100
LISTEN_SVG = Path(__file__).with_name("listen.svg")
FAILED = (
    b'{"client_key":"awexampleclient1","event":"post.publish.failed","create_time":1756684800,'
    b'"user_openid":"-000ExampleOpenIdExampleOpenIdExampl","content":"{\\"publish_id\\":'
    b'\\"v_pub_url~v2-1.7545200000000000002\\",\\"reason\\":\\"video_pull_failed\\",'
    b'\\"publish_type\\":\\"DIRECT_PUBLISH\\"}"}'
)

_STATUS_LINE = re.compile("[^\n]*\r\x1b\\[J|\x1b\\[\\?[0-9]+[hl]")
_DRIVER = """
import asyncio, sys
from tests.pictures.terminal import serve_app
asyncio.run(serve_app())
"""


async def serve_app() -> None:
    """The demo's app, for as long as stdin is open; its address is printed first."""
    import asyncio

    async with demo.app() as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


def record_listen() -> str:
    """Run `listen` with a good and a forged delivery; what the terminal got."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "TERM": "xterm-256color",
            "TIKTOK_CLIENT_SECRET": demo.SECRET,
            "TZ": "UTC",
        }
        app = subprocess.Popen(
            [sys.executable, "-c", _DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert app.stdout is not None
        target = app.stdout.readline().decode().strip()
        options = ["--no-tunnel", "--public-url", "https://calm-otter-rightly.ngrok-free.app"]
        options += ["--no-self-check", "--port", "0", "--inspect-port", "0", "-f", target]
        screen = Terminal(
            [sys.executable, "-m", "tiktok_hook", "listen", *options],
            columns=COLUMNS,
            environment=environment,
        )
        try:
            screen.read_until("Ctrl-C")
            found = re.search(r"http://127\.0\.0\.1:\d+", screen.text.partition("Receiver")[2])
            assert found is not None
            for number, (body, secret) in enumerate(
                [(FAILED, demo.SECRET), (BODY, SECRET)], start=1
            ):
                _post(found[0], body, secret)
                screen.read_until(f"#{number} ")
                screen.read_until(f"#{number}.1" if secret == demo.SECRET else "403")
            screen.type("q")
            assert screen.end() == 0
        finally:
            app.communicate(b"")
    text = re.sub(r"token=[\w-]+", "token=…", _STATUS_LINE.sub("", screen.text))
    return text.replace("\r\n", "\n").rstrip()


def _post(url: str, body: bytes, secret: str) -> None:
    import asyncio
    from dataclasses import replace

    request = trigger.request(url, body, secret=None)
    headers = (("Content-Type", trigger.CONTENT_TYPE), signed(body, secret=secret))
    asyncio.run(trigger.send(replace(request, headers=headers)))


def draw(text: str, *, title: str) -> str:
    """A terminal's text, colours included, as the SVG of a window."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="256")
    console.print(Text.from_ansi(text))
    return console.export_svg(title=title, unique_id="listen")


if __name__ == "__main__":
    LISTEN_SVG.write_text(draw(record_listen(), title="tiktok-hook listen"), encoding="utf-8")
