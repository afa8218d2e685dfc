"""A delivery over several lines: what it is, the verdict, the app's answer, headers, body."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from tiktok_hook.delivery import Attempt, Delivery, Skipped, Source
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import lines, words
from tiktok_hook.terminal.body import ARRIVING, WHOLE, BodyLimits, body_lines
from tiktok_hook.terminal.cells import MAX_NAME
from tiktok_hook.terminal.drawing import fits, hanging, line, linked, rule
from tiktok_hook.terminal.theme import Parts

MAX_HEADER_CHARS = 400
"""Characters shown of one header value when a delivery arrives."""

MAX_HEADERS = 40
"""Headers shown when a delivery arrives."""

_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of a delivery a block shows.

    Attributes:
        headers: Whether the request line and the headers are shown.
        body: Limits of the body.
        whole: Whether headers and body are complete, as for ``tiktok-hook show``.
        times: Whether each attempt has its time.
    """

    headers: bool = True
    body: BodyLimits = ARRIVING
    whole: bool = False
    times: bool = False


EVERYTHING = Detail(body=WHOLE, whole=True, times=True)


def delivery_block(
    delivery: Delivery,
    *,
    attempts: Sequence[Attempt] = (),
    skipped: Skipped | None = None,
    width: int = 80,
    detail: Detail = EVERYTHING,
    waiting_for: str | None = None,
    queued: str = "",
    name_apps: bool = False,
    link: str = "",
) -> Iterator[Text | Parts]:
    """Yield the lines of a delivery, the last of them empty.

    Args:
        delivery: As stored; its status is None while the app has not answered.
        attempts: Its attempts so far.
        skipped: Why it is not forwarded; None if it is.
        width: Columns of the terminal.
        detail: How much of it.
        waiting_for: The target that has not answered yet; None if nothing is awaited.
        queued: Words for one that the user has to release; empty for any other.
        name_apps: Whether to name the apps of a shared history.
        link: URL that the id leads to; empty for none.
    """
    yield rule(_title(delivery, link), width=width)
    if delivery.summary:
        yield from hanging(_INDENT, lines.shown(delivery.summary), width=width)
    is_over = bool(attempts) and all(each.ended for each in attempts)
    yield from _verdict(delivery, width, waiting_for, is_over=is_over, queued=queued)
    if delivery.redelivery_of is not None:
        yield line(_INDENT, ("↻", "caution"), " ", words.redelivery(delivery))
    last_hint = ""
    for attempt in attempts:
        after = delivery.received_at if detail.times else None
        about = lines.attempt_line(attempt, name_app=name_apps, after=after)
        yield from attempt_lines(about, width)
        if attempt.hint != last_hint:
            yield from hint_lines(attempt.hint, width, indent=4)
        last_hint = attempt.hint
    if skipped is not None:
        yield from hanging("", lines.skipped_line(skipped), width=width, indent=4)
    if detail.headers:
        yield line()
        target = delivery.target if detail.whole else lines.shown(delivery.target)
        yield line(
            f"{_INDENT}{lines.shown(delivery.method, MAX_NAME)} {visible(target)} "
            f"HTTP/{delivery.http_version}{_origin(delivery)}"
        )
        yield from _headers(delivery, width, whole=detail.whole)
        yield line()
    for each in body_lines(delivery, width=width - len(_INDENT), limits=detail.body):
        yield (_INDENT, *each)
    yield ()


def attempt_lines(parts: Parts, width: int | None) -> Iterator[Text | Parts]:
    """Yield an attempt's line; if it is too wide its outcome is on a line of its own.

    Args:
        parts: Of `lines.attempt_line`: the id and the target, then the outcome.
        width: Columns of the terminal; None if there is none.
    """
    if fits(parts, width):
        yield parts
        return
    tried, *outcome = parts
    yield from hanging("", tried, width=width or 80, indent=4)
    yield from hanging(" " * 4, line(*outcome), width=width or 80, indent=4)


def hint_lines(text: str, width: int, *, indent: int) -> Iterator[Text]:
    """Yield a hint, wrapped under its label; nothing for an empty one."""
    if text:
        lead = line(" " * indent, ("hint:", "label"), " ")
        yield from hanging(lead, visible(text), width=width, indent=indent + 2)


def _title(delivery: Delivery, link: str) -> Text:
    event = delivery.event
    product = ""
    if event is not None:
        product = "  unknown event" if event.kind is None else f"  {event.kind.product}"
    return line(
        f"{words.clock(delivery.received_at)}  ",
        linked((f"#{delivery.id}", "strong"), link),
        "  ",
        (lines.delivery_name(delivery), "strong"),
        product,
    )


def _verdict(
    delivery: Delivery, width: int, waiting_for: str | None, *, is_over: bool, queued: str
) -> Iterator[Text]:
    found = delivery.verdict
    mark = {"valid": "✓", "stale": "✓", "unchecked": "·"}.get(found.state.value, "✗")
    words_of_verdict = f"{mark} signature {words.verdict(found)}"
    if found.state == "unchecked" and not found.hint:
        words_of_verdict += ": no client secret given"
    if waiting_for is not None:
        answer = (f"waiting for {lines.shown(waiting_for)}", "caution")
    elif delivery.status is None and is_over:
        answer = ("TikTok got no answer", "bad")
    elif delivery.status is None:
        answer = ("waiting for the app", "caution")
    else:
        answer = (f"answered {delivery.status}", lines.status_style(delivery.status))
    style = lines.state_style(found.state)
    rest = (" · ", (queued, "caution")) if queued else ()
    body = line((lines.shown(words_of_verdict), style), " · ", answer, *rest)
    yield from hanging(_INDENT, body, width=width, indent=len(_INDENT) + 2)
    yield from hint_lines(found.hint, width, indent=4)


def _headers(delivery: Delivery, width: int, *, whole: bool) -> Iterator[Text]:
    """Yield a line for each header; a value that is too wide continues under itself."""
    shown = delivery.headers if whole else delivery.headers[:MAX_HEADERS]
    for name, value in shown:
        if whole:
            name, value = visible(name), visible(value)  # noqa: PLW2901 - made harmless
        else:
            name, value = lines.shown(name), lines.shown(value, MAX_HEADER_CHARS)  # noqa: PLW2901
        lead = f"{_INDENT}{name}: "
        if whole or len(lead) > width // 2:
            yield line(lead, value)
        else:
            yield from hanging(lead, value, width=width, indent=6, fold=True)
    left = len(delivery.headers) - len(shown)
    if left:
        more = words.plural(left, "more header")
        yield line(f"{_INDENT}… {more}: tiktok-hook show {delivery.id}")


def _origin(delivery: Delivery) -> str:
    where = f" from {lines.shown(delivery.remote_addr, MAX_NAME)}" if delivery.remote_addr else ""
    if delivery.source is Source.TRIGGER:
        return f"{where}, sent by tiktok-hook trigger"
    return f"{where}, imported" if delivery.source is Source.IMPORT else where
