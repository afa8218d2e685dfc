"""``tiktok-hook doctor``: check everything that `listen` needs."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from tiktok_hook.cli import color, options
from tiktok_hook.errors import UsageError

if TYPE_CHECKING:
    from tiktok_hook.doctor import Finding, Subject
    from tiktok_hook.terminal.report import Report

_WIDEST = 12
"""Width of the longest check name, in columns."""


@click.command(
    cls=options.Command, example="tiktok-hook doctor --forward-to 3000", settings_of="listen"
)
@options.secret_option
@options.secret_file_option
@options.option(
    "--client-key",
    metavar="TEXT",
    help="The app's client key.  [default: that of the newest delivery]",
)
@options.option(
    "--authtoken",
    metavar="TEXT",
    envvar=["TIKTOK_HOOK_AUTHTOKEN", "NGROK_AUTHTOKEN"],
    help="ngrok's authtoken.  [default: NGROK_AUTHTOKEN, the one kept, ngrok's config file]",
)
@options.option("--connect-url", metavar="HOST:PORT", help="Another ngrok ingress address.")
@options.connect_cas_option
@options.option(
    "--clock-url",
    metavar="URL",
    help="Compare the clock with the Date header of this URL.  [default: ngrok's API, or none "
    "with --connect-url]",
)
@options.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Port of the receiver.")
@options.option(
    "--inspect-port", type=click.IntRange(0, 65535), metavar="N", help="Port of the inspector."
)
@options.option(
    "--forward-to",
    "-f",
    multiple=True,
    metavar="TARGET",
    help="Your app: 3000, 3000/path, host:port or a URL. Repeatable.",
)
@options.option(
    "--route",
    "routes",
    multiple=True,
    nargs=2,
    metavar="FILTER TARGET",
    help="A route of listen; its target is checked. Repeatable.",
)
@options.db_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@options.color_option
@options.config_option
@click.pass_context
def command(context: click.Context, /, **given: Any) -> int:
    """Check token, secret, clock, ports, tunnel and disk, and suggest fixes.

    Give doctor the same options, environment and settings file as listen. It connects to ngrok's
    ingress and reads the time from ngrok's API. Nothing else leaves this machine, and no
    token or secret is shown.

    Exits with 0 if no check failed, and with 1 otherwise.
    """
    import asyncio

    from tiktok_hook import doctor
    from tiktok_hook.terminal.report import Report

    lines = Report.for_stdout(color=color.wanted())
    examined = subject(context, given)
    shown = None if given["as_json"] else lambda finding: _show(lines, finding)
    report = asyncio.run(doctor.examine(examined, on_finding=shown))
    if given["as_json"]:
        click.echo(json.dumps(report.as_json()))
    else:
        click.echo("")
        click.echo(lines.counts(list(report.counts.items())), nl=False)
    return 0 if report.passed else 1


def _show(lines: "Report", finding: "Finding") -> None:
    click.echo(
        lines.line(finding.status.value, finding.id, finding.found, title_width=_WIDEST), nl=False
    )
    if finding.next_step:
        click.echo(lines.below(f"→ {finding.next_step}"), nl=False)


def subject(context: click.Context, given: Mapping[str, Any]) -> "Subject":
    """What is checked.

    Args:
        context: Of the command, which knows where each value came from.
        given: Its parameters.
    """
    from tiktok_hook import doctor
    from tiktok_hook.doctor import account
    from tiktok_hook.doctor.clock import NGROK_API

    problem = None
    secrets: tuple[str, ...] = ()
    try:
        secrets = options.resolve_secrets(given["secrets"], given["secret_files"])
    except UsageError as error:
        problem = error
    elsewhere = given["connect_url"] is not None or account.config().connect_url is not None
    return doctor.Subject(
        db=given["db"],
        authtoken=given["authtoken"],
        authtoken_from=options.origin(context, "authtoken"),
        connect_url=given["connect_url"],
        connect_cas=given["connect_cas"],
        clock_url=given["clock_url"] or (None if elsewhere else NGROK_API),
        secrets=secrets,
        secret_problem=problem,
        client_key=given["client_key"],
        port=given["port"],
        inspect_port=given["inspect_port"],
        targets=(*given["forward_to"], *(target for _, target in given["routes"])),
    )
