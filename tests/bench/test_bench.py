"""The benchmarks can be run, and the page about performance has what they measured."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.bench import million, pages, report
from tests.bench.load import busy_seconds
from tests.bench.machine import Cores
from tests.bench.programs import Answered, on_core
from tests.bench.rows import ROWS, SECTIONS
from tests.bench.setup import Peers
from tests.bench.table import Bench, Row, cells
from tests.bench.usage import Usage, memory_bytes, processes_of
from tests.deadline import DEADLINE
from tiktok_hook.store import open_history

PAGE = report.PAGE.read_text("utf-8")
MEASURED = {
    name: PAGE.partition(begin)[2].partition(report.END)[0] for name, begin in report.BEGIN.items()
}
SECTION = {row: name for name, rows in SECTIONS.items() for row in rows}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_page_has_each_row_with_its_bar_and_aim(row: Row) -> None:
    lines = [
        line.split("|")[1:-1]
        for line in MEASURED[SECTION[row]].splitlines()
        if line.startswith("|")
    ]
    [found] = [line for line in lines if line[0].strip() == row.goal]
    assert [found[3].strip(), found[4].strip()] == [row.limit(row.bar), row.limit(row.aim)]


@pytest.mark.parametrize("section", SECTIONS)
def test_the_page_has_no_row_that_is_not_measured_any_more(section: str) -> None:
    lines = [line for line in MEASURED[section].splitlines() if line.startswith("|")]
    assert len(lines) == len(SECTIONS[section]) + 2  # headings and a rule


def test_rows_have_names_and_goals_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len({row.goal for row in ROWS}) == len(ROWS)


def run(
    tmp_path: Path, *options: str, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    """The command, with a cache folder of its own: nothing is to be set up for these rows."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench", "--quick", *options],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), **(environment or {})},
        cwd=report.PAGE.parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_one_row_can_be_measured_alone(tmp_path: Path) -> None:
    with run(tmp_path, "--only", "help", "--json") as process:
        output, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors
    [row] = json.loads(output)["rows"]
    assert (row["name"], len(row["samples"]), row["not_measured"]) == ("help", 2, None)


def test_a_row_without_its_peer_shows_why_and_the_others_are_measured(tmp_path: Path) -> None:
    without_node = {"PATH": str(Path(sys.executable).parent)}
    with run(tmp_path, "--only", "help,accepting", "--json", environment=without_node) as process:
        output, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors
    helped, accepting = json.loads(output)["rows"]
    assert helped["samples"]
    assert accepting["not_measured"] == "Express needs node and npm"


@pytest.mark.parametrize(
    "rows",
    [
        "tunnel",
        "first-line-slow",
        pytest.param(
            "idle-processor,idle-switches,idle-memory",
            marks=pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium"),
        ),
    ],
    ids=["tunnel", "slow app", "idle"],
)
def test_rows_of_one_running_listener_are_measured(tmp_path: Path, rows: str) -> None:
    with run(tmp_path, "--only", rows, "--json") as process:
        output, errors = process.communicate(timeout=2 * DEADLINE)
    assert process.returncode == 0, errors
    seen = json.loads(output)["rows"]
    assert [row["name"] for row in seen] == rows.split(",")
    for row in seen:
        assert row["not_measured"] is None
        assert [sample > 0 for sample in row["samples"]] == [True, True]


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    with run(tmp_path, "--only", "receive-aiohttp") as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("receiving 1:")
        started = psutil.Process(process.pid).children(recursive=True)
        assert len(started) >= 2
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, "Traceback" in errors) == (130, False)
    assert psutil.wait_procs(started, timeout=DEADLINE)[1] == []
    assert [*tmp_path.rglob("history-*")] == []


