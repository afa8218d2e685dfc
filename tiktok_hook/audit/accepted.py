"""Deliveries that TikTok may send: an app answers each of them 200."""

import json
from collections.abc import Callable, Sequence

from tiktok_hook import events
from tiktok_hook.audit.case import Case, Expected, RequestFactory
from tiktok_hook.exact_json import dumps, loads
from tiktok_hook.forward import ForwardRequest

LOST = (
    "TikTok counts anything but 200 as a failure: it retries for up to 72 hours with growing gaps, "
    "then drops the event for good."
)
_RAW = (
    "The signature is checked against JSON that was parsed and written again instead of the raw "
    "body: read the bytes of the request before anything parses them."
)
_STRICT = "A schema that demands more than TikTok promises: take what is known, ignore the rest."

PING = "tiktok.ping"


def _case(
    name: str,
    title: str,
    build: Callable[[RequestFactory], ForwardRequest | Sequence[ForwardRequest]],
    likely: str = "",
    means: str = LOST,
    *,
    blames_signature: bool = False,
) -> Case:
    def requests(kit: RequestFactory) -> Sequence[ForwardRequest]:
        built = build(kit)
        return [built] if isinstance(built, ForwardRequest) else built

    return Case(
        id=name,
        title=title,
        expected=Expected.ACCEPTED,
        build=requests,
        means=means,
        likely=likely,
        blames_signature=blames_signature,
    )


def _of_catalogue(name: str) -> Case:
    return _case(
        f"event:{name}",
        f"{name}, correctly signed",
        lambda kit: kit.signed(kit.sample(name)),
        "The handler knows only some events, or reads a key that this one lacks: TikTok sends "
        "every event of the app, there is no picking.",
    )


def _again(kit: RequestFactory) -> Sequence[ForwardRequest]:
    body = kit.sample()
    first = kit.signed(body, age=2)
    return [first, first, kit.signed(body)]


def _spaced(kit: RequestFactory) -> ForwardRequest:
    return kit.signed(json.dumps(json.loads(kit.sample())).encode())


def _reordered(kit: RequestFactory) -> ForwardRequest:
    envelope = loads(kit.sample())
    assert isinstance(envelope, dict)
    return kit.signed(dumps(dict(reversed(envelope.items()))).encode())


def _escaped(kit: RequestFactory) -> ForwardRequest:
    envelope = kit.envelope("example.unicode", '{"note":"café ✓"}')
    return kit.signed(dumps(envelope, ascii_only=True).encode())


def _of_business(name: str) -> Case:
    return _case(
        f"business:{name}",
        f"{name} of TikTok Business, correctly signed",
        lambda kit: kit.signed(kit.business_sample(name)),
        "The handler knows only some events, or expects a client key that begins with aw: that of "
        "a Business app is a number.",
    )


BUSINESS: tuple[Case, ...] = tuple(
    _of_business(kind.name) for kind in events.CATALOGUE.values() if kind.business
)
"""Events of TikTok Business, for an app that is registered there: run only on request."""

ACCEPTED: tuple[Case, ...] = (
    _case("valid", "a right signature", lambda kit: kit.signed(kit.sample())),
    _case(
        "late",
        "a right signature, half the tolerance old",
        lambda kit: kit.signed(kit.sample(), age=kit.tolerance / 2),
        "The window for the signature's age is a few seconds wide, or the age is looked at only "
        "after slow work: allow 300 s, and check first.",
        "A delivery that was held up on its way, or a clock that is a little off, makes the app "
        "reject what TikTok signed: events come minutes late, on a retry, or never.",
    ),
    _case(
        "early",
        "a right signature from a clock 20 s ahead",
        lambda kit: kit.signed(kit.sample(), age=-min(20.0, kit.tolerance / 2)),
        "Any t in the future is rejected: compare the distance between t and now, both ways.",
        "As soon as this server's clock is a second behind, every delivery is rejected.",
    ),
    _case(
        "ping",
        "the portal's Test URL event, milliseconds in create_time",
        lambda kit: kit.signed(kit.sample(PING)),
        "create_time has 13 digits in this one: take it as milliseconds, or do not look at it.",
        "The portal's Test URL button shows a failure, although nothing is wrong with the URL.",
    ),
    *(
        _of_catalogue(kind.name)
        for kind in events.CATALOGUE.values()
        if kind.name != PING and not kind.business
    ),
    _case(
        "unknown-event",
        "an unknown event",
        lambda kit: kit.signed(kit.body("example.of.tomorrow", '{"reason":1}')),
        "Unknown events are rejected: answer 200 and ignore them.",
        f"The day TikTok adds an event, the app fails on it. {LOST}",
    ),
    _case(
        "unknown-key",
        "one more key in the envelope",
        lambda kit: kit.signed(kit.body("post.publish.complete", '{"publish_id":"v1"}', new=1)),
        _STRICT,
    ),
    _case(
        "key-order", "the envelope's keys in another order", _reordered, _RAW, blames_signature=True
    ),
    _case(
        "spaced-body",
        "spaces between the body's keys and values",
        _spaced,
        _RAW,
        blames_signature=True,
    ),
    _case(
        "spaced-content",
        "spaces inside content",
        lambda kit: kit.signed(kit.body("authorization.removed", '{ "reason" : 1 }')),
        "content is compared or cut as text: parse it, it is JSON inside a string.",
    ),
    _case(
        "unicode",
        "letters outside ASCII, as UTF-8",
        lambda kit: kit.signed(kit.body("example.unicode", '{"note":"café ✓ 🎬"}')),
        f"{_RAW} Or the body is decoded in another encoding than UTF-8.",
        blames_signature=True,
    ),
    _case(
        "unicode-escaped", "the same letters as \\u escapes", _escaped, _RAW, blames_signature=True
    ),
    _case(
        "escaped-slashes",
        "slashes written as \\/",
        lambda kit: kit.signed(
            kit.body("example.slashes", '{"url":"https://example.com/a"}').replace(b"/", rb"\/")
        ),
        _RAW,
        blames_signature=True,
    ),
    _case(
        "big-integers",
        "integers of 19 digits",
        lambda kit: kit.signed(
            kit.body(
                "portability.download.ready",
                '{"request_id":7545201234567890123}',
                sequence=7545201234567890123,
            )
        ),
        "Numbers are read as floating point: beyond 2^53 they are rounded, and a body written "
        "again no longer matches its signature. Keep ids as text.",
        blames_signature=True,
    ),
    _case(
        "content-type",
        "application/json without a charset",
        lambda kit: kit.post(body := kit.sample(), kit.sign(body), content_type="application/json"),
        "The content type is compared with one exact text: accept application/json with or "
        "without anything behind it.",
    ),
    _case(
        "header-case",
        "the header spelled tiktok-signature, as proxies rewrite it",
        lambda kit: kit.post(body := kit.sample(), kit.sign(body), names=["tiktok-signature"]),
        "The header is looked up with regard to case: header names have none.",
    ),
    _case(
        "redelivery",
        "the same delivery again, then re-signed",
        _again,
        "Duplicates are rejected: answer 200 and do nothing.",
        "TikTok delivers at least once. An app that fails on a repetition keeps TikTok repeating "
        "it for 72 hours.",
    ),
)
