"""Who may take from a queue: one at a time, of all processes that use the history."""

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tiktok_hook.errors import StoreError


class QueueLock:
    """The right to hand on what waits for one target.

    A lock of the operating system on an empty file beside the history, so it is free again when
    its holder dies, however that happens. A history in memory has one user and needs none.

    A context manager that closes itself.

    Args:
        path: The history; None when it is in memory.
        target: The whole address that the queue leads to.
    """

    def __init__(self, path: Path | None, target: str) -> None:
        self._file: Path | None = None
        if path is not None:
            real = path.resolve()
            name = hashlib.blake2b(target.encode(), digest_size=8).hexdigest()
            self._file = real.with_name(f"{real.name}-queue-{name}")
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

    def take(self) -> bool:
        """Whether the right is ours now; never waits.

        Raises:
            StoreError: The file beside the history cannot be made or locked.
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
                if not _is_still(self._file, self._descriptor):  # who closed it took the name away
                    self._drop()
        except OSError as error:
            raise StoreError(
                f"{self._file} cannot be locked: {error.strerror or error}.",
                hint="Check the permissions of the folder, or use --db PATH on a local disk.",
            ) from error
        return True

    def release(self) -> None:
        """Let others take it; nothing when it is not ours."""
        if self._held and self._descriptor is not None:
            self._held = False
            _unlock(self._descriptor)

    def close(self) -> None:
        """Release it, and take the file away unless somebody else holds it."""
        if self._file is None or self._descriptor is None:
            return
        with suppress(StoreError, OSError):
            if self.take():
                self._file.unlink()
        self._drop()

    def _drop(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._held = None, False


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
