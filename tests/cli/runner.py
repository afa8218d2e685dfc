"""Runs the whole command line in a process of its own, as a user does."""

import os
import subprocess
import sys
from dataclasses import dataclass

from tests import fork_server
from tests.deadline import DEADLINE


@dataclass(frozen=True)
class Result:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def invoke(*arguments: str, stdin: bytes = b"", timeout: float = DEADLINE) -> Result:
    """The command run to its end; its output as text."""
    try:
        done = fork_server.run(list(arguments), stdin, timeout)
    except fork_server.CannotFork:
        done = subprocess.run(
            [sys.executable, "-m", "tiktok_hook", *arguments],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env=os.environ,
            check=False,
        )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())
