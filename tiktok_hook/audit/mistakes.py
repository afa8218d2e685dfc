"""The mistakes behind an app's answers: what several cases together give away."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tiktok_hook.audit.case import Expected
from tiktok_hook.audit.frameworks import Framework
from tiktok_hook.audit.judging import Outcome, Result
from tiktok_hook.audit.rejected import X_HEADER
from tiktok_hook.audit.searching import Trial
from tiktok_hook.signature import HEADER


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake with a name.

    Args:
        name: A stable slug.
        words: What it is and how it is put right.
    """

    name: str
    words: str


class Answers:
    """The results by case; a case that was not played is neither taken nor turned down."""

    def __init__(self, results: Sequence[Result]) -> None:
        self._results: Mapping[str, Result] = {result.case.id: result for result in results}

    def took(self, *names: str) -> bool:
        """Whether the app accepted all of these."""
        return all(
            (found := self._results.get(name)) is not None and found.accepted for name in names
        )

    def took_one(self, *names: str) -> bool:
        """Whether the app accepted one of these at least."""
        return any(self.took(name) for name in names)

    def turned_down(self, *names: str) -> bool:
        """Whether the app rejected all of these."""
        return all((self.status(name) or 0) >= 400 for name in names)

    def rejected_one_as_forged(self, *names: str) -> bool:
        """Whether the app rejected at least one of these as it rejects a wrong signature.

        An app that fails at a delivery for another reason, as one that reads a key which the event
        lacks, answers something else.
        """
        rejections = {401, 403, self.status("forged")}
        return any(self.turned_down(name) and self.status(name) in rejections for name in names)

    def status(self, name: str) -> int | None:
        """What the app answered; None without an answer."""
        found = self._results.get(name)
        return None if found is None else found.status

    @property
    def verifies(self) -> bool:
        """Whether a made-up signature is rejected; without that the other cases prove nothing."""
        return not self.took_one("forged", "other-secret")

    @property
    def echoes(self) -> bool:
        """Whether a challenge came back."""
        return any(result.echoed for result in self._results.values())

    @property
    def slow(self) -> bool:
        """Whether a good delivery was answered late, or not in time."""
        good = [
            result for result in self._results.values() if result.case.expected is Expected.ACCEPTED
        ]
        return any(result.outcome is Outcome.WARN for result in good)

    @property
    def other_success(self) -> bool:
        """Whether good deliveries were answered with a success that is not 200."""
        return any(
            result.accepted and result.status != 200
            for result in self._results.values()
            if result.case.expected is Expected.ACCEPTED
        )


