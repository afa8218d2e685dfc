"""The options of the inspector."""

from collections.abc import Sequence
from dataclasses import dataclass

from tiktok_hook.option_fields import option


@dataclass(frozen=True, kw_only=True)
class InspectorPageOptions:
    """Where the inspector listens, and who is let in.

    Attributes:
        inspect_port: None selects the first free port from 4040 to 4049, or any free port if all
            of them are in use. 0 selects any free port.
        inspect_host: Address to listen on.
        inspect_allow_hosts: Additional host names accepted in the Host header.
        inspect_open: Whether to allow requests without a token.
    """

    inspect_port: int | None = option(
        None,
        "Port of the inspector; 0 takes a free one.",
        metavar="N",
        minimum=0,
        maximum=65535,
        default_text="4040 to 4049",
    )
    inspect_host: str = option(
        "127.0.0.1", "Address of the inspector, for containers.", metavar="ADDR"
    )
    inspect_allow_hosts: Sequence[str] = option(
        (),
        "Host name the inspector may be asked by. Repeatable.",
        flags=("--inspect-allow-host",),
        metavar="NAME",
        repeatable=True,
    )
    inspect_open: bool = option(
        default=False, help="Let programs of this machine in without the token."
    )


@dataclass(frozen=True, kw_only=True)
class InspectorOptions(InspectorPageOptions):
    """The inspector where it may be left out."""

    inspect: bool = option(
        default=True, help="Serve the inspector's page and API.", flags=("--inspect/--no-inspect",)
    )
