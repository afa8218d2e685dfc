"""``tiktok-hook listen``: receiver, tunnel and everything that comes in."""

from typing import Any

import click

from tiktok_hook.cli import options
from tiktok_hook.errors import UsageError

option, path_option = options.option, options.path_option


class ListenCommand(options.Command):
    """Tells the command to start beside, after ``--``, from words that only look like arguments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        beside: list[str] = []
        if "--" in args:
            at = args.index("--")
            args, beside = args[:at], args[at + 1 :]
        try:
            left = super().parse_args(ctx, args)
        except click.UsageError as error:
            word = _stray_word(error)
            if word is None:
                raise
            raise _positional(word) from None
        ctx.params["command_beside"] = tuple(beside)
        return left


def _stray_word(error: click.UsageError) -> str | None:
    """The argument that `listen` has no use for, from click's own complaint about it."""
    message = error.format_message()
    if "unexpected extra argument" not in message:
        return None
    return message.rpartition("(")[2].rstrip(")").split()[0]


def _positional(word: str) -> UsageError:
    """What ngrok's users mean by a port at the end."""
    if word.rpartition(":")[2].isdigit() or "://" in word:
        return UsageError(
            f"listen takes no port or address as an argument, but got {word!r}.",
            hint=f"To hand deliveries to your app there: tiktok-hook listen --forward-to {word}",
        )
    return UsageError(
        f"listen takes no arguments, but got {word!r}.",
        hint=f"To start your app beside it: tiktok-hook listen --forward-to 3000 -- {word}",
    )


receiving = options.together(
    option(
        "--port",
        type=click.IntRange(0, 65535),
        metavar="N",
        help="Port of the receiver; 0 takes a free one.  [default: 3000, else a free one]",
    ),
    option(
        "--path",
        default="/",
        show_default=True,
        metavar="PATH",
        help="Appended to the Callback URL; every path is received.",
    ),
    option(
        "--max-body",
        "max_body_bytes",
        type=click.IntRange(min=1),
        default=1 << 20,
        show_default=True,
        metavar="BYTES",
        help="Longer bodies are answered 413.",
    ),
    option(
        "--tolerance",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="Refuse right signatures older or newer than this.  [default: accept]",
    ),
    path_option("--serve-file", help="Answer GET /NAME with this file (ownership check)."),
    option(
        "--tunnel/--no-tunnel",
        default=True,
        show_default=True,
        help="Open an ngrok tunnel.",
    ),
    option(
        "--authtoken",
        metavar="TEXT",
        envvar=["TIKTOK_HOOK_AUTHTOKEN", "NGROK_AUTHTOKEN"],
        help="ngrok's authtoken; else NGROK_AUTHTOKEN, else ngrok's config file.",
    ),
    option("--domain", metavar="HOST", help="Ask ngrok for this domain."),
    option(
        "--verify-webhook",
        is_flag=False,
        flag_value="tiktok",
        type=click.Choice(["tiktok"]),
        help="Let ngrok's edge refuse forged requests, too; needs the secret.",
    ),
    option("--verify-webhook-secret", metavar="TEXT", help="ngrok's spelling of --secret."),
    path_option("--traffic-policy", help="Traffic policy document for ngrok."),
    option("--pooling", is_flag=True, help="Share the URL with other listeners (SDK 1.5)."),
    option("--connect-url", metavar="HOST:PORT", help="Another ngrok ingress address."),
    options.connect_cas_option,
    option(
        "--public-url",
        metavar="URL",
        help="The public URL of another tunnel or proxy; with --no-tunnel.",
    ),
    option(
        "--self-check/--no-self-check",
        "self_checked",
        default=True,
        show_default=True,
        help="Ask the public URL whether it leads here.",
    ),
)
"""The options of the receiver and of the tunnel."""


