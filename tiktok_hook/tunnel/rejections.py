"""Why there is no tunnel, in one sentence, with one thing to do about it.

Codes and their causes: https://ngrok.com/docs/errors/. The SDK's own texts are those of 1.4 to 1.7.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tiktok_hook.sanitize import visible
from tiktok_hook.tunnel.protocol import NO_POOLING, Cause, Rejected

DASHBOARD = "https://dashboard.ngrok.com"
TOKEN_PAGE = f"{DASHBOARD}/get-started/your-authtoken"


@dataclass(frozen=True, slots=True)
class Rejection:
    """What to show the user.

    Attributes:
        message: One sentence with the value in it; never token or secret.
        hint: One thing to do.
        code: ngrok's code; None when ngrok itself gave none.
        heals: Whether trying again later can help once the tunnel has been online.
    """

    message: str
    hint: str
    code: str | None = None
    heals: bool = True


TOO_FAST = frozenset({"ERR_NGROK_349", "ERR_NGROK_351"})
"""Trying again soon would make it worse."""


class NotOnlineError(Exception):
    """A try that brought no URL, in words."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.message)
        self.rejection = rejection


@dataclass(frozen=True, slots=True)
class _Words:
    codes: tuple[int, ...]
    message: str
    hint: str
    heals: bool = False


_COPY_TOKEN = f"Copy the token again from {TOKEN_PAGE}"
_DOMAINS = f"Leave out --domain for your dev domain, or see {DASHBOARD}/domains"
_LOCALLY = "Leave out --verify-webhook: with a secret the signature is checked here anyway."
_POLICY = "Correct the document given with --traffic-policy: {reason}"

# {domain} is the domain asked for, {reason} ngrok's own message. Tokens are never quoted, so
# neither is ngrok's message about them: it repeats the token.
_TABLE = (
    _Words(
        (4018,),
        "ngrok wants an authtoken and none was given",
        f"Get one at {TOKEN_PAGE} and set NGROK_AUTHTOKEN, or give --authtoken.",
    ),
    _Words(
        (105,),
        "The value given as ngrok authtoken does not look like one",
        f"{_COPY_TOKEN}: not an API key, whole, without quotes or line breaks.",
    ),
    _Words((106,), "The ngrok authtoken is of an old kind", f"{_COPY_TOKEN}."),
    _Words(
        (107,),
        "ngrok does not know this authtoken (any more): it was reset, revoked or mistyped",
        f"{_COPY_TOKEN}.",
    ),
    _Words(
        (102,),
        "The ngrok account is suspended because a payment failed",
        f"See {DASHBOARD}/billing",
    ),
    _Words((103,), "The ngrok account is suspended", "Write to ngrok's support."),
    _Words(
        (108, 348, 350),
        "The ngrok account has as many agent sessions online as it may (3 on the free plan)",
        f"End one of the others: {DASHBOARD}/agents",
        heals=True,
    ),
    _Words(
        (115, 116),
        "This machine's address is outside what the ngrok account's IP policy allows",
        "Use another network, or change the policy in ngrok's dashboard.",
        heals=True,
    ),
    _Words(
        (120, 121),
        "This version of ngrok's SDK is too old for the account",
        "Update it: pip install --upgrade ngrok, on Python 3.12 or newer.",
    ),
    _Words(
        (123,),
        "The e-mail address of the ngrok account is not verified",
        f"Verify it: {DASHBOARD}/user/settings",
    ),
    _Words((8014,), "ngrok has blocked this agent for abuse", "Write to ngrok's support."),
    _Words(
        (9040,),
        "ngrok accepts no agent from this machine's address",
        "Use another network: VPN, Tor and some countries are blocked.",
        heals=True,
    ),
    _Words(
        (9009,),
        "The ngrok account may not connect through a proxy",
        "Unset http_proxy, or see https://ngrok.com/pricing",
    ),
    _Words(
        (334,),
        "{domain} is already online from somewhere else",
        "Stop the other one (another terminal, another machine), or give --pooling to both.",
        heals=True,
    ),
    _Words(
        (6030,),
        "{domain} is online from somewhere else, without pooling",
        "Give --pooling to all of them, or stop the others.",
        heals=True,
    ),
    _Words(
        (18019,),
        "The ngrok account's plan does not include endpoint pooling",
        "Leave out --pooling and run one listener that the team attaches to, or see "
        f"{DASHBOARD}/billing",
    ),
    _Words(
        (18020,),
        "{domain} has as many pooled endpoints online as the ngrok account's plan allows",
        f"Stop one of the other listeners: {DASHBOARD}/endpoints",
        heals=True,
    ),
    _Words((313, 314, 15002), "The ngrok account's plan does not allow {domain}", f"{_DOMAINS}"),
    _Words(
        (319, 15013),
        "{domain} is not reserved for the ngrok account",
        f"Reserve it first: {DASHBOARD}/domains",
    ),
    _Words(
        (320,),
        "{domain} belongs to another ngrok account",
        "Use that account's authtoken, or a domain of your own.",
    ),
    _Words(
        (324,),
        "The ngrok account has as many endpoints online as it may",
        f"End one of the others: {DASHBOARD}/endpoints",
        heals=True,
    ),
    _Words(
        (349, 351),
        "ngrok reports that sessions or endpoints were opened too fast",
        "Wait a minute, and stop what restarts in a loop.",
        heals=True,
    ),
    _Words(
        (9036, 9037, 9038),
        "ngrok cannot use {domain} as an address",
        "Give --domain the host alone, such as name.ngrok.app.",
    ),
    _Words((364, 7030), 'ngrok does not know the webhook provider "tiktok"', _LOCALLY),
    _Words(
        (7027, 15007),
        "ngrok got no secret to verify webhooks with",
        "Give the client secret: TIKTOK_CLIENT_SECRET or --secret.",
    ),
    _Words(
        (15001, 7154),
        "The client secret is longer than ngrok allows",
        "Look at what was pasted; the secret is in the TikTok Developer Portal.",
    ),
    _Words(
        (9016, 7031),
        "The ngrok account may not verify webhooks",
        _LOCALLY,
    ),
    _Words((2201, 2203, 2204, 2236), "ngrok cannot use the traffic policy", _POLICY),
)
_BY_CODE = {code: words for words in _TABLE for code in words.codes}

