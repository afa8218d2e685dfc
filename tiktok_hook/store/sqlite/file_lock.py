"""Locks of the operating system on files next to a history, shared by all processes."""

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

    The operating system releases it when its holder dies, however that happens. A history in
    memory has one process and needs none. A context manager that closes itself.

    Invariant: who holds the lock holds it on the file that has the name. Closing deletes the file
    while the lock is held, so one that is acquired afterwards may be on a file without a name: it
    is dropped, and the file is made again.

    Args:
        path: The history; None when it is in memory.
        name: What is locked.
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
        """Whether the lock is ours; in memory no other process has it."""
        return self._held or self._file is None

    def acquire(self) -> bool:
        """Whether the lock is ours now; never waits.

        Raises:
            StoreError: The file next to the history cannot be made or locked.
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
        """Let others acquire it; does nothing when it is not ours."""
        if self._held and self._descriptor is not None:
            self._held = False
            _unlock(self._descriptor)

    def close(self) -> None:
        """Release it, and delete the file unless another process holds the lock."""
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
    """The lock for the queue of one target; of an attached app, for one of its queues."""
    whose = f"{app}\n{target}" if app else target
    digest = hashlib.blake2b(whose.encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return FileLock(path, f"queue-{digest}")


class FileQueueLock:
    """The lock for the queue of one target; see `api.QueueLock`. A `FileLock` never blocks."""

    def __init__(self, path: Path | None, target: str, app: str = "") -> None:
        self._lock = queue_lock(path, target, app)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def held(self) -> bool:
        """Whether the lock is ours."""
        return self._lock.held

    @property
    def lost(self) -> bool:
        """Never: the operating system releases it when this process ends, and not before."""
        return False

    async def acquire(self) -> bool:
        """Whether the lock is ours now."""
        return self._lock.acquire()

    async def release(self) -> None:
        """Let other processes have it."""
        self._lock.release()

    async def close(self) -> None:
        """Release it, and leave no file behind."""
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
