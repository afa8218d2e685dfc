"""``tiktok-hook audit`` as a user runs it."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.apps import free_port, hang, http, running_app
from tests.cli.runner import Result, invoke
from tests.deadline import DEADLINE

SECRET = "example-client-secret"


async def run(*arguments: str) -> Result:
    """Run the command against an app that this process serves."""
    return await asyncio.to_thread(invoke, "audit", "--secret", SECRET, *arguments)


async def test_a_failed_case_is_explained_and_ends_with_1(tmp_path: Path) -> None:
    report = tmp_path / "audit.xml"
    async with running_app(http(202)) as app:
        done = await run(app.url, "--only", "valid,forged", "--junit", str(report))
    assert done.exit_code == 1
    assert "fail  valid" in done.stdout
    assert "Your app answered 202." in done.stdout
    assert "In production: TikTok counts anything but 200 as a failure" in done.stdout
    assert "not-200" in done.stdout
    assert "0 passed, 0 warned, 2 failed." in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "\x1b" not in done.stdout
    assert SECRET not in done.output
    assert ElementTree.parse(report).getroot().find("testsuite") is not None


async def test_cases_that_fail_like_a_plainer_one_are_counted_in_one_line() -> None:
    async with running_app(http(401, b"bad signature")) as app:
        done = await run(app.url)
        verbose = await run(app.url, "--only", "valid,late,early", "--verbose")
    assert "  fail  as valid: 36 more cases" in done.stdout
    assert len(done.stdout.splitlines()) < 24
    assert "  fail  early" in verbose.stdout
    async with running_app(http(500)) as app:
        done = await run(app.url, "--only", "valid,late,forged,stale,get")
    for line in ("fail  as valid: 1 more case ", "warn  as valid: 2 more cases"):
        assert line in done.stdout
    headings = ["Must be answered 200", "Must be rejected", "Not deliveries"]
    assert [each for each in done.stdout.splitlines() if each in headings] == headings


async def test_passed_cases_end_with_0() -> None:
    async with running_app() as app:
        done = await run(app.url, "--only", "valid,event:*")
        verbose = await run(app.url, "--only", "valid,event:*", "--verbose")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("\n") == 1
    assert " passed, 0 warned, 0 failed." in done.stdout
    assert "pass  event:authorization.removed" in verbose.stdout


async def test_a_missing_route_is_reported_in_a_few_lines() -> None:
    async with running_app(http(404)) as app:
        done = await run(app.url)
    assert done.exit_code == 1
    assert "no-route" in done.stdout
    assert "cases were not run" in done.stdout
    assert len(done.stdout.splitlines()) < 20


async def test_json_is_one_object_on_stdout() -> None:
    async with running_app() as app:
        done = await run(app.url, "--only", "valid,forged", "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["counts"] == {"pass": 1, "warn": 0, "fail": 1, "skip": 0}
    assert report["mistakes"][0]["name"] == "fails-open"


async def test_ctrl_c_reports_how_far_it_came() -> None:
    async def second_hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if app.connections == 1:
            writer.write(http(200, b"", "Connection: close"))
            await writer.drain()
        else:
            await hang(reader, writer)

    async with running_app(second_hangs) as app:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tiktok_hook", "audit", app.url, "--secret", SECRET, "-v"),
            "--forward-timeout=60",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await app.wait_for(2)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(DEADLINE):
            out, err = await process.communicate()
    assert process.returncode == 0
    assert b"pass  valid" in out
    assert b"Stopped after 1 of " in err
    assert b"there is no report" in err


def test_an_app_out_of_reach_ends_with_6() -> None:
    done = invoke("audit", f"127.0.0.1:{free_port()}", "--secret", SECRET)
    assert done.exit_code == 6
    assert "could not be reached" in done.stderr
    assert "Hint: Nothing listens at" in done.stderr


def test_list_shows_the_cases_without_an_address_or_a_secret() -> None:
    done = invoke("audit", "--list", "--only", "stale*")
    assert done.exit_code == 0
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["stale", "rejected"],
        ["stale-week", "rejected"],
    ]


def test_without_a_url_it_is_a_usage_error() -> None:
    done = invoke("audit", "--secret", SECRET)
    assert done.exit_code == 2
    assert "needs the URL" in done.stderr


def test_without_a_secret_it_is_a_usage_error() -> None:
    done = invoke("audit", "3000")
    assert done.exit_code == 2
    assert "No client secret" in done.stderr


def test_an_unknown_case_is_a_usage_error() -> None:
    done = invoke("audit", "3000", "--secret", SECRET, "--only", "nothing")
    assert done.exit_code == 2
    assert "--list" in done.stderr


async def test_a_report_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    async with running_app() as app:
        done = await run(app.url, "--only", "valid", "--junit", str(tmp_path / "no" / "x.xml"))
        assert app.requests == []  # said before the app is troubled
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
