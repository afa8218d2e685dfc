"""A real PostgreSQL server for tests, started once in each pytest process, ended with it.

It is initialised in a temporary folder by a user that is not root, which PostgreSQL insists on,
with fsync on, and listens on 127.0.0.1 and a Unix socket. Where it is not installed tests skip,
except with CI=true, where they fail. POSTGRES_PROGRAMS names the folder of another version's
programs.
"""

import atexit
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.apps import free_port

SUPERUSER = "postgres"
_numbers = count(1)
_GIVEN = os.environ.get("POSTGRES_PROGRAMS")  # read before a test cleans the environment
_SMALL = "-c max_connections=50 -c shared_buffers=16MB"


class PostgresServer:
    """One server.

    Args:
        folder: Empty; for data, socket and log.
        programs: Where ``initdb`` and ``pg_ctl`` are.
        options: Its settings, as ``postgres`` takes them.
    """

    def __init__(self, folder: Path, programs: Path, *, options: str = _SMALL) -> None:
        self.folder = folder
        self._options = options
        self._programs = programs
        self._data = folder / "data"
        self.port = free_port()
        self._user: list[str] = []
        if os.geteuid() == 0:
            other = pwd.getpwnam("nobody")
            os.chown(folder, other.pw_uid, other.pw_gid)
            ids = [f"--reuid={other.pw_uid}", f"--regid={other.pw_gid}", "--clear-groups"]
            self._user = ["setpriv", *ids]
        self._run("initdb", "-U", SUPERUSER, "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8", "-N")
        self.start()

    def start(self) -> None:
        """Start it; returns when it accepts connections."""
        options = f"-p {self.port} -k {self.folder} {self._options}"
        log = self.folder / "log"
        try:
            self._run("pg_ctl", "start", "-w", "-o", options, "-l", str(log))
        except AssertionError as error:
            if log.exists():
                error.add_note(log.read_text(errors="replace")[-2000:])
            raise

    def stop(self, mode: str = "fast") -> None:
        """Stop it; ``immediate`` is a crash."""
        self._run("pg_ctl", "stop", "-w", "-m", mode)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._user, str(self._programs / program), *arguments, "-D", str(self._data)]
        # What pg_ctl leaves running must not hold a pipe of ours, or reading it would never end.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(command, stdout=output, stderr=output, cwd="/", check=False)
            output.seek(0)
            assert done.returncode == 0, output.read().decode(errors="replace")

    def give(self, path: Path) -> None:
        """Make the user who runs the server the owner of a file or folder."""
        owner = self.folder.stat()
        os.chown(path, owner.st_uid, owner.st_gid)

    def url(self, database: str, *, user: str = SUPERUSER, port: int | None = None) -> str:
        """The address of a database: over the socket, or over TCP with a port."""
        if port is None:
            return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"
        return f"postgresql://{user}@127.0.0.1:{port}/{database}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run SQL as the superuser; the rows, if it gives any."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            found = connection.execute(sql.encode())
            return found.fetchall() if found.description else []

    def new_database(self) -> str:
        """An empty database of its own; its name."""
        name = f"hooks_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    @cache  # noqa: B019 - there is one server
    def _shared_database(self) -> str:
        return self.new_database()

    def empty_history(self) -> str:
        """The address of a history that one test uses; emptied, which is faster than making one."""
        name = self._shared_database()
        if self.execute("SELECT to_regclass('tiktok_hook.history')", name) != [(None,)]:
            self.execute(_EMPTY, name)
        return self.url(name)


_EMPTY = """
    DELETE FROM tiktok_hook.deliveries; DELETE FROM tiktok_hook.marks;
    DELETE FROM tiktok_hook.app_marks;
    DELETE FROM tiktok_hook.attempts; DELETE FROM tiktok_hook.queue;
    DELETE FROM tiktok_hook.apps; DELETE FROM tiktok_hook.processes;
    DELETE FROM tiktok_hook.queue_locks;
    DELETE FROM tiktok_hook.attachments;
    SELECT setval('tiktok_hook.delivery_ids', 1, false);
    UPDATE tiktok_hook.history SET keep = 100000, keep_bytes = 1073741824;
"""


def programs() -> Path | None:
    """Where the server's programs are; None when it is not installed."""
    if _GIVEN:
        return Path(_GIVEN)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    path = shutil.which("initdb")
    return Path(path).parent if path else None


@cache
def server() -> PostgresServer:
    """The server of this process; skips the test where there is none."""
    return new_server()


def new_server() -> PostgresServer:
    """A server until this process ends; skips the test where there is none."""
    found = programs()
    if found is None:
        skip_without("PostgreSQL")
    # Short, since the path of a socket may have 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="tth-pg-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    started = PostgresServer(folder, found)
    atexit.register(_stop, started)
    return started


def skip_without(program: str) -> NoReturn:
    """Skip the test since a program is not installed; with CI=true, fail it."""
    reason = f"{program} is not installed; on Debian `make system` does it as root"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _stop(started: PostgresServer) -> None:
    with contextlib.suppress(AssertionError):  # a test has stopped it
        started.stop("immediate")


def dump(url: str, file: str) -> None:
    """Write a database to a file, as its administrator does."""
    assert _run_program("pg_dump", "--format=custom", f"--file={file}", url) == 0


def restore(url: str, file: str) -> None:
    """Replace what is in a database by what a file has.

    Again, as an administrator does, where it was rolled back: it may deadlock with the programs
    that use the database.
    """
    options = ("--clean", "--if-exists", "--single-transaction")
    wait_for(lambda: _run_program("pg_restore", *options, f"--dbname={url}", file) == 0)


def _run_program(program: str, *arguments: str) -> int:
    found = programs()
    assert found is not None
    return subprocess.run([found / program, *arguments], check=False, timeout=60).returncode


def wait_for(condition: Any, *, seconds: float = 30.0) -> None:
    """Look until it is so, under a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
