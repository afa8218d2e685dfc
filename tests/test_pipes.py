import io
import os
import sys
from pathlib import Path

import pytest

from tiktok_hook import pipes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot wait for a pipe")


@pytest.fixture
def named(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_named_pipe_that_no_program_writes_to_is_an_error(named: Path) -> None:
    with (
        pipes.opened(named, seconds=0.1) as stream,
        pytest.raises(TimeoutError, match=r"neither data nor its end arrived within 0\.1 s"),
    ):
        stream.read()


def test_a_pipe_is_read_to_its_end_and_no_longer_waited_for_without_one(named: Path) -> None:
    with pipes.opened(named, seconds=0.1) as stream:
        writing = os.open(named, os.O_WRONLY)
        os.write(writing, b"some\nmore")
        assert stream.readline() == b"some\n"
        with pytest.raises(TimeoutError):
            stream.read()
        os.close(writing)
    with pipes.opened(named) as stream:
        writing = os.open(named, os.O_WRONLY)
        os.write(writing, b"all")
        os.close(writing)
        assert stream.read() == b"all"


def test_a_file_is_read_as_it_is_and_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"some")
    with pipes.opened(tmp_path / "file") as stream:
        assert stream.read() == b"some"
    with pytest.raises(IsADirectoryError), pipes.opened(tmp_path):
        pass


def test_an_empty_file_can_be_searched_and_one_of_the_kernel_is_read(tmp_path: Path) -> None:
    """Both have a size of 0, as has a file of the kernel that waits for news."""
    (tmp_path / "file").touch()
    with pipes.opened(tmp_path / "file") as stream:
        assert (stream.seek(0, os.SEEK_END), stream.read()) == (0, b"")
        assert isinstance(stream, io.BufferedReader)
        assert isinstance(stream.raw, pipes.Pipe)
    if sys.platform == "linux":
        with pipes.opened(Path("/proc/self/stat")) as stream:
            first = stream.read()
            stream.seek(0)
            assert first.split()[0] == stream.read().split()[0] == str(os.getpid()).encode()
