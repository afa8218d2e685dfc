"""A report in JUnit's XML, which every CI system reads."""

import re
import time
from xml.etree import ElementTree

from tiktok_hook.audit.judging import Outcome
from tiktok_hook.audit.report import AuditReport
from tiktok_hook.sanitize import visible

# What XML 1.0 cannot hold at all, escaped or not.
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: AuditReport) -> bytes:
    """One test suite, one test case for each case of the audit.

    A warning is a passed case with a note in ``system-out``: CI has no colour between.
    """
    suite = ElementTree.Element(
        "testsuite",
        name="tiktok-hook audit",
        tests=str(len(report.results)),
        failures=str(report.counts["fail"]),
        errors="0",
        skipped=str(report.counts["skip"]),
        time=f"{report.duration_seconds:.3f}",
        timestamp=time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(report.started_at)),
    )
    properties = ElementTree.SubElement(suite, "properties")
    _property(properties, "target", report.target)
    for mistake in report.mistakes:
        _property(properties, "mistake", f"{mistake.name}: {mistake.words}")
    for result in report.results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"tiktok_hook.audit.{result.case.expected}",
            name=result.case.id,
            time=f"{result.duration_ms / 1000:.3f}",
        )
        text = _fit("\n".join(part for part in (result.means, result.likely) if part))
        message = _fit(f"{result.case.title}: {result.observed}, has to be {result.case.expected}")
        if result.outcome is Outcome.FAIL:
            failure = ElementTree.SubElement(
                case, "failure", message=message, type=result.case.expected.value
            )
            failure.text = text
        elif result.outcome is Outcome.SKIP:
            ElementTree.SubElement(case, "skipped", message=_fit(f"{result.observed}: {text}"))
        elif result.outcome is Outcome.WARN:
            ElementTree.SubElement(
                case, "system-out"
            ).text = f"warning: {_fit(result.observed)}\n{text}"
    whole = ElementTree.Element("testsuites")
    whole.append(suite)
    ElementTree.indent(whole)
    document: bytes = ElementTree.tostring(whole, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _property(parent: ElementTree.Element, name: str, value: str) -> None:
    ElementTree.SubElement(parent, "property", name=name, value=_fit(value))


def _fit(text: str) -> str:
    return _UNFIT.sub("?", visible(text, keep_newlines=True))
