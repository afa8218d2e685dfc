"""Run the tests under another date, time zone and order.

``pytest --seed 7`` chooses all three from the seed, and prints them; ``--date``, ``--zone`` and
``--order`` choose one by hand. The date is moved inside the test process only, so a test that
starts another process is ended there and counted as ``process``: its two clocks would disagree.
"""

import os
import random
import sys
import time
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

ZONES = {
    "UTC": "UTC0",
    "Asia/Kolkata": "IST-5:30",
    "America/Los_Angeles": "PST8PDT,M3.2.0,M11.1.0",
    "Pacific/Kiritimati": "<+14>-14",
    "Australia/Lord_Howe": "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
}
"""Names and POSIX rules. The rules need no time zone database, which a small machine may lack."""

DAYS = {
    "a-day-ahead": 1,
    "a-day-back": -1,
    "100-days-ahead": 100,
    "100-days-back": -100,
    "two-years-ahead": 730,
    "two-years-back": -730,
}
DATES = (*DAYS, "month-end", "leap-day", "dst-start", "dst-end")

BEFORE_MIDNIGHT = 20.0
"""Seconds until the date or the clock changes, for the dates where it does."""

CHANGING = {"America/Los_Angeles", "Australia/Lord_Howe"}
"""The zones with summer time."""

PROCESS_STARTS = {
    "subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system",
}  # fmt: skip


def moment(date: str, now: float) -> float:
    """The Unix time at which a run under this date starts, in the process's own time zone."""
    if date in DAYS:
        return now + DAYS[date] * 86400
    if date.startswith("dst-"):
        return _clock_change(now, starts=date == "dst-start") - BEFORE_MIDNIGHT
    today = datetime.fromtimestamp(now).astimezone()
    if date == "month-end":
        first = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    else:  # the midnight before the next 29 February
        year = next(year for year in range(today.year + 1, today.year + 9) if _is_leap(year))
        first = today.replace(year=year, month=2, day=29)
    midnight = time.mktime((first.year, first.month, first.day, 0, 0, 0, 0, 0, -1))
    return midnight - BEFORE_MIDNIGHT


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _clock_change(now: float, *, starts: bool) -> float:
    hour = now - now % 1800
    for _ in range(2 * 24 * 366):
        before, hour = time.localtime(hour).tm_isdst, hour + 1800
        if (before, time.localtime(hour).tm_isdst) == ((0, 1) if starts else (1, 0)):
            return hour
    raise pytest.UsageError("--date dst-start and dst-end need a --zone whose clocks change")


REASON = "it starts a process, whose clock is not moved"


class Conditions:
    """A pytest plugin that moves the clock, sets the zone and shuffles the tests."""

    def __init__(self, *, seed: str | None, date: str, zone: str, order: int) -> None:
        self.words = (
            f"--seed={seed} " * (seed is not None) + f"--date={date} --zone={zone} --order={order}"
        )
        self._shared = {"seed": seed, "date": date, "zone": zone, "order": order}
        self._order = order
        self._in_test = self._started_process = False
        os.environ["TZ"] = ZONES[zone]
        time.tzset()
        if date != "today":
            self._travel = time_machine.travel(moment(date, time.time()), tick=True)
            self._travel.start()
            sys.addaudithook(self._audit)

    def _audit(self, event: str, _: object) -> None:
        if self._in_test and event in PROCESS_STARTS:
            self._started_process = True
            pytest.skip(REASON)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give the workers of pytest-xdist, which parse the same arguments, what was drawn here."""
        node.workerinput["conditions"] = self._shared

    def pytest_report_header(self) -> str:
        return f"conditions: {self.words} ({time.strftime('%A %d %B %Y, %H:%M:%S')})"

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Shuffle the files, and the tests inside each, so that what they share is made once."""
        chance = random.Random(self._order)
        files: dict[str, list[pytest.Item]] = {}
        for item in items:
            files.setdefault(item.nodeid.partition("::")[0], []).append(item)
        groups = [files[name] for name in sorted(files)]
        chance.shuffle(groups)
        for group in groups:
            chance.shuffle(group)
        items[:] = [item for group in groups for item in group]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        self._in_test, self._started_process = True, False
        try:
            return (yield)
        finally:
            self._in_test = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self,
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if self._started_process and report.outcome == "failed":
            report.outcome, report.longrepr = "skipped", ("", 0, REASON)
        return report

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        if report.skipped and REASON in str(report.longrepr):
            return "process", "p", "PROCESS"
        return None


def add_options(parser: pytest.Parser) -> None:
    """Add the options that choose date, zone and order."""
    group = parser.getgroup("conditions", "date, time zone and order of the tests")
    group.addoption("--seed", help="choose all three from this number; `new` takes any")
    group.addoption("--date", choices=["today", *DATES], help="when the tests run")
    group.addoption("--zone", choices=ZONES, help="the time zone in which they run")
    group.addoption("--order", type=int, help="number from which the order of the tests comes")


def configure(config: pytest.Config) -> None:
    """Register the plugin when one of its options was given."""
    given = {name: config.getoption(name) for name in ("seed", "date", "zone", "order")}
    if all(value is None for value in given.values()):
        return
    given |= getattr(config, "workerinput", {}).get("conditions", {})
    if given["seed"] == "new":
        given["seed"] = str(random.SystemRandom().randrange(100_000))
    chance = random.Random(given["seed"])
    zone = given["zone"] or chance.choice(list(ZONES))
    changing = [date for date in DATES if zone in CHANGING or not date.startswith("dst-")]
    date = given["date"] or ("today" if given["seed"] is None else chance.choice(changing))
    order = chance.randrange(10**6) if given["order"] is None else given["order"]
    config.pluginmanager.register(Conditions(seed=given["seed"], date=date, zone=zone, order=order))
