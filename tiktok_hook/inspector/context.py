"""Dependencies that both APIs of the inspector share."""

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
        history: Reader of the history; called in threads.
        store: Records replays, and clears the history.
        forwarder: Sends replays and samples.
        secrets: Client secrets to sign with; never part of a response.
        status: Returns the current state of the session.
        publish: Called with `AttemptEnded` after each replay from the inspector.
    """

    history: HistoryReader
    store: Store
    forwarder: Forwarder
    secrets: tuple[str, ...] = field(repr=False)
    status: StatusProvider
    publish: Callable[[object], None]

    def replayer(self, inspector_port: int | None) -> Replayer:
        """Return the replayer that both APIs use.

        Args:
            inspector_port: Port of the inspector, which is never a replay target.
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
