"""PgBouncer in front of the server, in transaction mode, as managed servers have it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests import postgres
from tests.apps import free_port
from tests.postgres import SUPERUSER, PostgresServer

PROGRAM = "pgbouncer"

_SETTINGS = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 100
"""


@contextmanager
def running(server: PostgresServer, *, size: int = 3) -> Iterator[int]:
    """The port of a PgBouncer in front of a server; skips the test where it is not installed.

    Args:
        server: Where it connects to.
        size: How many connections to the server all clients of a database share.
    """
    program = shutil.which(PROGRAM) or shutil.which(PROGRAM, path="/usr/sbin")
    if program is None:
        postgres.skip_without("PgBouncer")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tth-pool-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "users").write_text(f'"{SUPERUSER}" ""\n')
        settings = folder / "settings.ini"
        settings.write_text(
            _SETTINGS.format(server=server.port, port=port, folder=folder, size=size)
        )
        # PgBouncer does not run as root.
        other = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        process = subprocess.Popen(
            [program, str(settings)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=None if other is None else other.pw_uid,
            group=None if other is None else other.pw_gid,
            extra_groups=None if other is None else [],
            cwd="/",
        )
        try:
            postgres.wait_for(lambda: _answers(server, port))
            yield port
        finally:
            process.kill()
            process.wait()


def _answers(server: PostgresServer, port: int) -> bool:
    try:
        psycopg.connect(server.url("postgres", port=port)).close()
    except psycopg.OperationalError:
        return False
    return True
