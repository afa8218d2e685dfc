"""The command line: a thin skin over the library, one file per command.

Only this folder prints errors and chooses exit codes. Commands are imported when they are asked
for, so that ``--help``, ``sign`` and ``verify`` start fast.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from tiktok_hook.cli.group import LazyGroup, ReaderLeft
from tiktok_hook.errors import HookError
from tiktok_hook.sanitize import visible

COMMANDS = {
    "listen": "Receive TikTok webhooks: receiver, tunnel and Callback URL.",
    "demo": "Show everything on this machine, without account or network.",
    "trigger": "Send a signed sample event.",
    "events": "List what was received.",
    "show": "Show one delivery whole.",
    "replay": "Send stored deliveries to your app again.",
    "export": "Write deliveries to a file.",
    "import": "Add deliveries from a file to the history.",
    "clear": "Empty the history.",
    "sign": "Print the signature header for a body.",
    "verify": "Check a signature header against a body, offline.",
    "inspect": "Show the page over a stored history, without a listener.",
    "audit": "Play good and bad deliveries at your handler and judge its answers.",
    "doctor": "Check token, secret, clock, ports, tunnel and disk, and say what to do.",
}
"""Name and one sentence each, in the order of ``--help``; a test compares the commands' own."""

FIRST_STEPS = """\
tiktok-hook receives TikTok webhooks on your machine. Three commands to try:

  tiktok-hook demo                          all of it, without an account or a network
  tiktok-hook listen --secret -             a public Callback URL to paste into TikTok
  tiktok-hook trigger authorization.removed a signed sample event, sent to that listener

Everything else: tiktok-hook --help
"""


@click.group(
    cls=LazyGroup,
    commands_in=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: tiktok-hook listen --secret - --forward-to 3000",
)
@click.version_option(package_name="tiktok-hook", message="%(prog)s %(version)s")
@click.pass_context
def group(context: click.Context) -> None:
    """Receive, inspect, verify and replay TikTok webhooks on your machine."""
    if context.invoked_subcommand is None:
        click.echo(FIRST_STEPS, nl=False)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code.

    Args:
        arguments: As typed, without the program's name; None takes the process's own.
    """
    _open_closed_streams()
    _raise_descriptor_limit()
    _end_as_by_ctrl_c()
    sys.exit(run(arguments))


def _open_closed_streams() -> None:
    """Give stdin, stdout and stderr something to be where a service manager closed them.

    Otherwise the next file or socket that is opened gets their number, and what is written to
    stdout ends up in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given out, and those below are open by now.
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for the process's life


MIN_DESCRIPTORS = 4096
"""256 connections and 256 attempts at a time need more than the 256 that macOS gives."""


def _raise_descriptor_limit() -> None:
    """Raise the soft limit of open files as far as the hard one allows."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MIN_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MIN_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _end_as_by_ctrl_c() -> None:
    """Let SIGTERM and SIGHUP do what Ctrl-C does; `listen` puts its own handlers in their place.

    What is ignored, as under nohup, stays so. Where a shell's ``&`` has Ctrl-C ignored, there is
    nothing to be like, and they end the process.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every `HookError` is printed here."""
    try:
        code = group.main(arguments, prog_name="tiktok-hook", standalone_mode=False)
        sys.stdout.flush()
    except HookError as error:
        report(error)
        return error.exit_code
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.Abort as aborted:
        if isinstance(aborted.__cause__, KeyboardInterrupt):
            return 0  # Ctrl-C; a command that has something to say about it has said it
        click.echo("\nAborted.", err=True)
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (BrokenPipeError, ReaderLeft):
        # Whoever read our output has left; nothing is lost by not telling them more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 0
    return code if isinstance(code, int) else 0


def report(error: HookError) -> None:
    """Print one sentence and one hint to stderr; what they quote may be anybody's text."""
    click.echo(f"Error: {visible(str(error), keep_newlines=True)}", err=True)
    if error.hint:
        click.echo(f"Hint: {visible(error.hint, keep_newlines=True)}", err=True)