async def test_the_seeded_history_is_the_same_each_time_and_every_page_of_it_is_read(
    tmp_path: Path,
) -> None:
    paths = [tmp_path / "one.db", tmp_path / "two.db"]
    for path in paths:
        await million.make(path, 10_000)
    with open_history(paths[0]) as one, open_history(paths[1]) as two:
        assert list(one.walk()) == list(two.walk())
        counts = one.counts()
        assert (counts.received - counts.rejected, counts.redeliveries > 0) == (10_000, True)
        for name, reading in pages.readings(paths[0]).items():
            assert reading(one), name


def test_a_history_of_another_schema_makes_room(tmp_path: Path) -> None:
    (tmp_path / "history-0-100.db").write_bytes(b"")
    path = million.file_for(tmp_path, 100)
    assert [*tmp_path.glob("history-*")] == [path]


def bench(tmp_path: Path) -> Bench:
    return Bench(
        quick=True,
        cores=Cores(None, None),
        peers=Peers(tmp_path),
        wanted=frozenset({"speed"}),
        log=print,
    )


@pytest.mark.parametrize(
    ("at_most", "values", "reached"),
    [
        (False, [3, 1, 2], "bar"),
        (False, [4, 3, 5], "aim"),
        (False, [1, 1, 9], "short"),
        (True, [3, 1, 2], "aim"),
        (True, [4, 4, 4], "short"),
    ],
    ids=["at the bar", "beyond the aim", "one good one", "less is better", "too much"],
)
def test_a_row_shows_whether_its_median_reaches_bar_or_aim(
    tmp_path: Path, *, at_most: bool, values: list[float], reached: str
) -> None:
    row = Row(
        "speed", "speed of something", 3 if at_most else 2, 2 if at_most else 3, at_most=at_most
    )
    run = bench(tmp_path)
    for value in values:
        run.add(row, value)
    assert cells(row, run)[-1] == reached


def test_every_other_repetition_runs_backwards(tmp_path: Path) -> None:
    order: list[str] = []
    measures = {name: partial(measured, order, name) for name in "abc"}
    for number in range(3):
        assert bench(tmp_path).in_turn(number, measures) == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert "".join(order) == "abc" + "cba" + "abc"


def measured(order: list[str], name: str) -> float:
    order.append(name)
    return 1.0


@pytest.mark.parametrize(("busy", "noted"), [(0.95, True), (0.8, False)])
def test_a_busy_core_of_the_load_is_reported_with_what_was_loaded(
    tmp_path: Path, *, busy: float, noted: bool
) -> None:
    run = bench(tmp_path)
    run.watch(Answered(rate=1.0, median_ms=1.0, busy=busy, count=1), "the tunnel")
    assert ["the tunnel" in remark for remark in run.remarks()] == [True] * noted


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be pinned here")
def test_how_busy_a_core_is_counts_what_others_do_there() -> None:
    core = min(os.sched_getaffinity(0))
    program = [sys.executable, "-c", "while True: pass"]
    with on_core(core), subprocess.Popen(program) as other:
        try:
            before, deadline = busy_seconds(), time.monotonic() + 5
            while busy_seconds() - before < 0.1:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            other.kill()


WORKING = """
import sys, threading, time

def sleep_often():
    for _ in range(200):
        time.sleep(0.001)
    print("done", flush=True)
    threading.Event().wait()

held = bytearray(b"x" * (32 << 20))
print("ready", flush=True)
sys.stdin.readline()
end = time.process_time() + 0.3
while time.process_time() < end:
    pass
threading.Thread(target=sleep_often, daemon=True).start()
sys.stdin.readline()
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
def test_usage_of_a_program_has_that_of_its_child_processes_and_their_threads() -> None:
    starting = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WORKING!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", starting], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        ours = processes_of(program.pid)
        before = Usage.read(ours)
        program.stdin.write("\n")
        program.stdin.flush()
        assert program.stdout.readline() == "done\n"
        after = Usage.read(ours)
        assert len(ours) == 2
        assert memory_bytes(ours) > 32 << 20
    assert after.processor_seconds - before.processor_seconds >= 0.3
    assert after.switches_since(before) >= 200
