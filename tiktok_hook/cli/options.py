"""Options that several commands share, and how their values are resolved.

`option` gives every option its environment variable, the same in every command; `Command` reads
the settings files before click resolves the options.
"""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tiktok_hook import settings
from tiktok_hook.cli import color, completers, config_layers, prose, standard_input
from tiktok_hook.cli.config_layers import expanded, split_values
from tiktok_hook.cli.error_format import ErrorFormat
from tiktok_hook.cli.help_groups import grouped
from tiktok_hook.errors import UsageError
from tiktok_hook.sanitize import visible
from tiktok_hook.text_files import decode, read_input

if TYPE_CHECKING:
    from tiktok_hook.store import Location

F = TypeVar("F", bound=Callable[..., Any])


class Command(click.Command):
    """A command that shows an example in its help and reads the user's settings file.

    Args:
        example: A complete command line that works, shown at the end of ``--help``.
        settings_of: Another command whose table in the settings files counts for this one, too.
    """

    def __init__(
        self, *args: Any, example: str, settings_of: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        self.settings_of = settings_of
        self.epilog = f"Example: {example}"

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options for ``--help``, grouped by subject if there are many."""
        found = [
            (parameter.opts, record)
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option)  # click lists arguments, too, since 8.5.1
            and (record := parameter.get_help_record(ctx)) is not None
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
        layers = config_layers.Layers()
        own = config_layers.by_name(self)
        if "config" in own and not {"-h", "--help"} & set(args):
            try:
                layers = config_layers.read(self, info_name or "", args, parent)
            except UsageError:
                if not extra.get("resilient_parsing"):  # a shell completes without it
                    raise
            extra["default_map"] = layers.values
        try:
            context = super().make_context(info_name, args, parent, **extra)
        except click.NoSuchOption as error:
            raise config_layers.no_such_option(error.option_name, self, info_name, parent) from None
        except click.BadParameter as error:
            unusable = config_layers.unusable(error, layers)
            if unusable is None:
                raise
            raise unusable from None
        if not context.resilient_parsing:
            config_layers.attach(layers, context)
        return context


class Option(click.Option):
    """An option whose variable is split only if it is in `SPLIT_AT_WHITESPACE`."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        if not self.multiple:
            return super().value_from_envvar(ctx)
        text = self.resolve_envvar_value(ctx)
        if text is not None and self.nargs > 1:
            words = shlex.split(text)
            return [tuple(words[at : at + self.nargs]) for at in range(0, len(words), self.nargs)]
        return None if text is None else split_values(self, text)


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


class OneCallOption(click.Option):
    """An option that is given on the command line only.

    ``--path`` of `replay` and ``--header`` of `import` and `verify` share their names with options
    of `listen`, but mean something else: what is set for `listen` must not change them.
    """

    is_for_one_call = True


def option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """A click option with a ``TIKTOK_HOOK_…`` variable named after its first long name."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    attributes.setdefault("envvar", settings.variable(long))
    attributes.setdefault("cls", FormatOption if long == "--format" else Option)
    attributes.setdefault("shell_complete", completers.OF_OPTIONS.get(long))
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


def path_option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """An option for a file path; ``~`` is expanded, and existence is not checked here."""
    attributes.setdefault("callback", _given_path)
    attributes.setdefault("shell_complete", completers.files)
    return option(*names, metavar="PATH", **attributes)


config_option = path_option(
    "--config", help="Settings file instead of config.toml in the user's folder."
)


color_option = option("--color", **color.ATTRIBUTES)


def _given_history(context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    if value is None:
        return None
    from tiktok_hook.store import locate

    location = locate(value, where="--db")
    return location if context.resilient_parsing else with_typed_password(location)


def with_typed_password(location: "Location") -> "Location":
    """The same history; the user types the password of a URL that has - in its place.

    Raises:
        UsageError: Standard input is not a terminal.
    """
    server = location.server
    if server is None or not server.asks_for_password:
        return location
    if not sys.stdin.isatty():
        raise UsageError(
            f"The password of {server.label} is to be typed, and standard input is not a terminal.",
            hint="Leave :- out of the address, and use ~/.pgpass, PGPASSWORD or a service file.",
        )
    password: str = click.prompt(f"Password for {visible(server.label)}", hide_input=True, err=True)
    return replace(location, server=server.with_password(password))


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


def origin(context: click.Context, name: str) -> str:
    """The source of an option's value: the variable, the settings file or the flag."""
    source = context.get_parameter_source(name)
    if source is click.core.ParameterSource.ENVIRONMENT:
        names = ("TIKTOK_HOOK_AUTHTOKEN", "NGROK_AUTHTOKEN")
        return next((each for each in names if os.environ.get(each)), names[-1])
    if source is click.core.ParameterSource.DEFAULT_MAP:
        return "config.toml"
    return f"--{name}"


def find_secrets(given: Sequence[str], files: Sequence[Path]) -> settings.FoundSecrets:
    """The secrets of ``--secret``, ``--secret-file``, the environment or `.env`, and their source.

    ``--secret -`` prompts for one.

    Raises:
        UsageError: A secret is not valid, or ``-`` was given and standard input has no secret.
    """
    return settings.find_secrets([_asked() if text == "-" else text for text in given], files)


def resolve_secrets(given: Sequence[str], files: Sequence[Path]) -> tuple[str, ...]:
    """The values of `find_secrets`; a line on stderr names `.env` if they come from there.

    Raises:
        UsageError: As `find_secrets`.
    """
    found = find_secrets(given, files)
    if found.notice:
        prose.note(visible(found.notice))
    return found.values


def _asked() -> str:
    """Read a secret from a prompt without echo, or from the first line of piped input."""
    if sys.stdin.isatty():
        answer: str = click.prompt("Client secret", hide_input=True, err=True)
        return answer
    line = standard_input.read("client secret", line_bytes=4096)
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
            hint="Set TIKTOK_CLIENT_SECRET, in .env too, or give --secret-file FILE or --secret -.",
        )
    return found


def read_body(source: str) -> bytes:
    """Read the bytes of a file, or of stdin for ``-``, unchanged.

    Raises:
        UsageError: The file cannot be read, is too large, or is a pipe into which nothing is
            written.
    """
    if source == "-":
        return standard_input.read("body")
    hint = "Give --body a readable file, or - to read standard input."
    limit = standard_input.MAX_BYTES
    try:
        return read_input(expanded(source), what="body file", hint=hint, max_bytes=limit)
    except FileNotFoundError as error:
        raise UsageError(
            f"The body file {source} cannot be read: {error.strerror}.", hint=hint
        ) from error
