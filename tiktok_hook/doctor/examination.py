"""Runs every check at the same time, each under its own deadline."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from tiktok_hook.doctor import account, app, clock, history, ingress, machine
from tiktok_hook.doctor.finding import Finding, bad, warning
from tiktok_hook.doctor.report import DoctorReport
from tiktok_hook.doctor.subject import Subject
from tiktok_hook.errors import HookError

Check = Callable[[Subject], Awaitable[list[Finding]]]

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "python": machine.python,
        "ngrok-sdk": machine.sdk,
        "authtoken": account.authtoken,
        "ngrok.yml": account.config_file,
        "ingress": ingress.ingress,
        "clock": clock.clock,
        "secret": app.secret,
        "client-key": app.client_key,
        "port": machine.ports,
        "target": machine.targets,
        "database": history.database,
        "state-folder": history.state,
        "disk": machine.disk,
        "descriptors": machine.descriptors,
        "terminal": machine.terminal,
    }
)
"""Every check by name, in the order of the report; some find more than one thing."""


async def examine(
    subject: Subject,
    *,
    seconds: float = 15.0,
    on_finding: Callable[[Finding], None] | None = None,
) -> DoctorReport:
    """Run every check.

    Args:
        subject: The settings that `listen` would use.
        seconds: How long any check may take.
        on_finding: Called with each finding as soon as it and all before it are there.
    """

    async def one(name: str, check: Check) -> list[Finding]:
        try:
            async with asyncio.timeout(seconds):
                return await check(subject)
        except TimeoutError:
            words = f"no result within {seconds:g} s"
            return [warning(name, words, "Something there is stuck; try once more.")]
        except HookError as error:  # no home folder is known, for instance
            return [bad(name, str(error).removesuffix("."), error.hint)]

    findings: list[Finding] = []
    async with asyncio.TaskGroup() as group:
        for task in [group.create_task(one(*item)) for item in CHECKS.items()]:
            for finding in await task:
                findings.append(finding)
                if on_finding is not None:
                    on_finding(finding)
    return DoctorReport(tuple(findings))
