"""A PostgreSQL server for a measurement, with the settings that Debian's package has."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests import postgres
from tests.bench.programs import NotMeasuredError, on_every_core
from tests.bench.table import Bench
from tests.postgres import PostgresServer

OPTIONS = "-c max_connections=100 -c shared_buffers=128MB"


DISK = "/var/tmp"
"""Where its data is: on a disk, and where the user may enter that runs the server for root."""


class Place:
    """A server, and a folder on its disk for the histories in files that it is compared with."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self.server = server
        self.folder = folder

    def new_history(self, *, port: int | None = None) -> str:
        """The address of an empty database, over TCP; through a proxy when its port is given."""
        return self.server.url(self.server.new_database(), port=port or self.server.port)

    def new_file(self) -> Path:
        """The path of a history that does not exist yet."""
        return Path(tempfile.mkdtemp(dir=self.folder)) / "history.db"


@contextmanager
def running_server(bench: Bench) -> Iterator[Place]:
    """Run a server until the end of the block, on any core.

    Raises:
        NotMeasuredError: It is not installed, or does not start.
    """
    programs = postgres.programs()
    if programs is None:
        raise NotMeasuredError("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(dir=DISK, prefix="tth-bench-") as name:
        base = Path(name)
        base.chmod(0o755)
        folder = base / "server"
        folder.mkdir()
        try:
            with on_every_core(bench.cores):
                server = PostgresServer(folder, programs, options=OPTIONS)
        except AssertionError as error:
            raise NotMeasuredError(f"PostgreSQL does not start: {error}") from error
        try:
            yield Place(server, base)
        finally:
            with suppress(AssertionError):
                server.stop("immediate")
            shutil.rmtree(folder, ignore_errors=True)
