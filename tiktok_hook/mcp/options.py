"""What the user allows the agent, and what the server works with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tiktok_hook.doctor import Subject
from tiktok_hook.store import Location


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
        withheld: Other values that no result may contain, such as authtokens.
        examined: Returns what `doctor` checks: the user's settings, read when it is called.
    """

    history: Location
    secrets: tuple[str, ...] = field(default=(), repr=False)
    allow_listen: bool = False
    allow_send: bool = False
    allow_remote: bool = False
    show_headers: bool = False
    withheld: tuple[str, ...] = field(default=(), repr=False)
    examined: Callable[[], Subject] = Subject
