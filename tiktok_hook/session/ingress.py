"""Resolves tunnel settings: arguments first, then the environment, then ngrok's config file."""

import os
from dataclasses import dataclass, field

from tiktok_hook import ngrok_config
from tiktok_hook.errors import UsageError

AUTHTOKEN_VARIABLE = "NGROK_AUTHTOKEN"  # the name of a variable, not a token


@dataclass(frozen=True, slots=True)
class Ingress:
    """The authtoken and server of the tunnel.

    Attributes:
        authtoken: None if not configured.
        connect_url: ``host:port`` of the ngrok server; None means ngrok's default.
        connect_cas: ``trusted`` (ngrok's CA), ``host`` (the system's CAs) or the path of a PEM
            file; None means ``trusted``.
        problem: Why there is no authtoken although one seems to be configured; empty otherwise.
    """

    authtoken: str | None = field(repr=False)
    connect_url: str | None
    connect_cas: str | None
    problem: str = ""


def find_ingress(
    *, authtoken: str | None, connect_url: str | None = None, connect_cas: str | None = None
) -> Ingress:
    """Resolve the tunnel settings that were not given as arguments.

    Args:
        authtoken: If None or empty, read from ``NGROK_AUTHTOKEN``, then from ngrok's config file.
        connect_url: If None, read from ngrok's config file.
        connect_cas: If None, read from ngrok's config file.

    Raises:
        UsageError: The authtoken must come from ngrok's config file, and that file is invalid.
    """
    token = authtoken or os.environ.get(AUTHTOKEN_VARIABLE)
    try:
        config = ngrok_config.read()
    except UsageError:
        if not token:
            raise
        config = ngrok_config.NgrokConfig()
    return Ingress(
        authtoken=token or config.authtoken,
        # An empty string counts as given, so that validation rejects it by name.
        connect_url=config.connect_url if connect_url is None else connect_url,
        connect_cas=config.connect_cas if connect_cas is None else connect_cas,
        problem="" if token else config.problem or ngrok_config.misnamed_variable(),
    )
