"""Locks between processes, by the operating system, on files next to a history."""

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tiktok_hook.errors import StoreError


class FileLock:
    """An exclusive lock on an empty file next to the history.

    The operating system releases it when the process of its holder ends, in whatever way. A history
    in memory has one process and needs no lock. A context manager, which closes it.

    Invariant: the holder has locked the file that currently has the name. Closing deletes the file
    while the lock is held, so another process may lock a file that was deleted meanwhile. It checks
    that, drops such a lock, and creates the file again.

    Args:
        path: The history; None if it is in memory.
        name: The name of the lock, which is part of the file's name.
    """

    def __init__(self, path: Path | None, name: str) -> None:
        self._file: Path | None = None
        if path is not None:
            real = path.resolve()
            self._file = real.with_name(f"{real.name}-{name}")
        self._descriptor: int | None = None
        self._held = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def held(self) -> bool:
        """Whether this process has the lock; always True for a history in memory."""
        return self._held or self._file is None

    def acquire(self) -> bool:
        """Try to acquire the lock without waiting; returns the success.

        Raises:
            StoreError: The file next to the history cannot be created or locked.
        """
        if self._file is None:
            return True
        try:
            while not self._held:
                if self._descriptor is None:
                    self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
                if not _lock(self._descriptor):
                    return False
                self._held = True
                if not _is_still(self._file, self._descriptor):
                    self._drop()
        except OSError as error:
            raise StoreError(
                f"{self._file} cannot be locked: {error.strerror or error}.",
                hint="Check the permissions of the folder, or use --db PATH on a local disk.",
            ) from error
        return True

    def release(self) -> None:
        """Release the lock; does nothing if this process does not have it."""
        if self._held and self._descriptor is not None:
            self._held = False
            _unlock(self._descriptor)

    def close(self) -> None:
        """Release the lock, and delete the file unless another process holds the lock."""
        if self._file is None or self._descriptor is None:
            return
        with suppress(StoreError, OSError):
            if self.acquire():
                self._file.unlink()
        self._drop()

    def _drop(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._held = None, False


def queue_lock(path: Path | None, target: str, app: str = "") -> FileLock:
    """The file lock for the queue of one target, of an attached app or of the listener."""
    whose = f"{app}\n{target}" if app else target
    digest = hashlib.blake2b(whose.encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return FileLock(path, f"queue-{digest}")


class FileQueueLock:
    """The lock for the queue of one target; see `api.QueueLock`. Its methods never block."""

    def __init__(self, path: Path | None, target: str, app: str = "") -> None:
        self._lock = queue_lock(path, target, app)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def held(self) -> bool:
        """Whether this process has the lock."""
        return self._lock.held

    @property
    def lost(self) -> bool:
        """False: the operating system releases the lock only when this process ends."""
        return False

    async def acquire(self) -> bool:
        """Try to acquire the lock; returns the success."""
        return self._lock.acquire()

    async def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    async def close(self) -> None:
        """Release the lock, and delete its file."""
        self._lock.close()


def _is_still(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if sys.platform == "win32":

    def _lock(descriptor: int) -> bool:
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:

    def _lock(descriptor: int) -> bool:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)
