"""The full block of a delivery: what it is, what was found, what the app said, headers, body.

By hand as well: a panel of rich with highlighted JSON costs 1 to 3 ms.
"""

import textwrap
from collections.abc import Iterator, Sequence

from tiktok_hook.delivery import Attempt, Delivery, Skipped, Source
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import lines, words
from tiktok_hook.terminal.body import body_lines
from tiktok_hook.terminal.paint import Paint

MAX_HEADER_CHARS = 400
"""Characters shown of one header value when a delivery arrives."""

MAX_HEADERS = 40
"""Headers shown when a delivery arrives."""

_PRODUCT_COLOURS = {
    "Content Posting": "cyan",
    "Login Kit": "magenta",
    "TikTok Minis": "blue",
    "Video Kit": "amber",
    "Data Portability": "green",
    "Developer portal": "bold",
}


def delivery_block(
    delivery: Delivery,
    paint: Paint,
    *,
    attempts: Sequence[Attempt] = (),
    skipped: Skipped | None = None,
    width: int = 80,
    first_at: float | None = None,
    whole: bool = False,
) -> str:
    """A delivery over several lines, with a newline at the end.

    Args:
        delivery: As answered.
        paint: Colours.
        attempts: What was tried with it so far.
        skipped: Why it is not forwarded; None when it is.
        width: Columns for the rule and for hints; headers and body are left to the terminal.
        first_at: Unix seconds of the first delivery of the same event, when known.
        whole: Leave nothing out of headers and body, as for `show`.
    """
    text = [_title(delivery, paint, width)]
    if delivery.summary:
        text.append(f"  {lines.shown(delivery.summary)}")
    text += _verdict(delivery, paint, width)
    if delivery.redelivery_of is not None:
        text.append(f"  {paint.amber}↻ {words.redelivery(delivery, first_at)}{paint.off}")
    for attempt in attempts:
        text.append(attempt_block(attempt, paint, width))
    if skipped is not None:
        text.append(skipped_block(skipped, paint, width))
    text.append("")
    text.append(
        f"  {lines.shown(delivery.method, lines.MAX_NAME)} "
        f"{visible(delivery.target) if whole else lines.shown(delivery.target)} "
        f"{paint.dim}HTTP/{delivery.http_version}{_from(delivery)}{paint.off}"
    )
    text += _headers(delivery, paint, whole=whole)
    text.append("")
    text += [f"  {line}" for line in body_lines(delivery, paint, width=width - 2, whole=whole)]
    return "\n".join(text) + "\n\n"


def _headers(delivery: Delivery, paint: Paint, *, whole: bool) -> Iterator[str]:
    """One line for each header; of a delivery that arrives no more than fits a screen."""
    longest = MAX_HEADER_CHARS if not whole else max(map(_length, delivery.headers), default=0)
    shown = delivery.headers if whole else delivery.headers[:MAX_HEADERS]
    for name, value in shown:
        yield (
            f"  {paint.dim}{lines.shown(name, longest)}:{paint.off} {lines.shown(value, longest)}"
        )
    left = len(delivery.headers) - len(shown)
    if left:
        more = words.plural(left, "more header")
        yield f"  {paint.dim}… {more}: tiktok-hook show {delivery.id}{paint.off}"


def _length(header: tuple[str, str]) -> int:
    return max(map(len, header))


def attempt_block(attempt: Attempt, paint: Paint, width: int = 80) -> str:
    """An attempt's line and, under it, what a bad answer probably means; no newline at the end."""
    line = lines.attempt_line(attempt, paint)
    return line + hint(attempt.hint, paint, width, indent="    ")


def skipped_block(event: Skipped, paint: Paint, width: int = 80) -> str:
    """That a delivery goes to no app and, under it, why; no newline at the end."""
    line = f"  → #{event.delivery.id} {paint.dim}not forwarded{paint.off}"
    return line + hint(event.reason, paint, width, indent="    ")


def hint(text: str, paint: Paint, width: int, *, indent: str) -> str:
    """A hint wrapped under a line that it belongs to; begins with a newline, or is empty."""
    if not text:
        return ""
    wrapped = textwrap.wrap(
        visible(text), max(width - len(indent), 30), break_long_words=False, break_on_hyphens=False
    )
    return "".join(f"\n{indent}{paint.amber}{line}{paint.off}" for line in wrapped)


def _title(delivery: Delivery, paint: Paint, width: int) -> str:
    event = delivery.event
    kind = event.kind if event is not None else None
    if event is None:
        name, product, colour = (
            f"{lines.shown(delivery.method, 20)} {lines.shown(delivery.path, 60)}",
            "",
            "",
        )
    elif kind is None:
        name, product, colour = lines.shown(event.name, 60), "unknown event", ""
    else:
        name, product = kind.name, kind.product
        colour = getattr(paint, _PRODUCT_COLOURS.get(product, "bold"))
        name = visible(event.name)  # of TikTok's two spellings the one that came
    head = f"── {words.clock(delivery.received_at)}  #{delivery.id}  "
    tail = f"  {product} " if product else " "
    rule = "─" * max(width - len(head) - len(name) - len(tail), 2)
    return (
        f"{paint.dim}──{paint.off} {words.clock(delivery.received_at)}  "
        f"{paint.bold}#{delivery.id}{paint.off}  {paint.bold}{colour}{name}{paint.off}"
        f"{paint.dim}{tail}{rule}{paint.off}"
    )


def _verdict(delivery: Delivery, paint: Paint, width: int) -> list[str]:
    found = delivery.verdict
    colour = lines.verdict_colour(found.state, paint)
    mark = {"valid": "✓", "stale": "✓", "unchecked": "·"}.get(found.state.value, "✗")
    said = f"  {colour}{mark} signature {lines.shown(words.verdict(found))}{paint.off}"
    if found.state == "unchecked" and not found.hint:
        said = f"  {colour}{mark} signature unchecked: no client secret given{paint.off}"
    status = "not answered yet" if delivery.status is None else f"answered {delivery.status}"
    good = paint.green if delivery.status == 200 else paint.amber
    said += f" {paint.dim}·{paint.off} {good}{status}{paint.off}"
    return [said + hint(found.hint, paint, width, indent="    ")]


def _from(delivery: Delivery) -> str:
    where = (
        f" from {lines.shown(delivery.remote_addr, lines.MAX_NAME)}" if delivery.remote_addr else ""
    )
    if delivery.source is Source.TRIGGER:
        return f"{where}, sent by tiktok-hook trigger"
    return f"{where}, imported" if delivery.source is Source.IMPORT else where
