"""What the process is given: standard streams, descriptors, a home folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deadline import DEADLINE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="uses a POSIX shell")

MAIN = f"{sys.executable} -m tiktok_hook"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", line],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


LISTEN = f"{MAIN} listen --no-tunnel --ephemeral --timeout 0.3 --port 0 --inspect-port 0"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f"{LISTEN} <&-", 0),
        (f"{LISTEN} >&- </dev/null", 0),
        (f"{LISTEN} 2>&-", 0),
        (f"{LISTEN} <&- >&- 2>&-", 0),
        (f"{MAIN} sign --secret - --body /etc/hostname <&-", 2),
        (f"{MAIN} sign --secret s3cret --body - <&-", 0),
        (f"{MAIN} sign --secret s3cret --body /etc/hostname >&-", 0),
        (f"{MAIN} import - <&-", 2),
        (f"{MAIN} --version >&-", 0),
    ],
)
def test_a_closed_standard_stream_is_an_empty_one(line: str, code: int) -> None:
    done = shell(line)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr


@pytest.mark.parametrize(
    "arguments",
    ["doctor --connect-url 127.0.0.1:1", "trigger", "--help"],
    ids=["in a task", "list", "help"],
)
def test_a_reader_that_leaves_ends_the_command_quietly(arguments: str) -> None:
    done = shell(f"{MAIN} {arguments} | true")
    assert done.stderr == ""


NO_HOME = (
    "import os, sys, runpy; os.environ.pop('HOME', None); "
    "import pwd; pwd.getpwuid = lambda uid: (_ for _ in ()).throw(KeyError(uid)); "
    "sys.argv[0] = 'tiktok-hook'; runpy.run_module('tiktok_hook', run_name='__main__')"
)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["sign", "--secret", "s3cret", "--body", "/etc/hostname"], 0),
        (["listen", "--no-tunnel", "--ephemeral", "--timeout", "0.3", "--port", "0"], 0),
        (["events"], 5),
        (["events", "--db", "~/history.db"], 2),
    ],
    ids=["offline", "ephemeral", "history", "tilde"],
)
def test_without_a_home_folder_nothing_is_a_traceback(arguments: list[str], code: int) -> None:
    variables = {
        name: value
        for name, value in os.environ.items()
        if name != "HOME" and not name.startswith("XDG_")
    }
    done = subprocess.run(
        [sys.executable, "-c", NO_HOME, *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    if code:
        assert "ome folder" in done.stderr


def test_the_limit_of_descriptors_is_raised(tmp_path: Path) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip("the hard limit is lower")
    program = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    line = (
        f"ulimit -Sn 256; {MAIN} listen --no-tunnel --ephemeral --port 0 --no-inspect "
        f"-f http://203.0.113.1:9 -- {sys.executable} -c '{program}'"
    )
    assert "app │ 4096" in shell(line).stderr
