"""Everything that `listen` is given, checked before anything is opened."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from tiktok_hook.bus import Bus
from tiktok_hook.errors import UsageError
from tiktok_hook.inspector.options import InspectorOptions
from tiktok_hook.option_fields import option
from tiktok_hook.receiver_options import ReceiverOptions
from tiktok_hook.relay.options import RelayOptions
from tiktok_hook.signature import checked_secrets
from tiktok_hook.store.options import StoreOptions
from tiktok_hook.tunnel.tunnel_options import TunnelOptions

PARTS = (ReceiverOptions, TunnelOptions, StoreOptions, RelayOptions, InspectorOptions)
"""The parts with options of their own, in the order of ``--help``."""


@dataclass(frozen=True, kw_only=True)
class ListenOptions(ReceiverOptions, TunnelOptions, StoreOptions, RelayOptions, InspectorOptions):
    """The options of all parts, and what concerns the session as a whole.

    Attributes:
        secret: The app's client secret, or several; without one nothing is verified.
        command: Your app, started alongside; needs a target.
        app: An app of our own that lives as long as the session and yields its address, which
            becomes the target: the demo's.
        bus: Where everything that happens is published, from the start on; None makes one.

    Raises:
        UsageError: Options that do not go together or cannot be used.
    """

    secret: str | Sequence[str] = option((), shared="secret_options", secret=True)
    command: Sequence[str] = ()
    app: Callable[[], AbstractAsyncContextManager[str]] | None = None
    bus: Bus | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_edge(verify_webhook=bool(self.verify_webhook), secrets=self.secrets)
        if self.command and not self.targets:
            raise UsageError(
                "There is a command to start, but no target to forward deliveries to.",
                hint=f"tiktok-hook listen --forward-to 3000 -- {' '.join(self.command)}",
            )
        self.check_receiver()
        self.check_tunnel()
        self.check_store()
        self.check_relay()
        if not self.targets and self.app is None:
            self._check_without_target()
        self._check_loop()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The client secrets, first one first.

        Raises:
            UsageError: One cannot be a client secret.
        """
        return checked_secrets(self.secret)

    def _check_without_target(self) -> None:
        """Raise for options that have no effect without an app to forward to."""
        given = {
            "--pass": self.pass_through,
            "--ack": self.ack_mode in {"first", "hold"},
            "--events": self.event_globs,
            "--header": self.headers,
            "--insecure": self.insecure,
        }
        for flag, is_given in given.items():
            if is_given:
                raise UsageError(f"{flag} needs a target.", hint="Add --forward-to 3000.")

    def _check_loop(self) -> None:
        from tiktok_hook.forward import refuse_loop

        refuse_loop(
            self.targets,
            receiver_port=self.port or None,
            inspector_port=self.inspect_port or None,
            callback_url=self.public_url,
        )


def check_edge(*, verify_webhook: bool, secrets: Sequence[str]) -> None:
    """Raise if ngrok is to verify and there is no client secret.

    Raises:
        UsageError: There is no client secret.
    """
    if verify_webhook and not secrets:
        raise UsageError(
            "--verify-webhook needs the client secret.",
            hint="Give it with TIKTOK_CLIENT_SECRET, --secret-file or --secret -.",
        )
