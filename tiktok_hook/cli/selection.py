"""Selects the deliveries of a command: ids as people type them, a filter, and filter options.

12  #12        one delivery
3-7  last-4..last   from one to another, both included
last  last-2   the newest, and the one two before it; with filters, of those that match

All other words together are one filter in the language of `tiktok_hook.filters`.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiktok_hook.cli import options
from tiktok_hook.errors import NoHistoryError, StoreError, UsageError

if TYPE_CHECKING:
    from tiktok_hook.delivery import Delivery
    from tiktok_hook.store import Filter, HistoryReader, Location

VERDICTS = ("valid", "stale", "invalid", "missing", "unchecked")
SOURCES = ("tiktok", "trigger", "import")
"""Written out, so that ``--help`` has nothing to load; a test holds them to the real ones."""

LAST_PLACES = 10_000
"""How far back ``last-N`` reaches."""

# Compiled when they are used, by `re` itself: most calls name no ids.
_LIKE_AN_ID = r"[#.-]|#?[0-9]|last(?!\w)"
_AWAIT_SECONDS = 0.05
_AWAIT_SERVER_SECONDS = 0.5  # each look is a connection of its own
_CREATING_SECONDS = 3.0

_NUMBER = r"#?([0-9]{1,18})"
_LAST = r"last(?:-([0-9]{1,9}))?"
_ATTEMPT = r"#?([0-9]{1,18})\.[0-9]+"
_RANGE = r"(#?[0-9]{1,18})-(#?[0-9]{1,18})|(.+?)\.\.(.+)"


def filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filters of ``events``, for every command that picks deliveries; read by `where`."""
    option = options.option
    for add in reversed(
        (
            option(
                "--event", "events", multiple=True, metavar="GLOB",
                help="Only these events, as in 'post.publish.*'. Repeatable.",
            ),
            option(
                "--verdict", "verdicts", multiple=True, type=click.Choice(VERDICTS),
                help="Only deliveries judged so. Repeatable.",
            ),
            option(
                "--status", "statuses", multiple=True, type=click.IntRange(100, 999), metavar="N",
                help="Only what TikTok was answered with N. Repeatable.",
            ),
            option("--failed", is_flag=True, help="Only where the app's last answer was not 200."),
            option("--redeliveries", is_flag=True, help="Only repetitions of an earlier one."),
            option("--replayed", "replays", is_flag=True, help="Only what was replayed."),
            option(
                "--since", metavar="WHEN",
                help="Only received at or after: 1h, 2d (ago), 14:30, 2026-11-23, RFC 3339.",
            ),
            option("--until", metavar="WHEN", help="Only received before; as --since."),
            option(
                "--search", "text", metavar="TEXT",
                help="Only with this text in body, headers, path or attempts.",
            ),
            option("--user", metavar="ID", help="Only of this user_openid."),
            option("--publish-id", metavar="ID", help="Only of this publish_id."),
            option(
                "--source", type=click.Choice(SOURCES), help="Only deliveries from this source.",
            ),
            option(
                "--listener", metavar="NAME",
                help="Only what this listener of a shared history received: anna@laptop.",
            ),
            option(
                "--app", metavar="NAME",
                help="Only what this app of a shared history was sent, failed or replayed; any "
                "counts all.  [default: --failed and --replayed are about your own]",
            ),
        )
    ):  # fmt: skip
        function = add(function)
    return function


def where(given: Mapping[str, Any]) -> "Filter":
    """The filters as the history takes them.

    Args:
        given: What click read for the options of `filters`.

    Raises:
        UsageError: A time cannot be read.
    """
    from tiktok_hook.delivery import Source
    from tiktok_hook.signature import State
    from tiktok_hook.store import Filter

    now = time.time()
    since, until = given["since"], given["until"]
    return Filter(
        events=tuple(given["events"]),
        verdicts=tuple(State(each) for each in given["verdicts"]),
        statuses=tuple(given["statuses"]),
        failed=given["failed"],
        redeliveries=given["redeliveries"],
        replays=given["replays"],
        since=None if since is None else moment(since, option="--since", now=now),
        until=None if until is None else moment(until, option="--until", now=now),
        user=given["user"],
        publish_id=given["publish_id"],
        text=given["text"] or None,
        source=None if given["source"] is None else Source(given["source"]),
        listener=given["listener"],
        app=given["app"],
    )


def moment(text: str, *, option: str, now: float) -> float:
    """A point in time as people write it, in Unix seconds.

    Args:
        text: One of the forms of `tiktok_hook.moments`; local time where no offset is given.
        option: Where it came from, for the message.
        now: Unix seconds.

    Raises:
        UsageError: It is none of these.
    """
    from tiktok_hook.moments import unix_seconds

    try:
        return unix_seconds(text, now=now)
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is not a time.",
            hint=f"For instance {option} 1h, {option} 2d, {option} 14:30 or {option} 2026-11-23.",
        ) from None


def located(db: "Location | Path | str | None") -> "Location":
    """Where the history is: ``--db``, or the one in the user's data folder."""
    from tiktok_hook.store import locate

    return locate(db, where="--db")


def opened(db: "Location | Path | str | None") -> "HistoryReader":
    """The history, to read from; none is created.

    Raises:
        NoHistoryError: There is none.
        StoreError: It cannot be read.
    """
    from tiktok_hook.store import open_history

    return open_history(located(db))


