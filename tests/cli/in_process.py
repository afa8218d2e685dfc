"""Runs a command line in this process, where no process of its own is the point."""

import contextlib
import io
import sys
from collections.abc import Iterator

from tests.cli.runner import Result
from tiktok_hook import cli


def run(*arguments: str, stdin: bytes = b"") -> Result:
    """The command run to its end; its output as text, errors as they are printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _piped(stdin):
        code = cli.run(list(arguments))
    return Result(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _piped(data: bytes) -> Iterator[None]:
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before
