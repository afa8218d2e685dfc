"""What strangers sent is only data in every export, on a terminal and in an editor, too."""

import ast
import json

import pytest

from tests.archive.samples import entry, exported, loaded
from tests.store.samples import delivery
from tiktok_hook import archive
from tiktok_hook.delivery import Delivery
from tiktok_hook.sanitize import visible

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07\u202eevil\u2066 \x9b31m\x7f \U000e0041"
    "</script><img src=x onerror=alert(1)> $(touch owned) `touch owned` ''' \"\"\" \\"
)
QUOTED = json.dumps(HOSTILE, ensure_ascii=False)
ADDRESS = "\u202eevil\u2066\U000e0041</script>$(touch\u2028owned)`'\""
HEADER = HOSTILE.encode().decode("latin-1")
PAYLOADS = {
    "bare": delivery(HOSTILE.encode()),
    "in-strings": delivery(f'{{"event":{QUOTED},"user_openid":{QUOTED}}}'.encode()),
    "around-the-body": delivery(path=f"/{ADDRESS}", query=ADDRESS, headers=((HEADER, HEADER),)),
    "nested": delivery(b'{"event":"a","content":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "nested-without-end": delivery(b'{"event":' + b"[" * 50_000),
    "bad-utf-8": delivery(b'{"event":"\xff\xc0\x9b31m\xed\xa0\x80"}'),
}
ANSWERED = ({"status": 500, "headers": ((HEADER, HEADER),), "body": HOSTILE.encode()},)


@pytest.mark.parametrize("redact", [False, True], ids=["whole", "redacted"])
@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("form", archive.FORMATS)
def test_hostile_payloads_are_harmless_text(
    form: archive.Format, payload: Delivery, *, redact: bool
) -> None:
    entries = [entry(payload, attempts=ANSWERED)]
    text = exported(list(archive.redacted(lambda: entries)) if redact else entries, form).decode()
    assert visible(text, keep_newlines=True) == text
    if form == "pytest":
        ast.parse(text)
    elif form != "curl":
        for line in text.splitlines() if form == "jsonl" else [text]:
            json.loads(line)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_hostile_payloads_come_back_as_they_were(payload: Delivery) -> None:
    [line, _] = exported([entry(payload, attempts=ANSWERED)]).splitlines()
    before = {name: getattr(payload, name) for name in ("body", "path", "query", "headers")}
    [found] = loaded(line)
    assert {name: getattr(found.delivery, name) for name in before} == before
