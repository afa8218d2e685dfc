"""``tiktok-hook replay``: stored deliveries sent to an app again, changed and signed as asked."""

import asyncio
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiktok_hook.cli import editing, options, selection
from tiktok_hook.errors import AppError, UsageError

if TYPE_CHECKING:
    from tiktok_hook.delivery import Attempt, Delivery
    from tiktok_hook.replay import Prepared, Signing
    from tiktok_hook.store import Store

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}

option = options.option

changing = options.together(
    option(
        "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change a value. Repeatable."
    ),
    option("--unset", "unsets", multiple=True, metavar="PATH", help="Take it out. Repeatable."),
    option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Set a header."),
    option("--method", metavar="WORD", help="Another method."),
    option("--path", metavar="PATH", help="Another path and query."),
    option("--edit", is_flag=True, help="Change the body in $EDITOR first."),
)
"""The options that change what is sent."""

signing = options.together(
    option("--as-is", is_flag=True, help="Send the stored signature.  [default: sign afresh]"),
    option("--age", metavar="TIME", help="Sign right, but so long ago: 10m."),
    option("--bad-signature", is_flag=True, help="Sign wrong."),
    option("--no-signature", is_flag=True, help="Send none."),
)
"""The options that say how it is signed."""


@click.command(cls=options.Command, example="tiktok-hook replay last --set content.reason=internal")
@click.argument("ids", metavar="[IDS]...", nargs=-1)
@selection.filters
@option("--pending", is_flag=True, help="What waits for the app.")
@option("--to", metavar="TARGET", help="Send it there.  [default: where it was sent before]")
@changing
@signing
@option("--rate", type=click.FloatRange(min=0.01), metavar="N", help="At most so many a second.")
@option("--dry-run", is_flag=True, help="Show what would be sent.")
@options.secret_option
@options.secret_file_option
@options.db_option
@options.config_option
def command(
    ids: tuple[str, ...],
    secrets: tuple[str, ...],
    secret_files: tuple[Path, ...],
    db: Path | None,
    config: Path | None,  # noqa: ARG001 - read before the options are
    **given: Any,
) -> None:
    """Send stored deliveries to your app again.

    IDS are numbers, ranges (3-7), last, last-2; or the filters choose. They go out one after the
    other, oldest first, signed afresh, and the attempts are kept in the history. Exits with 6 when
    an app did not answer 200.
    """
    known = options.resolve_secrets(secrets, secret_files)
    asyncio.run(_Replaying(given, known, selection.history_path(db)).run(ids))


