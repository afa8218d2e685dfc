"""Options that several commands share, and how their values are resolved.

`option` gives every option its environment variable, the same in every command; `Command` reads
`config.toml` before click resolves the options, so that click's own precedence applies: flag,
environment, file, default.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from tiktok_hook import settings
from tiktok_hook.cli.error_format import ErrorFormat
from tiktok_hook.cli.help_groups import grouped
from tiktok_hook.cli.standard_input import require_input
from tiktok_hook.errors import StoreError, UsageError
from tiktok_hook.text_files import decode

F = TypeVar("F", bound=Callable[..., Any])


class Command(click.Command):
    """A command that shows an example in its help and reads the user's settings file.

    Args:
        example: A complete command line that works, shown at the end of ``--help``.
    """

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        self.epilog = f"Example: {example}"

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options for ``--help``, grouped by subject if there are many."""
        found = [
            (parameter.opts, record)
            for parameter in self.get_params(ctx)
            if (record := parameter.get_help_record(ctx)) is not None
        ]
        for title, places in grouped([tuple(names) for names, _ in found]).items():
            with formatter.section(title):
                formatter.write_dl([found[place][1] for place in places])

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        own = _by_name(self)
        file: Path | None = None
        if "config" in own and not {"-h", "--help"} & set(args):
            from tiktok_hook import paths

            named = _config_option(args)
            try:
                file = named or paths.config_dir() / "config.toml"
            except StoreError:  # no home folder is known, so there are no settings in it
                file = None
            config = {} if file is None else settings.read_config(named, default=file)
            if file is not None and config:
                values = settings.defaults_for(
                    info_name or "",
                    config,
                    options=own,
                    known=_all_names(parent) | set(own),
                    file=file,
                )
                extra["default_map"] = {
                    own[name].name: _as_click_reads(own[name], value, key=name, file=file)
                    for name, value in values.items()
                }
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.BadParameter as error:
            unfit = _unfit(error, file)
            if unfit is None:
                raise
            raise unfit from None


def _unfit(error: click.BadParameter, file: Path | None) -> UsageError | None:
    """An error that names the source of a bad value: a variable or the settings file.

    None if the value was given on the command line; click's own message is clear then.
    """
    import os

    option, context = error.param, error.ctx
    if not isinstance(option, click.Option) or context is None:
        return None
    source = context.get_parameter_source(option.name)
    flag = next(name for name in option.opts if name.startswith("--"))
    if source is click.core.ParameterSource.ENVIRONMENT:
        names = [option.envvar] if isinstance(option.envvar, str) else option.envvar or ()
        name = next(each for each in names if os.environ.get(each))
        return UsageError(
            f"{name}={os.environ[name]} cannot be used: {error.message}",
            hint=f"It sets {flag}: correct it, or unset {name}.",
        )
    if source is click.core.ParameterSource.DEFAULT_MAP:
        return UsageError(
            f"{flag.removeprefix('--')} in {file} cannot be used: {error.message}",
            hint=f"It sets {flag}: correct it, or remove it.",
        )
    return None


def _by_name(command: click.Command) -> dict[str, click.Option]:
    """A command's options by long name, without the dashes and without the ``no-`` forms."""
    return {
        name.removeprefix("--"): parameter
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
        if name.startswith("--")
    }


def _as_click_reads(parameter: click.Option, value: Any, *, key: str, file: Path) -> Any:
    """Convert a value of the settings file to the form that click expects.

    Raises:
        UsageError: The value is a list, but the option takes one value; or it is neither a string
            nor a number.
    """
    if parameter.multiple:
        if isinstance(value, str):
            return split_values(parameter, value)
        given = value if isinstance(value, list) else [value]
        if any(isinstance(each, bool) or not isinstance(each, _PLAIN) for each in given):
            raise UsageError(
                f"{key} in {file} cannot be used: it is not a string or a list of strings.",
                hint=f'For instance {key} = ["{_EXAMPLES.get(key, "text")}"].',
            )
        return [str(each) for each in given]
    if isinstance(value, list):
        raise UsageError(
            f"{key} in {file} cannot be used: it is a list, and --{key} takes one value.",
            hint=f"Write {key} = VALUE, without the brackets.",
        )
    if isinstance(value, bool) and not (parameter.is_flag or parameter.type is click.BOOL):
        shown = str(value).lower()
        raise UsageError(
            f"{key} in {file} cannot be used: it is {shown}, and --{key} takes a value.",
            hint="Correct it, or remove it.",
        )
    return value


_PLAIN = (str, int, float)
_EXAMPLES = {"forward-to": "3000", "header": "X-Debug: 1"}


def split_values(parameter: click.Option, text: str) -> list[str]:
    """Split the value of a repeatable option from the environment or a settings file.

    Only the options in `SPLIT_AT_WHITESPACE` are split, because their values cannot contain
    whitespace. Any other text is one value, so that a header or a path may contain spaces.
    """
    return text.split() if set(parameter.opts) & SPLIT_AT_WHITESPACE else [text]


SPLIT_AT_WHITESPACE = frozenset({"--secret", "--forward-to", "--inspect-allow-host"})
"""Repeatable options whose variable or setting may hold several values, split at whitespace."""


