"""Files of other programs: read as far as they go, or named for what they are."""

import base64
import io
import json
import zipfile
from typing import Any

import pytest

from tiktok_hook import archive
from tiktok_hook.delivery import BodyState
from tiktok_hook.errors import UsageError

pytestmark = pytest.mark.timeless


def har_entry(url: str = "https://hooks.example.com/x", **data: str) -> dict[str, Any]:
    post_data = {"mimeType": "text/plain", "text": "a=b", **data}
    return {"request": {"method": "POST", "url": url, "headers": [], "postData": post_data}}


def har(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"log": {"entries": entries}}).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return data.getvalue()


def loaded(data: bytes) -> archive.Capture:
    return archive.load(io.BytesIO(data), "FILE")


NAMED = {
    "har-entries-as-lines": (
        json.dumps(har_entry()).encode() + b"\n{}\n",
        "FILE: its first line is JSON in a format that is not known here (its keys: request).",
    ),
    "event-bodies-as-lines": (
        b'{"event":"x","content":"{}"}\n' * 2,
        "FILE: its first line looks like the body of one TikTok event.",
    ),
    "two-documents": (har(har_entry()) + b"\n" + har(), "FILE has more than one JSON document."),
    "a-har-in-a-field": (
        json.dumps({"ok": True, "result": {"log": {"entries": []}}}).encode(),
        "FILE has a HAR in its field 'result'.",
    ),
    "a-list-of-hars": (b"[%b,{}]" % har(), "FILE is a JSON list with 2 items, each a HAR."),
    "comments": (b"// saved\n" + har(har_entry()), "FILE is a program, or JSON with comments."),
    "zeros": (bytes(100), "FILE is a file of NUL bytes."),
    "curl-exe": (b"curl.exe -d {} https://h", "FILE is a curl command."),
    "curl-v": (b"> POST /x HTTP/2\n> Host: h\n", "FILE is the output of curl -v."),
    "bruno": (b"meta {\n  name: x\n}\n", "FILE is a request of Bruno."),
    "zip-of-a-trace": (
        zipped({"trace.trace": b"", "trace.network": b""}), "FILE is a trace of Playwright."
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_what_cannot_be_imported_is_named(name: str) -> None:
    data, message = NAMED[name]
    with pytest.raises(UsageError) as raised:
        loaded(data)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "files",
    [
        {"RECORDED.HAR": har(har_entry())},
        {"a.har": har(har_entry()), "__MACOSX/._a.har": b"\0\5"},
        {"a/a.har": har(har_entry()), "a/._a.har": b"\0\5", "a/.DS_Store": b""},
    ],
    ids=["upper-case", "macos", "macos-in-the-folder"],
)
def test_the_one_recording_of_a_zip_file_is_found(files: dict[str, bytes]) -> None:
    assert loaded(zipped(files)).deliveries == 1


@pytest.mark.parametrize("url", ["data:,x", "blob:https://a/1", "wss://a/b", "about:blank"])
def test_what_was_not_sent_over_http_is_left_out(url: str) -> None:
    capture = loaded(har(har_entry(), har_entry(url)))
    assert capture.unusable == {"request.url is not http or https": [2]}


@pytest.mark.parametrize("url", ["/x?a=b", "localhost:3000/x", "HTTP://h/x"])
def test_a_url_without_a_scheme_is_imported(url: str) -> None:
    assert loaded(har(har_entry(url))).deliveries == 1


@pytest.mark.parametrize("encoding", ["hex", "base32", "quoted-printable"])
def test_an_unknown_encoding_marks_the_body(encoding: str) -> None:
    (entry,) = loaded(har(har_entry(text="613d62", encoding=encoding))).entries()
    assert entry.delivery.body_state is BodyState.ALTERED
    assert entry.delivery.verdict.reason == f"its encoding is {encoding}"


@pytest.mark.parametrize("encoding", ["", "utf-8", "base64"])
def test_a_known_encoding_gives_the_bytes(encoding: str) -> None:
    text = base64.b64encode(b"a=b").decode() if encoding == "base64" else "a=b"
    (entry,) = loaded(har(har_entry(text=text, encoding=encoding))).entries()
    assert (entry.delivery.body, entry.delivery.body_state) == (b"a=b", BodyState.EXACT)


@pytest.mark.parametrize("lengths", [("3", "9"), ("9", "3"), ("3, 9",)])
def test_a_body_shorter_than_one_of_two_lengths_is_not_taken_for_whole(
    lengths: tuple[str, ...],
) -> None:
    entry = har_entry()
    entry["request"]["headers"] = [{"name": "Content-Length", "value": each} for each in lengths]
    (found,) = loaded(har(entry)).entries()
    assert (found.delivery.body, found.delivery.body_bytes) == (b"a=b", 9)
    assert found.delivery.body_state is BodyState.ALTERED
