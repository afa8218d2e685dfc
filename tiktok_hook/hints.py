"""What a bad outcome of an attempt means, and the next step.

One to three sentences for the line under an attempt. A cause is named only if the response, the
target or a look at it shows one; otherwise the hint quotes the app. Whatever the app
sent is cut and escaped before it is repeated.
"""

import re
from collections.abc import Iterable
from urllib.parse import urljoin, urlsplit

from tiktok_hook import app_body
from tiktok_hook.sanitize import visible

_RETRIES = "TikTok documents 200 as the only success and retries anything else for 72 h"
_QUOTED_CHARS = 200

LISTENER_REJECTION = b'{"ok":false,"error":"signature rejected"}'
"""What `tiktok-hook listen` itself answers to a signature that it rejects."""

LISTENER_RULES = {
    option: b'{"ok":false,"set_by":"%s"}' % option.encode() for option in ("--ack", "--answer")
}
"""What it answers when one of these options set a status other than 200."""

LISTENER_FAILURE = b'{"ok":false,"error":"app %s"}'
"""What it answers when the app gave it no answer; takes the error of the attempt."""

_LISTENER_FAILED = re.compile(re.escape(LISTENER_FAILURE).replace(b"%s", b"([a-z_]+)"))

_ERRORS = {
    "dns": "No address is known for {host}: check the spelling of the name.",
    "protocol": "The response is not HTTP: another kind of server listens at {host}.",
    "too_large": "The headers of the answer were larger than 64 KiB.",
    "unreachable": "{host} cannot be reached: check the address and the network.",
    "descriptors": "This process has no free file descriptor: raise the limit with ulimit -n 4096.",
    "method": "TRACE and CONNECT are never forwarded: they are meant for proxies, not for an app.",
    "loop": "The target is this listener itself: forward to the app's own port.",
}

_LISTENER_ERRORS = {
    "refused": "is up, but nothing listens where it forwards to: start your app",
    "timeout": "waited for your app, which gave no complete answer in time",
    "reset": "reached your app, which closed the connection before its answer was complete",
    "dns": "knows no address for the host of its target",
    "tls": "could not agree on TLS with your app",
    "protocol": "got something from its target that is not HTTP",
    "descriptors": "has no free file descriptor: raise its limit with ulimit -n 4096",
}

_STATUSES = {
    400: "400: the app could not read the request.",
    404: "404: nothing answers at {path}. Compare it with the path of the app's webhook route, a "
    "slash at the end included.",
    405: "405: the route {path} takes no POST. TikTok only sends POST; a route made for a GET "
    "handshake is for another platform.",
    408: "408: the app waited for more of the body than was sent.",
    411: "411: a server in front of the app demands a Content-Length, which was sent.",
    413: "413: the app, or a proxy in front of it, limits the size of bodies.",
    415: "415: the app rejects the content type. Accept application/json with any charset, and do "
    "not compare the exact text.",
    421: "421: the server does not know the host {host}.",
    426: "426: the server at {host} wants another protocol.",
    429: "429: the app limits how often it may be called. TikTok would retry, for 72 h.",
    502: "502: a proxy in front of the app could not reach it.",
    503: "503: the app reports that it is not ready.",
    504: "504: a proxy in front of the app waited too long. Answer 200 first, then do the work.",
    508: "508: the request came back to a listener that had forwarded it already: forward to the "
    "app's own port, not to a Callback URL.",
}

_CSRF = re.compile(r"(?i)csrf|xsrf|invalid ?authenticity ?token|page expired")
_BLOCKED_HOST = re.compile(
    r"(?i)blocked hosts?\b|invalid host header|invalid http_host header|disallowed ?host"
    r"|host (?:header )?(?:\S+ )?is not allowed|allowedHosts|ALLOWED_HOSTS|untrusted host"
)
_PLAIN_TO_TLS = re.compile(
    r"(?i)plain http request was sent to https port|sent an http request to an https server"
    r"|speaking plain http to an ssl-enabled server|requires tls"
)
_CONTENT_AS_OBJECT = re.compile(
    r"(?i)string indices must be integers|'str' object has no attribute 'get'"
    r"|illegal string offset|cannot access offset of type \S+ on string"
    r"|no implicit conversion of (?:string|symbol) into integer"
)
_SIGNATURE = re.compile(r"(?i)signature|hmac|timestamp|tolerance|verif")


