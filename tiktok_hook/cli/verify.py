"""``tiktok-hook verify``: a signature header against a body, offline."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_hook.cli import completers, options, prose
from tiktok_hook.errors import UsageError

if TYPE_CHECKING:
    from tiktok_hook.delivery import Delivery
    from tiktok_hook.store import Location


@click.command(
    cls=options.Command,
    example="tiktok-hook verify --secret - --header 't=1756684801,s=267c…' --body event.json",
)
@click.argument("word", metavar="[ID]", required=False, shell_complete=completers.delivery_ids)
@options.secret_option
@options.secret_file_option
@click.option(
    "--header",
    cls=options.OneCallOption,
    metavar="TEXT",
    help="The header's value, or the header as it was copied: a line, JSON, -H '…', a log.",
)
@click.option("--body", metavar="FILE|-", help="The body, byte for byte; - is stdin.")
@options.db_option
@options.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="Oldest and newest acceptable timestamp.",
)
@options.config_option
def command(
    word: str | None,
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    header: str | None,
    body: str | None,
    db: "Location | None",
    tolerance: float,
    config: Path | None,  # noqa: ARG001 - read before the options are
) -> int:
    """Check a signature header against a body, offline.

    With ID (a number, last, last-2) a stored delivery is checked, at the time when it was received:
    what a listener with another secret rejected can be checked again with the right one.

    Prints the verdict and, if it is not valid, the mistake. Exit codes: 0 the signature is valid
    and not too old, 1 otherwise.
    """
    from tiktok_hook import signature
    from tiktok_hook.signature import State
    from tiktok_hook.signature.pasted import read_pasted

    known = options.required_secrets(secrets, secret_files)
    rejected = None
    method, target = "POST", ""
    if word is not None:
        if header is not None or body is not None:
            raise UsageError(
                "ID and --header or --body exclude each other.",
                hint="ID checks a stored delivery; --header and --body check what you give.",
            )
        stored = _stored(word, db)
        found, headers = stored.header(signature.HEADER), list(stored.headers)
        payload, now = stored.body, stored.received_at
        method, target = stored.method, stored.target
        rejected = stored.id if stored.rejected else None
    elif header is None or body is None:
        raise UsageError(
            "verify needs --header and --body, or the ID of a stored delivery.",
            hint="For instance: tiktok-hook verify 12 --secret -",
        )
    else:
        found, headers = read_pasted(header)
        payload, now = options.read_body(body), time.time()
    verdict = signature.check(found, payload, known, now=now, tolerance=tolerance)
    verdict = signature.explain(
        verdict, found, payload, known, now=now, headers=headers, method=method, target=target
    )
    words = verdict.state.value
    if verdict.state is State.VALID and len(known) > 1:
        words += f" (secret {verdict.secret})"
    click.echo(f"{words}: {verdict.reason}" if verdict.reason else words)
    if verdict.hint:
        prose.note(f"Hint: {verdict.hint}")
    if rejected is not None and verdict.state in {State.VALID, State.STALE}:
        prose.note(
            f"Delivery {rejected} was rejected when it arrived: tiktok-hook replay {rejected} "
            "--secret - sends it to your app."
        )
    return 0 if verdict.state is State.VALID else 1


def _stored(word: str, db: "Location | None") -> "Delivery":
    """A stored delivery with its whole body.

    Raises:
        UsageError: There is no such delivery, or its body was cut when it was stored.
    """
    from tiktok_hook.cli import selection

    with selection.opened(db) as history:
        delivery = selection.one(history, word)
    if delivery.body_bytes is not None:
        raise UsageError(
            f"The body of delivery {delivery.id} was cut when it was stored: "
            f"{len(delivery.body)} of {delivery.body_bytes} bytes.",
            hint="Its signature cannot be checked without the whole body.",
        )
    return delivery
