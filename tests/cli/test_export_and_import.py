import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.history import HOSTILE, deliveries, filled
from tests.cli.runner import invoke
from tests.deadline import DEADLINE
from tests.store.samples import delivery
from tiktok_hook import archive
from tiktok_hook.errors import StoreError
from tiktok_hook.signature import sign
from tiktok_hook.store import Filter, open_history


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(filled(tmp_path_factory.mktemp("history") / "history.db"))


@pytest.mark.parametrize("form", ["jsonl", "har"])
def test_what_is_exported_can_be_imported_elsewhere(db: str, form: str, tmp_path: Path) -> None:
    file, other = tmp_path / f"capture.{form}", tmp_path / "other.db"
    done = invoke("export", "--format", form, "-o", str(file), "--db", db)
    assert done.stderr == f"Exported 6 deliveries and 3 attempts to {file}.\n"
    done = invoke("import", str(file), "--db", str(other))
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "Imported 6 deliveries and 3 attempts as 1 to 6.\n"
    with open_history(other) as history:
        found = list(archive.entries(history, Filter()))
    assert [each.delivery.body for each in found] == [each.body for each in deliveries()]
    assert [each.delivery.source for each in found] == ["import"] * 6
    assert [each.delivery.imported_id for each in found] == [1, 2, 3, 4, 5, 6]
    assert [len(each.attempts) for each in found] == [0, 2, 1, 0, 0, 0]
    assert found[2].delivery.redelivery_of == 2


def test_an_import_comes_after_what_is_there(db: str, tmp_path: Path) -> None:
    file, other = tmp_path / "capture.jsonl", filled(tmp_path / "other.db")
    invoke("export", "2-3", "-o", str(file), "--db", db)
    shapes = [json.loads(line) for line in file.read_text().splitlines()]
    for shape in shapes:
        if shape["type"] == "delivery":
            shape["received_at"] = "2025-01-01T00:00:00Z"
    file.write_text("".join(f"{json.dumps(shape)}\n" for shape in shapes))
    done = invoke("import", str(file), "--db", str(other))
    assert done.stderr.endswith(" as 7 to 8.\n")


def test_importing_twice_adds_nothing_and_reports_it(db: str, tmp_path: Path) -> None:
    file, other = tmp_path / "capture.jsonl", tmp_path / "other.db"
    invoke("export", "-o", str(file), "--db", db)
    invoke("import", str(file), "--db", str(other))
    for history in (str(other), db):
        done = invoke("import", str(file), "--db", history)
        assert (done.exit_code, done.stdout) == (0, "")
        assert done.stderr == "Nothing was added.\nAlready in the history: 6 deliveries.\n"


def test_a_pipe_goes_from_one_history_into_the_default_one(db: str) -> None:
    exported = invoke("export", "last", "--db", db)
    done = invoke("import", "-", stdin=exported.stdout.encode())
    assert done.stderr == "Imported 1 delivery and 0 attempts as 1.\n"
    assert json.loads(invoke("show", "1", "--json").stdout)["imported_id"] == 6


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], [1, 2, 3, 4, 5, 6]),
        (["2-3", "last"], [2, 3, 6]),
        (["--event", "post.*"], [2, 3, 6]),
        (["--limit", "2"], [5, 6]),
        (["last", "--event", "post.publish.failed"], [3]),
        (["1-4", "--verdict", "invalid"], [4]),
        (["post.*"], [2, 3, 6]),
        (["last", "post.publish.failed", "user:u-1"], [3]),
        (["content.reason:spam*", "--status", "500"], [2]),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value[0], str) else "",
)
def test_ids_and_filters_choose_together(db: str, options: list[str], found: list[int]) -> None:
    lines = invoke("export", *options, "--db", db).stdout.splitlines()
    shapes = [json.loads(line) for line in lines]
    assert [each["id"] for each in shapes if each["type"] == "delivery"] == found


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--event", "nothing"], "No delivery matches."),
        (["9"], "There is no delivery 9."),
        (["1", "--event", "post.*"], "No delivery matches."),
        (["no.such"], "No delivery matches no.such."),
        (["usr:1"], "usr:1 is not a term of a filter."),
        (["-o", "/nowhere/file"], "/nowhere/file cannot be written: No such file or directory."),
    ],
    ids=[
        "empty-selection",
        "unknown-id",
        "nothing-in-common",
        "no-match",
        "no-filter",
        "no-folder",
    ],
)
def test_what_cannot_be_exported_is_a_usage_error(db: str, options: list[str], error: str) -> None:
    result = invoke("export", *options, "--db", db)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {error}\nHint: ")


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
def test_a_file_is_its_owners_alone(db: str, tmp_path: Path) -> None:
    file = tmp_path / "capture.jsonl"
    file.write_text("something older")
    invoke("export", "last", "-o", str(file), "--db", db)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["capture.jsonl"]


def test_redaction_leaves_no_user_id(db: str) -> None:
    clear = invoke("export", "--db", db).stdout
    redacted = invoke("export", "--redact", "--db", db).stdout
    assert "u-9" in clear
    assert "u-9" not in redacted
    assert "awexampleclient1" not in redacted
    assert len(clear.splitlines()) == len(redacted.splitlines())


