"""What a shell offers for an argument or the value of an option.

These run each time the user presses Tab: they import what they need, and offer nothing where
something is missing or broken. bash inserts a word without quoting it, and the keys of a stored
delivery were written by strangers: only plain words are offered.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from tiktok_hook.errors import HookError

if TYPE_CHECKING:
    from tiktok_hook.store import HistoryReader

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_OFFERED_IDS = 30

_PLAIN_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@/-]*(=[A-Za-z0-9_.@/-]*)?", re.ASCII)
"""What no shell expands, and what has no line break: completions are one per line."""


def _items(words: Sequence[str], incomplete: str) -> list[CompletionItem]:
    """The plain words among some that begin with what was typed."""
    return [
        CompletionItem(word)
        for word in words
        if word.startswith(incomplete) and _PLAIN_WORD.fullmatch(word)
    ]


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Any:
    """Files, which the shell itself lists."""
    return [CompletionItem(incomplete, type="file")]


def event_names(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Any:
    """The events of the catalogue, with what they mean."""
    from tiktok_hook import events

    return [
        CompletionItem(name, help=known.meaning)
        for name, known in events.CATALOGUE.items()
        if name.startswith(incomplete)
    ]


def scenarios(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Any:
    """The scenarios, and files."""
    from tiktok_hook import trigger

    found = [
        CompletionItem(name, help=known.meaning)
        for name, known in trigger.SCENARIOS.items()
        if name.startswith(incomplete)
    ]
    return found or [CompletionItem(incomplete, type="file")]


def command_names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Any:
    """The commands."""
    root = context.find_root()
    names = root.command.list_commands(root) if isinstance(root.command, click.Group) else []
    return _items(names, incomplete)


def ack_modes(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Any:
    """The modes of ``--ack``, and a status that TikTok retries."""
    return _items(("app", "first", "hold", "503"), incomplete)


def _history(context: click.Context) -> "HistoryReader":
    """The history that the command line names, to read from."""
    from tiktok_hook.store import locate, open_history

    return open_history(context.params.get("db") or locate(None, where="--db"))


def delivery_ids(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Any:
    """The newest deliveries of the history, with their events, and ``last``."""
    from tiktok_hook.sanitize import visible

    found: list[CompletionItem] = []
    with suppress(HookError), _history(context) as history:
        for delivery in history.page(limit=_OFFERED_IDS):
            name = "not an event" if delivery.event is None else visible(delivery.event.name)
            if str(delivery.id).startswith(incomplete):
                found.append(CompletionItem(str(delivery.id), help=name))
        if history.newest_id() and "last".startswith(incomplete):
            found.append(CompletionItem("last", help="the newest"))
    return found


def ids_or_filter(context: click.Context, parameter: click.Parameter, incomplete: str) -> Any:
    """Deliveries; and once a letter is typed, the events that a filter may name."""
    names = event_names(context, parameter, incomplete) if incomplete else []
    return [*delivery_ids(context, parameter, incomplete), *names]


def body_paths(context: click.Context, parameter: click.Parameter, incomplete: str) -> Any:
    """The paths of the event's body, for ``--set PATH=VALUE`` and ``--unset PATH``.

    After the equals sign the known values of the path.
    """
    from tiktok_hook import edits

    path, equals, _ = incomplete.partition("=")
    if equals and parameter.name == "sets":
        return _values(context, path, incomplete)
    end = "=" if parameter.name == "sets" else ""
    paths: dict[str, None] = {}
    for body in _bodies(context):
        paths.update(dict.fromkeys(edits.paths(body)))
    return _items([f"{path}{end}" for path in paths], incomplete)


def _values(context: click.Context, path: str, incomplete: str) -> list[CompletionItem]:
    """``PATH=VALUE`` for the values that the catalogue lists for a path, with their meaning."""
    from tiktok_hook import events

    known: dict[str, str] = {}
    if path == "event":
        known = {name: kind.meaning for name, kind in events.CATALOGUE.items()}
    for body in _bodies(context):
        event = events.parse(body)
        for field in () if event is None or event.kind is None else event.kind.fields:
            if path == f"content.{field.name}":
                known |= {text: value.meaning for text, value in field.values.items()}
    return [
        CompletionItem(f"{path}={text}", help=meaning)
        for text, meaning in known.items()
        if f"{path}={text}".startswith(incomplete) and _PLAIN_WORD.fullmatch(f"{path}={text}")
    ]


def _bodies(context: click.Context) -> Sequence[bytes]:
    """The body of the named event or delivery; of every event if none is named."""
    from tiktok_hook import events

    # An option whose value is being completed has none yet: click stops there and leaves the
    # arguments before it in `args`.
    params = context.params
    named = [params.get("event"), *(params.get("words") or ()), *context.args]
    word = next((each for each in named if each), "")
    with suppress(HookError, KeyError, ValueError):
        if "." in word:
            return [events.sample(word)]
        if word:
            with _history(context) as history:
                number = history.newest_id() if word == "last" else int(word)
                found = history.get(number)
                return [] if found is None else [found.body]
    return list(events.samples().values())


OF_OPTIONS: dict[str, Completer] = {
    "--ack": ack_modes,
    "--answer": event_names,
    "--body": files,
    "--event": event_names,
    "--output": files,
    "--route": event_names,
    "--scenario": scenarios,
    "--set": body_paths,
    "--unset": body_paths,
}
"""By long name, for every command that has the option."""