TOKEN_CODES = frozenset(f"ERR_NGROK_{code}" for code in (105, 106, 107))
"""The authtoken is wrong; another one would be accepted."""

DOMAIN_CODES = frozenset(f"ERR_NGROK_{code}" for code in (313, 314, 319, 320, 15002, 15013))
"""A host was asked for that the account may not ask for."""

TAKEN = frozenset({"ERR_NGROK_334", "ERR_NGROK_6030"})
"""The host is online already: perhaps from a session of our own that ngrok still believes in."""


def explain(
    rejected: Rejected,
    *,
    domain: str | None,
    server: str,
    cas: str | None,
    proxy: str | None = None,
) -> Rejection:
    """Explain an error of ngrok or the SDK to the user.

    Args:
        rejected: What the child reported.
        domain: The host that was asked for; None when none was.
        server: ``host:port`` that was connected to.
        cas: What certificates were trusted; None for ngrok's own.
        proxy: Name of a proxy variable that is set; the SDK cannot use one.
    """
    reason = one_line(rejected.message)
    if rejected.code == NO_POOLING:
        return Rejection(
            "This version of ngrok's SDK cannot pool endpoints.",
            "Use Python 3.12 or newer, where pip installs one that can; or leave out --pooling.",
            NO_POOLING,
            heals=False,
        )
    if rejected.code is not None:
        return _by_code(rejected.code, reason, domain)
    if rejected.cause is not None:
        return _unreachable(rejected.cause, server, proxy)
    if "tls" in reason:
        return _untrusted(server, cas)
    if "rpc response" in reason:
        return Rejection(
            f"{server} hung up while signing in.",
            "Try again; if it stays so, see https://status.ngrok.com",
        )
    return Rejection(f"No tunnel: {reason or rejected.stage}.", "Try again in a moment.")


