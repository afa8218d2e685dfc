"""What is examined: the settings that `listen` would use."""

from dataclasses import dataclass, field
from pathlib import Path

from tiktok_hook.errors import HookError
from tiktok_hook.store import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The settings that `listen` would use.

    Args:
        db: The history, which need not exist; None is the one in the user's data folder.
        authtoken: ngrok's, from an option or the environment; None looks in ngrok's file.
        authtoken_from: Where it came from, in words.
        connect_url: ``host:port`` of another ingress; None asks ngrok's file, then takes ngrok's.
        connect_cas: ``trusted``, ``host`` or a path; None asks ngrok's file.
        clock_url: Whose ``Date`` header the clock is compared with; None leaves it out.
        secrets: The app's client secrets.
        secret_problem: Why they cannot be used; None when they can.
        client_key: The app's; None takes the one in the newest delivery.
        port: Of the receiver; None for `listen`'s own choice.
        inspect_port: Of the inspector; None for `listen`'s own choice.
        targets: Where deliveries would be forwarded to, as typed.
    """

    db: Location | Path | str | None = None
    authtoken: str | None = field(default=None, repr=False)
    authtoken_from: str = "an option"
    connect_url: str | None = None
    connect_cas: str | None = None
    clock_url: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    secret_problem: HookError | None = None
    client_key: str | None = None
    port: int | None = None
    inspect_port: int | None = None
    targets: tuple[str, ...] = ()
