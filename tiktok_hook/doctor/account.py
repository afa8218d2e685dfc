"""ngrok's account: its config file and the authtoken. No token is ever shown, nor a part of one."""

import re

from tiktok_hook import credentials, ngrok_config, settings
from tiktok_hook.doctor.finding import Finding, bad, good, warning
from tiktok_hook.doctor.subject import Subject
from tiktok_hook.errors import UsageError
from tiktok_hook.ngrok_config import NgrokConfig

_PAGE = "https://dashboard.ngrok.com/get-started/your-authtoken"
_SHAPE = re.compile(r"[0-9A-Za-z]{20,40}_[0-9A-Za-z]{15,40}", re.ASCII)


def config() -> NgrokConfig:
    """ngrok's file; an empty one when it cannot be read, which is a finding of its own."""
    return _config()[0]


def _config() -> tuple[NgrokConfig, str]:
    """ngrok's file, and in words that it cannot be read."""
    try:
        return ngrok_config.read(), ""
    except UsageError:
        return NgrokConfig(), f"{ngrok_config.find()} cannot be read"


async def config_file(subject: Subject) -> list[Finding]:
    """Whether ngrok's config file can be read; with a token from elsewhere nothing needs it."""
    try:
        found = ngrok_config.read()
    except UsageError as error:
        grave = warning if subject.authtoken else bad
        return [grave("ngrok.yml", str(error).removesuffix("."), error.hint)]
    if found.path is None:
        return [good("ngrok.yml", "none; it is not needed")]
    if found.proxy:
        words = f"{found.path} names a proxy, which is not used here"
        return [warning("ngrok.yml", words, "Set HTTPS_PROXY if ngrok is reached through it.")]
    return [good("ngrok.yml", f"{found.path} can be read")]


async def authtoken(subject: Subject) -> list[Finding]:
    """Where the authtoken is, and whether it looks like one."""
    kept, unreadable = _config()
    token, where = subject.authtoken, subject.authtoken_from
    try:
        if not token and (token := credentials.read_authtoken()):
            where = str(credentials.credentials_file())
    except UsageError as error:
        return [bad("authtoken", str(error).removesuffix("."), error.hint)]
    if not token:
        token, where = kept.authtoken, str(kept.path)
    if not token:
        token, ignored = settings.from_env_file(settings.AUTHTOKEN_VARIABLE)
        where, unreadable = ".env in this folder", unreadable or ignored
    if token is None:
        if unreadable:
            words = f"none was given, and {unreadable}"
            return [
                bad("authtoken", words, "Repair the file, see ngrok.yml, or set NGROK_AUTHTOKEN.")
            ]
        return [
            bad(
                "authtoken",
                kept.problem or ngrok_config.misnamed_variable() or "none was found",
                f"Get a free one at {_PAGE} and set NGROK_AUTHTOKEN; or do without: "
                "tiktok-hook demo, or listen --no-tunnel.",
            )
        ]
    if not token.strip():
        return [bad("authtoken", f"{where} holds an empty one", f"Copy it again from {_PAGE}")]
    if not _SHAPE.fullmatch(token):
        return [
            warning(
                "authtoken",
                f"{where} holds one that does not look like ngrok's ({len(token)} characters)",
                f"Copy it again, whole and without quotes or spaces, from {_PAGE}. An API key is "
                "not an authtoken.",
            )
        ]
    return [good("authtoken", f"from {where}, shaped like one ({len(token)} characters)")]
