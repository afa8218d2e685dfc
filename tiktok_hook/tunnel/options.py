"""The options of the tunnel and of what takes its place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from tiktok_hook.errors import UsageError
from tiktok_hook.option_fields import option
from tiktok_hook.text_files import read_text


@dataclass(frozen=True, kw_only=True)
class TunnelOptions:
    """Whether and how the receiver becomes public.

    Attributes:
        tunnel: Whether there is an ngrok tunnel.
        authtoken: ngrok's; None looks for one in the environment and in files.
        authtoken_from: Where it comes from, for messages; empty for this argument.
        domain: Host to ask for, or a URL of nothing but it; None takes what ngrok gives, and
            asks for the same again whenever the connection was lost.
        verify_webhook: Whether ngrok's edge checks TikTok's signature.
        traffic_policy: The text of a policy document, or the `Path` of one; None for none.
        pooling: Share the URL with others that pool it too; needs the SDK for Python 3.12.
        connect_url: ``HOST:PORT`` of another server than ngrok's.
        connect_cas: ``trusted``, ``host`` or the path of a PEM file; None for ngrok's own CA.
        public_url: The public URL of another tunnel or proxy; None without one.
        self_checked: Whether the public URL is asked whether it leads here.
    """

    tunnel: bool = option(
        default=True, help="Open an ngrok tunnel.", flags=("--tunnel/--no-tunnel",)
    )
    authtoken: str | None = option(
        None,
        "ngrok's authtoken.  [default: NGROK_AUTHTOKEN, the one kept, ngrok's config file]",
        metavar="TEXT",
        envvars=("TIKTOK_HOOK_AUTHTOKEN", "NGROK_AUTHTOKEN"),
        secret=True,
    )
    authtoken_from: str = ""
    domain: str | None = option(None, "Ask ngrok for this domain.", metavar="HOST")
    verify_webhook: bool | Literal["tiktok"] | None = option(
        default=False,
        help="Let ngrok's edge reject forged requests, too; needs the secret.",
        choices=("tiktok",),
        flag_value="tiktok",
    )
    traffic_policy: str | Path | None = option(
        None, "Traffic policy document for ngrok.", metavar="PATH", secret=True
    )
    pooling: bool = option(default=False, help="Share the URL with other listeners (SDK 1.5).")
    connect_url: str | None = option(None, "Another ngrok ingress address.", metavar="HOST:PORT")
    connect_cas: str | None = option(None, shared="connect_cas_option")
    public_url: str | None = option(
        None,
        "The public URL of another tunnel or proxy; with --no-tunnel.",
        metavar="URL",
    )
    self_checked: bool = option(
        default=True,
        help="Ask the public URL whether it leads here.",
        flags=("--self-check/--no-self-check",),
    )

    @property
    def policy_text(self) -> str | None:
        """The traffic policy; a text is one itself, a `Path` names the file.

        Raises:
            UsageError: The file cannot be read.
        """
        if not isinstance(self.traffic_policy, Path):
            return self.traffic_policy
        hint = "Give --traffic-policy a readable YAML or JSON file."
        try:
            return read_text(self.traffic_policy, what="traffic policy", hint=hint)
        except FileNotFoundError as error:
            raise UsageError(
                f"The traffic policy {self.traffic_policy} cannot be read: {error.strerror}.",
                hint=hint,
            ) from error

    def check_tunnel(self) -> None:
        """Check the values.

        Raises:
            UsageError: The public URL is not one, or there is a tunnel as well; the policy file
                cannot be read.
        """
        _ = self.policy_text
        if self.public_url is None:
            return
        if self.tunnel:
            raise UsageError(
                "--public-url names another tunnel or proxy, and ngrok's would be opened as well.",
                hint="Add --no-tunnel.",
            )
        parts = urlsplit(self.public_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(
                f"--public-url {self.public_url} is not a URL.",
                hint="For instance --public-url https://hooks.example.com",
            )
