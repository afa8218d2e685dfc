"""A click group whose commands are imported only when they are used."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class ReaderLeft(Exception):
    """The reader of our output closed its end of the pipe."""


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

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderLeft from error  # click would exit with 1

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands_in.items()))
