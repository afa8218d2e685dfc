"""Deliveries that cannot be TikTok's, or no longer: an app must reject them."""

import secrets
from collections.abc import Callable

from tiktok_hook.audit.case import PLAIN_EVENT, Case, Expected, RequestFactory
from tiktok_hook.audit.wrong_signatures import WRONG, digest, taken_apart
from tiktok_hook.exact_json import dumps
from tiktok_hook.forward import ForwardRequest
from tiktok_hook.signature import HEADER

FORGED = (
    "Anybody who learns the address can send the app events that never happened. (An app that "
    "answers 200 on purpose and drops such a delivery looks the same from outside.)"
)
_REPLAYED = "Anyone who has one delivery can send it again at any time."
_DISTANCE = "Compare the distance between t and now with 300 s, both ways."
_OWN_KEY = "There is a fallback secret, or a list of secrets with one too many."

_ODD_HEADERS = {
    "missing-header",
    "empty-header",
    "no-t",
    "no-s",
    "empty-s",
    "short-s",
    "two-t",
    "nonsense-t",
    "nonsense-header",
    "x-header",
    "base64",
    "sha256-prefix",
}

WEEK = 7 * 86_400.0
X_HEADER = "X-TikTok-Signature"
SANDBOX_KEY = "sbawexampleclient1"


def _case(
    name: str,
    title: str,
    build: Callable[[RequestFactory], ForwardRequest],
    likely: str,
    means: str = FORGED,
) -> Case:
    return Case(
        id=name,
        title=title,
        expected=Expected.REJECTED,
        build=lambda kit: [build(kit)],
        means=means,
        likely=likely,
        has_odd_header=name in _ODD_HEADERS,
    )


def _with_header(
    make: Callable[[RequestFactory, str, str], str | None],
) -> Callable[[RequestFactory], ForwardRequest]:
    """A delivery whose header is made out of the right ``t`` and ``s``."""

    def build(kit: RequestFactory) -> ForwardRequest:
        body = kit.sample()
        return kit.post(body, make(kit, *taken_apart(kit.sign(body))))

    return build


def _signed_as(recipe: str) -> Callable[[RequestFactory], ForwardRequest]:
    """A delivery signed in one of the wrong ways."""
    return lambda kit: kit.post(*WRONG[recipe](kit))


def _changed(kit: RequestFactory) -> ForwardRequest:
    body = kit.sample()
    position = body.index(PLAIN_EVENT.encode())
    changed = body[:position] + b"P" + body[position + 1 :]
    return kit.post(changed, kit.sign(body))


def _nonsense_time(kit: RequestFactory) -> ForwardRequest:
    body = kit.sample()
    return kit.post(body, f"t=nan,s={digest(kit, b'nan.' + body).hex()}")


def _sandbox(kit: RequestFactory) -> ForwardRequest:
    envelope = kit.envelope("authorization.removed", '{"reason":1}') | {"client_key": SANDBOX_KEY}
    return kit.signed(dumps(envelope).encode(), secret="a-sandbox-has-its-own-secret")  # noqa: S106 - no app's