def _by_code(code: str, reason: str, domain: str | None) -> Rejection:
    number = code.removeprefix("ERR_NGROK_")
    words = _BY_CODE.get(int(number)) if number.isascii() and number.isdigit() else None
    if words is None:
        return Rejection(
            f"ngrok rejected the tunnel: {reason or 'no reason given'} ({visible(code)}).",
            f"See https://ngrok.com/docs/errors/{visible(code).lower()}",
            code,
        )
    if domain is None and (named := _URL.search(reason)) is not None:
        domain = named[1]
    values = {"domain": domain or "The account's domain", "reason": reason}
    message = f"{words.message.format_map(values)} ({code})."
    return Rejection(message, words.hint.format_map(values), code, words.heals)


def _unreachable(cause: Cause, server: str, proxy: str | None) -> Rejection:
    host = server.rpartition(":")[0]
    message = {
        "dns": f"The name {host} cannot be found (DNS).",
        "refused": f"{server} refuses the connection.",
        "timeout": f"{server} does not answer.",
        "unreachable": f"{server} cannot be reached from here.",
        "ok": f"The connection to {server} could not be made, but a second try went through.",
    }[cause]
    if proxy is not None:
        hint = f"{proxy} is set, but ngrok's SDK cannot use a proxy: let this machine out directly."
    elif cause == "dns":
        hint = "Is this machine online? Check its network and DNS."
    elif cause == "ok":
        hint = "Try again in a moment."
    else:
        hint = f"Check the network and the firewall: TLS to {server} must be let out."
    return Rejection(message, hint)


def _untrusted(server: str, cas: str | None) -> Rejection:
    trusted = {None: "ngrok's own", "trusted": "ngrok's own", "host": "this system's"}
    trust = trusted.get(cas, cas)
    return Rejection(
        f"{server} showed a certificate that is not trusted ({trust}), or does not speak TLS.",
        "Where a firewall opens TLS, give its CA: --connect-cas host, or a PEM file.",
    )


def silent(server: str, seconds: float) -> Rejection:
    """The server did not answer within the deadline."""
    return Rejection(
        f"{server} did not answer within {seconds:g} s.",
        "Check the network and the firewall, and https://status.ngrok.com",
    )


def ended(code: int | None, stderr: str) -> Rejection:
    """The child ended without a word to us: a crash or panic of the SDK, or it was killed."""
    how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    last = [line.strip() for line in stderr.splitlines() if line.strip()][-1:]
    hint = f"Its last words: {one_line(last[0])}" if last else "Try again."
    return Rejection(f"The tunnel's process ended unexpectedly ({how}).", hint)


_URL = re.compile(r"https?://([\w.-]+\w)", re.ASCII)
_CLOSED = re.compile(r'ListenerClosed \{ message: "(.*?)", error_code: (?:Some\("(\w+)"\)|None)')


def lost(error: str) -> str:
    """The sentence for a tunnel that was online and is not any more.

    Args:
        error: The SDK's word for it, such as ``transport error``.
    """
    if (closed := _CLOSED.search(error)) is not None:
        code = f" ({closed[2]})" if closed[2] else ""
        return f"ngrok took the URL offline: {one_line(closed[1]) or 'no reason given'}{code}."
    return f"The connection to ngrok was lost ({one_line(error)})."


def one_line(text: str) -> str:
    """Foreign text as part of a sentence: its lines joined, bounded, nothing hidden in it."""
    joined = " ".join(text.split())
    return visible(joined if len(joined) <= 300 else joined[:299] + "…").rstrip(".")


def redact(text: str, secrets: Iterable[str | None]) -> str:
    """The text without any of the secrets, as they are or as a quoted literal would hold them."""
    forms = {form for secret in secrets if secret for form in (secret, secret.strip())}
    forms |= {repr(form)[1:-1] for form in forms}
    for form in sorted(forms - {""}, key=len, reverse=True):
        text = text.replace(form, "[hidden]")
    return text
