"""Opening files for import: not a file, unreadable, compressed."""

import gzip
import io
import os
import sys
import threading
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from tests.archive.samples import lines, minimal
from tests.cli.in_process import run
from tiktok_hook import archive
from tiktok_hook.archive import source_file
from tiktok_hook.errors import UsageError

LINE = lines(minimal())
posix = pytest.mark.skipif(os.name != "posix", reason="pipes and devices are a POSIX matter")


def imported(path: Path | str) -> int:
    """How many deliveries a file contains, opened by its name."""
    with archive.opened(str(path)) as source:
        capture = archive.load(source.stream, source.name, sibling=source.sibling)
        return len(list(capture.entries()))


def error_of(path: Path | str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        imported(path)
    assert caught.value.hint
    return caught.value


@posix
@pytest.mark.timeout(10)
def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a named pipe, not a file." in str(error_of(tmp_path / "pipe"))
    result = run("import", str(tmp_path / "pipe"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "tiktok-hook import -" in result.stderr


@posix
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_not_read(device: str) -> None:
    assert "is a device, not a file." in str(error_of(device))


def test_a_folder_is_named_as_one(tmp_path: Path) -> None:
    assert "is a folder, not a file." in str(error_of(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_file_whose_reading_fails_is_one_sentence() -> None:
    assert "/proc/self/mem cannot be read: Input/output error." in str(error_of("/proc/self/mem"))


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in str(error_of(tmp_path / "none"))


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_a_substituted_process_is_read_to_its_end() -> None:
    readable, writable = os.pipe()

    def write() -> None:
        with os.fdopen(writable, "wb") as stream:
            stream.write(LINE * 3)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert imported(f"/dev/fd/{readable}") == 3
    finally:
        writing.join()
        os.close(readable)


def test_a_file_with_a_very_long_integer_ends_without_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "capture.jsonl"
    long = "9" * 10_000
    file.write_bytes(LINE.replace(b'{"type"', b'{"extra":' + long.encode() + b',"type"'))
    assert imported(file) == 1
    file.write_bytes(LINE.replace(b'{"type"', b'{"id":' + long.encode() + b',"type"'))
    message = str(error_of(file))
    assert "line 1: id is not a whole number" in message
    assert "set_int_max_str_digits" not in message


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(LINE),
        gzip.compress(LINE[:9]) + gzip.compress(LINE[9:]),
    ],
    ids=["gzip", "two-members"],
)
def test_gzip_is_unpacked(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    assert imported(tmp_path / "file") == 1


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "."), data)
    return path


def test_the_recording_in_a_zip_file_is_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", notes__txt=b"x", capture__jsonl=LINE)
    assert imported(path) == 1


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"notes__txt": b"x"}, "a zip file with no HAR or JSON Lines"),
        ({"a__har": b"{}", "b__har": b"{}"}, "a zip file with 2 recordings"),
        ({"raw/01_c__txt": b"x"}, "a Fiddler archive (SAZ)"),
    ],
)
def test_a_zip_file_without_one_recording_is_named(
    tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    assert message in str(error_of(zipped(tmp_path / "a.zip", **members)))


@pytest.mark.parametrize("data", [gzip.compress(LINE)[:-30], b"\x1f\x8b\x08junk", b"PK\x03\x04x"])
def test_a_damaged_archive_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    error_of(tmp_path / "file")


def test_what_unpacks_to_too_much_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_file, "MAX_BYTES", 1 << 20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(2 << 20)))
    assert "unpacks to more than 1 MiB" in str(error_of(tmp_path / "bomb.gz"))
    path = zipped(tmp_path / "bomb.zip", a__har=bytes(2 << 20))
    assert "unpacks to more than 1 MiB" in str(error_of(path))


@pytest.mark.parametrize("form", ["gz", "zip"])
def test_what_unpacks_to_too_much_takes_no_memory(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_file, "MAX_BYTES", 32 << 20)
    path = tmp_path / f"bomb.{form}"
    if form == "gz":
        path.write_bytes(gzip.compress(bytes(33 << 20), 1))
    else:
        zipped(path, a__har=bytes(33 << 20))
    tracemalloc.start()
    try:
        error_of(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_gzip_that_ends_before_its_content_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"log":{"entries":[]}}')
    for end in (4, 10):
        (tmp_path / "cut.har.gz").write_bytes(packed[:end])
        assert "gzip file that is empty, or ends before its content" in str(
            error_of(tmp_path / "cut.har.gz")
        )


def test_a_document_beyond_the_limit_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_file, "MAX_BYTES", 1 << 20)
    (tmp_path / "large.har").write_bytes(b'{"log":{"entries":[' + b" " * (3 << 20) + b"]}}")
    assert "has 3 MiB; a document of up to 1 MiB can be imported" in str(
        error_of(tmp_path / "large.har")
    )


def test_a_line_beyond_the_limit_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_file, "MAX_BYTES", 1 << 20)
    (tmp_path / "one-line.jsonl").write_bytes(b"x" * (3 << 20))
    assert "line 1 is longer than 1 MiB" in str(error_of(tmp_path / "one-line.jsonl"))
    (tmp_path / "blank").write_bytes(b" " * (3 << 20))
    assert "is empty" in str(error_of(tmp_path / "blank"))


@posix
def test_only_files_of_the_same_folder_are_siblings(tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "private").write_bytes(b"private")
    (folder / "body").write_bytes(b"body")
    (folder / "sub" / "body").write_bytes(b"other")
    (folder / "link").symlink_to(tmp_path / "private")
    os.mkfifo(folder / "pipe")
    (folder / "a.har").write_bytes(b"{}")
    with archive.opened(str(folder / "a.har")) as source:
        read = source.sibling
        assert (read("body"), read("sub/body"), read("./body")) == (b"body", b"other", b"body")
        for name in ("../private", str(tmp_path / "private"), "link", "none", "pipe", "sub", "\0"):
            assert read(name) is None


def test_stdin_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINE)))
    assert imported("-") == 1