REJECTED: tuple[Case, ...] = (
    # First: an app that accepts this accepts the others for the same reason.
    _case(
        "forged",
        "a made-up signature",
        _with_header(lambda _kit, t, _s: f"t={t},s={secrets.token_hex(32)}"),
        "Nothing is verified, or verifying is skipped while no client secret is set.",
    ),
    _case(
        "missing-header",
        f"no {HEADER} header",
        _with_header(lambda *_: None),
        "The check is skipped when the header is not there: a missing one must be rejected.",
    ),
    _case(
        "empty-header", "an empty header", _with_header(lambda *_: ""), "An empty header passes."
    ),
    _case(
        "changed-body",
        "one byte of the body changed on the way",
        _changed,
        "The signature does not cover the whole body: use all its raw bytes.",
    ),
    _case(
        "other-secret",
        "another app's client secret",
        lambda kit: kit.signed(kit.sample(), secret="another-app-has-another-secret"),  # noqa: S106 - no app's
        _OWN_KEY,
    ),
    _case("sandbox-key", "a sandbox's delivery, signed with its own secret", _sandbox, _OWN_KEY),
    _case(
        "empty-secret",
        "signed with an empty secret",
        _signed_as("empty-secret"),
        "The app's own client secret is empty, and it verifies with that: anybody can sign so. "
        "Do not start without a secret.",
    ),
    _case(
        "stale",
        "a right signature, a minute older than the tolerance",
        lambda kit: kit.signed(kit.sample(), age=kit.tolerance + 60),
        f"The age of t is not looked at, or a wider window is allowed. {_DISTANCE}",
        _REPLAYED,
    ),
    _case(
        "stale-week",
        "a right signature, a week old",
        lambda kit: kit.signed(kit.sample(), age=WEEK),
        f"The age of t is not looked at. {_DISTANCE}",
        _REPLAYED,
    ),
    _case(
        "future",
        "a right signature, a minute further in the future than the tolerance",
        lambda kit: kit.signed(kit.sample(), age=-kit.tolerance - 60),
        f"Only the past is looked at: now - t is negative here, and smaller than any limit. "
        f"{_DISTANCE}",
        "A delivery that was signed ahead of time stays valid until its t.",
    ),
    _case(
        "no-t",
        "a header without t",
        _with_header(lambda _kit, _t, s: f"s={s}"),
        "A missing t is replaced by something: reject it.",
    ),
    _case(
        "no-s",
        "a header without s",
        _with_header(lambda _kit, t, _s: f"t={t}"),
        "A missing s passes: reject it.",
    ),
    _case(
        "empty-s",
        "a header with an empty s",
        _with_header(lambda _kit, t, _s: f"t={t},s="),
        "Signatures are compared only as far as the shorter one goes: compare them whole.",
    ),
    _case(
        "short-s",
        "the first half of the right signature",
        _with_header(lambda _kit, t, s: f"t={t},s={s[:32]}"),
        "Signatures are compared only as far as the shorter one goes: compare them whole.",
    ),
    _case(
        "two-t",
        "a header with two t",
        _with_header(lambda _kit, t, s: f"t={int(t) - 1},t={t},s={s}"),
        "One of the two is picked: reject a header with two t.",
        "What is judged for its age need not be what was signed.",
    ),
    _case(
        "nonsense-t",
        "t=nan, correctly signed",
        _nonsense_time,
        "t is read as a floating point number, and no comparison with NaN is ever true: take "
        "digits only.",
        _REPLAYED,
    ),
    _case(
        "nonsense-header",
        "a header that is none",
        _with_header(lambda *_: "Bearer nonsense"),
        "A header that cannot be read passes: reject it.",
    ),
    _case(
        "x-header",
        f"the right signature under {X_HEADER}",
        lambda kit: kit.post(body := kit.sample(), kit.sign(body), names=[X_HEADER]),
        f"The app reads {X_HEADER}, which TikTok does not send: the header is {HEADER}.",
    ),
    _case(
        "reserialised-spaced",
        "a signature over the body written again with spaces",
        _signed_as("reserialised-spaced"),
        "The body is parsed and written again before it is verified: use its raw bytes.",
    ),
    _case(
        "reserialised-compact",
        "a signature over the body written again without spaces",
        _signed_as("reserialised-compact"),
        "The body is parsed and written again before it is verified: use its raw bytes.",
    ),
    _case(
        "reserialised-sorted",
        "a signature over the body with its keys sorted",
        _signed_as("reserialised-sorted"),
        "The body is parsed and written again before it is verified: use its raw bytes.",
    ),
    _case(
        "newline",
        "a signature over the body and a line break",
        _signed_as("newline"),
        "A line break is added to the body before it is verified: use its raw bytes.",
    ),
    _case(
        "body-alone",
        "a signature over the body without t",
        _signed_as("body-alone"),
        "The body alone is signed: the message is t, a dot and the body.",
        f"{_REPLAYED} Nothing binds t to the signature.",
    ),
    _case(
        "no-dot",
        "a signature over t and the body without the dot",
        _signed_as("no-dot"),
        "The dot between t and the body is left out.",
    ),
    _case(
        "base64",
        "the right signature in base64",
        _signed_as("base64"),
        "The signature is compared in base64: TikTok writes 64 hex digits.",
    ),
    _case(
        "sha256-prefix",
        "the right signature with sha256= before it",
        _signed_as("sha256-prefix"),
        "sha256= is expected before the digits, as other platforms write it; TikTok does not.",
    ),
)
