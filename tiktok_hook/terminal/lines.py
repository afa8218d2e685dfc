"""One line for each record, made by hand: this is the whole output under load.

A line costs a few microseconds, where one of rich costs 100, so that printing keeps up with
receiving. Colours come from the theme, and text from outside passes `shown`.
"""

from tiktok_hook.delivery import (
    AppChanged,
    Attempt,
    AttemptEnded,
    Delivery,
    NonWebhookRequest,
    Notice,
    Skipped,
    TunnelChanged,
)
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import State
from tiktok_hook.terminal import words
from tiktok_hook.terminal.cells import MAX_NAME, MAX_TEXT, columns, cut, cut_inside
from tiktok_hook.terminal.flood import LeftOut
from tiktok_hook.terminal.theme import Paint, Parts, hyperlink

RETRY_SECONDS = 72 * 3600
"""How long TikTok repeats a delivery that was not answered 200.

Source: https://developers.tiktok.com/doc/webhooks-overview
"""

_ID_COLUMNS = 5
_STATE_COLUMNS = 9
_NAME_COLUMNS = 24
_LEAST_NAME_COLUMNS = 12
_LEAST_TAIL_COLUMNS = 3
_LEAST_PATH_COLUMNS = 20


def shown(text: str, limit: int = MAX_TEXT) -> str:
    """Return text from outside as it may be printed: cut, and every character harmless.

    It is cut first, so that a megabyte costs no more than what is shown of it.
    """
    return visible(text if len(text) <= limit else f"{text[:limit]}…")


def state_style(state: State) -> str:
    """Return the style of a verdict: none for what needs no attention."""
    return {
        State.STALE: "caution",
        State.INVALID: "bad",
        State.MISSING: "bad",
    }.get(state, "")


def status_style(status: int | None) -> str:
    """Return the style of an answer; TikTok documents 200 as the only success."""
    return "good" if status == 200 else "bad" if status is not None else "caution"


def attempt_style(attempt: Attempt) -> str:
    """Return the style of what an attempt brought."""
    if not attempt.ended:
        return "caution"
    is_good = not attempt.failed if attempt.expects_rejection else attempt.status == 200
    return "good" if is_good and attempt.error is None else "bad"


def outcome(attempt: Attempt, *, timed: bool = True) -> str:
    """Return ``200 in 3 ms``, or what went wrong in words and, if `timed`, after how long."""
    if attempt.duration_ms is None:
        return "no answer yet"
    took = words.milliseconds(attempt.duration_ms)
    if attempt.status is not None and attempt.error is None:
        return f"{attempt.status} in {took}"
    error = attempt.error or "no answer"
    reason = words.ERRORS.get(error) or shown(error)
    after = f", {took}" if timed else ""
    return f"{attempt.status}, then {reason}{after}" if attempt.status else f"{reason}{after}"


def delivery_name(delivery: Delivery) -> str:
    """Return the event's name; of what is not an event the method and the path."""
    event = delivery.event
    if event is not None:
        return shown(event.name, MAX_NAME)
    return f"{shown(delivery.method, MAX_NAME)} {shown(delivery.path, MAX_NAME)}"


def delivery_line(
    delivery: Delivery,
    paint: Paint,
    *,
    attempt: Attempt | None = None,
    skipped: bool = False,
    queued: bool = False,
    width: int | None = None,
    link: str = "",
) -> str:
    """Return a delivery in one line without a newline: time, id, verdict, event, words, answer.

    Args:
        delivery: The delivery; its status is None while the app has not answered.
        paint: Colours.
        attempt: The first attempt, once it is known.
        skipped: Whether it is not forwarded.
        queued: Whether the user has to release it.
        width: Columns that it should fit; name and words are cut for it. None cuts for none.
        link: URL that the id leads to; empty for none.
    """
    verdict = delivery.verdict
    summary = verdict.reason if verdict.rejected else delivery.summary
    if delivery.redelivery_of is not None:
        summary = f"{words.redelivery(delivery)}: {summary}"
    style = status_style(delivery.status)
    tail = str(delivery.status) if delivery.status is not None else "waiting for the app"
    if attempt is not None:
        style = attempt_style(attempt)
        tail = outcome(attempt, timed=width is None or attempt.error is None)
        if delivery.status is not None and delivery.status != attempt.status:
            tail = f"{tail}, answered {delivery.status}"
    elif skipped:
        style, tail = "", f"not forwarded, answered {delivery.status}"
    elif queued:
        style, tail = "caution", f"{delivery.status}, queued"
    arrow = "→ " if attempt is not None or skipped else ""
    head = f"{words.clock(delivery.received_at)} {f'#{delivery.id}':<{_ID_COLUMNS}} "
    state = f"{verdict.state.value:<{_STATE_COLUMNS}}"
    name, text = delivery_name(delivery), shown(summary)
    if width is not None:
        least = len(head) + len(state) + _LEAST_NAME_COLUMNS + len(arrow) + 2
        tail = cut(tail, max(width - least, _LEAST_TAIL_COLUMNS))
        room = width - len(head) - len(state) - len(arrow) - columns(tail) - 3
        name = cut_inside(name, max(min(room, MAX_NAME), _LEAST_NAME_COLUMNS))
        text = cut(text, max(room - max(columns(name), _NAME_COLUMNS), 0))
    text = f"{text} " if text else ""
    name += " " * (_NAME_COLUMNS - columns(name)) if text else ""
    mark = state_style(verdict.state)
    shown_state = f"{paint.styled(state.rstrip(), mark)}{' ' * (len(state) - len(state.rstrip()))}"
    if link:
        number = f"#{delivery.id}"
        head = head.replace(number, hyperlink(number, link))
    return (
        f"{head}{shown_state} {paint.strong}{name}{paint.off} {text}"
        f"{arrow}{paint.styled(tail, style)}"
    )


