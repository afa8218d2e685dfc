"""The banner once everything is up, and the summary at the end."""

import shlex
from collections.abc import Iterator, Sequence

from rich.text import Text

from tiktok_hook.delivery import AttachedTo, Ready, Summary
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import words
from tiktok_hook.terminal.blocks import hint_lines
from tiktok_hook.terminal.drawing import hanging, line, linked
from tiktok_hook.terminal.theme import Part

_LABEL_COLUMNS = 15
_MAX_RANGES = 12
"""How many ranges of ids a command names."""

_ALL_IDS_KNOWN = 100
"""Up to as many failed deliveries the summary knows each id."""

PORTAL_STEPS = (
    "developers.tiktok.com > Manage apps > your app (or its Sandbox)",
    "Webhooks in the menu; not there yet: Add products > Webhooks",
    "Paste the URL above into Callback URL",
    "Test URL > Send: a tiktok.ping shows up here",
    "Save changes (in a sandbox: Apply changes)",
)


def banner(
    ready: Ready, *, width: int = 80, keys: bool = False, links: bool = False
) -> Iterator[Text]:
    """Yield the lines of the banner.

    The Callback URL is alone on its line and never wrapped, so that it can be copied whole.

    Args:
        ready: What the session found.
        width: Columns of the terminal.
        keys: Whether single keys work.
        links: Whether the terminal shows hyperlinks.
    """
    yield from title(ready, width)
    if ready.attached is None:
        yield from _portal(ready, width)
        yield line()
    for name, value, hint in _facts(ready, keys=keys, links=links):
        yield from hanging(f"  {name:<{_LABEL_COLUMNS - 2}}", value, width=width)
        yield from hint_lines(hint, width, indent=_LABEL_COLUMNS)
    yield line()
    yield line("  Ctrl-C stops. ? shows the keys." if keys else "  Ctrl-C stops.")
    yield line()


def title(ready: Ready, width: int) -> Iterator[Text]:
    """Yield the Callback URL, or what is attached, between empty lines."""
    yield line()
    if ready.attached is None:
        yield line(("Callback URL", "strong"))
        yield line((visible(ready.callback_url), "url"))
    else:
        yield from _attached(ready.attached, width)
    yield line()


def _portal(ready: Ready, width: int) -> Iterator[Text]:
    if not ready.public:
        local = "This machine only: TikTok cannot reach it without a tunnel."
        yield from hanging("  ", line((local, "caution")), width=width)
        sample = "tiktok-hook trigger post.publish.complete"
        yield from hanging("  ", f"Try it from another terminal: {sample}", width=width)
    elif ready.memory == "same":
        yield line("  Same URL as last time.")
    elif ready.memory == "changed":
        yield line("  ", ("Changed since last time: paste it again.", "caution"))
        where = "Developer Portal > your app > Webhooks > Callback URL, Test URL, Save changes"
        yield from hanging("  ", where, width=width)
    else:
        yield line("  In TikTok's Developer Portal, once:")
        for number, step in enumerate(PORTAL_STEPS, 1):
            yield from hanging(f"  {number}. ", step, width=width)


def _attached(attached: AttachedTo, width: int) -> Iterator[Text]:
    name = "Showing what is received" if attached.app is None else f"{attached.app} is attached"
    yield line((visible(name), "strong"))
    what = visible(attached.match) or "every accepted delivery"
    yield from hanging("  ", f"After delivery {attached.cursor}: {what}", width=width)


def _facts(ready: Ready, *, keys: bool, links: bool) -> Iterator[tuple[str, Text, str]]:
    """Yield name, value and hint of everything that is good to know."""
    if ready.attached is None:
        yield _signatures(ready)
    elif ready.target is not None:
        yield "Signatures", line(_late_ones(ready)), ""
    yield from _app(ready, keys=keys)
    for number, each in enumerate(ready.settings_from):
        yield "" if number else "Settings", line(visible(each)), ""
    page = ready.inspector_url or ""
    yield "Inspector", linked(visible(page) or "none", page if links else ""), ""
    if ready.attached is None:
        yield "Receiver", line(visible(ready.local_url) + _way_in(ready)), ""
    history = "in memory only (--ephemeral)" if ready.history is None else ready.history
    yield "History", line(visible(history)), ""
    check = ready.self_check
    if check.result == "ok":
        yield "Self-check", line(("ok", "good"), ": the public URL reaches this receiver"), ""
    elif check.result == "failed":
        yield "Self-check", line(("failed", "bad")), check.hint
    elif ready.public:
        yield "Self-check", line("skipped"), ""


def _signatures(ready: Ready) -> tuple[str, Text, str]:
    if ready.edge_verification:
        hint = (
            "ngrok blocks forged requests before they get here, so they are not shown; real ones "
            "are blocked too if the secret is wrong. Free plans include 500 checks a month."
        )
        return "Signatures", line("verified at ngrok's edge"), hint
    if ready.secrets:
        secrets = words.plural(ready.secrets, "client secret")
        return "Signatures", line(f"verified here with {secrets}"), ""
    hint = (
        "Set TIKTOK_CLIENT_SECRET, or give --secret-file FILE. The portal shows it under "
        "Credentials > Client secret."
    )
    return "Signatures", line(("not verified", "caution"), ": no client secret given"), hint


def _late_ones(ready: Ready) -> str:
    if ready.secrets:
        return "what is forwarded late is signed again"
    return "as received; with --secret, what is forwarded late is signed again"


