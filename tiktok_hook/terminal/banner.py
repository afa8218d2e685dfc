"""What is said when everything is up, and when it ends."""

import shlex
from collections.abc import Iterator, Sequence

from tiktok_hook.delivery import Ready, Summary
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import words
from tiktok_hook.terminal.blocks import hint
from tiktok_hook.terminal.paint import Paint

_ACK_WORDS = {
    "app": "TikTok gets what your app answers",
    "first": "TikTok gets 200 first, forwarding follows",
}
_HOLD_WORDS = {
    # Whether single keys work, and whether the history outlives the session.
    (True, True): "forwarding waits for p or replay --pending",
    (True, False): "forwarding waits for p",
    (False, True): "forwarding waits for replay --pending",
    (False, False): "nothing is forwarded but by the inspector",
}

_RANGES = 12
"""How many ranges of ids a command names."""


def banner(ready: Ready, paint: Paint, *, width: int = 80, keys: bool = False) -> str:
    """The banner, with a newline at the end.

    The Callback URL stands alone on its line, without colours and never wrapped, so that it can be
    copied whole.

    Args:
        ready: What there is to say.
        paint: Colours.
        width: Columns for hints.
        keys: Whether single keys work.
    """
    text = ["", *_address(ready, paint), visible(ready.callback_url), ""]
    text += _portal(ready, paint)
    text.append("")
    for name, value in _facts(ready, paint, width, keys=keys):
        text.append(f"  {paint.dim}{name:<12}{paint.off} {value}")
    text.append("")
    stop = "Ctrl-C stops. ? shows the keys." if keys else "Ctrl-C stops."
    text.append(f"  {paint.dim}{stop}{paint.off}")
    return "\n".join(text) + "\n\n"


def _address(ready: Ready, paint: Paint) -> list[str]:
    if ready.public:
        return [f"{paint.bold}Callback URL{paint.off}"]
    return [
        f"{paint.bold}Callback URL{paint.off} {paint.amber}(this machine only: TikTok cannot "
        f"reach it without a tunnel){paint.off}"
    ]


def _portal(ready: Ready, paint: Paint) -> Iterator[str]:
    if not ready.public:
        yield "  Try it from another terminal: tiktok-hook trigger post.publish.complete"
        return
    if ready.memory == "same":
        yield f"  {paint.green}Same as last time: nothing to do in the portal.{paint.off}"
        return
    if ready.memory == "changed":
        yield f"  {paint.amber}Changed since last time: paste it again.{paint.off}"
        yield "  Developer Portal > your app > Webhooks > Callback URL, Test URL, Save changes"
        return
    yield "  In TikTok's Developer Portal, once:"
    yield "  1. developers.tiktok.com > Manage apps > your app (or its Sandbox)"
    yield "  2. Webhooks in the menu; not there yet: Add products > Webhooks"
    yield "  3. Paste the URL above into Callback URL"
    yield "  4. Test URL > Send: a tiktok.ping shows up here"
    yield "  5. Save changes (in a sandbox: Apply changes)"


def _facts(ready: Ready, paint: Paint, width: int, *, keys: bool) -> Iterator[tuple[str, str]]:
    under = " " * 15
    if ready.edge_verification:
        price = (
            "ngrok checks first. Forged requests are blocked there and not seen here, nor are "
            "real ones if the secret is wrong; free plans include 500 checks a month."
        )
        yield "Signatures", f"at ngrok's edge{hint(price, paint, width, indent=under)}"
    elif ready.secrets:
        with_secrets = words.plural(ready.secrets, "client secret")
        yield "Signatures", f"{paint.green}checked here{paint.off} with {with_secrets}"
    else:
        how = (
            "Set TIKTOK_CLIENT_SECRET, or give --secret-file FILE. The portal has it under "
            "Credentials > Client secret."
        )
        none = f"{paint.amber}not checked: no client secret given{paint.off}"
        yield "Signatures", none + hint(how, paint, width, indent=under)
    yield from _app(ready, paint, keys=keys)
    if ready.inspector_url is not None:
        yield "Inspector", visible(ready.inspector_url)
    else:
        yield "Inspector", f"{paint.dim}none{paint.off}"
    yield "Receiver", visible(ready.local_url) + _tunnel(ready)
    history = "kept in memory only (--ephemeral)" if ready.history is None else ready.history
    yield "History", visible(history)
    if ready.self_check.result == "ok":
        yield "Self-check", f"{paint.green}ok{paint.off}, the public URL leads here"
    elif ready.self_check.result == "failed":
        said = hint(ready.self_check.hint, paint, width, indent=under)
        yield "Self-check", f"{paint.red}failed{paint.off}{said}"
    elif ready.public:
        yield "Self-check", f"{paint.dim}skipped{paint.off}"