def awaited(location: "Location", *, until: float | None = None) -> "HistoryReader":
    """The history, as soon as there is one.

    Args:
        location: Where it will be.
        until: When to give up, by the monotonic clock; None never does.

    Raises:
        NoHistoryError: There is none until then.
        StoreError: The file is not a history, and does not become one soon.
    """
    created_until: float | None = None
    pause = _AWAIT_SERVER_SECONDS if location.is_shared else _AWAIT_SECONDS
    while True:
        now = time.monotonic()
        try:
            return opened(location)
        except NoHistoryError:
            if until is not None and now > until:
                raise
        except StoreError:  # its tables may still be being created
            created_until = created_until or now + _CREATING_SECONDS
            if now > created_until:
                raise
        time.sleep(pause)


def chosen(history: "HistoryReader", words: Iterable[str], fitting: "Filter") -> "Filter":
    """The filters narrowed to the ids and the filter that were named.

    Raises:
        UsageError: A word is neither an id nor part of a filter, or there is no such delivery.
    """
    named, text = split(words)
    fitting = matching(text, fitting)
    ids: dict[int, None] = {}
    for word in (part for each in named for part in each.split(",") if part):
        ids.update(dict.fromkeys(_ids(history, word, fitting)))
    return replace(fitting, ids=tuple(ids)) if ids else fitting


def split(words: Iterable[str]) -> tuple[list[str], str]:
    """The words that are meant as ids, and the text of the filter; empty without one."""
    ids: list[str] = []
    others: list[str] = []
    for word in words:
        (ids if re.match(_LIKE_AN_ID, word) else others).append(word)
    return ids, " ".join(others)


def matching(text: str, fitting: "Filter") -> "Filter":
    """The filters with the one in `text` added; an empty text adds nothing.

    Raises:
        UsageError: The text is not a filter.
    """
    if not text:
        return fitting
    from tiktok_hook import filters

    return replace(fitting, match=filters.parse(text))


def newest(history: "HistoryReader", fitting: "Filter", limit: int | None) -> "Filter":
    """The filters narrowed to the newest deliveries; None sets no limit."""
    if limit is None:
        return fitting
    found = history.page(fitting, limit=limit)
    return replace(fitting, ids=tuple(each.id for each in found)) if found else fitting


def one(history: "HistoryReader", word: str) -> "Delivery":
    """The one delivery that a word names.

    Raises:
        UsageError: It is not an id, or there is no such delivery.
    """
    from tiktok_hook.store import Filter

    if not any(re.fullmatch(form, word) for form in (_NUMBER, _LAST, _ATTEMPT)):
        raise _no_id(word, "12, last and last-2")
    found = history.get(_number(history, word, Filter()))
    if found is None:
        raise _unknown(history, word)
    return found


def nothing_fits(fitting: "Filter | None" = None) -> UsageError:
    """The error of a selection that came out empty, with what may be mistyped in it."""
    if fitting is None or fitting.match is None:
        hint = "tiktok-hook events lists what there is."
        if fitting is not None and fitting.queued is False:
            hint += " What is still queued is left out: the listener sends it by itself."
        return UsageError("No delivery matches.", hint=hint)
    from tiktok_hook import filters
    from tiktok_hook.sanitize import visible

    message = f"No delivery matches {visible(str(fitting.match))}."
    for reason, hint in filters.doubts(fitting.match):
        return UsageError(message, hint=f"{reason} {hint}")
    return UsageError(message, hint="tiktok-hook events lists what there is.")


def nothing_waits() -> UsageError:
    """The error of --pending when the queue is empty."""
    return UsageError(
        "No delivery waits for an app.",
        hint="Only listen --ack hold and --ack first queue deliveries; "
        "`tiktok-hook replay --failed` sends what an app did not answer 200.",
    )


def _ids(history: "HistoryReader", word: str, fitting: "Filter") -> Sequence[int]:
    found = None if re.fullmatch(_LAST, word) else re.fullmatch(_RANGE, word)
    if found is None:
        number = _number(history, word, fitting)
        if history.get(number) is None:
            raise _unknown(history, word)
        return (number,)
    ends = [end for end in found.groups() if end is not None]
    first, last = sorted(_number(history, end, fitting) for end in ends)
    from tiktok_hook.store import Filter

    there = history.page(Filter(), after=max(first - 1, 0), limit=1)
    if not there or there[0].id > last:
        raise _unknown(history, word)
    return range(there[0].id, min(last, history.newest_id()) + 1)


def _number(history: "HistoryReader", word: str, fitting: "Filter") -> int:
    """The id that one word means, whether or not it exists."""
    if found := re.fullmatch(_NUMBER, word):
        return int(found[1])
    if found := re.fullmatch(_LAST, word):
        back = int(found[1] or 0)
        newest = history.page(fitting, limit=min(back, LAST_PLACES) + 1)
        if len(newest) <= back:
            from tiktok_hook.terminal import words

            raise UsageError(
                f"There is no {word}: {words.plural(len(newest), 'delivery', 'deliveries')} match.",
                hint="tiktok-hook events lists them.",
            )
        return newest[back].id
    if found := re.fullmatch(_ATTEMPT, word):
        raise UsageError(
            f"{word} is an attempt; ids of deliveries are whole numbers.",
            hint=f"The delivery it was made of is {found[1]}.",
        )
    raise _no_id(word, "12, 3-7, last and last-2")


def _no_id(word: str, ids: str) -> UsageError:
    return UsageError(f"{word!r} is not a delivery id.", hint=f"Ids are {ids}, for instance.")


def _unknown(history: "HistoryReader", word: str) -> UsageError:
    oldest = history.page(after=0, limit=1)
    if not oldest:
        return UsageError(
            f"There is no delivery {word}: the history is empty.",
            hint="`tiktok-hook listen` receives deliveries.",
        )
    return UsageError(
        f"There is no delivery {word}.",
        hint=f"There are {oldest[0].id} to {history.newest_id()}: tiktok-hook events lists them.",
    )
