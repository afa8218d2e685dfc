"""One line for each record, written by hand: the whole terminal output under load.

A line costs some microseconds, so that printing keeps up with receiving. Everything that came from
outside passes `visible`.
"""

from tiktok_hook.delivery import (
    AppChanged,
    Attempt,
    Delivery,
    NonWebhookRequest,
    Notice,
    TunnelChanged,
)
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import State
from tiktok_hook.terminal import words
from tiktok_hook.terminal.flood import LeftOut
from tiktok_hook.terminal.paint import Paint

RETRY_SECONDS = 72 * 3600
"""How long TikTok repeats what did not get its 200.

Source: https://developers.tiktok.com/doc/webhooks-overview
"""


MAX_NAME = 64
"""Characters shown of a name, a method or an address, however wide the terminal."""

MAX_TEXT = 300
"""Characters shown of a path, a URL, a reason or a hint, likewise."""


def shown(text: str, limit: int = MAX_TEXT) -> str:
    """Return text from outside as it may be printed: cut, and every character harmless.

    It is cut first, so that a megabyte costs no more than what is shown of it.
    """
    return visible(text if len(text) <= limit else f"{text[:limit]}…")


def columns(text: str) -> int:
    """How many columns a terminal gives the text."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, room: int) -> str:
    """The text in at most `room` columns, its end replaced by an ellipsis where it is longer."""
    if columns(text) <= room:
        return text
    if room <= 0:
        return ""
    if text.isascii():
        return text[: room - 1] + "…"
    from rich.cells import set_cell_size

    return set_cell_size(text, room - 1).rstrip() + "…"


def verdict_colour(state: State, paint: Paint) -> str:
    """Green for valid, amber for stale, red for refused, dim for unchecked."""
    if state is State.VALID:
        return paint.green
    if state is State.STALE:
        return paint.amber
    return paint.dim if state is State.UNCHECKED else paint.red


def outcome(attempt: Attempt) -> str:
    """``200 in 3 ms``, or what went wrong in words."""
    if attempt.duration_ms is None:
        return "not answered yet"
    took = words.milliseconds(attempt.duration_ms)
    if attempt.status is not None and attempt.error is None:
        return f"{attempt.status} in {took}"
    error = attempt.error or "no answer"
    why = words.REASON_WORDS.get(error) or shown(error)
    return f"{attempt.status}, then {why}, {took}" if attempt.status else f"{why}, {took}"


def delivery_line(
    delivery: Delivery,
    paint: Paint,
    *,
    attempt: Attempt | None = None,
    skipped: bool = False,
    width: int | None = None,
    first_at: float | None = None,
) -> str:
    """A delivery in one line, without a newline.

    Args:
        delivery: As answered.
        paint: Colours.
        attempt: What the app made of it, when known.
        skipped: Whether it is not forwarded.
        width: Columns it should fit; the summary is cut for it. None cuts nothing.
        first_at: Unix seconds of the first delivery of the same event, when known.
    """
    verdict = delivery.verdict
    event = delivery.event
    if event is not None:
        name = shown(event.name, MAX_NAME)
    else:
        name = f"{shown(delivery.method, MAX_NAME)} {shown(delivery.path, MAX_NAME)}"
    said = words.verdict(verdict) if verdict.state is not State.STALE else "stale"
    text = shown(said if verdict.refused else delivery.summary)
    mark = "" if verdict.refused else said
    if delivery.redelivery_of is not None:
        text = f"{words.redelivery(delivery, first_at)}: {text}"
    if attempt is not None:
        good = attempt.status == 200
        tail = f"→ {outcome(attempt)}"
        if delivery.status is not None and delivery.status != attempt.status:
            tail = f"{tail}, answered {delivery.status}"
    elif skipped:
        good = delivery.status == 200
        tail = "→ not forwarded"
        if delivery.status is not None:
            tail = f"{tail}, answered {delivery.status}"
    else:
        good = delivery.status == 200
        tail = str(delivery.status) if delivery.status is not None else "waiting"
    head = f"{words.clock(delivery.received_at)} #{delivery.id}"
    if width is not None:
        room = width - len(head) - len(mark) - len(tail) - 4
        name = cut(name, max(room, 12))
        text = cut(text, max(room - len(name), 0))
    colour = verdict_colour(verdict.state, paint)
    state = f"{colour}{mark}{paint.off} " if mark else ""
    body = f"{colour if verdict.refused else ''}{text}{paint.off if verdict.refused else ''}"
    return (
        f"{paint.dim}{head}{paint.off} {state}{paint.bold}{name}{paint.off} {body} "
        f"{paint.green if good else paint.red}{tail}{paint.off}"
    )


def attempt_line(attempt: Attempt, paint: Paint) -> str:
    """An attempt in one line: ``→ #12.1 http://… 200 in 3 ms``."""
    marks = " replay" if attempt.replay else ""
    if attempt.variant:
        marks += f" ({visible(attempt.variant)})"
    elif attempt.resigned:
        marks += " re-signed"
    is_good = not attempt.failed if attempt.expects_rejection else attempt.status == 200
    colour = paint.green if is_good and attempt.error is None else paint.red
    return f"  → #{attempt.id}{marks} {shown(attempt.target)} {colour}{outcome(attempt)}{paint.off}"


