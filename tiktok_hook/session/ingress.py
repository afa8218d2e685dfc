"""Where the tunnel connects and as whom: arguments, then the environment, then ngrok's own file."""

import os
from dataclasses import dataclass, field

from tiktok_hook import ngrok_config
from tiktok_hook.errors import UsageError

AUTHTOKEN_VARIABLE = "NGROK_AUTHTOKEN"  # the name of a variable, not a token


@dataclass(frozen=True, slots=True)
class Ingress:
    """Where the tunnel connects and as whom.

    Attributes:
        authtoken: None when none was found.
        connect_url: ``host:port``; None is ngrok's own.
        connect_cas: ``trusted`` (ngrok's CA), ``host`` (the system's) or a PEM file; None is
            ``trusted``.
    """

    authtoken: str | None = field(repr=False)
    connect_url: str | None
    connect_cas: str | None


def find_ingress(
    *, authtoken: str | None, connect_url: str | None = None, connect_cas: str | None = None
) -> Ingress:
    """Fill up what was not given.

    Args:
        authtoken: None or empty looks into ``NGROK_AUTHTOKEN``, then into ngrok's config file.
        connect_url: None looks into ngrok's config file.
        connect_cas: Likewise.

    Raises:
        UsageError: ngrok's config file is broken, and needed for the authtoken.
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
        # An empty text counts as given, so that it is refused by name.
        connect_url=config.connect_url if connect_url is None else connect_url,
        connect_cas=config.connect_cas if connect_cas is None else connect_cas,
    )