def for_answer(
    *,
    status: int | None,
    error: str | None,
    verdict: str | None,
    target: str,
    body: bytes = b"",
    headers: Iterable[tuple[str, str]] = (),
    detail: str = "",
    evidence: str = "",
) -> str:
    """Explain the outcome of an attempt, and what to do.

    Args:
        status: The app's; None without an answer.
        error: As `forward.Reply.error`, ``loop``, or other text; None with an answer.
        verdict: State of the signature that the app was given; None if unknown.
        target: The address that was tried.
        body: The beginning of the app's answer, as it came.
        headers: Of the answer.
        detail: As `forward.Reply.detail`.
        evidence: As `forward.Reply.evidence`.

    Returns:
        One to three sentences without control characters; empty for a 200.
    """
    if error is not None:
        return _for_error(error, target, detail, evidence)
    if status is None or status == 200:
        return ""
    for option, answer in LISTENER_RULES.items():
        if body == answer:
            return (
                f"{option} of the listener set the {status}, not your app: tiktok-hook show last "
                "has what your app answered."
            )
    if failed := _LISTENER_FAILED.fullmatch(body):
        what = _LISTENER_ERRORS.get(failed[1].decode(), "could not reach your app")
        return f"{status}: the listener {what}. tiktok-hook show last has the attempt and a hint."
    headers = tuple(headers)
    named = {name.lower(): value for name, value in headers}
    if 300 <= status < 400:
        return _for_redirect(status, target, named.get("location"))
    if status < 300:
        return f"{status} is not 200: {_RETRIES}. Answer exactly 200."
    if body == LISTENER_REJECTION and verdict == "valid":
        return (
            f"{status}: the listener rejects the signature. Either its client secret is not the "
            "one that signed, or its --tolerance is less than the signature's age."
        )
    plain = app_body.decoded(headers, body) or body
    app_text = app_body.reason(plain)
    shown = cause(status=status, target=target, headers=headers, body=body, evidence=evidence)
    text = (
        _for_status(status, verdict, target, app_text) if shown is None else f"{status}: {shown[1]}"
    )
    if status in {400, 500} and _CONTENT_AS_OBJECT.search(app_body.visible_text(plain)):
        text = (
            f"{status}: the app took text for an object. TikTok's content is a string that holds "
            'JSON: parse it once more, as in json.loads(event["content"]).'
        )
    if app_text:
        return f"{text} Its message: {visible(app_text)}"
    is_explained = shown is not None or status in _STATUSES
    return text if is_explained else f"{text} It gives no reason: see its log."


def for_accepted_forgery() -> str:
    """Explain that an app answered 200 to a delivery with a bad signature."""
    return (
        "Your app does not verify: it answered 200 to a wrong signature, so anybody who knows its "
        "address can send it events. Compare the HMAC-SHA256 of t, a dot and the raw body with s, "
        "and reject the request when they differ or no secret is set."
    )


def for_accepted_old_signature() -> str:
    """Explain that an app answered 200 to a valid signature that is old."""
    return (
        "The app accepted an old signature, so a captured delivery can be sent to it again at any "
        "time. Reject a t that is more than 5 minutes from now, or ignore events seen before."
    )


