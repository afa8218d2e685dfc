"""The options of `listen`, validated before anything is opened."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tiktok_hook.bus import Bus
from tiktok_hook.errors import UsageError
from tiktok_hook.inspector.options import InspectorOptions
from tiktok_hook.option_fields import option
from tiktok_hook.receiver.options import ReceiverOptions
from tiktok_hook.relay.options import AckMode, AppNameOptions, AttachmentOptions, RelayOptions
from tiktok_hook.session.option_types import check_types
from tiktok_hook.signature import checked_secrets
from tiktok_hook.store import Location, locate
from tiktok_hook.store.options import StoreOptions
from tiktok_hook.tunnel.options import TunnelOptions

PARTS = (
    ReceiverOptions,
    TunnelOptions,
    StoreOptions,
    AppNameOptions,
    RelayOptions,
    InspectorOptions,
)
"""The options classes of the parts, in the order of ``--help``."""


@dataclass(frozen=True, kw_only=True)
class ListenOptions(
    ReceiverOptions, TunnelOptions, StoreOptions, AppNameOptions, RelayOptions, InspectorOptions
):
    """The options of all parts and of the session itself.

    Attributes:
        secret: The client secret of the app, or several. Without one, signatures are not verified.
        command: The command that starts your app as a child process; needs a target.
        app: Runs a built-in app for the duration of the session and yields its URL, which
            becomes the target. Used by the demo.
        bus: Receives every event of the session from the start; None creates a new bus.
        settings_from: What a project's files set, for the banner; one sentence for each file.

    Raises:
        UsageError: Options are invalid or contradict each other.
    """

    secret: str | Sequence[str] = option((), shared="secret_options", secret=True)
    command: Sequence[str] = ()
    app: Callable[[], AbstractAsyncContextManager[str]] | None = None
    bus: Bus | None = field(default=None, repr=False, compare=False)
    settings_from: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_types(self)
        if isinstance(self.command, str):
            raise UsageError(
                "command is text, not a list of words.",
                hint=f"command={self.command.split()!r}",
            )
        check_edge(verify_webhook=bool(self.verify_webhook), secrets=self.secrets)
        if self.command and not self.targets:
            raise UsageError(
                "A command was given without a target to forward deliveries to.",
                hint=f"tiktok-hook listen --forward-to 3000 -- {' '.join(self.command)}",
            )
        self.check_receiver()
        self.check_tunnel()
        self.check_store()
        self.check_relay()
        if not self.targets and self.app is None:
            self._check_without_target()
        if self.attach_as is not None:
            self._check_name()
        self._check_loop()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The client secrets in the given order.

        Raises:
            UsageError: A client secret is invalid.
        """
        return checked_secrets(self.secret)

    @property
    def default_ack(self) -> AckMode:
        """``first`` with a shared history, where the app gets what any listener receives."""
        return "first" if self._is_shared and self.targets else "app"

    @property
    def is_attached(self) -> bool:
        """Whether the app gets what any listener of a shared history receives."""
        return self._is_shared and bool(self.targets) and self.ack_mode == "first"

    @property
    def _is_shared(self) -> bool:
        named = self.db is not None and not self.ephemeral
        return named and self.location.is_shared

    def _check_without_target(self) -> None:
        """Raise `UsageError` for an option that has no effect without a target."""
        given = {
            "--as": self.attach_as is not None,
            "--pass": self.pass_through,
            "--ack": self.ack_mode in {"first", "hold"},
            "--header": self.headers,
            "--insecure": self.insecure,
        }
        for flag, is_given in given.items():
            if is_given:
                raise UsageError(f"{flag} needs a target.", hint="Add --forward-to 3000.")

    def _check_name(self) -> None:
        """Raise `UsageError` for a name that cannot be used, or that nothing would keep."""
        name = self.app_name
        if not self._is_shared:
            raise UsageError(
                f"--as is for a shared history on a server, where {name} would have a cursor.",
                hint="Leave it out, or give --db postgresql://USER@HOST/DATABASE.",
            )

    def _check_loop(self) -> None:
        from tiktok_hook.forward import is_local, reject_loop

        reject_loop(
            self.targets,
            receiver_port=(self.port or None) if is_local(self.host) else None,
            inspector_port=self.inspect_port or None,
            callback_url=self.public_url,
        )


@dataclass(frozen=True, kw_only=True)
class AttachOptions(AttachmentOptions, RelayOptions, InspectorOptions):
    """The options of an attached app. Without a target it only shows what matches.

    Attributes:
        db: The history; None means the one in the user's data folder.
        secret: Client secrets that sign late deliveries again.
        command: The command that starts your app as a child process; needs a target.
        bus: Receives every event of the session from the start; None creates a new bus.
        settings_from: What a project's files set, for the banner; one sentence for each file.
        ack: An attached app has a queue of its own, which is forwarded like that of ``first``.

    Raises:
        UsageError: Options are invalid or contradict each other.
    """

    db: Location | Path | str | None = option(None, shared="db_option")
    secret: str | Sequence[str] = option((), shared="secret_options", secret=True)
    command: Sequence[str] = ()
    bus: Bus | None = field(default=None, repr=False, compare=False)
    settings_from: Sequence[str] = ()
    ack: AckMode | None = "first"

    def __post_init__(self) -> None:
        check_types(self)
        if self.command and not self.targets:
            raise UsageError(
                "A command was given without a target to forward deliveries to.",
                hint=f"tiktok-hook attach --forward-to 3000 -- {' '.join(self.command)}",
            )
        _ = self.secrets
        self.check_attachment()
        self.check_relay()
        if self.location.in_memory:
            raise UsageError(
                "A history in memory belongs to one process; nothing can be attached to it.",
                hint="Give --db the path of a file, or postgresql://USER@HOST/DATABASE.",
            )

    @property
    def location(self) -> Location:
        """Where the history is.

        Raises:
            UsageError: `db` is a URL that is not supported.
            StoreError: No home folder is known.
        """
        return locate(self.db, where="db")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The client secrets in the given order.

        Raises:
            UsageError: A client secret is invalid.
        """
        return checked_secrets(self.secret)


def check_edge(*, verify_webhook: bool, secrets: Sequence[str]) -> None:
    """Check that verification at ngrok's edge has a client secret.

    Raises:
        UsageError: `verify_webhook` is set without a client secret.
    """
    if verify_webhook and not secrets:
        raise UsageError(
            "--verify-webhook needs the client secret.",
            hint="Set TIKTOK_CLIENT_SECRET, or use --secret-file or --secret -.",
        )
