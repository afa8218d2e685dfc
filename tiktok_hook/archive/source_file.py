"""Files for import: opened safely, unpacked where they are compressed, limited in size."""

import contextlib
import io
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tiktok_hook import pipes
from tiktok_hook.errors import UsageError

MAX_BYTES = 256 << 20
"""Largest document that is read at once; it takes up to six times as much memory."""

_HINT = "Nothing was imported. Record a shorter session, or delete entries that are not needed."
_SHELL_STREAMS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")

Sibling = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """An open file.

    Attributes:
        stream: Seekable, at its beginning.
        name: For messages.
        modified_at: Unix seconds; None for standard input.
        sibling: Reads a file of the same folder; None for one that is elsewhere or cannot be read.
    """

    stream: BinaryIO
    name: str
    modified_at: float | None
    sibling: Sibling


@contextmanager
def opened(file: str) -> Iterator[SourceFile]:
    """Open a file, or standard input for ``-``, for as long as the block runs.

    Raises:
        UsageError: It cannot be read, or is not a file: a pipe could wait for ever.
    """
    if file == "-":
        with _copied(pipes.standard_input(), "stdin") as copy:
            yield SourceFile(copy, "stdin", None, lambda _: None)
        return
    path = Path(file).expanduser()
    with contextlib.ExitStack() as stack:
        try:
            status = path.stat()
            by_shell = str(path).startswith(_SHELL_STREAMS)
            if not stat.S_ISREG(status.st_mode) and not by_shell:
                raise _not_a_file(file, status.st_mode)
            stream = stack.enter_context(pipes.opened(path))
        except OSError as error:
            raise UsageError(
                f"{file} cannot be read: {error.strerror or error}.",
                hint="Name a file of tiktok-hook export, a HAR, or - for stdin.",
            ) from error
        if by_shell:
            with _copied(stream, file) as copy:
                yield SourceFile(copy, file, None, lambda _: None)
        else:
            yield SourceFile(stream, file, status.st_mtime, _siblings(path))


def _not_a_file(file: str, mode: int) -> UsageError:
    names = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return UsageError(
        f"{file} is {names.get(stat.S_IFMT(mode), 'not a file')}, not a file.",
        hint="Name a file, or pipe its content into `tiktok-hook import -`.",
    )


