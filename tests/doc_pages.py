"""The docs' own text, for the tests that run what they show."""

import base64
import json
import re
import shlex
from pathlib import Path

from tests.store.samples import delivery
from tiktok_hook import signature
from tiktok_hook.delivery import delivery_json, dump

ROOT = Path(__file__).parent.parent
SKILL = ROOT / "tiktok_hook" / "mcp" / "skill" / "SKILL.md"
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), SKILL])
}
# The references of the skill are pages of the docs, which are copied when it is installed.
PAGES[SKILL.relative_to(ROOT).as_posix()] = SKILL.read_text("utf-8").replace(
    "](references/", "](../../../docs/"
)
"""The text of every page, by its path."""

Block = tuple[str, str, str]
"""The path of the page, the language, and the code without its indent."""


def _blocks(page: str, text: str) -> list[Block]:
    pattern = r"(?ms)^( *)```([a-z]*)\n(.*?)^\1```$"
    return [
        (page, language, re.sub(rf"(?m)^{indent}", "", code))
        for indent, language, code in re.findall(pattern, text)
    ]


BLOCKS = [block for page, text in PAGES.items() for block in _blocks(page, text)]
"""Every code block."""

PYTHON = list(dict.fromkeys(code for _, language, code in BLOCKS if language == "python"))
"""Every Python example once: the README shows some that a page shows, too."""


def block(*words: str) -> str:
    """The one Python example that holds all these words."""
    (found,) = [each for each in PYTHON if all(word in each for word in words)]
    return found


def commands() -> list[tuple[str, str]]:
    """Every command line that a page shows, without its prompt."""
    return [
        (page, line.removeprefix("$ "))
        for page, language, code in BLOCKS
        if language == "console"
        for line in code.splitlines()
    ]


OURS = [
    line for line in dict.fromkeys(line for _, line in commands()) if line.startswith("tiktok-hook")
]
"""The command lines of this program, each once."""

SECRET = "example-client-secret"


def arguments(line: str) -> list[str]:
    """The words after the program's name, up to a pipe or a file; without `--secret -`."""
    line = re.split(r" [|>] ", line)[0]
    return shlex.split(line.replace("--secret - ", "").removesuffix("--secret -"))[1:]


def make_files(folder: Path) -> None:
    """Make the files that the command lines name."""
    line = dump({"type": "delivery", **delivery_json(delivery(id=1))})
    (folder / "colleague.jsonl").write_bytes(line + b"\n")
    _make_recordings(folder)
    scenario = next(code for _, language, code in BLOCKS if language == "toml" and "step" in code)
    (folder / "refund.toml").write_text(scenario)
    (folder / "client-secret.txt").write_text(SECRET)
    for name in ("body.json", "event.json"):
        (folder / name).write_text('{"event":"tiktok.ping"}')


def _make_recordings(folder: Path) -> None:
    """A browser's HAR with one signed request, and what ngrok's agent API lists."""
    at, body = "2026-01-02T03:04:05Z", '{"event":"tiktok.ping"}'
    signed = {
        "name": "Tiktok-Signature",
        "value": signature.sign(body.encode(), SECRET, timestamp=1),
    }
    request = {
        "method": "POST",
        "url": "https://example.com/tiktok",
        "headers": [signed],
        "postData": {"text": body},
    }
    har = {"log": {"entries": [{"startedDateTime": at, "request": request}]}}
    (folder / "capture.har").write_text(json.dumps(har))
    raw = f"POST /tiktok HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    listed = {"start": at, "request": {"method": "POST", "raw": base64.b64encode(raw).decode()}}
    (folder / "requests.json").write_text(json.dumps({"requests": [listed]}))
