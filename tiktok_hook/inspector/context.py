"""What both APIs work with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tiktok_hook.forward import Forwarder
from tiktok_hook.inspector.status import Source
from tiktok_hook.store import History, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectorContext:
    """The parts of a session that the inspector shows and uses.

    Attributes:
        history: Read from, on threads.
        store: Where replays are recorded and what can be cleared; None over a stored history that
            is only looked at.
        forwarder: Sends replays and samples.
        secrets: Client secrets to sign with; in no answer.
        status: Tells where the session stands.
        publish: Told the attempts that are made here.
    """

    history: History
    store: Store | None
    forwarder: Forwarder
    secrets: tuple[str, ...] = field(repr=False)
    status: Source
    publish: Callable[[object], None]