keeping = options.together(
    options.db_option,
    option("--ephemeral", is_flag=True, help="Keep nothing when the session ends."),
    option(
        "--keep",
        type=click.IntRange(min=1),
        default=100_000,
        show_default=True,
        metavar="N",
        help="Deliveries that the history keeps.",
    ),
    option(
        "--keep-bytes",
        type=click.IntRange(min=1 << 20),
        metavar="BYTES",
        help="Bytes of bodies that it keeps.  [default: 1 GiB, with --ephemeral 64 MiB]",
    ),
)
"""The options of the history."""


forwarding = options.together(
    option(
        "--forward-to",
        "-f",
        multiple=True,
        metavar="TARGET",
        help="Your app: 3000, :3000/path, host:port or a URL. Repeatable.",
    ),
    option(
        "--ack",
        default="app",
        show_default=True,
        metavar="app|first|hold|STATUS",
        help="When and what TikTok is answered.",
    ),
    option(
        "--pass",
        "pass_through",
        is_flag=True,
        help="Hand everything that is not a POST to the first target.",
    ),
    option(
        "--header",
        "headers",
        multiple=True,
        metavar="'NAME: VALUE'",
        help="Set a header on what is forwarded. Repeatable.",
    ),
    option(
        "--insecure",
        "--skip-verify",
        is_flag=True,
        help="Do not check the certificate of an https target.",
    ),
    option(
        "--forward-timeout",
        type=click.FloatRange(min=0.1),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="How long an app may take.",
    ),
    option(
        "--events",
        "events",
        metavar="GLOB[,GLOB]",
        default="",
        help="Forward only these events; others are answered 200.",
    ),
)
"""The options of handing deliveries to the developer's own app."""


serving_page = options.together(
    option(
        "--inspect-port",
        type=click.IntRange(0, 65535),
        metavar="N",
        help="Port of the inspector; 0 takes a free one.  [default: 4040 to 4049]",
    ),
    option(
        "--inspect-host",
        default="127.0.0.1",
        show_default=True,
        metavar="ADDR",
        help="Address of the inspector, for containers.",
    ),
    option(
        "--inspect-allow-host",
        "inspect_allow_hosts",
        multiple=True,
        metavar="NAME",
        help="Host name the inspector may be asked by. Repeatable.",
    ),
    option(
        "--inspect-open",
        is_flag=True,
        help="Let programs of this machine in without the token.",
    ),
    option("--open", "open_page", is_flag=True, help="Open the inspector in a browser."),
)
"""The options of the inspector where it is served."""

inspecting = options.together(
    option(
        "--inspect/--no-inspect",
        default=True,
        show_default=True,
        help="Serve the inspector's page and API.",
    ),
    serving_page,
)
"""The options of the inspector where it may be left out."""


showing = options.together(
    option(
        "--format",
        "form",
        type=click.Choice(["compact", "normal", "full", "json"]),
        help="How deliveries are shown.  [default: normal on a terminal, otherwise compact]",
    ),
    option(
        "--exit-after",
        type=click.IntRange(min=1),
        metavar="N",
        help="End after N deliveries.",
    ),
    option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        metavar="SECONDS",
        help="End after this long; with --exit-after not reached, exit with 1.",
    ),
    options.config_option,
)
"""The options of the screen and of the end."""


@click.command(
    cls=ListenCommand,
    example="tiktok-hook listen --secret - --forward-to 3000",
    options_metavar="[OPTIONS] [-- COMMAND...]",
)
@options.secret_option
@options.secret_file_option
@receiving
@keeping
@forwarding
@inspecting
@showing
def command(**given: Any) -> int:
    """Receive TikTok webhooks: receiver, tunnel and Callback URL.

    Prints the Callback URL to paste into the TikTok Developer Portal and shows every delivery
    that arrives: headers, body, event, signature verdict and what your app answered. Everything
    received is on disk before TikTok gets its 200. Stop it with Ctrl-C.

    To start your app beside it, put its command after --:
    tiktok-hook listen --forward-to 3000 -- npm start
    """
    from tiktok_hook.cli import run_listen

    return run_listen.start(given)