@contextmanager
def _copied(stream: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """A copy that can be read twice."""
    with tempfile.TemporaryFile() as copy:
        try:
            shutil.copyfileobj(stream, copy)
        except OSError as error:
            raise UsageError(
                f"{name} cannot be read: {error.strerror or error}.", hint="Nothing was imported."
            ) from error
        copy.seek(0)
        yield copy


def _siblings(path: Path) -> Sibling:
    """Read files of the folder that a file is in, and of its subfolders; never others."""
    folder = path.resolve().parent

    def read(name: str) -> bytes | None:
        if PurePosixPath(name).is_absolute() or "\\" in name:
            return None
        try:
            found = (folder / name).resolve()
            status = found.stat()
            is_file = stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES
            if not is_file or not found.is_relative_to(folder):
                return None
            return found.read_bytes()
        except (OSError, ValueError):
            return None

    return read


def read_all(stream: BinaryIO, name: str) -> bytes:
    """The bytes of a document.

    Raises:
        UsageError: They are more than `MAX_BYTES`.
    """
    size = stream.seek(0, os.SEEK_END)
    if size > MAX_BYTES:
        raise UsageError(
            f"{name} has {size >> 20} MiB; a document of up to {MAX_BYTES >> 20} MiB can be "
            "imported.",
            hint=_HINT,
        )
    stream.seek(0)
    # Asked for a number of bytes, a file would reserve them all at once.
    return stream.read()


def unpacked(stream: BinaryIO, name: str, sibling: Sibling) -> tuple[BinaryIO, Sibling]:
    """The content of a gzip or zip file; any other stream is returned unchanged.

    Raises:
        UsageError: It is damaged, encrypted or too large, or a zip with no or several recordings.
    """
    head = stream.read(4)
    stream.seek(0)
    if head[:2] == b"\x1f\x8b":
        return io.BytesIO(_gunzipped(stream, name)), sibling
    if head in {b"PK\x03\x04", b"PK\x05\x06"}:
        return _unzipped(stream, name)
    return stream, sibling


def _gunzipped(stream: BinaryIO, name: str) -> bytes:
    size = 0
    try:
        # Counted first: what is too long for memory is not kept in it.
        for part in _inflated(stream):
            size += len(part)
            if size > MAX_BYTES:
                raise _too_long(name)
        if not size:
            raise UsageError(
                f"{name} is a gzip file that is empty, or ends before its content.",
                hint="Nothing was imported.",
            )
        stream.seek(0)
        return b"".join(_inflated(stream))
    except zlib.error as error:
        raise UsageError(
            f"{name} is a damaged gzip file: {error}.", hint="Nothing was imported."
        ) from error


def _inflated(stream: BinaryIO) -> Iterator[bytes]:
    """The content of a gzip file in parts, as far as it goes where the file is cut off."""
    inflate = zlib.decompressobj(wbits=31)
    while chunk := stream.read(1 << 16):
        while chunk:
            yield inflate.decompress(chunk, 1 << 20)
            chunk = inflate.unconsumed_tail
            if inflate.eof:  # another member may follow
                chunk = inflate.unused_data
                inflate = zlib.decompressobj(wbits=31)


def _too_long(name: str) -> UsageError:
    return UsageError(f"{name} unpacks to more than {MAX_BYTES >> 20} MiB.", hint=_HINT)


def _unzipped(stream: BinaryIO, name: str) -> tuple[BinaryIO, Sibling]:
    try:
        archive = zipfile.ZipFile(stream)
        members = [each for each in archive.infolist() if not _is_of_system(each)]
        if any(each.filename.endswith(("_c.txt", "_s.txt")) for each in members):
            raise UsageError(
                f"{name} is a Fiddler archive (SAZ).",
                hint="In Fiddler: File, Export Sessions, HTTPArchive. Then import that HAR.",
            )
        if any(each.filename.endswith("trace.network") for each in members):
            raise UsageError(
                f"{name} is a trace of Playwright.",
                hint="Record a HAR with Playwright's recordHar, and import that.",
            )
        wanted = [each for each in members if each.filename.lower().endswith((".har", ".jsonl"))]
        wanted = wanted or [each for each in members if each.filename.lower().endswith(".json")]
        if len(wanted) != 1:
            what = "no HAR or JSON Lines" if not wanted else f"{len(wanted)} recordings"
            raise UsageError(
                f"{name} is a zip file with {what}.",
                hint="Unpack it, and import the file that you want.",
            )
        content = _member(archive, wanted[0], name)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise UsageError(
            f"{name} is a zip file that cannot be unpacked: {error}.",
            hint="Unpack it, and import the file that you want.",
        ) from error
    base = PurePosixPath(wanted[0].filename).parent

    def sibling(file: str) -> bytes | None:
        try:
            return _member(archive, archive.getinfo(str(base / file)), name)
        except (KeyError, UsageError, zipfile.BadZipFile, zlib.error, RuntimeError, OSError):
            return None

    return io.BytesIO(content), sibling


def _is_of_system(member: zipfile.ZipInfo) -> bool:
    """Whether it is a folder, or what macOS adds to every file."""
    path = PurePosixPath(member.filename)
    return member.is_dir() or "__MACOSX" in path.parts or path.name.startswith("._")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> bytes:
    # The size in the directory may be wrong, so what is read is counted, before it is kept.
    size = 0
    with archive.open(member) as stream:
        while part := stream.read(1 << 20):
            size += len(part)
            if size > MAX_BYTES:
                raise _too_long(name)
    return archive.read(member)
