"""What both APIs of the inspector work with."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tiktok_hook.forward import Forwarder
from tiktok_hook.inspector.status import StatusProvider
from tiktok_hook.replayer import OwnAddresses, Replayer, ReplayTargets, running_listeners
from tiktok_hook.store import HistoryReader, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectorContext:
    """The parts of a session that the inspector shows and uses.

    Attributes:
        history: Read from, in threads.
        store: Where replays are recorded, and what can be cleared.
        forwarder: Sends replays and samples.
        secrets: Client secrets to sign with; never part of a response.
        status: Returns the session's present state.
        publish: Called with `AttemptEnded` for each attempt that is made here.
    """

    history: HistoryReader
    store: Store
    forwarder: Forwarder
    secrets: tuple[str, ...] = field(repr=False)
    status: StatusProvider
    publish: Callable[[object], None]

    def replayer(self, inspector_port: int | None) -> Replayer:
        """What sends replays for both APIs.

        Args:
            inspector_port: Where the inspector listens, to which nothing is replayed.
        """

        def targets() -> ReplayTargets:
            status = self.status()
            own = OwnAddresses.of_urls(
                status.local_url, None, status.callback_url if status.public else None
            )
            return ReplayTargets(
                listener=next(iter(status.targets), None),
                own=[replace(own, inspector_port=inspector_port), *running_listeners()],
            )

        return Replayer(self.store, self.forwarder, self.secrets, targets)