def cause(
    *,
    status: int,
    target: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    evidence: str = "",
) -> tuple[str, str] | None:
    """The cause that an answer shows by itself, whatever was sent.

    Returns:
        A stable name (``airplay``, ``two-programs``, ``blocked-host``, ``csrf``, ``tls``,
        ``login``, ``doubled-path``) and what it means; None if the answer shows none of them.
    """
    headers = tuple(headers)
    named = {name.lower(): value for name, value in headers}
    app_text = app_body.visible_text(app_body.decoded(headers, body) or body)
    if "airtunes" in named.get("server", "").lower():
        return "airplay", (
            "macOS's AirPlay receiver answered, not your app: it listens on ports 5000 and 7000. "
            "Give the app another port, or switch AirPlay Receiver off."
        )
    if evidence == "two-programs":
        return "two-programs", (
            "two programs listen on this port, one at 127.0.0.1 and one at ::1, and localhost "
            "means both. Name the address of your app instead of localhost."
        )
    if status in {400, 403, 421} and _BLOCKED_HOST.search(app_text):
        fix = _host_fix(app_text)
        return "blocked-host", f"the app rejects the host name {_host(target)}. {fix}"
    if status in {400, 401, 403, 419, 422} and _CSRF.search(app_text):
        return "csrf", (
            "CSRF protection rejected the POST. Exempt the webhook's route from it"
            f"{_csrf_fix(app_text, named)}; the signature takes its place."
        )
    if status in {400, 426, 497} and _PLAIN_TO_TLS.search(app_text):
        return "tls", f"the server at {_host(target)} speaks TLS: write https:// in the target."
    if "www-authenticate" in named and status >= 400:
        scheme = visible(named["www-authenticate"].split(" ")[0][:20])
        return "login", (
            f"the app, or a proxy in front of it, wants a login ({scheme}). Leave the webhook's "
            "route out of it."
        )
    if 300 <= status < 400 and _leads_to_login(
        _path_of_location(target, named.get("location", ""))
    ):
        return "login", (
            "the app, or a proxy in front of it, redirects to a login. Leave the webhook's route "
            "out of it."
        )
    if status == 404 and (doubled := _doubled(_path(target))):
        return "doubled-path", (
            f"the path contains {doubled} twice: the incoming path is appended to the target's. "
            "Leave it out of one of them."
        )
    return None


def names_signature(headers: Iterable[tuple[str, str]], body: bytes) -> bool:
    """Whether an app's answer is about a signature, by its own words."""
    return _SIGNATURE.search(app_body.reason(app_body.decoded(headers, body) or body)) is not None


def _for_status(status: int, verdict: str | None, target: str, app_text: str) -> str:
    if status in {401, 403}:
        return _for_rejection(status, verdict, app_text)
    fixed = _STATUSES.get(status)
    if fixed is not None:
        return fixed.format(path=_path(target), host=_host(target))
    if status >= 500:
        return f"{status}: the app failed while handling it."
    return f"{status}: the app rejected it, and TikTok would retry for 72 h."


def _for_rejection(status: int, verdict: str | None, app_text: str) -> str:
    if verdict == "valid":
        if _SIGNATURE.search(app_text):
            return (
                f"{status}: your verifier rejects a good signature. Use the raw body, the client "
                "secret of the same environment, and the header Tiktok-Signature."
            )
        return f"{status}: the app rejects a delivery whose signature is valid."
    if verdict == "stale":
        return (
            f"{status}: the signature is valid but old, and the app may reject it for its age. A "
            "replay signs again."
        )
    if verdict in {"invalid", "missing"}:
        return f"{status}: correctly rejected, the signature is {verdict}."
    if verdict == "unchecked":
        return (
            f"{status}: the app rejects the delivery. Give the client secret here too, to learn "
            "whether its signature is valid."
        )
    return f"{status}: the app rejects the delivery."


def _for_error(error: str, target: str, detail: str, evidence: str) -> str:
    host = _host(target)
    if evidence == "tls":
        return f"The server at {host} speaks TLS: write https:// in the target."
    if error == "refused":
        if evidence == "other-family":
            port = host.rpartition(":")[2]
            other = f"127.0.0.1:{port}" if host.startswith("[") else f"[::1]:{port}"
            return (
                f"Nothing listens at {host}, but something does at {other}: forward to "
                f"localhost:{port}, which tries both."
            )
        return f"Nothing listens at {host}: start the app, or correct the port.{_docker(target)}"
    if error == "timeout":
        return (
            f"The app gave {visible(detail) or 'no complete answer in time'}. Answer 200 first and "
            "do the work afterwards: TikTok wants its answer at once. While you stop at "
            "breakpoints: --forward-timeout 600."
        )
    if error == "reset":
        return (
            "The app closed the connection before its answer was complete, as when it crashes or "
            "restarts: see its log."
        )
    if error == "tls":
        return _for_tls(host, detail)
    if error == "unreachable" and detail.startswith("no connection within"):
        return (
            f"{visible(detail[:1].upper() + detail[1:])} to {host}: either the address is wrong, "
            "or the app accepts no more connections, as one that is stopped at a breakpoint."
        )
    fixed = _ERRORS.get(error)
    if fixed is not None:
        return f"{fixed.format(host=host)}{_in_brackets(error, detail)}"
    return f"The app could not be reached at {host}: {visible(error[:_QUOTED_CHARS])}"


