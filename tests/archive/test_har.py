import base64
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.archive.samples import ATTEMPTS, AWKWARD, as_imported, entry, exported, imported, loaded
from tests.deadline import DEADLINE
from tiktok_hook.archive import Entry
from tiktok_hook.delivery import Source
from tiktok_hook.signature import State

EVERYTHING = [entry(each, number, ATTEMPTS) for number, each in enumerate(AWKWARD.values(), 1)]


def document(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}}, indent=1).encode()


def foreign(**request: Any) -> dict[str, Any]:
    """An entry as a browser or proxy records it."""
    return {
        "startedDateTime": "2026-11-23T09:00:00.123+01:00",
        "request": {
            "method": "POST",
            "url": "https://example.test/hook?a=1#part",
            "httpVersion": "http/2.0",
            "headers": [
                {"name": ":authority", "value": "example.test"},
                {"name": "content-type", "value": "application/json"},
                {"name": "x-name", "value": "caf\u00e9 \u20ac"},
            ],
            "postData": {"mimeType": "application/json", "text": '{"event":"a"}'},
            **request,
        },
        "response": {"status": 204},
    }


VALIDATE = """
require('har-validator').har(JSON.parse(require('fs').readFileSync(0)))
  .then(() => console.log('valid')).catch(error => console.log(error.errors));
"""
NODE_MODULES = Path("/usr/share/nodejs")


def test_every_delivery_and_attempt_is_valid_har() -> None:
    node = shutil.which("node")
    if node is None or not (NODE_MODULES / "har-validator").exists():
        assert not os.environ.get("CI"), "make system installs node-har-validator"
        pytest.skip("needs node-har-validator: make system installs it on Debian")
    done = subprocess.run(
        [node, "-e", VALIDATE],
        input=exported(EVERYTHING, "har"),
        env=os.environ | {"NODE_PATH": str(NODE_MODULES)},
        capture_output=True,
        timeout=DEADLINE,
        check=True,
    )
    assert done.stdout == b"valid\n"


@pytest.mark.parametrize("name", AWKWARD)
def test_a_delivery_comes_back_as_it_was(name: str) -> None:
    sent = AWKWARD[name]
    (found,) = loaded(exported([entry(sent, 7)], "har"))
    assert found.delivery == as_imported(sent)


async def test_attempts_come_back_with_their_delivery() -> None:
    sent = entry(AWKWARD["binary"], 7, ATTEMPTS)
    (found,) = await imported(exported([sent], "har"))
    assert found.attempts == tuple(replace(each, delivery_id=1) for each in sent.attempts)


def test_a_delivery_reads_as_the_request_that_it_was() -> None:
    sent = replace(
        AWKWARD["event"],
        path="/hook",
        query="a=1",
        headers=(("Host", "name.ngrok.app"), ("X-Forwarded-Proto", "https")),
        status=200,
    )
    (found,) = json.loads(exported([entry(sent)], "har"))["log"]["entries"]
    assert found["request"]["url"] == "https://name.ngrok.app/hook?a=1"
    assert found["request"]["postData"]["text"].encode() == sent.body
    assert found["request"]["queryString"] == [{"name": "a", "value": "1"}]
    assert found["response"]["status"] == 200


def test_an_attempt_is_an_entry_with_what_the_app_answered() -> None:
    _, found = json.loads(exported([entry(AWKWARD["event"], 1, ATTEMPTS[:1])], "har"))["log"][
        "entries"
    ]
    assert found["request"]["url"] == "http://127.0.0.1:3000/hook"
    assert found["response"]["content"]["text"] == '{"ok":true}'
    assert found["timings"]["wait"] == 3.25


def read(*entries: dict[str, Any]) -> Sequence[Entry]:
    return loaded(document(*entries))


def test_a_post_of_another_tool_becomes_a_delivery() -> None:
    (found,) = read(foreign())
    got = found.delivery
    assert (got.method, got.path, got.query, got.status) == ("POST", "/hook", "a=1", 204)
    assert got.received_at == 1_795_420_800.123
    assert got.body == b'{"event":"a"}'
    assert got.header("X-Name") == "caf\u00e9 \u20ac".encode().decode("latin-1")
    assert got.header(":authority") is None
    assert (got.source, got.imported_id) == (Source.IMPORT, None)
    assert (got.verdict.state, got.verdict.reason) == (State.UNCHECKED, "imported")
    assert (got.header("Host"), got.http_version, got.scheme) == ("example.test", "2.0", "https")


@pytest.mark.parametrize(
    ("data", "body"),
    [
        ({"text": base64.b64encode(b"\xff\x00").decode(), "encoding": "base64"}, b"\xff\x00"),
        ({"params": [{"name": "a b", "value": "&"}, {"name": "c"}]}, b"a+b=%26&c="),
        ({"mimeType": "", "text": ""}, b""),
        (None, b""),
    ],
    ids=["base64", "form", "empty", "none"],
)
def test_a_body_is_read_in_each_way_that_tools_write_it(data: Any, body: bytes) -> None:
    (found,) = read(foreign(postData=data))
    assert found.delivery.body == body


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://a", "/"),
        ("http://a?b=c", "/?b=c"),
        ("/only/path", "/only/path"),
        ("http://a/%7e?b=%20#c", "/%7e?b=%20"),
        ("http://a/b c", "/b%20c"),
    ],
)
def test_path_and_query_stay_as_they_were_encoded(url: str, target: str) -> None:
    (found,) = read(foreign(url=url))
    assert found.delivery.target == target