class Option(click.Option):
    """An option whose variable is split only if it is in `SPLIT_AT_WHITESPACE`."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        if not self.multiple:
            return super().value_from_envvar(ctx)
        text = self.resolve_envvar_value(ctx)
        return None if text is None else split_values(self, text)


def _config_option(args: Sequence[str]) -> Path | None:
    """The value of ``--config``, which is needed before click parses the other options."""
    import os

    for index, word in enumerate(args):
        if word == "--":
            break
        if word == "--config" and index + 1 < len(args):
            return expanded(args[index + 1])
        if word.startswith("--config="):
            return expanded(word.removeprefix("--config="))
    value = os.environ.get(settings.variable("--config"))
    return expanded(value) if value else None


def _all_names(parent: click.Context | None) -> set[str]:
    """The names of all commands, and of all their options."""
    if parent is None or not isinstance(parent.command, click.Group):
        return set()
    names: set[str] = set()
    for name in parent.command.list_commands(parent):
        names.add(name)
        command = parent.command.get_command(parent, name)
        if command is not None:
            names |= set(_by_name(command))
    return names


_FORMATS = {"full", "normal", "compact", "json", "table", "jsonl", "har", "curl", "pytest"}


class FormatOption(Option):
    """``--format``, whose choices differ from command to command.

    The environment and the settings file set one value for all commands. A command that does not
    offer this format uses its own default.
    """

    def consume_value(
        self, ctx: click.Context, opts: Mapping[str, Any]
    ) -> tuple[Any, click.core.ParameterSource]:
        value, source = super().consume_value(ctx, opts)
        shared = {click.core.ParameterSource.ENVIRONMENT, click.core.ParameterSource.DEFAULT_MAP}
        own = getattr(self.type, "choices", ())
        if source in shared and value in _FORMATS and value not in own:
            return self.default, click.core.ParameterSource.DEFAULT
        if value == "json" and isinstance(ctx.obj, ErrorFormat):
            ctx.obj.as_json = True
        return value, source


def option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """A click option with a ``TIKTOK_HOOK_…`` variable named after its first long name."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    attributes.setdefault("envvar", settings.variable(long))
    attributes.setdefault("cls", FormatOption if long == "--format" else Option)
    return click.option(*names, **attributes)


def together(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Combine several options into one decorator; ``--help`` lists them in this order."""

    def decorate(function: F) -> F:
        for add in reversed(options):
            function = add(function)
        return function

    return decorate


def _given_path(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(expanded(each) for each in value)
    return None if value is None else expanded(value)


def expanded(text: str) -> Path:
    """Expand ``~`` in a path that the user wrote.

    Raises:
        UsageError: The path begins with ``~``, and no home folder is known.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"The path {text} begins with ~, and no home folder is known.",
            hint="Set HOME, or write the full path.",
        ) from error


def path_option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """An option for a file path; ``~`` is expanded, and existence is not checked here."""
    attributes.setdefault("callback", _given_path)
    return option(*names, metavar="PATH", **attributes)


config_option = path_option(
    "--config", help="Settings file instead of config.toml in the user's folder."
)


def _given_history(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    if value is None:
        return None
    from tiktok_hook.store import locate

    return locate(value, where="--db")


db_option = option(
    "--db",
    metavar="PATH|URL",
    callback=_given_history,
    help="History instead of the one in the user's data folder.",
)


connect_cas_option = option(
    "--connect-cas",
    metavar="trusted|host|PATH",
    help="Who may have signed the ingress's certificate.  [default: trusted]",
)

secret_option = option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="TEXT",
    help="The app's client secret; - asks for it. Repeatable. Better: TIKTOK_CLIENT_SECRET.",
)

secret_file_option = path_option(
    "--secret-file",
    "secret_files",
    multiple=True,
    help="File that holds the client secret alone. Repeatable.",
)


insecure_option = option(
    "--insecure",
    "--skip-verify",
    is_flag=True,
    help="Do not check the certificate of an https address.",
)


def resolve_secrets(given: Sequence[str], files: Sequence[Path]) -> tuple[str, ...]:
    """The secrets of ``--secret`` and ``--secret-file``; ``--secret -`` prompts for one.

    Raises:
        UsageError: A secret is not valid, or ``-`` was given and standard input has no secret.
    """
    return settings.secrets([_asked() if text == "-" else text for text in given], files)


def _asked() -> str:
    """Read a secret from a prompt without echo, or from the first line of piped input."""
    if sys.stdin.isatty():
        answer: str = click.prompt("Client secret", hide_input=True, err=True)
        return answer
    require_input("client secret")
    line = sys.stdin.buffer.readline(4096)
    return decode(line, name="client secret on standard input").rstrip("\r\n")


def required_secrets(given: Sequence[str], files: Sequence[Path]) -> tuple[str, ...]:
    """Like `resolve_secrets`, for commands that require a secret.

    Raises:
        UsageError: No secret was given.
    """
    found = resolve_secrets(given, files)
    if not found:
        raise UsageError(
            "No client secret was given.",
            hint="Set TIKTOK_CLIENT_SECRET, or give --secret-file FILE or --secret - to type it.",
        )
    return found


def read_body(source: str) -> bytes:
    """Read the bytes of a file, or of stdin for ``-``, unchanged.

    Raises:
        UsageError: The file cannot be read, or nothing came on stdin.
    """
    if source == "-":
        require_input("body")
        return sys.stdin.buffer.read()
    try:
        return expanded(source).read_bytes()
    except OSError as error:
        raise UsageError(
            f"The body file {source} cannot be read: {error.strerror}.",
            hint="Give --body a readable file, or - to read standard input.",
        ) from error