def _for_tls(host: str, detail: str) -> str:
    if "wrong version number" in detail or "http request" in detail:
        return f"The server at {host} does not speak TLS: write http:// in the target."
    if "certificate" in detail:
        words = visible(detail[:_QUOTED_CHARS])
        return (
            f"{words[:1].upper()}{words[1:]}. For a self-signed certificate use --insecure; for a "
            "CA of your own set SSL_CERT_FILE."
        )
    words = _in_brackets("tls", detail)
    return f"The TLS connection to {host} failed. For a plain server write http://.{words}"


def _in_brackets(error: str, detail: str) -> str:
    wanted = error in {"tls", "protocol", "unreachable"} and detail
    return f" ({visible(detail[:_QUOTED_CHARS])})" if wanted else ""


def _docker(target: str) -> str:
    if re.match(r"(localhost|127\.0\.0\.1|\[::1\])(:|\Z)", _host(target)):
        return " From inside a container the host's apps are at host.docker.internal."
    return ""


def _host_fix(app_text: str) -> str:
    """Where the framework that wrote this lists its hosts."""
    for pattern, fix in (
        (r"blocked hosts?", 'In Rails: config.hosts << "NAME" in config/environments.'),
        (r"allowedHosts|vite", "In Vite: server.allowedHosts in its configuration."),
        (r"http_host|disallowed|allowed_hosts", "In Django: add it to ALLOWED_HOSTS."),
    ):
        if re.search(f"(?i){pattern}", app_text):
            return f"{fix} Or send another name: --header 'Host: localhost'."
    return "Allow it there, or send another name: --header 'Host: localhost'."


def _csrf_fix(app_text: str, headers: dict[str, str]) -> str:
    cookies = headers.get("set-cookie", "")
    for pattern, fix in (
        (r"csrf verification failed|csrfmiddlewaretoken|django", " (Django: @csrf_exempt)"),
        (r"authenticity", " (Rails: skip_forgery_protection)"),
        (r"page expired|laravel", " (Laravel: validateCsrfTokens(except: …) in bootstrap/app.php)"),
        (r"csrf token is missing|csrf session token", " (Flask-WTF: csrf.exempt)"),
    ):
        if re.search(f"(?i){pattern}", f"{app_text}\n{cookies}"):
            return fix
    return ""


def _doubled(path: str) -> str:
    """The path that occurs twice in a row at the end of `path`; empty if none does."""
    parts = path.split("/")[1:]
    half = len(parts) // 2
    for length in range(half, 0, -1):
        if parts[-length:] == parts[-2 * length : -length] and any(parts[-length:]):
            return f"/{'/'.join(parts[-length:])}"
    return ""


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
    login = ""
    if _leads_to_login(there.path):
        login = " It looks like a login: leave the webhook's route out of it."
    return f"{status}: a redirect to {shown}. {ending}{login}"


def _path_of_location(target: str, location: str) -> str:
    """The path that a redirect leads to; empty if its address is invalid."""
    try:
        return urlsplit(urljoin(_with_scheme(target), location)).path
    except ValueError:
        return ""


def _leads_to_login(path: str) -> bool:
    return re.search(r"(?i)log[-_]?in|sign[-_]?in|auth", path) is not None


def _with_scheme(target: str) -> str:
    return target if "://" in target else f"http://{target}"


def _host(target: str) -> str:
    """Host and port for a sentence, without a user name and password."""
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
