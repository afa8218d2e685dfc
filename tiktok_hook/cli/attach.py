"""``tiktok-hook attach``: your app gets what any listener of a history receives."""

from typing import Any

import click

from tiktok_hook.cli import completers, options
from tiktok_hook.cli.derived import options_of
from tiktok_hook.cli.listen import AppCommand, inspecting
from tiktok_hook.cli.screen_options import screen_arguments, showing
from tiktok_hook.relay.options import FORWARDING, AppNameOptions, AttachmentOptions, RelayOptions


@click.command(
    cls=AppCommand,
    example='tiktok-hook attach "user:OPEN_ID post.publish.*" --forward-to 3000',
    options_metavar="[OPTIONS]",
)
@click.argument(
    "words",
    metavar="[FILTER]... [-- COMMAND...]",
    nargs=-1,
    shell_complete=completers.event_names,
)
@options.secret_option
@options.secret_file_option
@options.db_option
@options_of(RelayOptions, only=FORWARDING)
@options_of(AppNameOptions)
@options_of(AttachmentOptions)
@inspecting
@showing
def command(words: tuple[str, ...], **given: Any) -> int:
    """Forward from a history to your app what any listener receives.

    Every accepted delivery that matches FILTER reaches the app at least once and in order, also
    after a crash of either: the history keeps a cursor under the name of the app. Without a target
    the deliveries are only shown. Needs no tunnel and no ngrok account. Stop it with Ctrl-C.

    A team names its database, as in --db postgresql://anna@db.example.com/hooks; without --db it is
    the history of this machine.
    """
    from tiktok_hook import session
    from tiktok_hook.cli import run_listen
    from tiktok_hook.option_fields import option_fields

    found = options.find_secrets(given["secrets"], given["secret_files"])
    parts = (AppNameOptions, AttachmentOptions)
    own = [each.name for part in parts for each, _ in option_fields(part)]
    names = [*FORWARDING, "db", *own]
    arguments = {name: given[name] for name in names}
    arguments |= run_listen.inspector_arguments(given)
    if not given["forward_to"] and not given["routes"]:
        arguments |= run_listen.without_target(given)
    return session.run(
        session.AttachOptions(
            match=" ".join(words),
            secret=found.values,
            command=given["app_command"],
            settings_from=(*run_listen.settings_from(), *([found.notice] if found.notice else [])),
            **arguments,
        ),
        **screen_arguments(given),
        open_page=given["open_page"],
    )
