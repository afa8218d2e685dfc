"""What an app's bad answer probably means, and the next step.

One or two sentences for the line under an attempt. Whatever the app sent is cut and made visible
before it is repeated.
"""

import re
from urllib.parse import urljoin, urlsplit

from tiktok_hook.sanitize import visible

_RETRIES = "TikTok documents 200 as the only success and retries anything else for 72 h"
_QUOTED_LINES = 3
_QUOTED_CHARS = 200

LISTENER_REFUSAL = b'{"ok":false,"error":"signature refused"}'
"""What `tiktok-hook listen` itself answers to a signature that it does not take."""

_ERRORS = {
    "timeout": "The app gave no whole answer in time. Answer 200 first and do the work afterwards; "
    "TikTok wants its answer at once.",
    "reset": "The app cut the connection before its answer was whole: did it crash or restart? Its "
    "own log knows.",
    "dns": "No address is known for {host}: is its name spelled right?",
    "tls": "The secure connection to {host} failed: is its certificate meant for that name? For a "
    "self-signed one use --insecure; for a plain server write http://.",
    "protocol": "What came back is not HTTP: does another kind of server listen at {host}, or does "
    "it want https://?",
    "too_large": "The answer or its headers were larger than is read. A short one is enough.",
    "unreachable": "No way leads to {host}: is the address right, and the network up?",
    "method": "TRACE and CONNECT are never forwarded: they are meant for proxies, not for an app.",
    "loop": "The target is this listener itself: forward to the app's own port.",
}

_STATUSES = {
    400: "400: the app could not read it. A common cause: the body was parsed before the signature "
    "was verified, or content is used as an object (it is a string: parse it twice).",
    404: "404: nothing answers at {path}. Is it the path of the app's webhook route, with or "
    "without a slash at its end?",
    405: "405: the route {path} takes no POST. TikTok only ever sends POST; a route made for a GET "
    "handshake is for another platform.",
    408: "408: the app waited for a body that it had already: does something read it twice?",
    411: "411: the app demands a Content-Length, which was sent: look at a proxy before it.",
    413: "413: a limit on the size of bodies, in the app or a proxy before it.",
    415: "415: the app refuses the content type. Accept application/json with any charset behind "
    "it, and do not compare its exact text.",
    421: "421: the server does not know the host {host}.",
    426: "426: the server wants another protocol at {host}: https://?",
    429: "429: the app limits how often it may be called. TikTok would retry, for 72 h.",
    502: "502: a proxy before the app could not reach it: is the app itself up?",
    503: "503: the app says that it is not ready.",
    504: "504: a proxy before the app waited too long. Answer 200 first, then do the work.",
    508: "508: the request came round to a listener that had forwarded it already: forward to the "
    "app's own port, not to a Callback URL.",
}


def for_answer(
    *,
    status: int | None,
    error: str | None,
    verdict: str | None,
    target: str,
    body: bytes = b"",
    location: str | None = None,
) -> str:
    """Say what an app's answer to a delivery probably means, and what to do.

    Args:
        status: What it answered; None when it did not.
        error: Why it did not: ``refused``, ``timeout``, ``reset``, ``dns``, ``tls``, ``protocol``,
            ``too_large``, ``unreachable``, ``loop`` or other words; None when it did.
        verdict: The state of the signature that the app was given; None when it is not known.
        target: The address that was tried.
        body: The beginning of the app's answer.
        location: Where a redirect points.

    Returns:
        One or two sentences without control characters; empty when all is well.
    """
    if error is not None:
        return _for_error(error, target)
    if status is None or status == 200:
        return ""
    if status in {401, 403}:
        return _for_refusal(status, verdict, body)
    if 300 <= status < 400:
        return _for_redirect(status, target, location)
    if status < 300:
        return f"{status} is not 200: {_RETRIES}. Answer exactly 200."
    fixed = _STATUSES.get(status)
    if fixed is not None:
        said = _said(body) if status in {400, 503} else ""
        return fixed.format(path=_path(target), host=_host(target)) + said
    if status >= 500:
        said = _said(body) or " It sent no explanation: its own log knows."
        return f"{status}: the app failed while handling it.{said}"
    return f"{status}: the app refused it, and TikTok would retry for 72 h.{_said(body)}"


