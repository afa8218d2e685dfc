"""The options of the receiver."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tiktok_hook.errors import UsageError
from tiktok_hook.option_fields import option

if TYPE_CHECKING:
    import socket

PREFERRED_PORT = 3000
_MAX_PATH_CHARS = 2000


@dataclass(frozen=True, kw_only=True)
class ReceiverOptions:
    """Where the receiver listens, and what it accepts.

    Attributes:
        port: None takes 3000, or any free port if it is in use; 0 takes any free port.
        host: Address to listen on. With any but a loopback address, other machines reach the
            receiver without the tunnel; ``0.0.0.0`` and ``::`` are every address of this machine.
        path: Path of the Callback URL.
        max_body_bytes: Longer bodies are answered 413.
        tolerance: Valid signatures older or newer than this many seconds are rejected; None accepts
            any age.
        serve_file: File that is served at ``/NAME`` and below `path`; None serves none.
    """

    port: int | None = option(
        None,
        "Port of the receiver; 0 takes a free one.",
        metavar="N",
        minimum=0,
        maximum=65535,
        default_text="3000, or a free one",
    )
    host: str = option(
        "127.0.0.1",
        "Address the receiver listens on, for containers.",
        metavar="ADDR",
    )
    path: str = option("/", "Appended to the Callback URL; every path is received.", metavar="PATH")
    max_body_bytes: int = option(
        1 << 20,
        "Longer bodies are answered 413.",
        flags=("--max-body",),
        metavar="BYTES",
        minimum=1,
    )
    tolerance: float | None = option(
        None,
        "Reject valid signatures older or newer than this.",
        metavar="SECONDS",
        minimum=0,
        default_text="accept",
    )
    serve_file: Path | None = option(
        None, "Answer GET /NAME with this file (ownership check).", metavar="PATH"
    )

    def check_receiver(self) -> None:
        """Check the values.

        Raises:
            UsageError: The path is not one or is too long, or the file cannot be read.
        """
        if len(self.path) > _MAX_PATH_CHARS:
            raise UsageError(
                f"--path has {len(self.path):,} characters; at most {_MAX_PATH_CHARS:,} are used.",
                hint="Give a path such as /tiktok.",
            )
        if not self.path.startswith("/"):
            raise UsageError(
                f"--path {self.path} does not begin with a slash.",
                hint=f"Try --path /{self.path}",
            )
        if not re.fullmatch(r"[!-~]+", self.path) or set(self.path) & set("?#"):
            raise UsageError(
                f"--path {self.path!r} is more than a path.", hint="Give a path such as /tiktok."
            )
        if self.serve_file is not None:
            _check_readable(self.serve_file)

    def bind(self, avoid: Collection[int]) -> "list[socket.socket]":
        """Bind the receiver's port.

        Args:
            avoid: Ports that are never chosen here, since the user's apps use them.

        Raises:
            ListenError: The given port is in use, or this machine does not have the address.
        """
        from tiktok_hook import ports

        return ports.bind(
            self.port, host=self.host, preferred=PREFERRED_PORT, avoid=avoid, flag="--port"
        )


def _check_readable(file: Path) -> None:
    """Check at the start that a file can be read, not only when TikTok requests it."""
    hint = "Give --serve-file the file that TikTok's ownership check gave you."
    try:
        if file.exists() and not file.is_file():  # opening a named pipe would wait
            raise UsageError(
                f"The file {file} cannot be read: it is not a regular file.", hint=hint
            )
        file.open("rb").close()
    except OSError as error:
        raise UsageError(f"The file {file} cannot be read: {error.strerror}.", hint=hint) from error