class _Replaying:
    """One run of the command.

    Args:
        given: The options as click read them.
        secrets: To sign with, first one first.
        path: The history.
    """

    def __init__(self, given: dict[str, Any], secrets: tuple[str, ...], path: Path) -> None:
        self._given = given
        self._secrets = secrets
        self._path = path
        self._done = 0
        self._failed: list[int] = []

    async def run(self, words: tuple[str, ...]) -> None:
        from tiktok_hook.forward import Forwarder
        from tiktok_hook.store import open_history, open_store

        signing = _signing(self._given, signed=bool(self._secrets))
        open_history(self._path).close()  # it has to be there: replaying makes none
        # What is only replayed is never made shorter.
        with open_store(self._path, keep=sys.maxsize, keep_bytes=sys.maxsize) as store:
            chosen = self._chosen(store, words)
            if not chosen:
                raise selection.nothing_fits()
            async with Forwarder() as forwarder:
                try:
                    for number, delivery in enumerate(chosen):
                        if number and self._given["rate"]:
                            await asyncio.sleep(1 / self._given["rate"])
                        prepared = self._prepared(store, delivery, signing)
                        if self._given["dry_run"]:
                            _show(delivery, prepared)
                            continue
                        await self._send(store, forwarder, delivery, prepared)
                finally:
                    if len(chosen) > 1 and not self._given["dry_run"]:
                        click.echo(
                            f"{self._done} of {len(chosen)} sent, {len(self._failed)} not "
                            "answered 200.",
                            err=True,
                        )
        if self._failed:
            names = " ".join(str(number) for number in self._failed[:20])
            raise AppError(
                f"The app did not answer 200 to {len(self._failed)} of {len(chosen)}.",
                hint=f"tiktok-hook show {self._failed[-1]} shows why. Once it is mended: "
                f"tiktok-hook replay {names}",
            )

    def _chosen(self, store: "Store", words: tuple[str, ...]) -> list["Delivery"]:
        from tiktok_hook.store import Where

        history = store.history()
        if self._given["pending"]:
            return list(history.pending())
        fitting = selection.where(self._given)
        if not words and fitting == Where():
            raise UsageError(
                "Which deliveries?", hint="tiktok-hook replay last, replay 3-7 or replay --failed."
            )
        return list(history.walk(selection.chosen(history, words, fitting)))

    def _prepared(self, store: "Store", delivery: "Delivery", signing: "Signing") -> "Prepared":
        from tiktok_hook import replay
        from tiktok_hook.forward import parse_header, parse_target

        given = self._given
        target, whole = given["to"] and parse_target(given["to"]), False
        if not target and (queue := store.history().queue_of(delivery.id)) is not None:
            target = queue.target
        if not target:
            target, whole = replay.recorded_target(store.history(), delivery.id), True
        if not target:
            raise UsageError(
                f"Delivery {delivery.id} was never sent anywhere.",
                hint="Name your app: --to 3000",
            )
        return replay.prepare(
            delivery,
            target,
            whole_target=whole,
            secrets=self._secrets,
            signing=signing,
            sets=given["sets"],
            unsets=given["unsets"],
            body=editing.edited(delivery.body) if given["edit"] else None,
            headers=[parse_header(text) for text in given["headers"]],
            method=given["method"],
            path=given["path"],
            now=time.time(),
        )

    async def _send(
        self, store: "Store", forwarder: Any, delivery: "Delivery", prepared: "Prepared"
    ) -> None:
        from tiktok_hook import replay

        attempt = await replay.replay(
            delivery, prepared, forwarder=forwarder, store=store, dequeue=self._given["pending"]
        )
        self._done += 1
        if attempt.status != 200:
            self._failed.append(delivery.id)
        _report(attempt)


def _signing(given: dict[str, Any], *, signed: bool) -> "Signing":
    """How to sign; of the four ways at most one may be asked for.

    Raises:
        UsageError: Two are, or the time cannot be read.
    """
    from tiktok_hook.replay import Mode, Signing

    asked = [
        mode
        for name, mode in (
            ("as_is", Mode.AS_IS),
            ("age", Mode.AGED),
            ("bad_signature", Mode.BAD),
            ("no_signature", Mode.NONE),
        )
        if given[name]
    ]
    if len(asked) > 1:
        raise UsageError(
            "--as-is, --age, --bad-signature and --no-signature exclude each other.",
            hint="Leave one of them.",
        )
    if not asked:
        return Signing() if signed else Signing(Mode.AS_IS)
    return Signing(asked[0], _seconds(given["age"]) if asked[0] is Mode.AGED else 0.0)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]+)?)([smhd]?)", text.strip())
    if found is None:
        raise UsageError(f"--age {text!r} is no time.", hint="For instance --age 10m or --age 2h.")
    return float(found[1]) * _UNITS[found[2]]


def _report(attempt: "Attempt") -> None:
    answer = attempt.status or attempt.error
    click.echo(f"{attempt.id} → {attempt.target} {answer} in {attempt.duration_ms or 0:.0f} ms")
    if attempt.hint:
        click.echo(f"    {attempt.hint}", err=True)


def _show(delivery: "Delivery", prepared: "Prepared") -> None:
    """What would go out, made harmless for the screen."""
    from tiktok_hook.plain import visible

    request = prepared.request
    click.echo(f"# delivery {delivery.id}\n{request.method} {visible(request.url)}")
    for name, value in request.headers:
        click.echo(f"{visible(name)}: {visible(value)}")
    click.echo()
    click.echo(visible(request.body.decode("utf-8", "backslashreplace"), keep_newlines=True))