def _app(ready: Ready, *, keys: bool) -> Iterator[tuple[str, Text, str]]:
    if ready.target is None:
        yield "App", line("none: --forward-to 3000 forwards deliveries to yours"), ""
    else:
        for number, app in enumerate(_targets(ready, ready.target)):
            yield "" if number else "App", app, ""
    if ready.ack is not None:
        yield "Answer", line(_answer(ready, ready.ack, keys=keys)), ""
    for number, (match, answer) in enumerate(ready.answers):
        name = "" if number or ready.ack is not None else "Answer"
        yield name, line(f"{visible(match)} is answered {visible(answer)}"), ""


def _targets(ready: Ready, primary: str) -> Iterator[Text]:
    """Yield what gets everything, then each route."""
    is_up = dict([(primary, ready.target_up), *ready.others])
    routed = {url for _, url in ready.routes}
    for_all = [url for url in is_up if url not in routed]
    everything = ", gets everything" if routed else ""
    for number, url in enumerate(for_all):
        unused = ", its answers do not count" if number else ""
        yield line(_target(url, up=is_up[url]), everything, unused)
    for match, url in ready.routes:
        yield line((visible(match), "strong"), " → ", _target(url, up=is_up.get(url)))


def _answer(ready: Ready, ack: str, *, keys: bool) -> str:
    if ack == "app":
        if ready.routes and ready.others:
            for_all = ready.target not in {url for _, url in ready.routes}
            first = visible(ready.target or "") if for_all else "the first matching route"
            return f"TikTok gets the answer of {first}"
        return "TikTok gets your app's answer"
    if ack == "first":
        return "200 at once, then forwarded"
    if ack != "hold":
        return f"TikTok always gets {visible(ack)}"
    kept = ready.history is not None
    ways = [*(["p"] if keys else []), *(["tiktok-hook replay --pending"] if kept else [])]
    released = " or ".join(ways) or "the inspector"
    return f"200 at once; forwarded on {released}"


def _target(url: str, *, up: bool | None) -> Text:
    if up is None:
        return line(visible(url))
    return line(visible(url), " ", ("up", "good") if up else ("not up yet", "caution"))


def _way_in(ready: Ready) -> str:
    if ready.tunnelled:
        return ", reached through ngrok"
    return ", reached through your own --public-url" if ready.public else ""


def summary(found: Summary, *, width: int = 80, kept: bool = True) -> Iterator[Text]:
    """Yield the lines of the exit screen; what is zero takes no line.

    Args:
        found: The counts.
        width: Columns of the terminal.
        kept: Whether the history outlives the session, so that commands can continue from it.
    """
    received = words.plural(found.received, "delivery", "deliveries")
    yield line()
    yield line((received, "strong"), f" in {words.duration(found.seconds)}")
    for parts in _counts(found, kept=kept):
        yield from hanging("  ", line(*parts), width=width, indent=4)


def _counts(found: Summary, *, kept: bool) -> Iterator[Sequence[Part]]:
    kinds = [
        (found.valid, "valid"),
        (found.stale, "stale"),
        (found.rejected, "rejected"),
        (found.unchecked, "unchecked"),
    ]
    counted = [f"{words.count(number)} {word}" for number, word in kinds if number]
    if found.redeliveries:
        counted.append(words.plural(found.redeliveries, "redelivery", "redeliveries"))
    if counted:
        yield (", ".join(counted),)
    if found.unstored:
        failed = f"{words.count(found.unstored)} could not be stored"
        yield (failed, "bad"), ": answered 503, TikTok will send them again"
    if found.attempts:
        p95 = "" if found.p95_ms is None else f", p95 {words.milliseconds(found.p95_ms)}"
        yield (f"{words.plural(found.attempts, 'forward')}{p95}",)
    yield from _failed(found, kept=kept)
    if found.pending:
        app = "the app" if found.pending_at is None else visible(found.pending_at)
        command = ": tiktok-hook replay --pending" if kept else ""
        yield (f"{words.count(found.pending)} queued for {app}{command}",)
    if found.outages:
        offline = words.duration(max(found.offline_seconds, 1.0))
        yield (f"{words.plural(found.outages, 'tunnel outage')}, {offline} in all",)
    if found.dropped_lines:
        command = ": tiktok-hook events" if kept else ""
        yield (f"{words.count(found.dropped_lines)} not shown here (too fast){command}",)


def _failed(found: Summary, *, kept: bool) -> Iterator[Sequence[Part]]:
    """Yield for each target what was not answered 200, and the command that sends it again."""
    elsewhere = sum(each.attempts for each in found.secondary_failures)
    own = found.failed_attempts - elsewhere
    if own or found.failed:
        yield _failed_at(found.failed, own, found.target, kept=kept)
    for each in found.secondary_failures:
        where = f" at {visible(each.target)}"
        yield _failed_at(each.ids, each.attempts, each.target, kept=kept, where=where)


def _failed_at(
    ids: Sequence[int], attempts: int, target: str | None, *, kept: bool, where: str = ""
) -> Sequence[Part]:
    if not ids and attempts < _ALL_IDS_KNOWN:
        return (
            (f"{words.count(attempts)} failed at first", "caution"),
            f"{where}, and succeeded later",
        )
    again = ""
    if ids and kept:
        to = "" if target is None else f" --to {shlex.quote(target)}"
        again = f"; send again: tiktok-hook replay {_named(ids)}{to}"
    return (f"{words.count(attempts or len(ids))} failed", "bad"), f"{where}{again}"


def _named(ids: Sequence[int]) -> str:
    """Return deliveries as `replay` takes them: ``3-7 9``; if many, the failed ones of a range."""
    ranges: list[list[int]] = []
    for each in sorted(ids):
        if ranges and each == ranges[-1][-1] + 1:
            ranges[-1][1:] = [each]
        else:
            ranges.append([each])
    if len(ranges) > _MAX_RANGES:
        return f"{ranges[0][0]}-{ranges[-1][-1]} --failed"
    return " ".join("-".join(map(str, each)) for each in ranges)