@pytest.mark.parametrize("form", ["curl", "pytest"])
def test_code_that_is_exported_holds_nothing_hostile(db: str, form: str) -> None:
    result = invoke("export", "--format", form, "--db", db)
    printed = result.stdout
    assert result.stderr == "Exported 6 deliveries.\n"
    assert HOSTILE[:4] not in printed
    assert printed.count("\n") == len(printed.splitlines())


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "FILE is empty."),
        (b'{"type":"delivery","received_at":"2026-11-23"}\n?\n', "FILE, line 2: not JSON"),
        (b"PK\x03\x04", "FILE is a zip file that cannot be unpacked"),
        (b'{"log":{}}', "FILE has no entries."),
    ],
    ids=["empty", "broken", "zip", "no-entries"],
)
def test_a_file_that_cannot_be_used_leaves_the_history_alone(
    data: bytes, error: str, tmp_path: Path
) -> None:
    file, other = tmp_path / "capture", tmp_path / "other.db"
    file.write_bytes(data)
    result = invoke("import", str(file), "--db", str(other))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {error.replace('FILE', str(file))}")
    assert "\nHint: " in result.stderr
    assert not other.exists()


@pytest.mark.skipif(os.name != "posix", reason="signals are a POSIX matter")
def test_ctrl_c_leaves_nothing_of_an_import(tmp_path: Path) -> None:
    file, other = tmp_path / "capture.jsonl", tmp_path / "other.db"
    shape = {"type": "delivery", "received_at": "2026-11-23T08:00:00Z", "body": "x" * 500}
    file.write_text(f"{json.dumps(shape)}\n" * 20_000)
    importing = subprocess.Popen(
        [sys.executable, "-m", "tiktok_hook", "import", str(file), "--db", str(other)],
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 20
    while stored(other) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    importing.send_signal(signal.SIGINT)
    _, printed = importing.communicate(timeout=DEADLINE)
    assert printed.split(b"\n")[1:] == [b"Interrupted: nothing was imported.", b"", b""]
    assert (importing.returncode, stored(other)) == (0, 0)


def stored(db: Path) -> int:
    """How many deliveries are there; none where the database is still being made."""
    try:
        with open_history(db) as history:
            return history.counts().received
    except StoreError:
        return 0


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    result = invoke("import", str(tmp_path / "none"))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {tmp_path / 'none'} cannot be read: No such file")


def test_the_report_counts_what_is_left_out_and_why(tmp_path: Path) -> None:
    request = {"method": "POST", "url": "https://a/", "headers": [], "postData": {"text": "{}"}}
    entries = [
        {"request": request},
        {"request": {**request, "method": "GET"}},
        {"request": {**request, "method": "PUT"}},
        None,
        5,
        {"request": {**request, "postData": None, "bodySize": 147}},
    ]
    file = tmp_path / "capture.har"
    file.write_text(json.dumps({"log": {"entries": entries}}))
    done = invoke("import", str(file))
    assert done.stderr.splitlines() == [
        "Imported 2 deliveries and 0 attempts as 1 to 2.",
        "Left out: 2 requests that are not POST (GET 1, PUT 1).",
        "Left out: entries 4, 5: it is not a JSON object.",
        "Without the body, which is not in the file: entry 6. "
        "Unchecked; tiktok-hook show has the reason.",
    ]
    rejected = invoke("replay", "2", "--to", "3000")
    assert rejected.exit_code == 2
    assert "does not contain its body (147 bytes were sent)" in rejected.stderr


@pytest.mark.parametrize("options", [["--url", "*/hook"], ["--signed-only"]])
def test_options_choose_what_is_imported(tmp_path: Path, options: list[str]) -> None:
    signed = [{"name": "Tiktok-Signature", "value": "t=1,s=00"}]
    request = {"method": "POST", "url": "https://a/hook", "headers": signed}
    other = {**request, "url": "https://a/other", "headers": []}
    file = tmp_path / "capture.har"
    file.write_text(json.dumps({"log": {"entries": [{"request": request}, {"request": other}]}}))
    done = invoke("import", str(file), *options)
    assert done.stderr.splitlines()[:2] == [
        "Imported 1 delivery and 0 attempts as 1.",
        "Left out by the options: 1 request.",
    ]


def test_a_body_alone_is_imported_with_its_headers(tmp_path: Path) -> None:
    body = delivery().body
    (tmp_path / "body.json").write_bytes(body)
    header = f"Tiktok-Signature: {sign(body, 'a-secret-of-the-app', timestamp=1_795_410_390)}"
    options = ["--header", header, "--secret", "a-secret-of-the-app"]
    done = invoke("import", str(tmp_path / "body.json"), *options)
    assert done.exit_code == 0, done.stderr
    assert json.loads(invoke("show", "--json").stdout)["verdict"]["state"] == "valid"


def test_with_a_secret_unchecked_deliveries_are_checked(tmp_path: Path) -> None:
    body = delivery().body
    request = {
        "method": "POST",
        "url": "https://a/",
        "headers": [
            {"name": "Tiktok-Signature", "value": sign(body, "secret", timestamp=1_795_410_390)}
        ],
        "postData": {"text": body.decode()},
    }
    entry = {"startedDateTime": "2026-11-23T05:06:31Z", "request": request}
    file = tmp_path / "capture.har"
    file.write_text(
        json.dumps({"log": {"entries": [entry, {**entry, "request": {"method": "GET"}}]}})
    )
    done = invoke("import", str(file), "--secret", "secret")
    assert done.stderr == (
        "Imported 1 delivery and 0 attempts as 1.\nLeft out: 1 request that is not POST (GET 1).\n"
    )
    assert json.loads(invoke("show", "--json").stdout)["verdict"]["state"] == "valid"
