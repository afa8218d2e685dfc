"""A click group whose commands are imported only when they are used."""

import importlib
from collections.abc import Collection, Mapping
from typing import Any

import click

from tiktok_hook.errors import UsageError
from tiktok_hook.suggestions import did_you_mean


class ReaderLeft(Exception):
    """The reader of our output closed its end of the pipe."""


def no_such_command(name: str, known: Collection[str]) -> UsageError:
    """The error for a command that does not exist."""
    if name.count(".") and not name.startswith("."):  # no command has one, every event does
        hint = f"To send a sample of an event: tiktok-hook trigger {name}"
    else:
        hint = did_you_mean(name, known) or "tiktok-hook --help lists the commands."
    return UsageError(f"There is no command {name!r}.", hint=hint)


class LazyGroup(click.Group):
    """A group that imports each command from the module of the same name in this folder.

    Args:
        commands_in: The summary of each command by its name, in the order of ``--help``.
    """

    def __init__(self, *args: Any, commands_in: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_in = commands_in

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands_in)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in self.commands_in:
            return None
        name = cmd_name.replace("-", "_") + ("_" if cmd_name == "import" else "")
        module = importlib.import_module(f"tiktok_hook.cli.{name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that a command line names.

        Raises:
            UsageError: There is no such command; the hint names a similar one.
        """
        name = args[0]
        if name not in self.commands_in and not ctx.resilient_parsing and name[:1] != "-":
            raise no_such_command(name, self.commands_in)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderLeft from error  # click would exit with 1
        except ExceptionGroup as several:
            # A task that printed failed, as in `doctor | head -3`.
            if several.split(BrokenPipeError)[1] is not None:
                raise
            raise ReaderLeft from several

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands_in.items()))
