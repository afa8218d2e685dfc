"""What the user allows the agent, and what the server works with."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tiktok_hook.doctor import Subject
from tiktok_hook.store import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenSettings:
    """What a `listen` would do by its arguments, the environment and the settings files.

    Attributes:
        targets: Where it would forward to, as they were typed.
        notices: What the working directory sets, as sentences for the user: a repository that was
            cloned may contain these files.
    """

    targets: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def _as_given(arguments: Sequence[str]) -> ListenSettings:
    pairs = itertools.pairwise(arguments)
    return ListenSettings(targets=tuple(each for word, each in pairs if word == "--forward-to"))


@dataclass(frozen=True, slots=True, kw_only=True)
class McpOptions:
    """The options of the server.

    Attributes:
        history: The history, which need not exist yet.
        secrets: Client secrets to check and sign with; never part of a result.
        allow_listen: Start and stop a listener without asking the user.
        allow_send: Send events, replays and audits without asking the user.
        allow_remote: Send to targets that are not on this machine.
        show_headers: Show authorization, cookie and signature headers unmasked.
        withheld: Returns other values that no result may contain, such as authtokens; called
            before each result, since files may have got another one.
        config: The settings file for the listener, too; None is the user's own.
        settings_of_listen: Returns what a `listen` with these arguments would do.
        examined: Returns what `doctor` checks: the user's settings, read when it is called.
    """

    history: Location
    secrets: tuple[str, ...] = field(default=(), repr=False)
    allow_listen: bool = False
    allow_send: bool = False
    allow_remote: bool = False
    show_headers: bool = False
    withheld: Callable[[], Sequence[str]] = tuple
    config: Path | None = None
    settings_of_listen: Callable[[Sequence[str]], ListenSettings] = _as_given
    examined: Callable[[], Subject] = Subject
