"""``tiktok-hook audit``: send valid and invalid deliveries to the user's handler."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiktok_hook.cli import color, options
from tiktok_hook.errors import UsageError

if TYPE_CHECKING:
    from tiktok_hook.audit import AuditReport, Case, Result


@click.command(
    cls=options.Command,
    example="tiktok-hook audit http://localhost:3000/webhook --secret - --junit audit.xml",
)
@click.argument("url", required=False, metavar="URL")
@options.secret_option
@options.secret_file_option
@options.option(
    "--client-key",
    metavar="TEXT",
    help="Client key in the bodies, for an app that checks it.  [default: a made-up key]",
)
@options.option(
    "--only",
    metavar="GLOB[,GLOB]",
    default="",
    help="Run only these cases: valid, stale*, event:post.*, business:* (not run otherwise)",
)
@click.option("--list", "listed", is_flag=True, help="List the cases without running them.")
@options.option(
    "--tolerance",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="Maximum age of a signature that your app accepts.",
)
@options.option(
    "--slow",
    type=click.FloatRange(min=0.01),
    default=3.0,
    show_default=True,
    metavar="SECONDS",
    help="Warn about answers slower than this.",
)
@options.option(
    "--forward-timeout",
    "timeout",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for your app's response.",
)
@options.option(
    "--concurrency",
    type=click.IntRange(1, 32),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of cases to run at a time.",
)
@options.option(
    "--rate",
    type=click.FloatRange(min=0.01),
    metavar="N",
    help="Send at most N requests per second, for an app with a rate limiter.",
)
@options.insecure_option
@options.path_option("--junit", help="Write a JUnit XML report for CI.")
@click.option(
    "--verbose", "-v", is_flag=True, help="Show each case: those that passed, and those alike, too."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@options.color_option
@options.config_option
def command(**given: Any) -> int:
    """Send valid and invalid deliveries to your handler and check its answers.

    Your app must answer exactly 200 to every valid delivery, and reject forged, altered, unsigned
    and stale ones. Each failure is shown with its effect in production and its likely cause. Your
    app receives about fifty validly signed sample events, so run it with a test database.

    Exit codes: 0 no case failed, 1 a case failed or could not be run, 6 URL cannot be reached.
    """
    from tiktok_hook import audit

    globs = [part.strip() for part in given["only"].split(",") if part.strip()]
    cases = audit.select(globs or (["*"] if given["listed"] else []))
    if given["listed"]:
        width = max(len(case.id) for case in cases)
        for case in cases:
            click.echo(f"{case.id:<{width}}  {case.expected:<8}  {case.title}")
        return 0
    if given["url"] is None:
        raise UsageError(
            "audit needs the URL of your handler.",
            hint="For instance: tiktok-hook audit http://localhost:3000/webhook",
        )
    if not given["url"].strip():
        raise UsageError("The URL of your handler is empty.", hint="Give a port or a URL.")
    secret = options.required_secrets(given["secrets"], given["secret_files"])[0]
    if given["junit"] is not None:
        _require_writable(given["junit"])
    screen = AuditView(cases, verbose=given["verbose"], quiet=given["as_json"])
    report = _played(given, secret, cases, screen)
    if given["junit"] is not None:
        _write(given["junit"], audit.junit(report))
    if given["as_json"]:
        click.echo(json.dumps(report.as_json()))
    else:
        screen.end(report)
    return 0 if report.passed else 1


class AuditView:
    """The output of an audit: each failure when it occurs, and the totals at the end.

    Args:
        cases: The cases that will be run.
        verbose: Show the cases that passed, too.
        quiet: Print nothing.
    """

    def __init__(self, cases: "Sequence[Case]", *, verbose: bool, quiet: bool) -> None:
        from tiktok_hook.terminal.progress import Progress
        from tiktok_hook.terminal.report import Report as Lines

        self._lines = Lines.for_stdout(color=color.wanted())
        self._total = len(cases)
        self._title_width = max(len(case.id) for case in cases)
        self._verbose = verbose
        self._quiet = quiet
        self._expected = ""
        self._explained: set[str] = set()
        self._same: Counter[tuple[str, str, str]] = Counter()
        self.progress = Progress("Running", len(cases))
        self.shown = 0

    def add(self, result: "Result") -> None:
        """Add the result of a case; show it if it did not pass, or if `verbose` is set."""
        self.shown += 1
        if self._quiet:
            return
        self.progress.advance()
        if result.outcome == "pass" and not self._verbose:
            return
        self.progress.erase()
        if result.case.expected != self._expected:
            self._show_same()
            self._expected = result.case.expected
            click.echo(self._lines.heading(_HEADINGS[self._expected]), nl=False)
        status = "-" if result.status is None else str(result.status)
        if result.same_as and not self._verbose:
            self._same[result.outcome.value, status, result.same_as] += 1
            return
        detail = f"{status:>3} {result.duration_ms:6.0f} ms"
        mark, title = result.outcome.value, result.case.id
        line = self._lines.line(mark, title, detail, title_width=self._title_width)
        click.echo(line, nl=False)
        if result.outcome == "pass":
            return
        # Up to thirty cases can fail for the same reason: print each explanation only once.
        texts = {"In production": result.means, "Likely": result.likely}
        new = {what: text for what, text in texts.items() if text and text not in self._explained}
        self._explained.update(new.values())
        if new:
            lines = [f"Sent: {result.case.title}. Your app {result.observed}."]
            lines += [f"{what}: {text}" for what, text in new.items()]
            click.echo(self._lines.below(*lines), nl=False)

    def _show_same(self) -> None:
        """Show how many cases went in the same way as a plainer one: all of them can."""
        for (mark, status, name), count in self._same.items():
            cases = "1 more case" if count == 1 else f"{count} more cases"
            text = f"as {name}: {cases}"
            line = self._lines.line(mark, text, f"{status:>3}", title_width=self._title_width)
            click.echo(line, nl=False)
        self._same.clear()

    def end(self, report: "AuditReport") -> None:
        """Show the conclusions from all cases, and the totals."""
        lines = self._lines
        self._show_same()
        if report.mistakes:
            click.echo(f"\n{lines.heading('What your app seems to do wrong')}", nl=False)
            for mistake in report.mistakes:
                click.echo(f"  {mistake.name}")
                click.echo(lines.below(mistake.words), nl=False)
        if self._expected:
            click.echo("")
        left = self._total - len(report.results)
        if left:
            click.echo(f"Stopped: {left} of {self._total} cases were not run.")
        elif not report.stopped and not report.proves_rejections:
            click.echo("It accepted no valid delivery, so its rejections prove nothing yet.")
        slowest = f" Slowest answer to a valid delivery: {report.slowest_ms:.0f} ms."
        counts = list(report.counts.items())
        click.echo(lines.counts(counts, after=slowest), nl=False)

    def stop(self) -> None:
        """Report the progress at Ctrl-C; an incomplete audit has no report."""
        text = f"Stopped after {self.shown} of {self._total} cases; there is no report."
        click.echo(text, err=True)


_HEADINGS = {
    "accepted": "Must be answered 200",
    "rejected": "Must be rejected",
    "ignored": "Not deliveries",
}


def _played(
    given: Mapping[str, Any], secret: str, cases: "Sequence[Case]", screen: AuditView
) -> "AuditReport":
    import asyncio

    from tiktok_hook import audit
    from tiktok_hook.audit.case import CLIENT_KEY

    key = given["client_key"]
    if key is not None and not key.strip():
        raise UsageError("--client-key is empty.", hint="Leave it out to use a made-up key.")
    try:
        return asyncio.run(
            audit.play(
                given["url"],
                secret=secret,
                client_key=key or CLIENT_KEY,
                cases=cases,
                on_result=screen.add,
                **{
                    name: given[name]
                    for name in ("tolerance", "slow", "timeout", "concurrency", "rate", "insecure")
                },
            )
        )
    except KeyboardInterrupt:
        screen.stop()
        raise
    finally:
        screen.progress.erase()


def _require_writable(file: Path) -> None:
    """Check that the report can be written, before any request; leave no empty file behind."""
    try:
        existed = file.exists()
        if existed and not file.is_file() and not file.is_char_device():
            # Opening a named pipe would wait for its reader.
            raise UsageError(
                f"The report {file} cannot be written: it is not a file.",
                hint="Name a file with --junit.",
            )
        file.open("ab").close()
        if not existed:
            file.unlink()
    except OSError as error:
        raise _unwritable(file, error) from error


def _write(file: Path, document: bytes) -> None:
    try:
        file.write_bytes(document)
    except OSError as error:
        raise _unwritable(file, error) from error


def _unwritable(file: Path, error: OSError) -> UsageError:
    return UsageError(
        f"The report {file} cannot be written: {error.strerror}.",
        hint="Give --junit a path in an existing, writable folder.",
    )