def answer_line(
    delivery: Delivery,
    attempt: Attempt | None,
    paint: Paint,
    *,
    with_target: bool = False,
    link: str = "",
) -> str:
    """Return the late answer to a delivery that is on the screen: ``#12 → 200 in 3.2 s``.

    Args:
        delivery: As answered.
        attempt: The attempt that the answer was made of; None without one.
        paint: Colours.
        with_target: Name the app that answered: there are several.
        link: URL that the id leads to; empty for none.
    """
    where = ""
    if attempt is None:
        summary, style = str(delivery.status), status_style(delivery.status)
    else:
        summary, style = outcome(attempt), attempt_style(attempt)
        if delivery.status != attempt.status:
            summary = f"{summary}, answered {delivery.status}"
        where = f"{shown(attempt.target)} " if with_target else ""
    number = hyperlink(f"#{delivery.id}", link)
    return f"{paint.strong}{number}{paint.off} → {where}{paint.styled(summary, style)}"


def attempt_line(
    attempt: Attempt,
    *,
    ended: AttemptEnded | None = None,
    name_app: bool = False,
    after: float | None = None,
) -> Parts:
    """Return an attempt in one line: ``→ #12.1 http://… 200 in 3 ms``.

    Args:
        attempt: As recorded.
        ended: The event that it came with, which knows of the next try.
        name_app: Whether to name the app, where a shared history has several.
        after: When its delivery was received, in Unix seconds, to show the attempt's own time:
            with the date if it was on another day. None shows no time.
    """
    at = ""
    if after is not None:
        same_day = words.midnight(attempt.started_at) == words.midnight(after)
        shown_time = words.clock if same_day else words.date_and_time
        at = f"{shown_time(attempt.started_at)} "
    marks = " replay" if attempt.replay else ""
    if attempt.variant:
        marks += f" ({shown(attempt.variant, MAX_NAME)})"
    elif attempt.resigned:
        marks += " re-signed"
    if name_app and attempt.app is not None:
        marks += f" {shown(attempt.app, MAX_NAME)}"
    again = ""
    if ended is not None and ended.will_retry:
        due = ended.next_try_at
        again = ", queued until the app is up" if due is None else f", next try {words.clock(due)}"
    return (
        f"  → {at}#{attempt.id}{marks} {shown(attempt.target)} ",
        (outcome(attempt), attempt_style(attempt)),
        again,
    )


def skipped_line(event: Skipped) -> str:
    """Return that a delivery is not forwarded, and why."""
    return f"  → #{event.delivery.id} not forwarded: {shown(event.reason)}"


def request_line(request: NonWebhookRequest, *, width: int | None = None) -> str:
    """Return a request that is not a delivery in one line: ``GET / 200``.

    Args:
        request: As published.
        width: Columns that it should fit; the path is cut for it. None cuts for none.
    """
    reason = f" ({shown(request.reason)})" if request.reason else ""
    path = shown(request.path)
    if width is not None:
        path = cut(path, max(width - len(request.method) - len(reason) - 20, _LEAST_PATH_COLUMNS))
    what = f"{shown(request.method, MAX_NAME)} {path}".strip()
    if request.count > 1:
        what = f"{words.count(request.count)} requests {what}".rstrip()
    return f"{words.clock(request.at)} {what or 'a request'} {request.status}{reason}"


def left_out_line(left_out: LeftOut) -> str:
    """Return the count of what strangers sent beyond what is shown of it."""
    if left_out.subject == "rejected":
        what = words.plural(left_out.count, "more rejected delivery", "more rejected deliveries")
        return f"… {what} not shown: tiktok-hook events --verdict invalid --verdict missing"
    return f"… {words.plural(left_out.count, 'more non-webhook request')} not shown"


def tunnel_line(state: TunnelChanged, paint: Paint) -> str:
    """Return a change of the tunnel and what it means for deliveries; empty if nothing changed."""
    at = words.clock(state.since)
    if state.state == "reconnecting":
        why = f": {shown(state.error)}" if state.error else ""
        return (
            f"{at} {paint.styled('tunnel lost', 'caution')}{why}\n"
            "  Reconnecting. TikTok retries for 72 h what it cannot deliver now."
        )
    if state.state == "online":
        online = paint.styled("tunnel online", "good")
        if state.outage_seconds is None:
            return f"{at} {online} {shown(state.url or '')}".rstrip()
        until = words.date_and_time(state.since + RETRY_SECONDS)
        return (
            f"{at} {online} again after {words.duration(max(state.outage_seconds, 1.0))}\n"
            f"  TikTok retries for 72 h: what it could not deliver may come until {until}."
        )
    return ""  # closed: the session is ending, and shows why


_APP_STATES = {
    "up": ("is up", "good"),
    "started": ("started", "good"),
    "down": ("is down", "bad"),
    "paused": ("is down", "bad"),
    "exited": ("ended", "caution"),
}


def app_line(state: AppChanged, paint: Paint) -> str:
    """Return a change of the developer's app."""
    who = shown(state.target) if state.target else "your command"
    what, style = _APP_STATES[state.state]
    if state.exit_code is not None:
        what = f"ended with exit code {state.exit_code}"
    detail = f": {shown(state.detail)}" if state.detail else ""
    queued = " Deliveries are queued for it." if state.state == "paused" else ""
    stop = "." if queued and not detail else ""
    return f"{who} {paint.styled(what, style)}{detail}{stop}{queued}"


def notice_style(notice: Notice) -> tuple[str, str]:
    """Return the label of a notice and its style."""
    return {
        "info": ("Note", "label"),
        "warning": ("Warning", "caution"),
        "error": ("Error", "bad"),
    }[notice.level]