_OF_RECIPE = {
    "reserialised-spaced": "reserialised-body",
    "reserialised-compact": "reserialised-body",
    "reserialised-sorted": "reserialised-body",
    "newline": "reserialised-body",
    "body-alone": "unsigned-timestamp",
    "no-dot": "no-dot",
    "base64": "base64",
    "sha256-prefix": "digest-format",
    "empty-secret": "empty-secret",
    "digest": "digest-format",
    "digest-prefix": "digest-format",
    "digest-base64": "digest-format",
}
_WRITTEN_AGAIN = ("reserialised-spaced", "reserialised-compact", "reserialised-sorted")
_SAME_MEANING = ("spaced-body", "escaped-slashes", "unicode-escaped", "key-order")
_RULES: tuple[tuple[str, str, Callable[[Answers], bool]], ...] = (
    (
        "fails-open",
        "It lets everything pass: it does not verify at all, or it skips verifying while its own "
        "client secret is not set. Do not start without a secret, and compare the HMAC-SHA256 "
        "of t, a dot and the raw body with s.",
        lambda app: app.took("forged"),
    ),
    (
        "missing-header-passes",
        "It verifies only when the header is there: reject a delivery without one.",
        lambda app: app.verifies and app.took("missing-header"),
    ),
    (
        "wrong-header",
        f"It reads {X_HEADER}, which TikTok never sends: the header is {HEADER}.",
        lambda app: app.verifies and app.took("x-header") and not app.took("missing-header"),
    ),
    (
        "reserialised-body",
        "It verifies the body after parsing it and writing it again: read the raw bytes of the "
        "request first, verify those, then parse.",
        lambda app: (
            (app.verifies and app.took_one(*_WRITTEN_AGAIN, "newline"))
            or (app.took("valid") and app.rejected_one_as_forged(*_SAME_MEANING))
        ),
    ),
    (
        "unsigned-timestamp",
        "It signs the body alone: the message is t, a dot and the body.",
        lambda app: app.verifies and app.took("body-alone"),
    ),
    (
        "no-dot",
        "It leaves out the dot between t and the body.",
        lambda app: app.verifies and app.took("no-dot"),
    ),
    (
        "base64",
        "It compares the signature in base64: TikTok writes 64 hex digits.",
        lambda app: app.verifies and app.took("base64"),
    ),
    (
        "digest-format",
        "It expects the signature in another form: TikTok's header is t=<unix seconds>,s=<64 hex "
        "digits>.",
        lambda app: app.verifies and app.took("sha256-prefix"),
    ),
    (
        "empty-secret",
        "Its own client secret is empty, and it verifies with that: set it, and do not start "
        "without one.",
        lambda app: app.verifies and app.took("empty-secret"),
    ),
    (
        "no-freshness-check",
        "It does not look at the age of t: reject a signature more than 300 s away from now, in "
        "the past or the future.",
        lambda app: app.verifies and app.took_one("stale-week", "nonsense-t"),
    ),
    (
        "wide-freshness-window",
        "It accepts older signatures than --tolerance allows: narrow its window, or give the audit "
        "the same one.",
        lambda app: app.verifies and app.took("stale") and app.turned_down("stale-week"),
    ),
    (
        "future-passes",
        "It looks at the age of t in the past only: compare the distance, both ways.",
        lambda app: app.verifies and app.took("future") and not app.took("stale-week"),
    ),
    (
        "narrow-freshness-window",
        "Its window for the age of t is too narrow: allow 300 s both ways, and check the age "
        "before any slow work.",
        lambda app: app.took("valid") and app.rejected_one_as_forged("late", "early"),
    ),
    (
        "not-200",
        "It answers with a success that is not 200: TikTok documents 200 as the only one, so send "
        "exactly that.",
        lambda app: app.other_success,
    ),
    (
        "challenge-echo",
        "It echoes a challenge from a GET: that is Meta's handshake, TikTok has none. Take the GET "
        "out.",
        lambda app: app.echoes,
    ),
    (
        "slow-answer",
        "It takes long to answer a valid delivery: answer 200 first, then work.",
        lambda app: app.slow,
    ),
    (
        "crash",
        "It fails on a valid delivery: see its log.",
        lambda app: (app.status("valid") or 0) >= 500,
    ),
    (
        "other-secret-or-login",
        "It rejects a correctly signed delivery. Give it the same client secret as this audit, of "
        "the same environment, and exempt the route from logins and filters. If it checks the "
        "client key, give the audit --client-key.",
        lambda app: app.status("valid") in {400, 401, 403},
    ),
)

NAMES = tuple(name for name, _, _ in _RULES)


_UNEXPLAINED = {"crash", "other-secret-or-login"}
"""The remaining explanations for a valid delivery that is not accepted."""

_WHY_REJECTED = {"wrong-header", *_OF_RECIPE.values()}


def mistakes(
    results: Sequence[Result], way: Trial | None = None, framework: Framework | None = None
) -> tuple[Mistake, ...]:
    """The mistakes that an app's answers show, the gravest first; empty if there are none.

    Args:
        results: Of the cases played.
        way: The wrong signing that it accepts, if one was searched for and found.
        framework: Of the app, for a fix in its own terms.
    """
    app = Answers(results)
    names = {name for name, _, fits in _RULES if fits(app)}
    if way is not None:
        names |= {"wrong-header"} if way.header != HEADER else set()
        names |= {_OF_RECIPE[way.recipe]} if way.recipe else set()
        names |= {"no-freshness-check"} if way.takes_old else set()
    if names & _WHY_REJECTED:
        names -= _UNEXPLAINED
    words = {name: words for name, words, _ in _RULES}
    if way is not None:
        words["wrong-header"] = words["wrong-header"].replace(X_HEADER, way.header)
    if framework is not None:
        words["reserialised-body"] += f" In {framework.name}: {framework.raw_body}."
        words["wrong-header"] += f" In {framework.name}: {framework.header}."
    return tuple(Mistake(name, words[name]) for name in NAMES if name in names)