def for_accepted_forgery() -> str:
    """Say what it means that an app answered 200 to a delivery with a bad signature."""
    return (
        "Your app does not verify: it answered 200 to a signature that is wrong, so anybody who "
        "knows its address can send it events. Compare the HMAC-SHA256 of t, a dot and the raw "
        "body with s, and refuse when they differ or no secret is set."
    )


def _for_error(error: str, target: str) -> str:
    host = _host(target)
    if error == "refused":
        return f"Nothing listens at {host}: is the app up, and is that its port?{_docker(target)}"
    fixed = _ERRORS.get(error)
    if fixed is not None:
        return fixed.format(host=host)
    return f"The app could not be reached at {host}: {visible(error[:_QUOTED_CHARS])}"


def _docker(target: str) -> str:
    if re.match(r"(localhost|127\.0\.0\.1|\[::1\])(:|\Z)", _host(target)):
        return " From inside a container the host's apps are at host.docker.internal."
    return ""


def _for_refusal(status: int, verdict: str | None, body: bytes) -> str:
    if verdict == "valid" and body == LISTENER_REFUSAL:
        return (
            f"{status}: the listener refuses the signature. Either its client secret is not the "
            "one that signed, or its --tolerance is less than the signature's age."
        )
    if verdict == "valid":
        return (
            f"{status}: your verifier refuses a good signature. Does it use the raw body, the "
            "client secret of the same environment, and the header Tiktok-Signature?"
        )
    if verdict == "stale":
        return (
            f"{status}: the signature is right but old, and the app may have refused it for its "
            "age. A replay signs afresh."
        )
    if verdict in {"invalid", "missing"}:
        return f"{status}: rightly refused, the signature is {verdict}."
    if verdict == "unchecked":
        return (
            f"{status}: the app refuses the signature, or wants a login. Give the client secret "
            "here too, to learn whether it is right."
        )
    return f"{status}: the app refuses it: its verifier, or a login before it."


def _for_redirect(status: int, target: str, location: str | None) -> str:
    ending = f"Redirects are not followed, and {_RETRIES}."
    try:
        here = urlsplit(_with_scheme(target))
        there = urlsplit(urljoin(_with_scheme(target), location or ""))
    except ValueError:
        here = there = urlsplit("")
    if not location or not there.netloc:
        return f"{status}: a redirect. {ending} Use the final address."
    if there[1:3] == here[1:3] and (here.scheme, there.scheme) == ("http", "https"):
        return f"{status}: the app wants https. {ending} Write https:// in the target."
    if there.path != here.path and there.path.rstrip("/") == here.path.rstrip("/"):
        change = "an added" if there.path.endswith("/") else "a missing"
        return f"{status}: a redirect to the same path with {change} slash at its end. {ending}"
    shown = visible(f"{there.scheme}://{_host(there.geturl())}{there.path}"[:_QUOTED_CHARS])
    login = " It looks like a login: leave the webhook's route out of it."
    wants_login = re.search(r"(?i)log[-_]?in|sign[-_]?in|auth", there.path)
    return f"{status}: a redirect to {shown}. {ending}{login if wants_login else ''}"


def _said(body: bytes) -> str:
    """The first lines of an answer, on one line, for behind a sentence."""
    text = body[: 4 * _QUOTED_CHARS].decode("utf-8", "replace")
    if "<html" in text[:200].lower() or "<!doctype" in text[:200].lower():
        text = re.sub(r"(?is)<(script|style|head)\b.*?(</\1>|\Z)|<[^>]*>?", " ", text)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    told = " / ".join([line for line in lines if line][:_QUOTED_LINES])
    if not told:
        return ""
    return f" It says: {visible(told[:_QUOTED_CHARS])}{'…' * (len(told) > _QUOTED_CHARS)}"


def _with_scheme(target: str) -> str:
    return target if "://" in target else f"http://{target}"


def _host(target: str) -> str:
    """Host and port for a sentence; a name and password before them are left out."""
    try:
        netloc = urlsplit(_with_scheme(target)).netloc.rpartition("@")[2]
    except ValueError:
        netloc = ""
    return visible(netloc[:_QUOTED_CHARS]) or "the target"


def _path(target: str) -> str:
    try:
        path = urlsplit(_with_scheme(target)).path
    except ValueError:
        path = ""
    return visible(path[:_QUOTED_CHARS]) or "/"
