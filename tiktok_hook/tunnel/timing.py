"""How long what may take around a tunnel."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long what may take, in seconds.

    Attributes:
        connect: From the start of a child to its URL.
        heartbeat_interval: Between two heartbeats; whole seconds, as the SDK wants them.
        heartbeat_tolerance: How late an answer may be; whole seconds. ngrok gets both, and
            forgets a session that was silent for so long.
        watchdog: Added to these two: then a child that is silent (stopped, hung) is killed.
        tick: Between two looks at the clocks.
        sleep: A wall clock that jumped ahead by this much means that the machine slept.
        waits: From the start of one try to the start of the next; the last one repeats for ever.
        taken: The longest such wait while the host is online already: ngrok forgets our own dead
            session any moment.
        stable: Being online for this long makes the next loss start again with the first wait.
        leave: What an orderly end may take before the child is killed.
    """

    connect: float = 10.0
    heartbeat_interval: int = 5
    heartbeat_tolerance: int = 10
    watchdog: float = 5.0
    tick: float = 1.0
    sleep: float = 10.0
    waits: tuple[float, ...] = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    taken: float = 3.0
    stable: float = 10.0
    leave: float = 2.5

    @property
    def silence(self) -> float:
        """The longest a healthy child is silent."""
        return self.heartbeat_interval + self.heartbeat_tolerance + self.watchdog