def _app(ready: Ready, paint: Paint, *, keys: bool) -> Iterator[tuple[str, str]]:
    if ready.target is None:
        yield "App", f"{paint.dim}none; --forward-to 3000 hands deliveries to yours{paint.off}"
        if ready.ack is not None:
            yield "Answer", _answer(ready.ack, keys=keys, kept=ready.history is not None)
        return
    yield "App", _target(ready.target, ready.target_up, paint)
    for url, up in ready.others:
        yield "", f"{_target(url, up, paint)}, its answers do not count"
    if ready.events:
        yield "Events", f"only {visible(', '.join(ready.events))} are forwarded"
    if ready.ack is not None:
        yield "Answer", _answer(ready.ack, keys=keys, kept=ready.history is not None)


def _answer(ack: str, *, keys: bool, kept: bool) -> str:
    if ack == "hold":
        return f"TikTok gets 200, {_HOLD_WORDS[keys, kept]}"
    return _ACK_WORDS.get(ack, f"TikTok always gets {visible(ack)}")


def _target(url: str, up: bool | None, paint: Paint) -> str:  # noqa: FBT001 - private
    state = ""
    if up is not None:
        state = f" {paint.green}up{paint.off}" if up else f" {paint.red}not up yet{paint.off}"
    return visible(url) + state


def _tunnel(ready: Ready) -> str:
    if ready.tunnelled:
        return ", reached through ngrok"
    return ", reached through your own --public-url" if ready.public else ""


def summary(found: Summary, paint: Paint, *, kept: bool = True) -> str:
    """The exit screen, with a newline at the end; nothing that is zero takes a line.

    Args:
        found: The counts.
        paint: Colours.
        kept: Whether the history outlives the session, so that a command can go on from it.
    """
    text = [
        "",
        f"{paint.bold}{words.plural(found.received, 'delivery', 'deliveries')}{paint.off} "
        f"in {words.duration(found.seconds)}",
    ]
    kinds = [
        (found.valid, "valid", paint.green),
        (found.stale, "stale", paint.amber),
        (found.refused, "refused", paint.red),
        (found.unchecked, "unchecked", paint.dim),
    ]
    told = [f"{colour}{words.count(n)} {word}{paint.off}" for n, word, colour in kinds if n]
    if found.redeliveries:
        told.append(words.plural(found.redeliveries, "redelivery", "redeliveries"))
    if told:
        text.append("  " + ", ".join(told))
    if found.unstored:
        text.append(
            f"  {paint.red}{words.count(found.unstored)} could not be stored{paint.off}: answered "
            "503, TikTok will send them again"
        )
    if found.attempts:
        p95 = "" if found.p95_ms is None else f", 95 % within {words.milliseconds(found.p95_ms)}"
        text.append(f"  {words.plural(found.attempts, 'forward')}{p95}")
    text += _failed(found, paint, kept=kept)
    if found.pending:
        text.append(
            f"  {words.count(found.pending)} still waiting for "
            + ("the app" if found.pending_at is None else visible(found.pending_at))
            + (": tiktok-hook replay --pending" if kept else "")
        )
    if found.outages:
        text.append(
            f"  {words.plural(found.outages, 'outage')} of the tunnel, "
            f"{words.duration(max(found.offline_seconds, 1.0))} in all"
        )
    if found.dropped_lines:
        text.append(
            f"  {words.count(found.dropped_lines)} only counted on this screen"
            + (": tiktok-hook events" if kept else "")
        )
    return "\n".join(text) + "\n"


def _failed(found: Summary, paint: Paint, *, kept: bool) -> Iterator[str]:
    """What the app did not answer with 200: for each target a line with what to do about it."""
    beside = sum(each.attempts for each in found.failed_beside)
    own = found.failed_attempts - beside
    if own or found.failed:
        yield _failed_at(found.failed, own, found.target, paint, kept=kept)
    for each in found.failed_beside:
        where = f" at {visible(each.target)}"
        yield _failed_at(each.ids, each.attempts, each.target, paint, kept=kept, where=where)


def _failed_at(
    ids: Sequence[int],
    attempts: int,
    target: str | None,
    paint: Paint,
    *,
    kept: bool,
    where: str = "",
) -> str:
    # From 100 on not all are kept count of by name.
    if not ids and attempts < 100:
        early = f"{paint.amber}{words.count(attempts)} failed at first{paint.off}"
        return f"  {early}{where}, and got through later"
    again = ""
    if ids and kept:
        to = "" if target is None else f" --to {shlex.quote(target)}"
        again = f"; send again: tiktok-hook replay {_named(ids)}{to}"
    return f"  {paint.red}{words.count(attempts or len(ids))} failed{paint.off}{where}{again}"


def _named(ids: Sequence[int]) -> str:
    """Deliveries as `replay` takes them: ``3-7 9``; many: the failed ones among them."""
    ranges: list[list[int]] = []
    for each in sorted(ids):
        if ranges and each == ranges[-1][-1] + 1:
            ranges[-1][1:] = [each]
        else:
            ranges.append([each])
    if len(ranges) > _RANGES:
        return f"{ranges[0][0]}-{ranges[-1][-1]} --failed"
    return " ".join("-".join(map(str, each)) for each in ranges)
