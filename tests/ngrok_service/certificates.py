"""TLS for the stand-in: a new authority for every service."""

import ssl
from pathlib import Path

import trustme


class Authority:
    """A certificate authority that only clients with its file trust."""

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="ngrok stand-in")

    def write(self, path: Path) -> Path:
        """Write the authority's certificate as PEM."""
        self._authority.cert_pem.write_to_path(path)
        return path

    def server_context(self, *names: str) -> ssl.SSLContext:
        """A server's TLS settings, with a certificate for names (DNS names or IP addresses)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names).configure_cert(context)
        return context
