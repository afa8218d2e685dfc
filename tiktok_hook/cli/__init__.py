"""The command line: a thin layer over the library, with one file per command.

Only this folder prints errors and chooses exit codes. Commands are imported on first use,
so that ``--help``, ``sign`` and ``verify`` start fast.
"""

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from tiktok_hook.cli import color, prose
from tiktok_hook.cli.error_format import ErrorFormat, asks_for_json
from tiktok_hook.cli.group import LazyGroup, ReaderLeft
from tiktok_hook.errors import HookError, UsageError
from tiktok_hook.sanitize import visible

COMMANDS = {
    "listen": "Receive TikTok webhooks: receiver, tunnel and Callback URL.",
    "attach": "Forward from a history to your app what any listener receives.",
    "demo": "Try every feature on this machine, without an account or a network.",
    "trigger": "Send a signed sample event.",
    "events": "List what was received.",
    "show": "Show one delivery whole.",
    "wait": "Wait for a matching verified delivery and print it as JSON.",
    "replay": "Send stored deliveries to your app again.",
    "export": "Write deliveries to a file.",
    "import": "Add deliveries from a file to the history.",
    "clear": "Delete deliveries, or the whole history.",
    "team": "Set up a shared history for a team, and show who uses it.",
    "sign": "Print the signature header for a body.",
    "verify": "Check a signature header against a body, offline.",
    "types": "Print the types of TikTok's events.",
    "inspect": "Serve the inspector for a stored history, without a listener.",
    "audit": "Send valid and invalid deliveries to your handler and check its answers.",
    "help": "Show the help of a command, as text or as JSON.",
    "config": "Show the settings in force and where each one came from.",
    "agent": "Install the skill for coding agents.",
    "mcp": "Serve the tools to a coding agent, over stdio.",
    "completion": "Print the script that completes commands in your shell.",
    "doctor": "Check token, secret, clock, ports, tunnel and disk, and suggest fixes.",
}
"""The name and summary of each command, in the order of ``--help``.

A test compares them with the docstrings of the commands.
"""

FIRST_STEPS = """\
tiktok-hook receives TikTok webhooks on your machine. Three commands to try:

  tiktok-hook demo                   every feature, no account or network needed
  tiktok-hook listen --secret -      a public Callback URL to paste into TikTok
  tiktok-hook trigger tiktok.ping    a signed sample event for that listener

All commands: tiktok-hook --help
"""


@click.group(
    cls=LazyGroup,
    commands_in=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: tiktok-hook listen --secret - --forward-to 3000",
)
@click.option("--color", **color.ATTRIBUTES)
@click.version_option(package_name="tiktok-hook", message="%(prog)s %(version)s")
@click.pass_context
def group(context: click.Context) -> None:
    """Receive, inspect, verify and replay TikTok webhooks on your machine."""
    if context.invoked_subcommand is None:
        click.echo(FIRST_STEPS, nl=False)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code.

    Args:
        arguments: The arguments without the program name; None uses ``sys.argv``.
    """
    gc.set_threshold(_COLLECT_AFTER)
    _open_closed_streams()
    _raise_descriptor_limit()
    _end_as_by_ctrl_c()
    _prepare_completion()
    sys.exit(run(arguments))


_COLLECT_AFTER = 100_000
"""Number of new objects after which garbage is collected; no start of a command creates as many.

With Python's own threshold there are 140 collections while `listen` starts. They take a tenth of
the time and find little, because what is imported stays. `listen` sets another one once it runs.
"""


def _open_closed_streams() -> None:
    """Open stdin, stdout and stderr on the null device if a service manager closed them.

    Otherwise the next file or socket reuses the descriptor, and output for stdout is written to it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The system assigns the lowest free descriptor, and all lower ones are open by now.
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for the process's life


MIN_DESCRIPTORS = 4096
"""256 connections and 256 concurrent attempts exceed the default limit of 256 on macOS."""


def _raise_descriptor_limit() -> None:
    """Raise the soft limit on open files to `MIN_DESCRIPTORS` or the hard limit."""
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
    """Make SIGTERM and SIGHUP act like Ctrl-C; `listen` installs its own handlers.

    A signal that is already ignored, for example under nohup, stays ignored. If Ctrl-C itself is
    ignored, as in a job that a shell started with ``&``, SIGTERM and SIGHUP keep their default
    action and end the process.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))


def _prepare_completion() -> None:
    """Have click use our completion for bash when a shell asks at the Tab key."""
    if "_TIKTOK_HOOK_COMPLETE" in os.environ:
        from tiktok_hook.cli import completion

        completion.register()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every `HookError` is printed here."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    form = ErrorFormat(as_json=asks_for_json(words))
    if form.as_json:
        from tiktok_hook.cli.help import as_help_command

        words = as_help_command(words) or words
    try:
        code = group.main(words, prog_name="tiktok-hook", standalone_mode=False, obj=form)
        sys.stdout.flush()
    except HookError as error:
        report(error, as_json=form.as_json)
        return error.exit_code
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.Abort as aborted:
        if isinstance(aborted.__cause__, KeyboardInterrupt):
            return 0  # Ctrl-C; the command has already printed its own message
        if form.as_json:
            report(HookError("Aborted."), as_json=True)
        else:
            click.echo("\nAborted.", err=True)
        return 1
    except click.ClickException as error:
        if form.as_json:
            report(_as_usage_error(error), as_json=True)
        else:
            error.show()
        return error.exit_code
    except (BrokenPipeError, ReaderLeft):
        # The reader closed the pipe. Redirect stdout, so that the flush at exit does not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 0
    return code if isinstance(code, int) else 0


def _as_usage_error(error: click.ClickException) -> UsageError:
    """An error that click raised while it parsed, with the help to look at as its hint."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = "tiktok-hook" if context is None else context.command_path
    return UsageError(error.format_message(), hint=f"{path} --help --json describes it.")


def report(error: HookError, *, as_json: bool = False) -> None:
    """Print the message and the hint of an error to stderr; both may quote untrusted text.

    Args:
        error: What happened.
        as_json: Print one JSON object with ``message``, ``hint`` and ``exit_code``.
    """
    message, hint = _shortened(str(error)), _shortened(error.hint)
    if as_json:
        import json

        shape = {"message": message, "hint": hint, "exit_code": error.exit_code}
        click.echo(json.dumps(shape), err=True)  # ASCII, so nothing that a terminal would obey
        return
    prose.note(f"Error: {visible(message, keep_newlines=True)}")
    if hint:
        prose.note(f"Hint: {visible(hint, keep_newlines=True)}")


_MAX_MESSAGE_CHARS = 2000


def _shortened(text: str) -> str:
    """The text with its middle left out if it is long: it may quote a value of any length."""
    if len(text) <= _MAX_MESSAGE_CHARS:
        return text
    half = _MAX_MESSAGE_CHARS // 2
    return f"{text[:half]} … {text[-half:]}"