def probe_line(probe: NonWebhookRequest, paint: Paint) -> str:
    """A request that was no delivery, dim: ``GET / 200``."""
    reason = f" ({shown(probe.reason)})" if probe.reason else ""
    return (
        f"{paint.dim}{words.clock(probe.at)} {shown(probe.method, MAX_NAME)} "
        f"{shown(probe.path)} {probe.status}{reason}{paint.off}"
    )


def left_out_line(left_out: LeftOut, paint: Paint) -> str:
    """A count of what strangers sent beyond what is shown of it, dim."""
    if left_out.subject == "rejected":
        what = words.plural(left_out.count, "more rejected delivery", "more rejected deliveries")
        where = ": tiktok-hook events --verdict invalid --verdict missing"
    else:
        what, where = words.plural(left_out.count, "more non-webhook request"), ""
    return f"{paint.dim}… {what} not shown{where}{paint.off}"


def tunnel_line(state: TunnelChanged, paint: Paint) -> str:
    """A change of the tunnel, with what it means for deliveries; empty where nothing is to say."""
    at = f"{paint.dim}{words.clock(state.since)}{paint.off}"
    why = f": {visible(state.error)}" if state.error else ""
    if state.state == "reconnecting":
        return (
            f"{at} {paint.amber}tunnel lost{paint.off}{why}\n"
            "  connecting again; TikTok repeats for 72 h what does not get through now"
        )
    if state.state == "online":
        if state.outage_seconds is None:
            return f"{at} {paint.green}tunnel online{paint.off} {visible(state.url or '')}".rstrip()
        until = words.date_and_time(state.since + RETRY_SECONDS)
        return (
            f"{at} {paint.green}tunnel online again{paint.off} after "
            f"{words.duration(max(state.outage_seconds, 1.0))}\n"
            f"  TikTok retries for 72 h: what it missed may come until {until}"
        )
    return ""  # closed: the end of the session, which says itself why


def app_line(state: AppChanged, paint: Paint) -> str:
    """A change of the developer's app."""
    who = visible(state.target) if state.target else "your command"
    colour = {"up": paint.green, "started": paint.green, "exited": paint.amber}.get(
        state.state, paint.red
    )
    what = {
        "up": "is up",
        "down": "is down",
        "started": "started",
        "exited": "ended" if state.exit_code is None else f"ended with exit code {state.exit_code}",
        "paused": "is not there: forwarding waits for it",
    }[state.state]
    detail = f": {visible(state.detail)}" if state.detail else ""
    return f"{who} {colour}{what}{paint.off}{detail}"


def notice_line(notice: Notice, paint: Paint) -> str:
    """A notice and, under it, its hint."""
    colour = {"info": paint.cyan, "warning": paint.amber, "error": paint.red}[notice.level]
    word = {"info": "Note", "warning": "Warning", "error": "Error"}[notice.level]
    hint = f"\n{paint.dim}  {visible(notice.hint)}{paint.off}" if notice.hint else ""
    # An error may be a bug of ours, and its traceback is of use only with its lines.
    message = visible(notice.message, keep_newlines=notice.level == "error").rstrip("\n")
    return f"{colour}{word}:{paint.off} {message}{hint}"
