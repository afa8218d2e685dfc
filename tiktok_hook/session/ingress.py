"""Resolves tunnel settings: arguments, the environment, our credentials, ngrok's config file."""

import os
from dataclasses import dataclass, field

from tiktok_hook import credentials, ngrok_config
from tiktok_hook.errors import UsageError

AUTHTOKEN_VARIABLE = "NGROK_AUTHTOKEN"  # the name of a variable, not a token


@dataclass(frozen=True, slots=True)
class Ingress:
    """The authtoken and server of the tunnel.

    Attributes:
        authtoken: None if not configured.
        authtoken_from: Where it comes from, for messages.
        connect_url: ``host:port`` of the ngrok server; None means ngrok's default.
        connect_cas: ``trusted`` (ngrok's CA), ``host`` (the system's CAs) or the path of a PEM
            file; None means ``trusted``.
        problem: Why there is no authtoken although one seems to be configured; empty otherwise.
    """

    authtoken: str | None = field(repr=False)
    authtoken_from: str
    connect_url: str | None
    connect_cas: str | None
    problem: str = ""


def find_ingress(
    *,
    authtoken: str | None,
    authtoken_from: str = "",
    connect_url: str | None = None,
    connect_cas: str | None = None,
) -> Ingress:
    """Resolve the tunnel settings that were not given as arguments.

    Args:
        authtoken: If None or empty, read from ``NGROK_AUTHTOKEN``, then from our credentials file,
            then from ngrok's config file.
        authtoken_from: Where the given one comes from; empty is the argument.
        connect_url: If None, read from ngrok's config file.
        connect_cas: If None, read from ngrok's config file.

    Raises:
        UsageError: The authtoken must come from a file, and that file is invalid.
    """
    token, source = authtoken, authtoken_from or "the argument authtoken"
    if not token:
        token, source = os.environ.get(AUTHTOKEN_VARIABLE), AUTHTOKEN_VARIABLE
    if not token:
        token = credentials.read_authtoken()
        source = str(credentials.credentials_file()) if token else ""
    try:
        config = ngrok_config.read()
    except UsageError:
        if not token:
            raise
        config = ngrok_config.NgrokConfig()
    return Ingress(
        authtoken=token or config.authtoken,
        authtoken_from=source or str(config.path),
        # An empty string counts as given, so that validation rejects it by name.
        connect_url=config.connect_url if connect_url is None else connect_url,
        connect_cas=config.connect_cas if connect_cas is None else connect_cas,
        problem="" if token else config.problem or ngrok_config.misnamed_variable(),
    )
